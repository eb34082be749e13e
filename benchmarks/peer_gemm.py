#!/usr/bin/env python3
"""Compares recap's float32 matrix products on one thread with oneMKL (through PyTorch) and OpenBLAS (through NumPy).

  go test -c -o cpu.test ./internal/cpu
  go test ./internal/models -run 'Products$' -v > products.txt     # the products of a training step of each model
  python benchmarks/peer_gemm.py --recap cpu.test --products products.txt

The programs alternate several times for each product, and time is that of the processor. A ratio is the median of the quotients of the time of the faster
of the two libraries and recap's. For each phase of a model, the program prints the geometric mean of the ratios, weighted by recap's time, and the products
that recap computes more slowly than --slow. All products are computed with beta 0. Without --products, it measures some large and some small ones.

usage: peer_gemm.py --recap BINARY [--products FILE] [--models recap,misa] [--rounds 7] [--part 0.995] [--slow 0.95] [--out FILE] [--threads]
  --part     leaves out the products with the least work, but keeps this part of the work of each phase
  --out      writes a line of JSON for each product
  --threads  compares recap with itself instead: the wall time on one thread and on two, the least of the rounds of each"""
import argparse, collections, json, math, os, re, statistics, subprocess, time

ap = argparse.ArgumentParser()
ap.add_argument("--recap", required=True)
ap.add_argument("--products")
ap.add_argument("--models")
ap.add_argument("--rounds", type=int, default=7)
ap.add_argument("--part", type=float, default=0.995)
ap.add_argument("--slow", type=float, default=0.95)
ap.add_argument("--out")
ap.add_argument("--threads", action="store_true")
A = ap.parse_args()
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_CORETYPE="SKYLAKEX")
import numpy as np, torch

torch.set_num_threads(1)
SOME = [  # op(A) op(B), count, m, n, k
    ("NN", 1, 1024, 1024, 1024), ("NN", 1, 3200, 128, 128), ("NT", 1, 3200, 128, 128), ("TN", 1, 128, 128, 3200), ("NN", 1, 3200, 512, 128),
    ("NN", 1, 64, 1024, 1024), ("NT", 1, 64, 1024, 1024), ("TN", 1, 1024, 1024, 64), ("NT", 1, 4096, 2048, 2048), ("NT", 1, 3200, 768, 768),
    ("NT", 1, 3200, 3072, 768), ("TN", 1, 768, 3072, 3200), ("NT", 512, 50, 50, 64), ("NN", 512, 50, 64, 50), ("TN", 512, 50, 64, 50),
    ("NT", 512, 8, 8, 64), ("NN", 512, 8, 64, 8), ("NT", 16, 383, 383, 64), ("NN", 16, 383, 64, 383),
]
Product = collections.namedtuple("Product", "trans count m n k ldc shared")
SECONDS = 0.015  # of each measurement, at least


def flops(p):
    return 2 * p.count * p.m * p.n * p.k


def phases():
    """The products of each phase, with the number of times that a step computes them."""
    if not A.products:
        return {"some": {Product(*s, s[3], "-"): 1 for s in SOME}}
    found = {}
    for model, phase, trans, *numbers, shared, calls in re.findall(r"^ +(\S+) (\S+) [A-Z]\w+ (NN|NT|TN|TT) (\d+) (\d+) (\d+) (\d+) (\d+) ([-AB*]) (\d+)$", open(A.products).read(), re.M):
        if not A.models or model in A.models.split(","):
            step, p = found.setdefault(f"{model} {phase}", collections.Counter()), Product(trans, *map(int, numbers), shared)
            if p.shared == "*":  # products in the same memory are measured in groups of 64, since a call takes long
                step[p._replace(count=64)] += int(calls) * p.count / 64
            else:
                step[p] += int(calls)
    for step in found.values():  # a product takes half a microsecond more than its operations
        work = {p: n * (flops(p) + 1e5 * p.count) for p, n in step.items()}
        left = (1 - A.part) * sum(work.values())
        for p in sorted(work, key=work.get):
            left -= work[p]
            if left >= 0:
                del step[p]
    return found


class Recap:
    """The benchmark of package cpu, which measures the products that it reads."""

    def __init__(self, threads):
        command = [os.path.abspath(A.recap), "-test.run", "xxx", "-test.bench", "Products", "-test.benchtime", "30ms", "-test.timeout", "10h"]
        self.process = subprocess.Popen(command, env=dict(os.environ, GOMAXPROCS=str(threads)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, p):
        """The wall time and the time of the processor."""
        self.process.stdin.write(" ".join(map(str, p)) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            found = re.search(r"\s([\d.e+]+) ns/op\s+([\d.e+]+) cpu-ns/op", line)
            if found:
                return [float(x) / 1e9 for x in found.groups()]
        raise SystemExit(f"{A.recap}: no measurement of {p}")


def peers(p):
    """The product in PyTorch and in NumPy."""
    def factor(letter, rows, columns):
        batch = () if p.count == 1 or p.shared == letter else (p.count,)
        transposed = p.trans["AB".index(letter)] == "T"
        x = torch.rand(*batch, *((columns, rows) if transposed else (rows, columns)))
        return x.transpose(-1, -2) if transposed else x

    a, b, c = factor("A", p.m, p.k), factor("B", p.k, p.n), torch.empty(*(() if p.count == 1 else (p.count,)), p.m, p.ldc)[..., :p.n]
    if p.shared == "*":  # PyTorch does not write several products to one memory
        a, b = (x[:1].expand(p.count, -1, -1) for x in (a, b))
    x, y, z = a.numpy(), b.numpy(), c.numpy()
    if p.shared == "*":
        z = np.lib.stride_tricks.as_strided(z, z.shape, (0, *z.strides[1:]))
    return {"mkl": lambda: torch.matmul(a, b, out=c), "openblas": lambda: np.matmul(x, y, out=z)}


def seconds(f):
    f()
    calls, start = 0, time.process_time()
    while (now := time.process_time() - start) < SECONDS:
        f()
        calls += 1
    return now / calls


# The time of a call from Python, which is not counted.
CALL = {name: seconds(f) for name, f in peers(Product("NN", 1, 1, 1, 1, 1, "-")).items()}


def compare(p, recap):
    """Returns the medians of the times of the programs, and the ratio. It measures slow products again, since other programs disturb some measurements."""
    programs = {"recap": lambda: recap.seconds(p)[1]} | {name: lambda f=f: seconds(f) - CALL[name] for name, f in peers(p).items()}
    times, ratio = {name: [] for name in programs}, 0
    while len(times["recap"]) < A.rounds or len(times["recap"]) < 3 * A.rounds and ratio < 1.02 * A.slow:
        for name, measure in programs.items():
            times[name].append(measure())
        median = {name: statistics.median(t) for name, t in times.items()}
        best = min(("mkl", "openblas"), key=median.get)
        ratio = statistics.median(t / r for t, r in zip(times[best], times["recap"]))
    return {"seconds": median["recap"], "ratio": ratio,
            "GF/s": {name: round(flops(p) / t / 1e9, 1) for name, t in median.items()}}


def scale(p, one, two):
    """Returns the least time on one thread, and its ratio to that on two."""
    times = [(one.seconds(p)[0], two.seconds(p)[0]) for _ in range(A.rounds)]
    least = [min(t) for t in zip(*times)]
    return {"seconds": least[0], "ratio": least[0] / least[1], "GF/s": {n: round(flops(p) / t / 1e9, 1) for n, t in zip(("one", "two"), least)}}


def main():
    print(f"numpy {np.__version__}, torch {torch.__version__}, {A.rounds} rounds", flush=True)
    steps, measured = phases(), {}
    recap = [Recap(1), Recap(2)] if A.threads else [Recap(1)]
    out = open(A.out, "w") if A.out else None
    for name, step in steps.items():
        for p in step:
            if p not in measured:
                measured[p] = (scale if A.threads else compare)(p, *recap)
                if out:
                    print(json.dumps({"product": p} | measured[p]), file=out, flush=True)
        total = sum(n * measured[p]["seconds"] for p, n in step.items())
        share = {p: n * measured[p]["seconds"] / total for p, n in step.items()}
        mean = math.exp(sum(w * math.log(measured[p]["ratio"]) for p, w in share.items()))
        print(f"{name}: {len(step)} products, {total:.3g} s a step, mean ratio {mean:.2f}")
        for p in sorted(step, key=lambda p: -share[p]):
            if measured[p]["ratio"] < A.slow and share[p] >= 0.005 or not A.products:
                print(f"  {share[p]:6.1%}  {measured[p]['ratio']:.2f}  {' '.join(map(str, p)):32}  {measured[p]['GF/s']}", flush=True)


main()
