#!/usr/bin/env python3
"""Builds the command with an empty cache and prints the time, and how much processor time the packages of each module take. Modules are already downloaded.

usage: build.py     in the directory of the module"""
import collections, json, os, resource, subprocess, tempfile, time

packages = subprocess.run(["go", "list", "-deps", "-f", "{{.ImportPath}}\t{{if .Module}}{{.Module.Path}}{{else}}standard library{{end}}", "./cmd/recap"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
module = dict(line.split("\t") for line in packages.splitlines())
with tempfile.TemporaryDirectory() as dir:
    graph, start, before = os.path.join(dir, "graph.json"), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["go", "build", "-debug-actiongraph", graph, "-o", os.path.join(dir, "recap"), "./cmd/recap"], env=os.environ | {"GOCACHE": os.path.join(dir, "cache")}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - start:.1f} s, {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} s of the processor,"
          f" {os.path.getsize(os.path.join(dir, 'recap')) / 1e6:.1f} MB, {len(os.sched_getaffinity(0))} cores")
    actions = json.load(open(graph))

seconds, count = collections.Counter(), collections.Counter()
for action in actions:
    spent = (action.get("CmdUser", 0) + action.get("CmdSys", 0)) / 1e9
    if spent:
        name = "linker" if action["Mode"] == "link" else module.get(action["Package"], action["Package"])
        seconds[name] += spent
        count[name] += 1
print("| module | packages | seconds |\n| --- | --- | --- |")
for name, spent in seconds.most_common():
    print(f"| {name} | {count[name] if name != 'linker' else ''} | {spent:.2f} |")
