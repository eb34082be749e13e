#!/usr/bin/env python3
"""Prints tables of the measurements of alternate.py and of the benchmark of the kernels.

usage: table.py STEPS.json [KERNELS.log]"""
import json, re, statistics, sys

COLUMNS = ["eager", "compile", "openblas", "openblas+compile", "graphs", "compile+graphs"]


def read(path):
    """Returns the measurements by comparison and program, in order of first appearance."""
    rows = {}
    for line in open(path):
        m = json.loads(line)
        row = rows.setdefault((m["step"], m["formulation"], m["precision"]), {})
        program = row.setdefault(m["program"], {"ms": [], "memory_mib": []})
        program["ms"] += m.get("ms", [])
        program["memory_mib"] += [v for v in [m.get("memory_mib")] if v is not None]
        program["rate"] = m.get("GF/s", program.get("rate"))
        program["error"] = m.get("error", program.get("error"))
    return rows


def median(program, key):
    values = (program or {}).get(key)
    return statistics.median(values) if values else None


def number(v):
    """Formats v with three digits."""
    return f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def cell(program, ours):
    ms = median(program, "ms")
    if ms is None:
        return "failed" if (program or {}).get("error") else ""
    return number(ms) + (f", {ms / ours:.2f}" if ours else "")


def steps(rows):
    columns = [c for c in COLUMNS if any(c in programs for programs in rows.values())]
    print("Milliseconds of a step, medians of alternating runs. Each of PyTorch's times is followed by its ratio to recap's time; above 1, recap is faster. Memory: MiB, recap / PyTorch eager.\n")
    print("| step | PyTorch | precision | recap ms | " + " | ".join(c + " ms, ratio" for c in columns) + " | memory recap / eager |")
    print("| --- |" + " --- |" * (len(columns) + 4))
    for (step, formulation, precision), programs in rows.items():
        recap, eager = programs.get("recap"), programs.get("eager")
        ours = median(recap, "ms")
        memory = median(recap, "memory_mib"), median(eager, "memory_mib")
        shown = f"{memory[0]:.0f} / {memory[1]:.0f} = {memory[0] / memory[1]:.2f}" if None not in memory and memory[1] else ""
        print("| " + " | ".join([step, formulation, precision, cell(recap, None), *(cell(programs.get(c), ours) for c in columns), shown]) + " |")
    spreads = [(max(p["ms"]) / min(p["ms"]), name, key) for key, programs in rows.items() for name, p in programs.items() if len(p["ms"]) > 1 and min(p["ms"]) > 0]
    if spreads:
        worst = max(spreads)
        print(f"\nLargest spread of one program's runs: {100 * (worst[0] - 1):.0f} % ({worst[1]}, {', '.join(worst[2])}).")


def kernels(path):
    """Prints the medians of a benchmark's output for each kernel."""
    found = {}
    for line in open(path):
        m = re.match(r"BenchmarkKernels/(\S+?)(?:-\d+)?\s+\d+\s+[\d.e+]+ ns/op(.*)", line)
        if m:
            for value, unit in re.findall(r"([\d.e+-]+) (us/call|GF/s|GB/s)", m[2]):
                found.setdefault(m[1], {}).setdefault(unit, []).append(float(value))
    if not found:
        return
    print("\n| kernel | µs | TFLOP/s | GB/s |\n| --- | --- | --- | --- |")
    for name, values in found.items():
        us, flops, bytes = (statistics.median(values[u]) if u in values else None for u in ("us/call", "GF/s", "GB/s"))
        print(f"| {name} | {number(us)} | {number(flops / 1e3) if flops else ''} | {number(bytes)} |")


steps(read(sys.argv[1]))
if len(sys.argv) > 2:
    kernels(sys.argv[2])
