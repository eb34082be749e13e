#!/usr/bin/env python3
"""Measures the selective scan of Mamba with all its gradients in PyTorch, and recap's in alternation with it: prints medians of each formulation.

  loop      a loop over time. The steps are taken by unbind: the gradient of a slice, as in the reference of the paper's code, is as large as the sequence
  compile   torch.compile of the loop; it unrolls the loop, so it is left out above --compile-steps
  chunks    cumulative sums within chunks of 16 steps, h = e^S (h_0 + Σ e^−S x) with S = Σ ΔA, and a loop over chunks; e^−S overflows where Δ is large,
            so this holds near Mamba's initial values only
  doubling  an associative scan of the pairs (a, x) in log₂ T passes over the whole sequence

glibc keeps freed blocks and uses huge pages, and threads of libgomp sleep while they wait, which are the fastest settings for PyTorch.

CPU time is that of all threads of a process, without the start of the program: on a machine that others use, it is the figure to compare on one
thread. Wall time is printed beside it.

usage: peer_scan.py TESTBINARY [--threads N] [--rounds R] [--steps T,T,…] [--compile-steps T] [--figure FILE.svg]
                    after: go test -c -o TESTBINARY ./autograd; the figure has CPU time for a step over T, and needs matplotlib"""
import argparse, os, re, statistics, subprocess, sys, time

ap = argparse.ArgumentParser()
ap.add_argument("binary")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--rounds", type=int, default=7)
ap.add_argument("--steps", default="25,50,100,400,1024,4096")
ap.add_argument("--compile-steps", type=int, default=50)
ap.add_argument("--figure")
A = ap.parse_args()
os.environ["OMP_NUM_THREADS"] = str(A.threads)
if "MALLOC_TRIM_THRESHOLD_" not in os.environ:  # glibc reads it when a process starts
    os.environ.update(MALLOC_MMAP_THRESHOLD_="17179869184", MALLOC_TRIM_THRESHOLD_="17179869184", GLIBC_TUNABLES="glibc.malloc.hugetlb=1",
                      OMP_WAIT_POLICY="passive")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import torch
import torch.nn.functional as F

torch.set_num_threads(A.threads)
WIDTH, STATES, CHUNK = 256, 16, 16
SAMPLES = {25: 64, 50: 64, 100: 32, 400: 8, 1024: 3, 4096: 1}  # those of BenchmarkSelectiveScan


def inputs(samples, steps):
    """Random inputs, and parameters with Mamba's initial values."""
    torch.manual_seed(1)
    row, state = (samples, steps, WIDTH), (samples, steps, STATES)
    t = torch.exp(torch.empty(WIDTH).uniform_(-6.9, -2.3))
    x = [torch.randn(row), 0.1 * torch.randn(row), torch.randn(state), torch.randn(state), torch.randn(row), t + torch.log(-torch.expm1(-t)),
         torch.arange(1, STATES + 1).float().log().repeat(WIDTH, 1), torch.ones(WIDTH)]
    return [v.requires_grad_() for v in x], torch.randn(row)


def finish(y, u, z, skip):
    return (y + skip * u) * F.silu(z)


def loop(u, step, b, c, z, bias, log, skip):
    delta, a = F.softplus(step + bias), -torch.exp(log)
    h, y = u.new_zeros(u.shape[0], WIDTH, STATES), []
    for d, x, b, c in zip(delta.unbind(1), (delta * u).unbind(1), b.unbind(1), c.unbind(1)):
        h = torch.addcmul(x[:, :, None] * b[:, None, :], torch.exp(d[:, :, None] * a), h)
        y.append((h @ c[:, :, None])[:, :, 0])
    return finish(torch.stack(y, 1), u, z, skip)


def chunks(u, step, b, c, z, bias, log, skip):
    delta, a = F.softplus(step + bias), -torch.exp(log)
    h, y, x = u.new_zeros(u.shape[0], 1, WIDTH, STATES), [], delta * u
    for t in range(0, u.shape[1], CHUNK):
        s = torch.cumsum(delta[:, t:t + CHUNK, :, None] * a, 1)
        all = torch.exp(s) * (h + torch.cumsum(torch.exp(-s) * (x[:, t:t + CHUNK, :, None] * b[:, t:t + CHUNK, None, :]), 1))
        h = all[:, -1:]
        y.append(torch.einsum("btdn,btn->btd", all, c[:, t:t + CHUNK]))
    return finish(torch.cat(y, 1), u, z, skip)


def doubling(u, step, b, c, z, bias, log, skip):
    delta, a = F.softplus(step + bias), -torch.exp(log)
    a, h, d = torch.exp(delta[..., None] * a), (delta * u)[..., None] * b[:, :, None, :], 1
    while d < u.shape[1]:
        h = torch.cat([h[:, :d], h[:, d:] + a[:, d:] * h[:, :-d]], 1)
        if 2 * d < u.shape[1]:
            a = torch.cat([a[:, :d], a[:, d:] * a[:, :-d]], 1)
        d *= 2
    return finish(torch.einsum("btdn,btn->btd", h, c), u, z, skip)


def measure(f):
    wall, cpu = time.perf_counter(), time.process_time()
    f()
    return time.process_time() - cpu, time.perf_counter() - wall


def recap(steps, repetitions):
    """Returns CPU and wall time of one repetition: the difference to a run with one repetition."""
    def run(n):
        start = time.perf_counter()
        child = subprocess.Popen([os.path.abspath(A.binary), "-test.run", "xxx", "-test.bench", f"SelectiveScan/T={steps}/both", "-test.benchtime", f"{n}x"],
                                 cwd="autograd", stdout=subprocess.PIPE, env=os.environ | {"GOMAXPROCS": str(A.threads)}, text=True)
        out = child.stdout.read()
        usage = os.wait4(child.pid, 0)[2]
        wall = float(re.search(r"([\d.]+) ns/op", out)[1]) / 1e9
        return usage.ru_utime + usage.ru_stime, wall
    once, many = run(1), run(1 + repetitions)
    return (many[0] - once[0]) / repetitions, many[1]


def draw(curves):
    """Draws the curves {name: {T: nanoseconds}} like the figures of package internal/figure."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"font.family": "sans-serif", "font.sans-serif": ["Liberation Sans", "Arial", "Helvetica", "DejaVu Sans"], "svg.fonttype": "none",
                                "svg.hashsalt": "scan", "font.size": 8, "axes.labelsize": 9, "axes.linewidth": 0.5, "xtick.major.width": 0.5, "ytick.major.width": 0.5})
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(5, 2.8), layout="constrained")
    styles = {"recap": ("#0072b2", "-", "o"), "loop": ("#d55e00", "--", "s"), "chunks": ("#009e73", ":", "^"), "doubling": ("#cc79a7", "-.", "X"), "compile": ("#e69f00", "-", "D")}
    for name, (color, line, marker) in styles.items():
        if name in curves:
            label = name if name == "recap" else "PyTorch: " + name
            axes.plot(list(curves[name]), [ns / 1e3 for ns in curves[name].values()], color=color, linestyle=line, marker=marker, markersize=4, linewidth=1.2, label=label)
    axes.set(xscale="log", yscale="log", xlabel="time steps T", ylabel="CPU time of a step (µs)")
    ticks = sorted({steps for curve in curves.values() for steps in curve})
    axes.set_xticks(ticks, [f"{steps}" for steps in ticks])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.set_ylim(bottom=1)
    axes.grid(axis="y", color="#e1e1e1", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(A.figure, metadata={"Date": None, "Title": "CPU time of a step of the selective scan with its gradients over the number of time steps."})


def main():
    curves = {}
    for steps in map(int, A.steps.split(",")):
        samples = SAMPLES[steps]
        x, g = inputs(samples, steps)

        def both(f):
            return lambda: torch.autograd.grad((g * f(*x)).sum(), x)

        programs = {"loop": both(loop), "chunks": both(chunks)}
        if steps < 4096:  # above, its memory exceeds 2 GB
            programs["doubling"] = both(doubling)
        if steps <= A.compile_steps:
            programs["compile"] = both(torch.compile(loop, dynamic=False))
        want = programs["loop"]()
        for name in list(programs):
            try:
                got = programs[name]()
            except Exception as error:  # no compiler, no memory
                print(f"T={steps} {name}: failed: {str(error)[:200]}")
                del programs[name]
                continue
            worst = max(((v - w).abs().max() / w.abs().max()).item() for v, w in zip(got, want))
            if not worst < 1e-3:
                print(f"T={steps} {name}: gradients differ by {worst:.1e}")
        times = {name: [] for name in ["recap", *programs]}
        for _ in range(A.rounds):
            for name, f in programs.items():
                times[name].append(measure(f))
            times["recap"].append(recap(steps, 20))
        median = {name: [statistics.median(t[k] for t in all) for k in range(2)] for name, all in times.items()}
        for name, (cpu, wall) in median.items():
            curves.setdefault(name, {})[steps] = cpu / samples / steps * 1e9
            print(f"B={samples} T={steps} threads={A.threads} {name:8}: CPU {cpu * 1e3:8.2f} ms, {cpu / samples / steps * 1e9:7.0f} ns a step, ratio {cpu / median['recap'][0]:6.2f};"
                  f"  wall {wall * 1e3:8.2f} ms, ratio {wall / median['recap'][1]:6.2f}", flush=True)
    if A.figure:
        draw(curves)


main()
