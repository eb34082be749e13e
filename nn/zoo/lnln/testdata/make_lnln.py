"""Writes lnln.json: what PyTorch computes for LNLN, in double precision: prediction, terms of the loss, and all gradients of the whole.

    pip install torch && python make_lnln.py

The model is put together from PyTorch's own modules, without dropout, and its parameters have the names of the Go model. They and the inputs are
noise(number, shape), which the Go test computes too, so only results are stored. The k-th parameter has number k; weights of norms are shifted by 1.
Here the norms of keys have shifts, which the Go model leaves out: that they do nothing is checked on the way.
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import Embedding, Encoder, Fusion, Hyper, Words, assign, digits, gradients, noise, prepend, shift_keys, table

VOCAB, WORDS, WORD_HEADS, WORD_HIDDEN = 9, 6, 2, 5
STEPS, WIDTHS = {"l": 4, "a": 5, "v": 3}, {"l": WORDS, "a": 3, "v": 2}
D, TOKENS, HEADS, HEAD, HYPER_HEAD, HIDDEN = 4, 2, 2, 3, 2, 5
SIZES = (D, HEADS, HEAD, HIDDEN)
DEPTH, HYPER_DEPTH, FUSION_DEPTH = 2, 3, 2
CC, ADV, REC, SP = 0.9, 0.8, 0.1, 1.0
IDS = {"complete": [[2, 5, 8, 3], [2, 7, 3, 0], [2, 6, 4, 3]], "corrupted": [[2, 1, 8, 3], [2, 1, 3, 0], [2, 6, 1, 3]]}
RATES = [0.4, 0.9, 0.0]


def two_layers(out):
    return nn.ModuleDict({"hidden": nn.Linear(D, D // 2), "out": nn.Linear(D // 2, out)})


def two_layers_of(x, layers):
    return layers["out"](F.leaky_relu(layers["hidden"](x), 0.1))


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return -g


class LNLN(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words(WORDS, WORD_HEADS, WORD_HIDDEN, vocab=VOCAB, steps=STEPS["l"])
        self.embed = nn.ModuleDict({m: Embedding(WIDTHS[m], TOKENS, STEPS[m], DEPTH, *SIZES) for m in "lav"})
        self.completeness = nn.ModuleDict({"encode": Encoder(1, TOKENS, DEPTH, *SIZES), "score": two_layers(1)})
        self.proxy = nn.ModuleDict({"generate": Encoder(TOKENS, 3 * TOKENS, DEPTH, *SIZES)})
        self.proxy.start = table(TOKENS, D)
        self.language = Encoder(0, TOKENS, HYPER_DEPTH - 1, *SIZES)
        self.hyper = Hyper(TOKENS, HYPER_DEPTH, D, HEADS, HYPER_HEAD)
        self.fusion, self.score = Fusion(TOKENS, FUSION_DEPTH, *SIZES), nn.Linear(D, 1)
        self.discriminator = two_layers(2)
        self.reconstruct = nn.ModuleDict({m: Encoder(0, TOKENS, DEPTH, *SIZES) for m in "lav"})

    def features(self, ids, audio, vision):
        return {m: self.embed[m](x) for m, x in zip("lav", (self.text(ids, ids > 0, torch.zeros_like(ids)), audio, vision))}

    def forward(self, corrupted, complete, rates, label):
        u, c = self.features(*corrupted), self.features(*complete)
        n = len(label)
        w = torch.sigmoid(two_layers_of(self.completeness["encode"](u["l"])[-1][:, 0], self.completeness["score"]))
        z = prepend(self.proxy.start, torch.cat([u["a"], u["v"]], dim=1))
        p = Reverse.apply(self.proxy["generate"](z)[-1][:, :TOKENS])
        dominant = (1 - w[:, :, None]) * p + w[:, :, None] * u["l"]
        states = self.language(dominant)
        h = self.hyper(states, u["a"], u["v"])
        y = self.score(self.fusion(states[-1], h)[:, 1:].mean(1))[:, 0]

        tokens = torch.cat([dominant.reshape(-1, D), c["l"].reshape(-1, D)])
        target = torch.cat([torch.ones(n * TOKENS), torch.zeros(n * TOKENS)]).long()
        made = torch.cat([self.reconstruct[m](u[m])[-1] for m in "avl"], dim=1)
        return y, {
            "cc": F.mse_loss(w[:, 0], 1 - rates),
            "adv": F.cross_entropy(two_layers_of(tokens, self.discriminator), target),
            "rec": F.mse_loss(made, torch.cat([c[m] for m in "avl"], dim=1)),
            "sp": F.mse_loss(y, label),
            "completeness": w.mean(),
        }


model = LNLN()
params, check_shifts = assign(model), shift_keys(model)

n = len(RATES)
inputs = lambda name, number: (
    torch.tensor(IDS[name]), noise(number, n, STEPS["a"], WIDTHS["a"]), noise(number + 1, n, STEPS["v"], WIDTHS["v"]))
y, terms = model(inputs("corrupted", 1001), inputs("complete", 1003), torch.tensor(RATES), noise(1005, n))
(CC * terms["cc"] + ADV * terms["adv"] + REC * terms["rec"] + SP * terms["sp"]).backward()
check_shifts()

lines = [json.dumps(p) for p in gradients(params, 11)]
text = '{"score": %s,\n"terms": %s,\n"params": [\n%s\n]}\n' % (
    json.dumps(digits(y, 11)), json.dumps({name: t.item() for name, t in terms.items()}), ",\n".join(lines))
pathlib.Path(__file__).with_name("lnln.json").write_text(text)
