"""Writes golden.json: what PyTorch computes for the layers of package nn, in double precision.

    pip install torch && python make_golden.py

Inputs and parameters are noise(number, shape), which the Go test computes too, so only results are stored. The layers are
written out with torch.nn.functional from their papers' formulas.
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


def attention(q, k, v, heads, mask=None):
    """q [B Tq E], k and v [B Tk E], mask [B Tk]."""
    split = lambda x: x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
    keep = None if mask is None else mask.bool()[:, None, None, :]
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=keep)
    return y.transpose(1, 2).reshape(q.shape)


class Noise(dict):
    """Parameters by name, made at first use: the k-th is noise of number k. LayerNorm's weights are shifted by 1."""

    def __call__(self, name, *shape):
        self[name] = noise(len(self), *shape) + (1 if "norm" in name.lower() and name.endswith("weight") else 0)
        return self[name]

    def linear(self, name, x, out, bias=True):
        w = self(name + ".weight", out, x.shape[-1])
        return F.linear(x, w, self(name + ".bias", out) if bias else None)

    def norm(self, name, x, eps, bias=True):
        n = x.shape[-1]
        return F.layer_norm(x, (n,), self(name + ".weight", n), self(name + ".bias", n) if bias else None, eps)


def layer_norm():
    p = Noise()
    return p, p.norm("norm", noise(100, 3, 5), 1e-5)


def rms_norm():
    p = Noise()
    return p, F.rms_norm(noise(100, 3, 5), (5,), p("norm.weight", 5), 1e-5)


def mlp():
    p = Noise()
    h = F.relu(p.linear("0", noise(100, 2, 3, 4), 5))
    return p, p.linear("2", h, 2)


def multi_head():
    p = Noise()
    q, k, v = noise(100, 2, 3, 6), noise(200, 2, 4, 6), noise(300, 2, 4, 6)
    mask = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 0]])
    y = attention(p.linear("query", q, 8), p.linear("key", k, 8), p.linear("value", v, 8), 2, mask)
    return p, p.linear("output", y, 6)


def transformer(depth=2, width=6, heads=2, head_width=4, hidden=7):
    p = Noise()
    x = noise(100, 2, 5, width)
    for i in range(depth):
        at = f"layers.{i}."
        q, k, v = (
            p.linear(at + "attention." + long, p.norm(at + "norm_" + long[0], x, 1e-5, bias=long != "key"), heads * head_width, bias=False)
            for long in ("query", "key", "value")
        )
        x = x + p.linear(at + "attention.output", attention(q, k, v, heads), width)
        h = F.gelu(p.linear(at + "feed_forward.in", p.norm(at + "norm", x, 1e-5), hidden))
        x = x + p.linear(at + "feed_forward.out", h, width)
    return p, x


def positions(width=7):
    x = noise(100, 2, 4, width)
    x[0, 2], x[1, 0], x[1, 1, 0], x[1, 2, 1:] = 0, -0.0, 0, 0  # the last is not padding
    half = width // 2
    f = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
    angle = torch.arange(1, 5)[:, None] * f
    codes = F.pad(torch.cat([angle.sin(), angle.cos()], 1), (0, width % 2))
    return Noise(), noise(200, 2, 4, width) + torch.where(x[:, :, :1] == 0, 0, codes)


def bert(vocab=11, width=8, depth=2, heads=2, hidden=12, positions=6, types=2, inject=None):
    p = Noise()
    ids = torch.tensor([[2, 5, 10, 3, 0], [2, 7, 3, 0, 0]])
    segments = torch.tensor([[0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    e = "embeddings."
    x = (
        F.embedding(ids, p(e + "word_embeddings.weight", vocab, width))
        + p(e + "position_embeddings.weight", positions, width)[: ids.shape[1]]
        + F.embedding(segments, p(e + "token_type_embeddings.weight", types, width))
    )
    x = p.norm(e + "LayerNorm", x, 1e-12)
    for i in range(depth):
        at = f"encoder.layer.{i}."
        if i == 1 and inject is not None:
            x = x + inject
        q, k, v = (p.linear(at + "attention.self." + s, x, width) for s in ("query", "key", "value"))
        y = p.linear(at + "attention.output.dense", attention(q, k, v, heads, mask), width)
        x = p.norm(at + "attention.output.LayerNorm", x + y, 1e-12)
        y = p.linear(at + "output.dense", F.gelu(p.linear(at + "intermediate.dense", x, hidden)), width)
        x = p.norm(at + "output.LayerNorm", x + y, 1e-12)
    return p, x


def bert_injected():
    return bert(inject=noise(100, 2, 5, 8))


def conv1d(kernel=3, padding=2, bias=True):
    p = Noise()
    x = noise(100, 2, 5, 3).transpose(1, 2)
    y = F.conv1d(x, p("weight", 4, 3, kernel), p("bias", 4) if bias else None, padding=padding)
    return p, y.transpose(1, 2)


def conv1d_no_padding():
    return conv1d(kernel=2, padding=0, bias=False)


def conv1d_kernel_1():
    return conv1d(kernel=1, padding=0)


cases = {}
layers = (layer_norm, mlp, multi_head, transformer, bert, bert_injected)
for make in layers + (conv1d, conv1d_no_padding, conv1d_kernel_1, positions, rms_norm):
    params, y = make()
    cases[make.__name__] = {"params": [[name, list(w.shape)] for name, w in params.items()], "y": y.flatten().tolist()}

text = ",\n".join(f'"{name}": {json.dumps(case)}' for name, case in cases.items())
pathlib.Path(__file__).with_name("golden.json").write_text("{\n" + text + "\n}\n")
