"""Writes tfr_net.json: what PyTorch computes of a tiny TFR-Net, in double precision: prediction, terms of the loss, and all
gradients of the whole. Two cases: attention of the reconstruction over the samples of a batch, and over channels, where vision
already has the width of the encoders and is not projected.

    pip install torch && python make_tfr_net.py

The model is without dropout. Parameters and inputs are noise(number, shape), which the Go test computes too; the k-th parameter
has number k, weights of norms are shifted by 1. Sequences in the encoders are [time, batch, width], as in the authors' code.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import CrossmodalTransformer, Words, assign, digits, gradients, noise, until, write

VOCAB, WORDS, WORD_HEADS, WORD_HIDDEN = 11, 6, 2, 5  # of the text encoder, one layer
STEPS = {"l": 5, "a": 4, "v": 6}
D, HEADS, LAYERS = 4, 2, 1
CROSS = {"batch": 2, "channel": 1}  # layers, by case
KERNEL, GRU, WEIGHT = {"l": 1, "a": 5, "v": 3}, {"l": 3, "a": 2, "v": 3}, {"l": 0.2, "a": 0.1, "v": 0.3}
GRU_LAYERS, HIDDEN, RECONSTRUCTION_HEADS, CMD = 2, 5, 3, 5.0
COMPLETE = [[2, 5, 10, 7, 3], [2, 7, 9, 3, 0], [2, 3, 0, 0, 0], [2, 9, 8, 3, 0]]
CORRUPTED = [[2, 1, 10, 1, 3], [2, 7, 1, 3, 0], [2, 3, 0, 0, 0], [2, 1, 1, 3, 0]]
LENGTHS = {"a": [4, 2, 3, 4], "v": [6, 3, 2, 5]}
MISSING = {"a": [[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]],
           "v": [[0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0]]}


class Enhance(nn.Module):
    """Everything that modality m does to become h_m, with the sources P."""

    def __init__(self, m, width, cross):
        super().__init__()
        self.m = m
        if width != D:
            self.project = nn.Conv1d(width, D, KERNEL[m], padding=(KERNEL[m] - 1) // 2, bias=False)
        self.attend = nn.ModuleDict({s: CrossmodalTransformer(D, HEADS, LAYERS if s == m else cross) for s in "lav"})

    def projected(self, x):
        if hasattr(self, "project"):
            x = self.project(x.transpose(1, 2)).transpose(1, 2)
        return x.transpose(0, 1)

    def forward(self, p):
        others = [s for s in "lav" if s != self.m]
        parts = [self.attend[self.m](p[self.m])] + [self.attend[s](p[self.m], p[s]) for s in others]
        return torch.cat(parts, dim=2).transpose(0, 1)


class Summary(nn.Module):
    def __init__(self, g):
        super().__init__()
        self.gru = nn.GRU(3 * D, g, GRU_LAYERS, batch_first=True, bidirectional=True)
        self.gate, self.out = nn.Conv1d(2 * g, 1, 3, padding=1), nn.Linear(3 * D + 2 * g, g)

    def forward(self, h, lengths):
        packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
        g, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=h.shape[1])
        gate = torch.sigmoid(self.gate(g.transpose(1, 2))).transpose(1, 2)
        return torch.tanh(self.out(torch.cat([h, torch.tanh(g) * gate], dim=2))).max(dim=1).values


class Reconstruct(nn.Module):
    def __init__(self, steps, width):
        super().__init__()
        heads = RECONSTRUCTION_HEADS if steps % RECONSTRUCTION_HEADS == 0 else 1
        self.encode, self.out = CrossmodalTransformer(steps, heads, LAYERS, codes=False), nn.Linear(3 * D, width)

    def forward(self, h, axis):
        if axis == "batch":  # time is the batch, the batch are the channels
            return self.out(self.encode(h.permute(0, 2, 1)).transpose(1, 2))
        return self.out(self.encode(h.permute(2, 0, 1)).permute(1, 2, 0))


class TFRNet(nn.Module):
    def __init__(self, widths, cross):
        super().__init__()
        self.text = Words(WORDS, WORD_HEADS, WORD_HIDDEN, vocab=VOCAB)
        self.encode = nn.ModuleDict({m: Enhance(m, widths[m], cross) for m in "lav"})
        self.summary = nn.ModuleDict({m: Summary(GRU[m]) for m in "lav"})
        total = sum(GRU.values())
        self.head = nn.ModuleDict({"norm": nn.BatchNorm1d(total), "hidden": nn.Linear(total, HIDDEN)})
        self.head["score"] = nn.Linear(HIDDEN, 1)
        self.reconstruct = nn.ModuleDict({m: Reconstruct(STEPS[m], widths[m]) for m in "lav"})

    def forward(self, x):
        p = {m: self.encode[m].projected(x[m]) for m in "lav"}
        h = {m: self.encode[m](p) for m in "lav"}
        e = torch.cat([self.summary[m](h[m], valid[m].sum(1)) for m in "lav"], dim=1)
        y = self.head["score"](F.leaky_relu(self.head["hidden"](self.head["norm"](e))))
        return y.squeeze(1), h


def moments(x):
    x = x.flatten(0, 1)
    centred = x - x.mean(0)
    return [x.mean(0), (centred**2).mean(0), (centred**3).mean(0)]


def rec(made, x, missing):
    missing = missing[:, :, None].expand_as(x)
    made, x = made * missing, x * missing
    error = (made - x).abs()
    smooth = torch.where(error < 1, error**2 / 2, error - 0.5).sum()
    cmd = sum(torch.sqrt(((a - b) ** 2).sum() + 1e-12) for a, b in zip(moments(made), moments(x)))
    return (smooth + CMD * cmd) / (missing.sum() + 1e-4)


n, cases = len(COMPLETE), {}
for axis, widths in {"batch": {"l": WORDS, "a": 3, "v": 2}, "channel": {"l": WORDS, "a": 3, "v": D}}.items():
    model = TFRNet(widths, CROSS[axis])
    params = assign(model)
    norm = model.head["norm"]
    norm.running_mean, norm.running_var = noise(2001, norm.num_features), noise(2002, norm.num_features) + 1

    ids, holes = torch.tensor(COMPLETE), torch.tensor(CORRUPTED)
    valid, missing, complete, corrupted = {"l": (ids > 0).long()}, {"l": (ids != holes).long()}, {}, {}
    for m, number in (("a", 1001), ("v", 1002)):
        valid[m] = until(LENGTHS[m], STEPS[m]).long()
        missing[m] = torch.tensor(MISSING[m])
        assert (missing[m] <= valid[m]).all()
        complete[m] = 3 * noise(number, n, STEPS[m], widths[m]) * valid[m][:, :, None]
        corrupted[m] = complete[m] * (1 - missing[m])[:, :, None]
    corrupted["l"], complete["l"] = model.text(holes, valid["l"]), model.text(ids, valid["l"])

    score = model.eval()(corrupted)[0]
    y, h = model.train()(corrupted)
    terms = {"task": (y - noise(1004, n)).abs().mean()}
    terms |= {"rec_" + m: rec(model.reconstruct[m](h[m], axis), complete[m], missing[m]) for m in "lav"}
    (terms["task"] + sum(WEIGHT[m] * terms["rec_" + m] for m in "lav")).backward()
    cases[axis] = {"score": digits(score, 11), "terms": {name: digits(t, 11)[0] for name, t in terms.items()},
                   "running": digits(torch.cat([norm.running_mean, norm.running_var]), 11), "params": gradients(params, 11)}

write(__file__, "tfr_net", cases)
