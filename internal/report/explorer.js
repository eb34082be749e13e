"use strict";
// The explorer of test utterances. Its data are described in samples.go.
{
const data = JSON.parse(document.getElementById("sample-data").textContent);
const bytes = Uint8Array.from(atob(data.features), (c) => c.charCodeAt(0));
const samples = data.samples.map((s, i) => ({...s, i, key: `${s.id} ${s.text}`.toLowerCase()}));
const modalities = [["Language", "words", "--l"], ["Audio", "frames", "--a"], ["Vision", "frames", "--v"]];
let chosen = samples[0], rate = 0, shown = samples;

function html(tag, attributes = {}, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.append(...children);
	return e;
}

function svg(tag, attributes = {}, text = "") {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.textContent = text;
	return e;
}

function number(v) {
	if (v == null) return "no number";
	const size = Math.abs(v).toFixed(data.classes ? 0 : 2);
	return (v < 0 && Number(size) ? "−" : "") + size;
}

const error = (s, r = rate) => s.score[r] == null ? Infinity : Math.abs(s.score[r] - s.label);

// The frame of the page: what does not change.
const search = html("input", {type: "search", id: "search", placeholder: "id or words", autocomplete: "off", spellcheck: "false"});
const sort = html("select", {id: "sort"}, ...[["error", "largest error at this rate"], ["small", "smallest error at this rate"], ["id", "id"], ["label", "label"]]
	.map(([value, name]) => html("option", {value}, name)));
const found = html("p", {class: "found", role: "status"});
const list = html("ul", {class: "list", role: "listbox", tabindex: 0, "aria-label": "Utterances"});
const slider = html("input", {type: "range", id: "rate", min: 0, max: data.rates.length - 1, step: 1, value: 0});
const output = html("output", {for: "rate"});
const sample = html("div", {class: "sample"});
document.getElementById("explorer").replaceChildren(html("div", {class: "explorer"},
	html("div", {class: "finder"},
		html("div", {class: "row"}, html("label", {for: "search"}, "Search"), search),
		html("div", {class: "row"}, html("label", {for: "sort"}, "Sort by"), sort), found, list),
	html("div", {},
		html("div", {class: "rate"}, html("label", {for: "rate"}, "Missing rate"), slider, output), sample)));

const rows = new Map(samples.map((s) => {
	const values = html("span", {class: "values"}), bar = html("i");
	const row = html("li", {role: "option", id: "sample-" + s.i}, html("span", {class: "id"}, s.id), values, html("span", {class: "error"}, bar));
	row.addEventListener("click", () => choose(s));
	return [s, {row, values, bar}];
}));
const span = data.range[1] - data.range[0];

// arrange fills the list: what the search leaves, in order.
function arrange() {
	const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
	shown = samples.filter((s) => words.every((w) => s.key.includes(w)));
	const by = {
		error: (a, b) => error(b) - error(a) || a.i - b.i, small: (a, b) => error(a) - error(b) || a.i - b.i,
		id: (a, b) => a.id.localeCompare(b.id, "en", {numeric: true}), label: (a, b) => a.label - b.label || a.i - b.i,
	};
	shown.sort(by[sort.value]);
	for (const [s, {values, bar}] of rows) {
		values.textContent = `${number(s.label)} → ${number(s.score[rate])}`;
		bar.style.width = `${Math.min(100, 100 * error(s) / span)}%`;
	}
	list.replaceChildren(...shown.map((s) => rows.get(s).row));
	found.textContent = `${shown.length} of ${samples.length} utterances, of ${data.of} of the test part; label → prediction`;
	mark();
}

function mark() {
	for (const [s, {row}] of rows) row.setAttribute("aria-selected", s === chosen);
	if (!shown.includes(chosen)) {
		list.removeAttribute("aria-activedescendant");
		return;
	}
	const {row} = rows.get(chosen);
	list.setAttribute("aria-activedescendant", row.id);
	if (row.offsetTop < list.scrollTop + list.offsetTop) list.scrollTop = row.offsetTop - list.offsetTop;
	const below = row.offsetTop + row.offsetHeight - list.offsetTop - list.clientHeight;
	if (below > list.scrollTop) list.scrollTop = below;
}

function choose(s) {
	chosen = s;
	mark();
	draw();
}

list.addEventListener("keydown", (e) => {
	const at = shown.indexOf(chosen), page = Math.max(1, Math.floor(list.clientHeight / rows.get(samples[0]).row.offsetHeight) - 1);
	const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1, PageDown: at + page, PageUp: at - page}[e.key];
	if (to === undefined || !shown.length) return;
	e.preventDefault();
	choose(shown[Math.max(0, Math.min(shown.length - 1, to))]);
});
search.addEventListener("input", () => {
	arrange();
	if (shown.length && !shown.includes(chosen)) choose(shown[0]);
});
search.addEventListener("keydown", (e) => {
	if (e.key === "ArrowDown") list.focus();
});
sort.addEventListener("change", () => {
	arrange();
	list.scrollTop = 0;
	if (shown.length) choose(shown[0]);
});
slider.addEventListener("input", () => {
	rate = Number(slider.value);
	arrange();
	draw();
});

// features returns map number k of a sample's modality: 0 is X, 1+2r and 2+2r are X̃ and X' at rate r.
function features(s, m, k) {
	const size = data.l * data.d;
	return bytes.subarray(((s.i * 3 + m) * (1 + 2 * data.rates.length) + k) * size).subarray(0, size);
}

// difference returns ‖x − y‖/‖y‖, in percent.
function difference(x, y) {
	let above = 0, below = 0;
	for (let i = 0; i < x.length; i++) {
		above += (x[i] - y[i]) ** 2;
		below += (y[i] - 127.5) ** 2;
	}
	return `${(100 * Math.sqrt(above / below)).toFixed(0)} %`;
}

const viridis = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"]
	.map((c) => [0, 2, 4].map((i) => parseInt(c.slice(i, i + 2), 16)));
const palette = Array.from({length: 256}, (_, b) => {
	const at = b / 255 * (viridis.length - 1), i = Math.min(viridis.length - 2, Math.floor(at));
	return viridis[i].map((v, c) => Math.round(v + (viridis[i + 1][c] - v) * (at - i)));
});

// picture draws a row-major array of bytes [height width] in viridis' colours.
function picture(x, width, name, label) {
	const canvas = html("canvas", {width, height: x.length / width, class: name, role: "img", "aria-label": label});
	const to = canvas.getContext("2d"), image = to.createImageData(canvas.width, canvas.height);
	x.forEach((b, i) => image.data.set([...palette[b], 255], 4 * i));
	to.putImageData(image, 0, 0);
	return canvas;
}

// strip shows in colour which words or frames are there.
function strip(gone, unit, colour) {
	const canvas = html("canvas", {width: Math.max(1, gone.length), height: 1, class: "strip", role: "img", "aria-label": `${unit} that are there, in order`});
	const to = canvas.getContext("2d");
	to.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colour);
	gone.forEach((r, t) => r > rate && to.fillRect(t, 0, 1, 1));
	return canvas;
}

function transcript(s) {
	const words = html("p", {class: "words"});
	s.words.forEach((w, i) => {
		const piece = w.startsWith("##"), text = piece ? w.slice(2) : w;
		if (i && !piece) words.append(" ");
		words.append(s.gone[0][i] <= rate ? html("del", {}, text) : text);
	});
	const box = html("div", {}, html("h4", {}, "Words; those struck out are missing"), words);
	const plain = (text) => text.toLowerCase().replace(/\s/g, "");
	if (plain(s.text) !== plain(words.textContent)) box.append(html("p", {class: "spoken"}, "Said: " + s.text));
	if (s.words.length && s.words.every((w) => w.startsWith("#") && !w.startsWith("##"))) {
		box.append(html("p", {class: "spoken"}, "Tokens are shown by their numbers, as the run knows no vocabulary; ", html("code", {}, "recap report --bert DIR"), " gives one."));
	}
	return box;
}

function weights(s) {
	const box = html("div", {class: "weights"});
	modalities.forEach(([name, , colour], m) => {
		const w = s.weight[rate][m], bar = html("i");
		bar.style.width = `${100 * w}%`;
		bar.style.background = `var(${colour})`;
		box.append(html("span", {}, name), html("span", {class: "track"}, bar), html("b", {}, w == null ? "–" : w.toFixed(3)));
	});
	return html("div", {}, html("h4", {}, "Weights α of the modalities"), box);
}

// scale shows prediction and label on the axis of labels, and the predictions at the other rates as small dots.
function scale(s) {
	const all = [...data.range, s.label, ...s.score.filter((v) => v != null)];
	const low = Math.min(...all), high = Math.max(...all), y = 48, now = s.score[rate];
	const share = (v) => 4 + 92 * (v - low) / (high - low), x = (v) => `${share(v)}%`;
	const box = svg("svg", {class: "scale", role: "img", "aria-label": `Label ${number(s.label)}, prediction ${number(now)}`});
	box.append(svg("line", {x1: x(low), x2: x(high), y1: y, y2: y, stroke: "var(--soft)"}));
	for (let t = data.range[0]; t <= data.range[1] + 1e-9; t += data.classes || span > 2.5 ? 1 : 0.5) {
		box.append(svg("line", {x1: x(t), x2: x(t), y1: y - 4, y2: y + 4, stroke: "var(--soft)"}),
			svg("text", {x: x(t), y: 78, "text-anchor": "middle"}, data.classes ? `class ${t}` : String(t).replace("-", "−")));
	}
	s.score.forEach((v, r) => {
		if (v != null && r !== rate) box.append(svg("circle", {cx: x(v), cy: y, r: 3, fill: "var(--accent)", opacity: 0.35}));
	});
	// The names stand on the outer sides, but inside the picture.
	const name = (v, text, y, left) => {
		const anchor = share(v) < 15 ? "start" : share(v) > 85 || left ? "end" : "start";
		box.append(svg("text", {x: x(v), dx: anchor === "end" ? 6 : -6, y, "text-anchor": anchor, class: "strong"}, `${text} ${number(v)}`));
	};
	if (now != null) box.append(svg("line", {x1: x(s.label), x2: x(now), y1: y, y2: y, stroke: "var(--wrong)", "stroke-width": 4}));
	const diamond = svg("svg", {x: x(s.label), y, overflow: "visible"});
	diamond.append(svg("path", {d: "M0-9l7 9-7 9-7-9z", fill: "var(--ink)"}));
	box.append(diamond);
	name(s.label, "label", 14, s.label <= now);
	if (now != null) {
		box.append(svg("circle", {cx: x(now), cy: y, r: 7, fill: "var(--accent)", stroke: "var(--page)", "stroke-width": 2}));
		name(now, "prediction", 31, now < s.label);
	}
	return box;
}

// maps shows the features of each modality in a row.
function maps(s) {
	const whole = data.rates[0] === 0;
	const box = html("div", {class: "maps"}, html("div", {class: "head corner"}, `${data.l} tokens × ${data.d} features`),
		html("div", {class: "head"}, html("b", {}, "Corrupted X̃"), "embedded with holes"),
		html("div", {class: "head"}, html("b", {}, "Completed X′"), "by the generator"),
		html("div", {class: "head"}, html("b", {}, "True X"), "embedded whole"));
	modalities.forEach(([name, unit, colour], m) => {
		const gone = s.gone[m].filter((r) => r <= rate).length;
		const swatch = html("span", {class: "swatch"});
		swatch.style.background = `var(${colour})`;
		const ends = data.scale[m].toFixed(1);
		box.append(html("div", {class: "name"}, swatch, html("b", {}, name), html("small", {}, `${gone} of ${s.gone[m].length} ${unit} missing`), strip(s.gone[m], unit, colour),
			html("div", {class: "colours"}, picture(Uint8Array.from({length: 64}, (_, i) => i * 255 / 63), 64, "colours", "scale of colours")),
			html("div", {class: "ends"}, html("span", {}, "−" + ends), html("span", {}, ends))));
		const x = features(s, m, 0), corrupted = features(s, m, 1 + 2 * rate), completed = features(s, m, 2 + 2 * rate);
		const off = (text) => html("div", {class: "off"}, text);
		const from = whole ? `${difference(completed, features(s, m, 2))} away from X′ of the whole utterance` : "";
		box.append(html("div", {}, picture(corrupted, data.d, "map", `${name}, corrupted`), off(`${difference(corrupted, x)} away from X`)),
			html("div", {}, picture(completed, data.d, "map", `${name}, completed`), off(from)),
			html("div", {}, picture(x, data.d, "map", `${name}, true`)));
	});
	return box;
}

// draw shows the chosen utterance at the chosen rate.
function draw() {
	const s = chosen;
	output.textContent = data.rates[rate];
	slider.setAttribute("aria-valuetext", `${data.rates[rate]}`);
	const miss = error(s) < Infinity ? `error ${number(error(s))}` : "";
	const parts = [html("h3", {}, s.id, html("span", {}, miss)), html("div", {class: "pair"}, transcript(s), ...(s.weight ? [weights(s)] : [])), scale(s)];
	if (data.features) {
		parts.push(maps(s), html("p", {class: "note"}, "Brightness is the value of a feature; larger ones than the scale's ends are cut. Away is ‖difference‖ / ‖X‖. " +
			"Stage 1 does not ask X′ to equal X, but to yield X by way of the reconstructor, so X′ is compared with what the generator makes of the whole utterance."));
	}
	sample.replaceChildren(...parts);
}

arrange();
choose(shown[0]);
}
