"""Writes golden.json: parameters after each of six steps of PyTorch's optimizers, in double precision.

    pip install torch && python make_golden.py

Parameters and gradients are wave(n, phase), which the Go test computes too. Parameter b has no gradient in steps 2 and 3. The case
accumulated adds up the gradients of three batches, clipped after each. In the case compact, a is a matrix [2 3].
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


class Compact:
    """Adam with a first moment in bfloat16 and the factored second moment of Adafactor."""

    def __init__(self, x, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
        self.x, self.lr, self.decay, self.beta1, self.beta2, self.eps, self.t = x, lr, decay, beta1, beta2, eps, 0
        self.m = torch.zeros(x.shape, dtype=torch.bfloat16)
        self.row, self.column = torch.zeros(x.shape[0]), torch.zeros(x.shape[1])

    def step(self, g):
        g, self.t = g + self.decay * self.x, self.t + 1
        m = self.beta1 * self.m.double() + (1 - self.beta1) * g
        self.m = m.to(torch.bfloat16)
        self.row = self.beta2 * self.row + (1 - self.beta2) * (g * g).mean(1)
        self.column = self.beta2 * self.column + (1 - self.beta2) * (g * g).mean(0)
        v = torch.outer(self.row, self.column) / self.row.mean()
        root = (v / (1 - self.beta2**self.t)).sqrt()
        self.x = self.x - self.lr * (m / (1 - self.beta1**self.t)) / (root + self.eps)


def run_compact():
    a, b = Compact(wave(1, 6).reshape(2, 3), 0.1, 0.2), torch.nn.Parameter(wave(2, 4))
    vectors = torch.optim.Adam([b], lr=0.1, weight_decay=0.2)
    steps = []
    for step in range(6):
        a.step(wave(10 + step, 6).reshape(2, 3))
        b.grad = None if step in (2, 3) else wave(20 + step, 4)
        vectors.step()
        steps.append({"a": a.x.flatten().tolist(), "b": b.tolist(), "norm": 0})
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
    "compact": run_compact(),
}
text = ",\n".join(f'"{name}": {json.dumps(steps)}' for name, steps in cases.items())
pathlib.Path(__file__).with_name("golden.json").write_text("{\n" + text + "\n}\n")
