"use strict";
// The list of runs. It updates itself with the events of the server.
{
const body = document.getElementById("runs"), status = document.getElementById("status");

function cell(tag, content) {
	const e = document.createElement(tag);
	e.append(content);
	return e;
}

// show fills the table. It keeps the rows if the runs are the same, so that the focus stays where it is.
function show(runs) {
	const old = new Map([...body.rows].map((row) => [row.dataset.name, row]));
	const rows = runs.map((run) => {
		const row = old.get(run.name) || document.createElement("tr");
		if (!row.cells.length) {
			const link = document.createElement("a");
			link.href = "runs/" + run.name + "/";
			link.textContent = run.name;
			row.dataset.name = run.name;
			row.append(cell("th", link), cell("td", ""), cell("td", ""));
			row.cells[0].scope = "row";
		}
		row.cells[1].textContent = run.seeds;
		row.cells[2].textContent = run.state;
		return row;
	});
	if (rows.length !== body.rows.length || rows.some((row, i) => row !== body.rows[i])) body.replaceChildren(...rows);
	status.textContent = runs.length === 1 ? "1 run" : `${runs.length} runs`;
}

show(JSON.parse(document.getElementById("data").textContent));
const source = new EventSource("events");
source.addEventListener("runs", (e) => show(JSON.parse(e.data)));
source.addEventListener("error", () => {
	status.textContent = "The server does not respond; reconnecting …";
});
}
