"""Writes batch_norm.json: what PyTorch's BatchNorm1d computes in two batches of training and then in inference, in double
precision.

    pip install torch && python make_batch_norm.py

Input, weight and bias are waves, which the Go test computes too; the loss of a batch is Σ wave·output.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)

WIDTH, BATCHES = 3, [4, 2]


def wave(phase, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(phase + 1.7 * i) / 2 for i in range(n)]).reshape(shape)


norm = torch.nn.BatchNorm1d(WIDTH)
norm.weight.data, norm.bias.data = wave(1, WIDTH), wave(2, WIDTH)
flat = lambda x: x.flatten().tolist()
result = {"width": WIDTH, "batches": []}
for k, n in enumerate(BATCHES):
    norm.zero_grad()
    x = wave(100 + k, n, WIDTH).requires_grad_()
    y = norm(x)
    (wave(200 + k, *y.shape) * y).sum().backward()
    batch = {"n": n, "y": y, "mean": norm.running_mean, "var": norm.running_var}
    batch |= {"x": x.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    result["batches"].append({name: flat(v) if torch.is_tensor(v) else v for name, v in batch.items()})
norm.eval()
result["inference"] = flat(norm(wave(300, 1, WIDTH)))
pathlib.Path(__file__).with_name("batch_norm.json").write_text(json.dumps(result, indent=1) + "\n")
