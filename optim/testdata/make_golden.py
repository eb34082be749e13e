"""Writes golden.json: parameters after each of six steps of PyTorch's optimizers, in double precision.

    pip install torch && python make_golden.py

Parameters and gradients are wave(n, phase), which the Go test computes too. Parameter b has no gradient in steps 2 and 3. The case
accumulated adds up the gradients of three batches, clipped after each.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)


def wave(phase, n):
    return torch.tensor([math.sin(phase + 1.7 * i) for i in range(n)])


def run(make, limit=None, value=None, batches=1):
    a, b = (torch.nn.Parameter(wave(phase, n)) for phase, n in ((1, 3), (2, 4)))
    optimizer = make(a, b)
    steps = []
    for step in range(6):
        optimizer.zero_grad()
        norm = 0
        for batch in range(batches):
            loss = (wave(10 + step + 30 * batch, 3) * a).sum()
            if step not in (2, 3):
                loss = loss + (wave(20 + step + 30 * batch, 4) * b).sum()
            loss.backward()
            if limit:
                norm = torch.nn.utils.clip_grad_norm_([a, b], limit).item()
            if value:
                torch.nn.utils.clip_grad_value_([a, b], value)
        optimizer.step()
        steps.append({"a": a.tolist(), "b": b.tolist(), "norm": norm})
    return steps


cases = {
    "sgd": run(lambda a, b: torch.optim.SGD([a, b], lr=0.1)),
    "momentum": run(lambda a, b: torch.optim.SGD([a, b], lr=0.1, momentum=0.9)),
    "adam": run(lambda a, b: torch.optim.Adam([a, b], lr=0.1, weight_decay=0.2)),
    "adamw": run(lambda a, b: torch.optim.AdamW([a, b], lr=0.1, weight_decay=0.2)),
    "groups": run(
        lambda a, b: torch.optim.AdamW([{"params": [a], "weight_decay": 0.2}, {"params": [b], "lr": 0.05, "weight_decay": 0}], lr=0.1)
    ),
    "clipped": run(lambda a, b: torch.optim.SGD([a, b], lr=0.1), limit=1.3),
    "value": run(lambda a, b: torch.optim.SGD([a, b], lr=0.1), value=0.6),
    "accumulated": run(lambda a, b: torch.optim.Adam([a, b], lr=0.1), value=0.6, batches=3),
}
text = ",\n".join(f'"{name}": {json.dumps(steps)}' for name, steps in cases.items())
pathlib.Path(__file__).with_name("golden.json").write_text("{\n" + text + "\n}\n")
