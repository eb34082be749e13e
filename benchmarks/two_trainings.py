#!/usr/bin/env python3
"""Compares the time of two trainings at once with that of one alone, in alternation, and fails if the median of the ratios is above 2.1.

usage: go build -o bin/ ./cmd/recap && python benchmarks/two_trainings.py bin/recap [--rounds 5] [--epochs 5]"""
import argparse, os, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("recap")
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--epochs", type=int, default=5, help="of each stage")
A = ap.parse_args()


def seconds(trainings):
    """Seconds until as many trainings, with seeds of their own, have ended."""
    with tempfile.TemporaryDirectory() as dir:
        start = time.monotonic()
        running = [subprocess.Popen([os.path.abspath(A.recap), "train", "-s", str(1111 + i), "--epochs", str(A.epochs), "--out", os.path.join(dir, str(i))],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(trainings)]
        codes = [child.wait() for child in running]
        if any(codes):
            sys.exit(f"{A.recap} train ended with {codes}, expected 0")
        return time.monotonic() - start


seconds(1)
times = [(seconds(1), seconds(2)) for _ in range(A.rounds)]
ratio = statistics.median(two / one for one, two in times)
print(f"{len(os.sched_getaffinity(0))} cores: one training {statistics.median(t[0] for t in times):.1f} s, two at once {statistics.median(t[1] for t in times):.1f} s, ratio {ratio:.2f}"
      f" ({min(b / a for a, b in times):.2f}–{max(b / a for a, b in times):.2f})")
sys.exit(ratio > 2.1)
