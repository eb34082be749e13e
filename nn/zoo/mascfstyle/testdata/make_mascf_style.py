"""Writes mascf_style.json: what PyTorch computes of a tiny MASCF-style model, in double precision.

    pip install torch && python make_mascf_style.py

Stored are the scores and the terms of the loss of five utterances, and all gradients. Frames after the ends of the recordings are noise
too, because the encoders read them. Inputs and parameters are noise(number, shape), which the Go test computes too.
"""

import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, WIDTHS, BiMamba, Words, assign, digits, gradients, noise, tokens, until, write

WORDS, D, EXPAND, STATE, TOKENS = 8, 6, 2, 3, 3
DIFF, SIM, RECON = 0.3, 0.8, 0.9
LENGTHS = {"l": [5, 3, 4, 2, 1], "a": [7, 1, 4, 5, 2], "v": [6, 4, 1, 3, 5]}


def each(make):
    return nn.ModuleDict({m: make(m) for m in "lav"})


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mamba, self.norm = BiMamba(D, EXPAND, STATE), nn.LayerNorm(D, eps=1e-6)

    def forward(self, x):
        return x + self.norm(self.mamba(x))


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear, self.norm, self.mix = nn.Linear(width, D), nn.LayerNorm(D, eps=1e-6), Block()
        self.queries = nn.Parameter(torch.empty(TOKENS, D))

    def forward(self, x, mask):
        e = self.mix(self.norm(self.linear(x)))
        scores = self.queries @ e.transpose(1, 2) / math.sqrt(D)
        return scores.masked_fill(mask[:, None, :] == 0, -math.inf).softmax(2) @ e


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.private, self.all = Block(), Block(), Block()
        self.gate = nn.ModuleDict({"shared": nn.Linear(2 * D, D), "private": nn.Linear(2 * D, D)})

    def forward(self, c, p):
        s, v = self.shared(torch.cat([c[m] for m in "lav"], dim=1)), self.private(torch.cat([p[m] for m in "lav"], dim=1))
        g_s = torch.sigmoid(self.gate["shared"](torch.cat([s, v], dim=2)))
        g_v = torch.sigmoid(self.gate["private"](torch.cat([v, s], dim=2)))
        f = self.all(torch.cat([s + g_s * v, v + g_v * s], dim=1))
        return torch.cat([f[:, : 3 * TOKENS].mean(1), f[:, 3 * TOKENS :].mean(1)], dim=1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words(WORDS)
        self.encode = nn.ModuleDict({m: Encoder(width) for m, width in ({"l": WORDS} | WIDTHS).items()})
        self.shared, self.private = nn.Linear(D, D), each(lambda m: nn.Linear(D, D))
        self.fuse = Fusion()
        self.head = nn.ModuleDict({"hidden": nn.Linear(2 * D, D), "score": nn.Linear(D, 1)})
        self.reconstruct = each(lambda m: nn.Linear(D, D))

    def forward(self, x, mask):
        """Scores, and the token means of U, C and P."""
        u = {m: self.encode[m](x[m], mask[m]) for m in "lav"}
        c = {m: torch.sigmoid(self.shared(u[m])) for m in "lav"}
        p = {m: torch.sigmoid(self.private[m](u[m])) for m in "lav"}
        y = self.head["score"](F.relu(self.head["hidden"](self.fuse(c, p))))[:, 0]
        mean = lambda t: {m: t[m].mean(1) for m in "lav"}
        return y, mean(u), mean(c), mean(p)


def cmd(x, y):
    distance = lambda a, b: ((a - b).square().sum() + 1e-12).sqrt()
    centred = lambda t, k: ((t - t.mean(0)) ** k).mean(0)
    return distance(x.mean(0), y.mean(0)) + sum(distance(centred(x, k), centred(y, k)) for k in range(2, 6))


def dependence(x, y):
    rows = lambda t: (t - t.mean(0)) / ((t - t.mean(0)).norm(dim=1, keepdim=True).detach() + 1e-6)
    return (rows(x).T @ rows(y)).square().mean()


n = len(LENGTHS["l"])
mask = {m: until(LENGTHS[m], STEPS[m]) for m in "lav"}
model = Model()
params = assign(model)
x = {"l": model.text(tokens(LENGTHS["l"]), mask["l"])} | {m: noise(k, n, STEPS[m], WIDTHS[m]) for m, k in (("a", 1001), ("v", 1002))}
y, u, c, p = model(x, mask)

pairs = ("la", "lv", "av")
terms = {
    "task": F.mse_loss(y, noise(1003, n)),
    "diff": sum(dependence(c[m], p[m]) for m in "lav") + sum(dependence(p[i], p[j]) for i, j in pairs),
    "sim": sum(cmd(c[i], c[j]) for i, j in pairs) / 3,
    "recon": sum(F.mse_loss(model.reconstruct[m](c[m] + p[m]), u[m]) for m in "lav") / 3,
}
(terms["task"] + DIFF * terms["diff"] + SIM * terms["sim"] + RECON * terms["recon"]).backward()
result = {"lengths": LENGTHS, "params": gradients(params), "score": digits(y)}
write(__file__, "mascf_style", result | {"terms": {name: digits(t)[0] for name, t in terms.items()}})
