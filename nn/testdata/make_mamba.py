"""Writes mamba.json: what a plain Mamba layer computes, in one direction, in both, and for a pair of streams, in double precision.

    pip install torch && python make_mamba.py

The layers are written out step by step from the papers' formulas. Inputs and parameters are noise, which the Go test computes
too. The loss is Σ noise·output. Of the gradient of a parameter the file has Σ noise·gradient and Σ gradient².
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


class Layer:
    """Parameters are created by name at their first use: the k-th is noise of number k."""

    def __init__(self, width, expand, states):
        self.params, self.width, self.inner, self.states = {}, width, expand * width, states
        self.rank = math.ceil(width / 16)

    def param(self, name, *shape):
        if name not in self.params:
            self.params[name] = noise(len(self.params), *shape).requires_grad_()
        return self.params[name]

    def scan(self, xz, stream, end):
        """xz [B 2D T] in the direction's own time, to [B D T]."""
        inner, n = self.inner, self.states
        param = lambda name, *shape: self.param(stream + name, *shape)
        x, z = xz.chunk(2, dim=1)
        weight, bias = param(f"conv1d{end}.weight", inner, 1, 4), param(f"conv1d{end}.bias", inner)
        u = F.silu(F.conv1d(F.pad(x, (3, 0)), weight, bias, groups=inner))
        project = param(f"x_proj{end}.weight", self.rank + 2 * n, inner)
        rho, b, c = torch.einsum("pd,bdt->bpt", project, u).split([self.rank, n, n], dim=1)
        delta = torch.einsum("dr,brt->bdt", param(f"dt_proj{end}.weight", inner, self.rank), rho)
        delta = F.softplus(delta + param(f"dt_proj{end}.bias", inner)[:, None])
        a = -torch.exp(self.param("A_log" if end == "" else "A_b_log", inner, n))
        h, y = torch.zeros(len(u), inner, n), []
        for t in range(u.shape[2]):
            step = delta[:, :, t, None]
            h = torch.exp(step * a) * h + step * b[:, None, :, t] * u[:, :, t, None]
            y.append((h * c[:, None, :, t]).sum(2))
        skip = param("D" + end, inner)[:, None]
        return (torch.stack(y, 2) + skip * u) * F.silu(z)

    def __call__(self, x, stream="", both=True):
        xz = F.linear(x, self.param(stream + "in_proj.weight", 2 * self.inner, self.width)).transpose(1, 2)
        o = self.scan(xz, stream, "")
        if both:
            o = (o + self.scan(xz.flip(2), stream, "_b").flip(2)) / 2
        return F.linear(o.transpose(1, 2), self.param(stream + "out_proj.weight", self.width, self.inner))


def case(width, expand, states, steps, both=True, pair=False):
    layer = Layer(width, expand, states)
    xs = [noise(100 * (1 + i), 2, steps, width).requires_grad_() for i in range(2 if pair else 1)]
    y = torch.cat([layer(x, f"streams.{i}." if pair else "", both) for i, x in enumerate(xs)])
    (noise(900, *y.shape) * y).sum().backward()
    result = {"params": [[name, list(w.shape)] for name, w in layer.params.items()], "y": y.flatten().tolist()}
    result["x"] = [x.grad.flatten().tolist() for x in xs]
    grads = [w.grad for w in layer.params.values()]
    result["grads"] = [[(noise(500 + k, *g.shape) * g).sum().item(), (g * g).sum().item()] for k, g in enumerate(grads)]
    return result


cases = {
    "mixer_uni_n16_t7": case(20, 2, 16, 7, both=False),
    "mixer_bi_n16_t7": case(20, 2, 16, 7),
    "mixer_bi_short_t2": case(20, 2, 16, 2),
    "mixer_pair_n12_t5": case(20, 4, 12, 5, pair=True),
}
text = ",\n".join(f'"{name}": {json.dumps(c)}' for name, c in cases.items())
pathlib.Path(__file__).with_name("mamba.json").write_text("{\n" + text + "\n}\n")
