#!/usr/bin/env python3
"""Measures float32 matrix products on one thread, with OpenBLAS (through NumPy) and oneMKL (through PyTorch), on the shapes of

  go test ./internal/simd -run xxx -bench Sgemm -cpu 1

usage: peer_gemm.py [--reps 15]     (needs numpy and torch)"""
import argparse, os, time

ap = argparse.ArgumentParser()
ap.add_argument("--reps", type=int, default=15)
A = ap.parse_args()
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_CORETYPE="SKYLAKEX")
import numpy as np, torch

torch.set_num_threads(1)
SHAPES = [  # op(A) op(B), count, m, n, k
    ("NN", 1, 1024, 1024, 1024), ("NN", 1, 3200, 128, 128), ("NT", 1, 3200, 128, 128), ("TN", 1, 128, 128, 3200), ("NN", 1, 3200, 512, 128),
    ("NN", 1, 64, 1024, 1024), ("NT", 1, 64, 1024, 1024), ("TN", 1, 1024, 1024, 64), ("NT", 1, 4096, 2048, 2048), ("NT", 1, 3200, 768, 768),
    ("NT", 1, 3200, 3072, 768), ("TN", 1, 768, 3072, 3200), ("NT", 512, 50, 50, 64), ("NN", 512, 50, 64, 50), ("TN", 512, 50, 64, 50),
    ("NT", 512, 8, 8, 64), ("NN", 512, 8, 64, 8), ("NT", 16, 383, 383, 64), ("NN", 16, 383, 64, 383),
]
print(f"numpy {np.__version__}, torch {torch.__version__}: median GF/s of {A.reps}")


def rate(f, flops):
    f()
    times = []
    for _ in range(A.reps):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < 0.02:
            f()
            calls += 1
        times.append((time.perf_counter() - start) / calls)
    return flops / sorted(times)[A.reps // 2] / 1e9


for tr, count, m, n, k in SHAPES:
    batch = () if count == 1 else (count,)
    a = torch.rand(*batch, *((k, m) if tr[0] == "T" else (m, k)))
    b = torch.rand(*batch, *((n, k) if tr[1] == "T" else (k, n)))
    c = torch.empty(*batch, m, n)
    a, b = (x.transpose(-1, -2) if t == "T" else x for x, t in zip((a, b), tr))
    na, nb, nc = a.numpy(), b.numpy(), c.numpy()
    flops = 2 * count * m * n * k
    print(f"{tr}/{count}x{m}x{n}x{k}: OpenBLAS {rate(lambda: np.matmul(na, nb, out=nc), flops):6.1f}   PyTorch {rate(lambda: torch.matmul(a, b, out=c), flops):6.1f}", flush=True)
