"use strict";
// The list of runs, kept up to date.
{
const body = document.getElementById("runs"), status = document.getElementById("status");

function cell(tag, content) {
	const e = document.createElement(tag);
	e.append(content);
	return e;
}

// show fills the table; while the runs are the same, rows stay, and with them the focus.
function show(lines) {
	const old = new Map([...body.rows].map((row) => [row.dataset.name, row]));
	const rows = lines.map((line) => {
		const row = old.get(line.name) || document.createElement("tr");
		if (!row.cells.length) {
			const link = document.createElement("a");
			link.href = "runs/" + line.name + "/";
			link.textContent = line.name;
			row.dataset.name = line.name;
			row.append(cell("th", link), cell("td", ""), cell("td", ""));
			row.cells[0].scope = "row";
		}
		row.cells[1].textContent = line.seeds;
		row.cells[2].textContent = line.state;
		return row;
	});
	if (rows.length !== body.rows.length || rows.some((row, i) => row !== body.rows[i])) body.replaceChildren(...rows);
	status.textContent = lines.length === 1 ? "1 run" : `${lines.length} runs`;
}

show(JSON.parse(document.getElementById("data").textContent));
const source = new EventSource("events");
source.addEventListener("runs", (e) => show(JSON.parse(e.data)));
source.addEventListener("error", () => {
	status.textContent = "The server does not answer; trying again …";
});
}
