"use strict";
// The list of runs. It updates itself with the events of the server.
{
const [head, body, status, list, empty, compare] = ["head", "runs", "status", "list", "empty", "compare"].map((id) => document.getElementById(id));
let runs = JSON.parse(document.getElementById("data").textContent);
let metrics = []; // the columns of scores
let sortKey = "name", descending = false;

function element(tag, attributes = {}, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.append(...children);
	return e;
}

const scoreOf = (run, metric) => (run.scores || []).find((s) => s.metric === metric);
const textOrder = new Intl.Collator("en", {numeric: true}).compare;

// order compares two runs by the selected column. Runs without a score are last in both directions.
function order(a, b) {
	const sign = descending ? -1 : 1;
	if (!metrics.includes(sortKey)) return sign * textOrder(a[sortKey], b[sortKey]) || textOrder(a.name, b.name);
	const x = scoreOf(a, sortKey)?.value ?? null, y = scoreOf(b, sortKey)?.value ?? null;
	if (x === null || y === null) return (x === null) - (y === null) || textOrder(a.name, b.name);
	return sign * (x - y) || textOrder(a.name, b.name);
}

// showHead creates the header. The first click on a score shows the best run first, a second one the worst.
function showHead() {
	head.replaceChildren(...[["name", "run"], ...metrics.map((m) => [m, m]), ["phase", "state"], ["seeds", "seeds finished"]].map(([key, title]) => {
		const button = element("button", {type: "button"}, title);
		button.addEventListener("click", () => {
			descending = key === sortKey ? !descending : key.endsWith("↑");
			sortKey = key;
			show();
		});
		const th = element("th", {scope: "col"}, button);
		th.dataset.key = key;
		return th;
	}));
}

// rowOf returns the row of a run, the old one if there is one, so that the focus and the mark stay where they are.
function rowOf(run, old) {
	let row = old.get(run.name);
	if (!row) {
		const mark = element("input", {type: "checkbox", name: "run", value: run.name, "aria-label": `compare ${run.name}`});
		const link = element("a", {href: `runs/${run.name.split("/").map(encodeURIComponent).join("/")}/`}, element("bdi", {}, run.name));
		row = element("tr", {}, element("th", {scope: "row"}, mark, link));
		row.dataset.name = run.name;
	}
	row.replaceChildren(row.firstChild, ...metrics.map((m) => element("td", {}, scoreOf(run, m)?.text ?? "")),
		element("td", {class: "state"}, element("span", {class: `phase ${run.phase}`}, run.phase), run.state && ` ${run.state}`),
		element("td", {}, run.seeds));
	return row;
}

function show() {
	const found = [...new Set(runs.flatMap((run) => (run.scores || []).map((s) => s.metric)))];
	if (!head.children.length || found.join() !== metrics.join()) {
		metrics = found;
		showHead();
	}
	for (const th of head.children) {
		if (th.dataset.key === sortKey) th.setAttribute("aria-sort", descending ? "descending" : "ascending");
		else th.removeAttribute("aria-sort");
	}
	const old = new Map([...body.rows].map((row) => [row.dataset.name, row]));
	const rows = [...runs].sort(order).map((run) => rowOf(run, old));
	if (rows.length !== body.rows.length || rows.some((row, i) => row !== body.rows[i])) body.replaceChildren(...rows);
	for (const phase of ["stopped", "locked"]) document.getElementById(phase).hidden = !runs.some((run) => run.phase === phase);
	list.hidden = !runs.length;
	empty.hidden = Boolean(runs.length);
	updateMarks();
}

// updateMarks allows two marks: a third run cannot be marked.
function updateMarks() {
	const marks = [...body.querySelectorAll("input")];
	const marked = marks.filter((m) => m.checked).length;
	compare.disabled = marked !== 2;
	for (const m of marks) m.disabled = !m.checked && (marked === 2 || !runs.find((run) => run.name === m.value).scores);
}

function connect() {
	const source = new EventSource("events");
	source.addEventListener("runs", (e) => {
		runs = JSON.parse(e.data);
		show();
		const count = (phase) => runs.filter((run) => run.phase === phase).length;
		status.textContent = [runs.length === 1 ? "1 run" : `${runs.length} runs`,
			...["running", "stopped", "locked", "error"].filter(count).map((phase) => `${count(phase)} ${phase}`)].join(", ");
	});
	source.addEventListener("error", () => {
		status.textContent = "The server does not respond, or too many pages are open; trying again …";
		if (source.readyState === EventSource.CLOSED) setTimeout(connect, 10000); // status 503: the browser does not try again
	});
}

body.addEventListener("change", updateMarks);
show();
connect();
}
