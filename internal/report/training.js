"use strict";
// Draws the curves of the training journals. A record is a line of metrics.jsonl:
// {phase, epoch, lr, terms, valid, test, seconds}; null stands for a number that is not finite.
{
const run = JSON.parse(document.getElementById("run-data").textContent);
const main = document.getElementById("charts");
const journals = new Map(); // by seed; each is a map from "phase epoch" to the record
for (const s of run.seeds) {
	journals.set(s.seed, new Map());
	for (const r of s.records) addRecord(s.seed, r);
}

function addRecord(seed, r) {
	if (!journals.has(seed)) journals.set(seed, new Map());
	journals.get(seed).set(r.phase + " " + r.epoch, r);
}

function element(tag, attributes = {}, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.append(...children);
	return e;
}

// Titles of charts. Those of loss terms come with the data.
const titles = Object.fromEntries([...run.prefixes,
	["lr", "learning rate"], ["seconds", "seconds"], ["F1", "F1 scores ↑"], ["accuracy", "accuracies ↑"], ["MAE", "MAE ↓"], ["Corr", "Corr ↑"], ["cross-entropy", "cross-entropy ↓"]]);
const first = ["loss", "MAE", "cross-entropy", "Corr", "accuracy"];
const chartOrder = [...first, ...run.prefixes.map(([name]) => name).filter((name) => !first.includes(name))];
const suffixes = run.suffixes.map(([, name]) => name);
const collapsed = [
	["Bounds of mutual information (FID)", (group) => /^(club|learn|nce)/.test(group)],
	["More", (group) => ["lr", "seconds", "F1"].includes(group)],
];

// chartOf returns the chart of a loss term and the name of its curve: rec_l is the curve "language" of the chart "rec".
function chartOf(name) {
	for (const [prefix] of run.prefixes) {
		for (const [suffix, curve] of run.suffixes) if (name === prefix + suffix) return [prefix, curve || "training"];
	}
	return [name, "training"];
}

// curvesOf lists the curves of a record, each as [chart, name of the curve, function that reads its value].
function curvesOf(r) {
	const all = [];
	for (const name of Object.keys(r.terms)) {
		const [group, curve] = chartOf(name);
		all.push([group, curve, (r) => r.terms[name]]);
	}
	for (const [split, splitName] of [["valid", "validation"], ["test", "test"]]) {
		for (const name of Object.keys(r[split] || {})) {
			const read = (r) => (r[split] || {})[name];
			if (/swapped|NaN/.test(name)) continue;
			const label = split === "valid" ? name : `${name}, test`;
			if (/acc/i.test(name)) all.push(["accuracy", label, read]);
			else if (/F1/.test(name)) all.push(["F1", label, read]);
			else all.push([name === "loss" ? "cross-entropy" : name, splitName, read]);
		}
	}
	all.push(["lr", "learning rate", (r) => r.lr], ["seconds", "an epoch", (r) => r.seconds]);
	return all;
}

// layout returns the charts of each phase and the curves of each chart, in a fixed order.
function layout() {
	const phases = new Map();
	for (const journal of journals.values()) {
		for (const r of journal.values()) {
			if (!phases.has(r.phase)) phases.set(r.phase, new Map());
			const groups = phases.get(r.phase);
			for (const [group, name, read] of curvesOf(r)) {
				if (!groups.has(group)) groups.set(group, new Map());
				groups.get(group).set(name, read);
			}
		}
	}
	const rank = (group) => (chartOrder.indexOf(group) + chartOrder.length + 1) % (chartOrder.length + 1);
	const within = (name) => suffixes.indexOf(name);
	return [...phases].sort(([a], [b]) => a < b ? -1 : 1).map(([phase, groups]) => [phase,
		[...groups].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)).map(([group, list]) => [group,
			[...list].sort(([a], [b]) => within(a) - within(b))])]);
}

let selectedSeed = "all";

// columns returns the data of a chart for uPlot: the epochs, then the values of each curve. With several seeds each curve has three
// columns: mean, maximum and minimum.
function columns(phase, list) {
	const selected = selectedSeed === "all" ? [...journals.values()] : [journals.get(Number(selectedSeed))];
	let epochs = 0;
	for (const journal of selected) for (const r of journal.values()) if (r.phase === phase) epochs = Math.max(epochs, r.epoch);
	const data = [Array.from({length: epochs}, (_, i) => i + 1)];
	for (const [, read] of list) {
		const values = data[0].map((epoch) => selected.map((journal) => journal.get(phase + " " + epoch)).filter(Boolean).map(read).filter(Number.isFinite));
		data.push(values.map((x) => x.length ? x.reduce((a, b) => a + b) / x.length : null));
		if (selected.length > 1) data.push(values.map((x) => x.length ? Math.max(...x) : null), values.map((x) => x.length ? Math.min(...x) : null));
	}
	return data;
}

// format returns v with four significant digits.
function format(v) {
	if (v == null) return "–";
	const size = Math.abs(v);
	return (size !== 0 && (size < 1e-3 || size >= 1e5) ? v.toExponential(1) : String(Number(v.toPrecision(4)))).replaceAll("-", "−");
}

// lineStyle returns the colour and the dashes of the curve called name, which has the index i in its chart.
function lineStyle(name, i) {
	const css = getComputedStyle(document.documentElement);
	const m = ["language", "audio", "vision"].indexOf(name);
	if (m >= 0) return [css.getPropertyValue("--" + "lav"[m]).trim(), [[], [7, 3], [2, 2]][m]];
	if (name === "by chance") return ["#80868c", []];
	return [[css.getPropertyValue("--accent").trim(), "#cc79a7", "#e69f00", "#009e73"][i % 4], [[], [7, 3], [2, 2], [9, 3, 2, 3]][i % 4]];
}

// chart creates a chart. It returns its element and a function that redraws it.
function chart(phase, group, list) {
	const plot = element("div", {class: "plot", tabindex: 0, role: "img"});
	const legend = element("ul", {class: "legend"});
	const title = titles[group] || group;
	const box = element("div", {class: "chart"}, element("h4", {title}, title), plot, legend);
	const band = selectedSeed === "all" && journals.size > 1;
	const step = band ? 3 : 1;
	const cells = [];
	const series = [{}];
	list.forEach(([name], i) => {
		const [stroke, dash] = lineStyle(name, i);
		series.push({stroke, width: 1.75, dash, points: {size: 5, fill: stroke}});
		if (band) series.push({stroke: "transparent", points: {show: false}}, {stroke: "transparent", points: {show: false}});
		cells.push(element("b"));
		const key = element("li");
		key.innerHTML = `<svg aria-hidden="true"><path d="M0 4h22" fill="none" stroke="${stroke}" stroke-width="2" stroke-dasharray="${dash}"/></svg>`;
		key.append(name, cells[i]);
		legend.append(key);
	});
	const bands = band ? list.map(([name], i) => ({series: [3 * i + 2, 3 * i + 3], fill: lineStyle(name, i)[0] + "28"})) : [];
	let data = columns(phase, list);
	const show = (at) => cells.forEach((cell, i) => {
		const column = data[1 + step * i];
		cell.textContent = format(column[at ?? column.length - 1]);
	});
	const epochRange = () => {
		const epochs = Math.max(run.epochs[phase] || 0, data[0].length);
		return epochs > 1 ? [1, epochs] : [0.5, 1.5]; // a single epoch is in the middle
	};
	const grid = {stroke: "#8884", width: 1}, line = {stroke: "#80868c", font: "11px system-ui, sans-serif", grid, ticks: {...grid, size: 4}};
	const u = new uPlot({
		width: 324, height: 180, padding: [8, 10, 0, 0], legend: {show: false}, series, bands,
		scales: {x: {time: false, range: epochRange}},
		axes: [{...line, size: 24, gap: 3, space: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500]},
			{...line, size: 50, gap: 4, space: 30, values: (_, ticks) => ticks.map(format)}],
		cursor: {sync: {key: phase}, drag: {x: false, y: false}, y: false},
		hooks: {setCursor: [(u) => show(u.cursor.idx)]},
	}, data, plot);
	plot.addEventListener("keydown", (e) => {
		const to = {ArrowLeft: (u.cursor.idx ?? data[0].length) - 1, ArrowRight: (u.cursor.idx ?? -1) + 1, Home: 0, End: data[0].length - 1}[e.key];
		if (to === undefined || to < 0 || to >= data[0].length) return;
		e.preventDefault();
		u.setCursor({left: u.valToPos(data[0][to], "x"), top: 10});
	});
	plot.addEventListener("blur", () => u.setCursor({left: -10, top: -10}));
	const draw = () => {
		u.setData(data = columns(phase, list));
		show();
		const last = list.map(([name], i) => `${name} ${format(data[1 + step * i].at(-1))}`);
		plot.setAttribute("aria-label", `${title}, ${phase}, by epoch; at epoch ${data[0].length}: ${last.join(", ")}. Use the arrow keys to read the values.`);
	};
	draw();
	return [box, draw];
}

let drawnCharts = "", redraw = [];

// draw updates the charts. It creates them again if the list of charts and curves has changed.
function draw() {
	const phases = layout();
	const names = JSON.stringify([selectedSeed, journals.size, phases.map(([phase, groups]) => [phase, groups.map(([group, list]) => [group, list.map(([name]) => name)])])]);
	if (names === drawnCharts) {
		redraw.forEach((f) => f());
		return;
	}
	drawnCharts = names;
	redraw = [];
	const open = new Set([...main.querySelectorAll("details[open]")].map((d) => d.dataset.name));
	main.replaceChildren(...(journals.size > 1 ? [seedChoice()] : []), ...phases.flatMap(([phase, groups]) => {
		const grid = (list) => element("div", {class: "charts"}, ...list.map(([group, curves]) => {
			const [box, redrawChart] = chart(phase, group, curves);
			redraw.push(redrawChart);
			return box;
		}));
		const isCollapsed = (group) => collapsed.some(([, contains]) => contains(group));
		const title = element("h3", {}, phase.replace(/^stage(\d)$/, "Stage $1") + ", by epoch");
		return [title, grid(groups.filter(([group]) => !isCollapsed(group))), ...collapsed.flatMap(([name, contains]) => {
			const list = groups.filter(([group]) => contains(group));
			if (!list.length) return [];
			const key = phase + " " + name;
			const details = element("details", {"data-name": key, ...(open.has(key) ? {open: ""} : {})}, element("summary", {}, name), grid(list));
			return [details];
		})];
	}));
	if (!phases.length) main.append(element("p", {class: "note"}, "No epoch is finished yet."));
}

function seedChoice() {
	const select = element("select", {id: "seed"}, element("option", {value: "all"}, "all: mean, with the range as a band"),
		...[...journals.keys()].map((seed) => element("option", {value: seed}, String(seed))));
	select.value = selectedSeed;
	select.addEventListener("change", () => {
		selectedSeed = select.value;
		draw();
		document.getElementById("seed").focus();
	});
	return element("div", {class: "controls"}, element("label", {for: "seed"}, "Seed"), select);
}

draw();

if ("live" in document.body.dataset) follow();

// follow adds the epochs that the server sends. After each new connection the server sends all of them again.
function follow() {
	const status = document.getElementById("status");
	const finished = (seeds) => seeds.filter((s) => s.finished).map((s) => s.seed).join();
	const initiallyFinished = finished(run.seeds);
	let scheduled = false, last = null, allFinished = false, phase = "";
	const notes = {stopped: " No process trains this run; recap train --resume DIR continues it, where DIR is its directory.",
		locked: " A process of another host or container trained this run last; whether it still does cannot be checked from here."};
	const scheduleDraw = () => {
		if (scheduled) return;
		scheduled = true;
		requestAnimationFrame(() => {
			scheduled = false;
			draw();
			if (allFinished) status.textContent = "All seeds are finished.";
			else if (last) status.textContent = `Seed ${last.seed}: ${last.record.phase}, epoch ${last.record.epoch} of ${run.epochs[last.record.phase]}, loss ${format(last.record.terms.loss)}, ${format(last.record.seconds)} s.`;
			else status.textContent = phase === "running" ? "Waiting for the first epoch." : "No epoch is finished yet.";
			status.append(notes[phase] || "");
		});
	};
	const listeners = {
		begin: () => {
			journals.clear();
			last = null;
		},
		seeds: (seeds) => {
			if (finished(seeds) !== initiallyFinished) location.reload(); // the page has new results
			allFinished = seeds.every((s) => s.finished);
			for (const s of seeds) if (!journals.has(s.seed)) journals.set(s.seed, new Map());
		},
		phase: (p) => phase = p,
		restart: ({seed}) => journals.set(seed, new Map()),
		epoch: (e) => {
			last = e;
			addRecord(e.seed, e.record);
		},
	};
	const connect = () => {
		const source = new EventSource("events");
		for (const [name, listener] of Object.entries(listeners)) {
			source.addEventListener(name, (e) => {
				listener(JSON.parse(e.data));
				scheduleDraw();
			});
		}
		source.addEventListener("error", () => {
			status.textContent = "The server does not respond, or too many pages are open; trying again …";
			if (source.readyState === EventSource.CLOSED) setTimeout(connect, 10000); // status 503: the browser does not try again
		});
	};
	connect();
}
}
