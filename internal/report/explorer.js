"use strict";
// The explorer of test utterances. samples.go describes its data.
{
const data = JSON.parse(document.getElementById("sample-data").textContent);
const bytes = Uint8Array.from(atob(data.features), (c) => c.charCodeAt(0));
const samples = data.samples.map((s, i) => ({...s, i, key: `${s.id} ${s.text}`.toLowerCase()}));
const modalities = [["Language", "tokens", "--l"], ["Audio", "frames", "--a"], ["Vision", "frames", "--v"]];
// rate is an index into data.rates: at first the middle one, so that something is missing, on paper too
let selected = samples[0], rate = Math.floor(data.rates.length / 2), listed = samples;

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

// format returns a label or a prediction as text: a class, or a score with two decimals.
function format(v) {
	if (v == null) return "not finite";
	const size = Math.abs(v).toFixed(data.classes ? 0 : 2);
	return (v < 0 && Number(size) ? "−" : "") + size;
}

// error returns the absolute error of the prediction at the selected rate.
const error = (s) => s.score[rate] == null ? Infinity : Math.abs(s.score[rate] - s.label);

// The elements that are created once.
const search = html("input", {type: "search", id: "search", placeholder: "id or text", autocomplete: "off", spellcheck: "false"});
const sort = html("select", {id: "sort"}, ...[["descending", "largest error at this rate"], ["ascending", "smallest error at this rate"], ["id", "id"], ["label", "label"]]
	.map(([value, name]) => html("option", {value}, name)));
const resultCount = html("p", {class: "result-count", role: "status"});
const list = html("ul", {class: "list", role: "listbox", tabindex: 0, "aria-label": "Utterances"});
const slider = html("input", {type: "range", id: "rate", min: 0, max: data.rates.length - 1, step: 1, value: rate});
const output = html("output", {for: "rate"});
const sample = html("div", {class: "sample"});
document.getElementById("explorer").replaceChildren(html("div", {class: "explorer"},
	html("div", {class: "search-panel"},
		html("div", {class: "row"}, html("label", {for: "search"}, "Search"), search),
		html("div", {class: "row"}, html("label", {for: "sort"}, "Sort by"), sort), resultCount, list),
	html("div", {},
		html("div", {class: "rate"}, html("label", {for: "rate"}, "Missing rate"), slider, output), sample)));

const rows = new Map(samples.map((s) => {
	const values = html("span", {class: "values"}), bar = html("i");
	const row = html("li", {role: "option", id: "sample-" + s.i}, html("bdi", {class: "id"}, s.id), values, html("span", {class: "error"}, bar));
	row.addEventListener("click", () => select(s));
	return [s, {row, values, bar}];
}));
const labelRange = data.range[1] - data.range[0];

// updateList lists the utterances that match the search, in the selected order.
function updateList() {
	const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
	listed = samples.filter((s) => terms.every((t) => s.key.includes(t)));
	const by = {
		descending: (a, b) => error(b) - error(a) || a.i - b.i, ascending: (a, b) => error(a) - error(b) || a.i - b.i,
		id: (a, b) => a.id.localeCompare(b.id, "en", {numeric: true}), label: (a, b) => a.label - b.label || a.i - b.i,
	};
	listed.sort(by[sort.value]);
	for (const [s, {values, bar}] of rows) {
		values.textContent = `${format(s.label)} → ${format(s.score[rate])}`;
		bar.style.width = `${Math.min(100, 100 * error(s) / labelRange)}%`;
	}
	list.replaceChildren(...listed.map((s) => rows.get(s).row));
	resultCount.textContent = `${listed.length} of ${samples.length} utterances, from ${data.of} of the test split; label → prediction`;
	markSelected();
}

// markSelected marks the selected utterance in the list and scrolls to it.
function markSelected() {
	for (const [s, {row}] of rows) row.setAttribute("aria-selected", s === selected);
	if (!listed.includes(selected)) {
		list.removeAttribute("aria-activedescendant");
		return;
	}
	const {row} = rows.get(selected);
	list.setAttribute("aria-activedescendant", row.id);
	if (row.offsetTop < list.scrollTop + list.offsetTop) list.scrollTop = row.offsetTop - list.offsetTop;
	const below = row.offsetTop + row.offsetHeight - list.offsetTop - list.clientHeight;
	if (below > list.scrollTop) list.scrollTop = below;
}

function select(s) {
	selected = s;
	markSelected();
	draw();
}

list.addEventListener("keydown", (e) => {
	const i = listed.indexOf(selected), page = Math.max(1, Math.floor(list.clientHeight / rows.get(samples[0]).row.offsetHeight) - 1);
	const to = {ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: listed.length - 1, PageDown: i + page, PageUp: i - page}[e.key];
	if (to === undefined || !listed.length) return;
	e.preventDefault();
	select(listed[Math.max(0, Math.min(listed.length - 1, to))]);
});
search.addEventListener("input", () => {
	updateList();
	if (listed.length && !listed.includes(selected)) select(listed[0]);
});
search.addEventListener("keydown", (e) => {
	if (e.key === "ArrowDown") list.focus();
});
sort.addEventListener("change", () => {
	updateList();
	list.scrollTop = 0;
	if (listed.length) select(listed[0]);
});
slider.addEventListener("input", () => {
	rate = Number(slider.value);
	updateList();
	draw();
});

// features returns the features [L D] with index k of modality m of a sample: 0 is X, 1+2r is X̃ and 2+2r is X' at rate r.
function features(s, m, k) {
	const size = data.l * data.d;
	return bytes.subarray(((s.i * 3 + m) * (1 + 2 * data.rates.length) + k) * size).subarray(0, size);
}

// relativeDifference returns ‖x − y‖/‖y‖ in percent.
function relativeDifference(x, y) {
	let numerator = 0, denominator = 0;
	for (let i = 0; i < x.length; i++) {
		numerator += (x[i] - y[i]) ** 2;
		denominator += (y[i] - 127.5) ** 2;
	}
	return `${(100 * Math.sqrt(numerator / denominator)).toFixed(0)} %`;
}

const viridis = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"]
	.map((c) => [0, 2, 4].map((i) => parseInt(c.slice(i, i + 2), 16)));
const palette = Array.from({length: 256}, (_, b) => {
	const position = b / 255 * (viridis.length - 1), i = Math.min(viridis.length - 2, Math.floor(position));
	return viridis[i].map((v, c) => Math.round(v + (viridis[i + 1][c] - v) * (position - i)));
});

// heatmap draws a row-major array of bytes [height width] with the colour map viridis.
function heatmap(x, width, name, label) {
	const canvas = html("canvas", {width, height: x.length / width, class: name, role: "img", "aria-label": label});
	const to = canvas.getContext("2d"), image = to.createImageData(canvas.width, canvas.height);
	x.forEach((b, i) => image.data.set([...palette[b], 255], 4 * i));
	to.putImageData(image, 0, 0);
	return canvas;
}

// keepMask draws the keep mask of a modality: a token or frame is coloured if it is present.
function keepMask(missingFrom, unit, colour) {
	const canvas = html("canvas", {width: Math.max(1, missingFrom.length), height: 1, class: "keep-mask", role: "img", "aria-label": `${unit} that are present, in order`});
	const to = canvas.getContext("2d");
	to.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colour);
	missingFrom.forEach((r, t) => r > rate && to.fillRect(t, 0, 1, 1));
	return canvas;
}

// transcript shows the tokens of an utterance; missing tokens are struck out.
function transcript(s) {
	const tokens = html("p", {class: "transcript", dir: "auto"});
	s.tokens.forEach((token, i) => {
		const continuation = token.startsWith("##"), text = continuation ? token.slice(2) : token;
		if (i && !continuation) tokens.append(" ");
		tokens.append(s.missingFrom[0][i] <= rate ? html("del", {}, text) : text);
	});
	const box = html("div", {}, html("h4", {}, "Tokens; missing tokens are struck out"), tokens);
	const plain = (text) => text.toLowerCase().replace(/\s/g, "");
	if (plain(s.text) !== plain(tokens.textContent)) box.append(html("p", {class: "transcript-note"}, "Transcript: ", html("bdi", {}, s.text)));
	if (s.tokens.length && s.tokens.every((token) => token.startsWith("#") && !token.startsWith("##"))) {
		box.append(html("p", {class: "transcript-note"}, "Tokens are listed as ids, because the run has no vocabulary. Use ", html("code", {}, "recap report --bert DIR"), " to show their text."));
	}
	return box;
}

// weights shows the modality weights at the selected rate as bars.
function weights(s) {
	const box = html("div", {class: "weights"});
	modalities.forEach(([name, , colour], m) => {
		const w = s.weight[rate][m], bar = html("i");
		bar.style.width = `${100 * w}%`;
		bar.style.background = `var(${colour})`;
		box.append(html("span", {}, name), html("span", {class: "track"}, bar), html("b", {}, w == null ? "–" : w.toFixed(3)));
	});
	return html("div", {}, html("h4", {}, "Modality weights α"), box);
}

// labelAxis shows the label and the prediction on the axis of labels. Small dots are the predictions at the other rates.
function labelAxis(s) {
	const all = [...data.range, s.label, ...s.score.filter((v) => v != null)];
	const low = Math.min(...all), high = Math.max(...all), y = 48, prediction = s.score[rate];
	const percent = (v) => 4 + 92 * (v - low) / (high - low), x = (v) => `${percent(v)}%`;
	const box = svg("svg", {class: "label-axis", role: "img", "aria-label": `Label ${format(s.label)}, prediction ${format(prediction)}`});
	box.append(svg("line", {x1: x(low), x2: x(high), y1: y, y2: y, stroke: "var(--text-secondary)"}));
	for (let t = data.range[0]; t <= data.range[1] + 1e-9; t += data.classes || labelRange > 2.5 ? 1 : 0.5) {
		box.append(svg("line", {x1: x(t), x2: x(t), y1: y - 4, y2: y + 4, stroke: "var(--text-secondary)"}),
			svg("text", {x: x(t), y: 78, "text-anchor": "middle"}, data.classes ? `class ${t}` : String(t).replace("-", "−")));
	}
	s.score.forEach((v, r) => {
		if (v != null && r !== rate) box.append(svg("circle", {cx: x(v), cy: y, r: 3, fill: "var(--accent)", opacity: 0.35}));
	});
	// The names are on the outer sides of the two marks, but inside the image.
	const name = (v, text, y, left) => {
		const anchor = percent(v) < 15 ? "start" : percent(v) > 85 || left ? "end" : "start";
		box.append(svg("text", {x: x(v), dx: anchor === "end" ? 6 : -6, y, "text-anchor": anchor, class: "strong"}, `${text} ${format(v)}`));
	};
	if (prediction != null) box.append(svg("line", {x1: x(s.label), x2: x(prediction), y1: y, y2: y, stroke: "var(--error)", "stroke-width": 4}));
	const diamond = svg("svg", {x: x(s.label), y, overflow: "visible"});
	diamond.append(svg("path", {d: "M0-9l7 9-7 9-7-9z", fill: "var(--text)"}));
	box.append(diamond);
	name(s.label, "label", 14, s.label <= prediction);
	if (prediction != null) {
		box.append(svg("circle", {cx: x(prediction), cy: y, r: 7, fill: "var(--accent)", stroke: "var(--background)", "stroke-width": 2}));
		name(prediction, "prediction", 31, prediction < s.label);
	}
	return box;
}

// featureMaps shows the features of each modality as a row of heat maps.
function featureMaps(s) {
	const hasRateZero = data.rates[0] === 0;
	const box = html("div", {class: "maps"}, html("div", {class: "head corner"}, `${data.l} tokens × ${data.d} features`),
		html("div", {class: "head"}, html("b", {}, "Corrupted X̃"), "embedding of the incomplete input"),
		html("div", {class: "head"}, html("b", {}, "Completed X′"), "output of the generator"),
		html("div", {class: "head"}, html("b", {}, "True X"), "embedding of the complete input"));
	modalities.forEach(([name, unit, colour], m) => {
		const missing = s.missingFrom[m].filter((r) => r <= rate).length;
		const swatch = html("span", {class: "swatch"});
		swatch.style.background = `var(${colour})`;
		const ends = data.scale[m].toFixed(1);
		box.append(html("div", {class: "name"}, swatch, html("b", {}, name), html("small", {}, `${missing} of ${s.missingFrom[m].length} ${unit} missing`), keepMask(s.missingFrom[m], unit, colour),
			html("div", {class: "colours"}, heatmap(Uint8Array.from({length: 64}, (_, i) => i * 255 / 63), 64, "colours", "colour scale")),
			html("div", {class: "ends"}, html("span", {}, "−" + ends), html("span", {}, ends))));
		const x = features(s, m, 0), corrupted = features(s, m, 1 + 2 * rate), completed = features(s, m, 2 + 2 * rate);
		const note = (text) => html("div", {class: "difference"}, text);
		const toRateZero = hasRateZero ? `difference to X′ at rate 0: ${relativeDifference(completed, features(s, m, 2))}` : "";
		box.append(html("div", {}, heatmap(corrupted, data.d, "map", `${name}, corrupted`), note(`difference to X: ${relativeDifference(corrupted, x)}`)),
			html("div", {}, heatmap(completed, data.d, "map", `${name}, completed`), note(toRateZero)),
			html("div", {}, heatmap(x, data.d, "map", `${name}, true`)));
	});
	return box;
}

// draw shows the selected utterance at the selected rate.
function draw() {
	const s = selected;
	output.textContent = data.rates[rate];
	slider.setAttribute("aria-valuetext", `${data.rates[rate]}`);
	const errorText = error(s) < Infinity ? `error ${format(error(s))}` : "";
	const parts = [html("h3", {}, html("bdi", {}, s.id), html("span", {}, errorText)), html("div", {class: "pair"}, transcript(s), ...(s.weight ? [weights(s)] : [])), labelAxis(s)];
	if (data.features) {
		parts.push(featureMaps(s), html("p", {class: "note"}, "The colour is the value of a feature; values outside the colour scale are clipped. Differences are relative: ‖X̃ − X‖ / ‖X‖. " +
			"The loss of stage 1 does not compare X′ with X. It compares X with the output of the reconstructor for X′. So X′ is compared here with the output of the generator at missing rate 0."));
	}
	sample.replaceChildren(...parts);
}

updateList();
select(listed[0]);
}
