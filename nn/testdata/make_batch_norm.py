"""Writes batch_norm.json: what PyTorch's BatchNorm1d computes in two batches of training and then in inference, in double
precision.

    pip install torch && python make_batch_norm.py

Input, weight and bias are noise, which the Go test computes too; the loss of a batch is Σ noise·output.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)

WIDTH, BATCHES = 3, [4, 2]


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


norm = torch.nn.BatchNorm1d(WIDTH)
norm.weight.data, norm.bias.data = noise(1, WIDTH), noise(2, WIDTH)
flat = lambda x: x.flatten().tolist()
result = {"width": WIDTH, "batches": []}
for k, n in enumerate(BATCHES):
    norm.zero_grad()
    x = noise(100 + k, n, WIDTH).requires_grad_()
    y = norm(x)
    (noise(200 + k, *y.shape) * y).sum().backward()
    batch = {"n": n, "y": y, "mean": norm.running_mean, "var": norm.running_var}
    batch |= {"x": x.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    result["batches"].append({name: flat(v) if torch.is_tensor(v) else v for name, v in batch.items()})
norm.eval()
result["inference"] = flat(norm(noise(300, 1, WIDTH)))
pathlib.Path(__file__).with_name("batch_norm.json").write_text(json.dumps(result, indent=1) + "\n")
