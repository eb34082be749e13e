"use strict";
// Curves of the journals. A record is a line of metrics.jsonl: {phase, epoch, lr, terms, valid, test, seconds}, where null is no number.
{
const run = JSON.parse(document.getElementById("run-data").textContent);
const main = document.getElementById("charts");
const journals = new Map(); // of each seed: records by phase and epoch
for (const s of run.seeds) {
	journals.set(s.seed, new Map());
	for (const r of s.records) keep(s.seed, r);
}

function keep(seed, r) {
	if (!journals.has(seed)) journals.set(seed, new Map());
	journals.get(seed).set(r.phase + " " + r.epoch, r);
}

function element(tag, attributes = {}, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.append(...children);
	return e;
}

// Titles of charts: of terms they come with the data.
const titles = Object.fromEntries([...run.beginnings,
	["lr", "learning rate"], ["seconds", "seconds"], ["F1", "F1 scores ↑"], ["accuracy", "accuracies ↑"], ["MAE", "MAE ↓"], ["Corr", "Corr ↑"], ["cross-entropy", "cross-entropy ↓"]]);
const first = ["loss", "MAE", "cross-entropy", "Corr", "accuracy"];
const order = [...first, ...run.beginnings.map(([name]) => name).filter((name) => !first.includes(name))];
const endings = run.endings.map(([, name]) => name);
const folds = [
	["Bounds of mutual information (FID)", (group) => /^(club|learn|nce)/.test(group)],
	["More", (group) => ["lr", "seconds", "F1"].includes(group)],
];

// place returns the chart of a term and its curve there: rec_l is that of language among rec.
function place(name) {
	for (const [begin] of run.beginnings) {
		for (const [end, curve] of run.endings) if (name === begin + end) return [begin, curve || "training"];
	}
	return [name, "training"];
}

// curves lists what a record has: the chart, the curve's name in it, and how to read it.
function curves(r) {
	const all = [];
	for (const name of Object.keys(r.terms)) {
		const [group, curve] = place(name);
		all.push([group, curve, (r) => r.terms[name]]);
	}
	for (const [part, of] of [["valid", "validation"], ["test", "test"]]) {
		for (const name of Object.keys(r[part] || {})) {
			const read = (r) => (r[part] || {})[name];
			if (/swapped|NaN/.test(name)) continue;
			const label = part === "valid" ? name : `${name}, test`;
			if (/acc/i.test(name)) all.push(["accuracy", label, read]);
			else if (/F1/.test(name)) all.push(["F1", label, read]);
			else all.push([name === "loss" ? "cross-entropy" : name, of, read]);
		}
	}
	all.push(["lr", "learning rate", (r) => r.lr], ["seconds", "an epoch", (r) => r.seconds]);
	return all;
}

// layout returns for each phase its charts, for each chart its curves, in a fixed order.
function layout() {
	const phases = new Map();
	for (const journal of journals.values()) {
		for (const r of journal.values()) {
			if (!phases.has(r.phase)) phases.set(r.phase, new Map());
			const groups = phases.get(r.phase);
			for (const [group, name, read] of curves(r)) {
				if (!groups.has(group)) groups.set(group, new Map());
				groups.get(group).set(name, read);
			}
		}
	}
	const rank = (group) => (order.indexOf(group) + order.length + 1) % (order.length + 1);
	const within = (name) => endings.indexOf(name);
	return [...phases].sort(([a], [b]) => a < b ? -1 : 1).map(([phase, groups]) => [phase,
		[...groups].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)).map(([group, list]) => [group,
			[...list].sort(([a], [b]) => within(a) - within(b))])]);
}

let chosen = "all";

// values returns uPlot's columns: epochs, then each curve; over several seeds their mean, and then the largest and the smallest value.
function values(phase, list) {
	const of = chosen === "all" ? [...journals.values()] : [journals.get(Number(chosen))];
	let epochs = 0;
	for (const journal of of) for (const r of journal.values()) if (r.phase === phase) epochs = Math.max(epochs, r.epoch);
	const columns = [Array.from({length: epochs}, (_, i) => i + 1)];
	for (const [, read] of list) {
		const at = columns[0].map((epoch) => of.map((journal) => journal.get(phase + " " + epoch)).filter(Boolean).map(read).filter(Number.isFinite));
		columns.push(at.map((x) => x.length ? x.reduce((a, b) => a + b) / x.length : null));
		if (of.length > 1) columns.push(at.map((x) => x.length ? Math.max(...x) : null), at.map((x) => x.length ? Math.min(...x) : null));
	}
	return columns;
}

function short(v) {
	if (v == null) return "–";
	const size = Math.abs(v);
	return (size !== 0 && (size < 1e-3 || size >= 1e5) ? v.toExponential(1) : String(Number(v.toPrecision(4)))).replaceAll("-", "−");
}

// look returns the colour and the dashes of the curve called name, number i of its chart.
function look(name, i) {
	const css = getComputedStyle(document.documentElement);
	const m = ["language", "audio", "vision"].indexOf(name);
	if (m >= 0) return [css.getPropertyValue("--" + "lav"[m]).trim(), [[], [7, 3], [2, 2]][m]];
	if (name === "by chance") return ["#80868c", []];
	return [[css.getPropertyValue("--accent").trim(), "#cc79a7", "#e69f00", "#009e73"][i % 4], [[], [7, 3], [2, 2], [9, 3, 2, 3]][i % 4]];
}

// chart makes one, and returns its element and a function that draws it anew.
function chart(phase, group, list) {
	const plot = element("div", {class: "plot", tabindex: 0, role: "img"});
	const legend = element("ul", {class: "legend"});
	const title = titles[group] || group;
	const box = element("div", {class: "chart"}, element("h4", {title}, title), plot, legend);
	const band = chosen === "all" && journals.size > 1;
	const step = band ? 3 : 1;
	const cells = [];
	const series = [{}];
	list.forEach(([name], i) => {
		const [stroke, dash] = look(name, i);
		series.push({stroke, width: 1.75, dash, points: {size: 5, fill: stroke}});
		if (band) series.push({stroke: "transparent", points: {show: false}}, {stroke: "transparent", points: {show: false}});
		cells.push(element("b"));
		const key = element("li");
		key.innerHTML = `<svg aria-hidden="true"><path d="M0 4h22" fill="none" stroke="${stroke}" stroke-width="2" stroke-dasharray="${dash}"/></svg>`;
		key.append(name, cells[i]);
		legend.append(key);
	});
	const bands = band ? list.map(([name], i) => ({series: [3 * i + 2, 3 * i + 3], fill: look(name, i)[0] + "28"})) : [];
	let data = values(phase, list);
	const show = (at) => cells.forEach((cell, i) => {
		const column = data[1 + step * i];
		cell.textContent = short(column[at ?? column.length - 1]);
	});
	const grid = {stroke: "#8884", width: 1}, line = {stroke: "#80868c", font: "11px system-ui, sans-serif", grid, ticks: {...grid, size: 4}};
	const u = new uPlot({
		width: 324, height: 180, padding: [8, 10, 0, 0], legend: {show: false}, series, bands,
		scales: {x: {time: false, range: () => [1, Math.max(2, run.epochs[phase] || 0, data[0].length)]}},
		axes: [{...line, size: 24, gap: 3, space: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500]},
			{...line, size: 50, gap: 4, space: 30, values: (_, ticks) => ticks.map(short)}],
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
		u.setData(data = values(phase, list));
		show();
		const last = list.map(([name], i) => `${name} ${short(data[1 + step * i].at(-1))}`);
		plot.setAttribute("aria-label", `${title}, ${phase}, by epoch; at epoch ${data[0].length}: ${last.join(", ")}. Arrow keys read it.`);
	};
	draw();
	return [box, draw];
}

let drawn = "", redraw = [];

// draw brings the charts up to date, and makes them anew where there are others than before.
function draw() {
	const phases = layout();
	const names = JSON.stringify([chosen, journals.size, phases.map(([phase, groups]) => [phase, groups.map(([group, list]) => [group, list.map(([name]) => name)])])]);
	if (names === drawn) {
		redraw.forEach((f) => f());
		return;
	}
	drawn = names;
	redraw = [];
	const open = new Set([...main.querySelectorAll("details[open]")].map((d) => d.dataset.name));
	main.replaceChildren(...(journals.size > 1 ? [seedChoice()] : []), ...phases.flatMap(([phase, groups]) => {
		const grid = (list) => element("div", {class: "charts"}, ...list.map(([group, curves]) => {
			const [box, again] = chart(phase, group, curves);
			redraw.push(again);
			return box;
		}));
		const folded = (group) => folds.some(([, holds]) => holds(group));
		const title = element("h3", {}, phase.replace(/^stage(\d)$/, "Stage $1") + ", by epoch");
		return [title, grid(groups.filter(([group]) => !folded(group))), ...folds.flatMap(([name, holds]) => {
			const list = groups.filter(([group]) => holds(group));
			if (!list.length) return [];
			const key = phase + " " + name;
			const details = element("details", {"data-name": key, ...(open.has(key) ? {open: ""} : {})}, element("summary", {}, name), grid(list));
			return [details];
		})];
	}));
	if (!phases.length) main.append(element("p", {class: "note"}, "No epoch is finished yet."));
}

function seedChoice() {
	const select = element("select", {id: "seed"}, element("option", {value: "all"}, "all: mean, and range as a band"),
		...[...journals.keys()].map((seed) => element("option", {value: seed}, String(seed))));
	select.value = chosen;
	select.addEventListener("change", () => {
		chosen = select.value;
		draw();
		document.getElementById("seed").focus();
	});
	return element("div", {class: "controls"}, element("label", {for: "seed"}, "Seed"), select);
}

draw();

if ("live" in document.body.dataset) follow();

// follow adds the epochs that the server tells of. A new connection tells all from the beginning.
function follow() {
	const status = document.getElementById("status");
	const finished = (seeds) => seeds.filter((s) => s.finished).map((s) => s.seed).join();
	const atFirst = finished(run.seeds);
	let waiting = false, last = null, over = false;
	const later = () => {
		if (waiting) return;
		waiting = true;
		requestAnimationFrame(() => {
			waiting = false;
			draw();
			if (over) status.textContent = "All seeds are finished.";
			else if (last) status.textContent = `Seed ${last.seed}: ${last.record.phase}, epoch ${last.record.epoch} of ${run.epochs[last.record.phase]}, loss ${short(last.record.terms.loss)}, ${short(last.record.seconds)} s`;
			else status.textContent = "Waiting for the first epoch.";
		});
	};
	const source = new EventSource("events");
	source.addEventListener("begin", (e) => {
		journals.clear();
		last = null;
		later();
	});
	source.addEventListener("seeds", (e) => {
		const seeds = JSON.parse(e.data);
		if (finished(seeds) !== atFirst) location.reload(); // its results are there
		over = seeds.every((s) => s.finished);
		for (const s of seeds) if (!journals.has(s.seed)) journals.set(s.seed, new Map());
		later();
	});
	source.addEventListener("restart", (e) => {
		journals.set(JSON.parse(e.data).seed, new Map());
		later();
	});
	source.addEventListener("epoch", (e) => {
		last = JSON.parse(e.data);
		keep(last.seed, last.record);
		later();
	});
	source.addEventListener("error", () => {
		status.textContent = "The server does not answer; trying again …";
	});
}
}
