"""Writes scan.json: a selective scan as a loop over time in PyTorch, in double precision, with all gradients.

    pip install torch && python make_scan.py

The k-th input is noise times SCALES[k], which the Go test computes too. The loss is Σ noise·o.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

NAMES = ["u", "step", "b", "c", "z", "stepBias", "aLog", "skip"]
SCALES = [3, 4, 3, 3, 4, 4, 3, 3]


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


def scan(u, step, b, c, z, step_bias, a_log, skip, reverse):
    delta, a = F.softplus(step + step_bias), -torch.exp(a_log)
    h, o = torch.zeros(u.shape[0], *a_log.shape), [None] * u.shape[1]
    for t in reversed(range(len(o))) if reverse else range(len(o)):
        d = delta[:, t, :, None]
        h = torch.exp(d * a) * h + d * u[:, t, :, None] * b[:, t, None, :]
        o[t] = ((h * c[:, t, None, :]).sum(-1) + skip * u[:, t]) * F.silu(z[:, t])
    return torch.stack(o, 1)


def case(name, batch, width, states, steps, reverse=False, step_scale=None):
    row, state = (batch, steps, width), (batch, steps, states)
    shapes = [row, row, state, state, row, (width,), (width, states), (width,)]
    scales = [s if k != 1 or step_scale is None else step_scale for k, s in enumerate(SCALES)]
    x = [(scale * noise(k, *shape)).requires_grad_() for k, (scale, shape) in enumerate(zip(scales, shapes))]
    o = scan(*x, reverse)
    (noise(100, *row) * o).sum().backward()
    result = {"name": name, "shapes": shapes, "scales": scales, "reverse": reverse, "o": o.flatten().tolist()}
    return result | {"grads": {k: v.grad.flatten().tolist() for k, v in zip(NAMES, x)}}


CASES = [
    case("scan_n16_t7", 2, 6, 16, 7),
    case("reverse", 2, 6, 16, 7, reverse=True),
    case("steps above softplus's threshold", 1, 5, 3, 4, step_scale=90),
    case("three intervals", 1, 3, 2, 35),
    case("three intervals, reverse", 1, 3, 2, 35, reverse=True),
    case("several blocks of channels", 2, 67, 1, 2),
    case("many samples", 19, 2, 3, 2),
]
text = ",\n".join(json.dumps(c) for c in CASES)
pathlib.Path(__file__).with_name("scan.json").write_text("[\n" + text + "\n]\n")
