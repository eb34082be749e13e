"""Writes tf_mamba.json: what a PyTorch model written from the equations of TF-Mamba computes, without dropout.

    pip install torch && python make_tf_mamba.py

The LSTMs read all frames, padding too. The script checks that no similarity is near its threshold and no maximum near another, so that
both precisions decide alike.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, WIDTHS, BiMamba, Words, assign, digits, gradients, noise, tokens, until, write

WORDS, D, EXPAND, STATE, HEADS, HEAD = 8, 4, 2, 3, 2, 3
LAYERS = {"context": 2, "query": 2}
ALPHA = 0.7
LENGTHS = {"l": [5, 3, 4, 2], "a": [7, 4, 6, 1], "v": [3, 6, 2, 5]}
LOST_WORDS = [(0, 1), (0, 3), (1, 1), (2, 2)]  # of sample 3 none
LOST_FRAMES = {"a": [(0, 2), (0, 3), (0, 6), (1, 0), (2, 4)], "v": [(0, 1), (1, 0), (1, 5), (2, 0), (2, 1), (3, 3)]}  # all of sample 2's vision
T = STEPS["l"]
norm = lambda width=D: nn.LayerNorm(width, eps=1e-6)
nearest = {"threshold": [], "maximum": []}


class Projection(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.linear = norm(width), nn.Linear(width, D)

    def forward(self, x):
        return self.linear(self.norm(x))


class Frames(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.align = nn.LSTM(width, T + 1, num_layers=2, batch_first=True)
        self.project, self.norm, self.temperature = Projection(width), norm(), nn.Parameter(torch.empty(()))

    def forward(self, x, words):
        classes = self.align(x)[0].softmax(2)
        h = self.norm(self.project(classes[:, :, 1:].transpose(1, 2) @ x))
        unit = lambda y: y / torch.linalg.vector_norm(y, dim=2, keepdim=True).clamp(min=1e-9)
        s = (self.temperature.exp() * unit(h) @ unit(words).transpose(1, 2)).softmax(2)
        nearest["threshold"].append((s - 1 / T).abs().min().item())
        return h + (s * (s > 1 / T)) @ words


class Stream(BiMamba):
    """One stream of a pair, with the matrices of the pair."""

    def __init__(self):
        super().__init__(D, EXPAND, STATE)
        del self.A_log, self.A_b_log

    def mixed(self, x, logs):
        xz = self.in_proj(x)
        backward = self.direction(xz.flip(1), "_b", logs[1]).flip(1)
        return self.out_proj((self.direction(xz, "", logs[0]) + backward) / 2)


class PairMamba(nn.Module):
    def __init__(self):
        super().__init__()
        self.A_log, self.A_b_log = (nn.Parameter(torch.empty(EXPAND * D, STATE)) for _ in range(2))
        self.streams = nn.ModuleList(Stream() for _ in range(2))

    def forward(self, x, t):
        return (s.mixed(y, (self.A_log, self.A_b_log)) for s, y in zip(self.streams, (x, t)))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.mamba, self.norm, self.text_norm = PairMamba(), norm(), norm()

    def forward(self, x, t):
        dx, dt = self.mamba(x, t)
        return x + self.norm(dx), t + self.text_norm(dt)


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.context = nn.ModuleList(nn.ModuleDict({"audio": Pair(), "vision": Pair()}) for _ in range(LAYERS["context"]))
        self.attention = nn.ModuleDict({name: nn.Linear(D, HEADS * HEAD, bias=False) for name in ("query", "key", "value")})
        self.attention["output"], self.norm = nn.Linear(HEADS * HEAD, D), norm()
        query = lambda: nn.ModuleDict({"mamba": BiMamba(D, EXPAND, STATE), "norm": norm()})
        self.query = nn.ModuleList(query() for _ in range(LAYERS["query"]))

    def forward(self, t, a, v):
        for layer in self.context:
            (a, ta), (v, tv) = layer["audio"](a, t), layer["vision"](v, t)
            t = (ta + tv) / 2
        both = torch.cat([a, v], dim=1)
        split = lambda name, x: self.attention[name](x).unflatten(2, (HEADS, HEAD)).transpose(1, 2)
        weights = (split("query", t) @ split("key", both).transpose(2, 3) / HEAD**0.5).softmax(3)
        read = (weights @ split("value", both)).transpose(1, 2).flatten(2)
        z = t + self.norm(self.attention["output"](read))
        for layer in self.query:
            z = z + layer["norm"](layer["mamba"](z))
        return z


class TFMamba(nn.Module):
    def __init__(self):
        super().__init__()
        self.text, self.words = Words(width=WORDS), Projection(WORDS)
        self.audio, self.vision = Frames(WIDTHS["a"]), Frames(WIDTHS["v"])
        self.fusion, self.score = Fusion(), nn.Linear(D, 1)
        self.decode = nn.ModuleDict({"hidden": nn.Linear(D, D), "out": nn.Linear(D, WORDS)})

    def forward(self, ids, mask, audio, vision):
        words = self.words(self.text(ids, mask))
        z = self.fusion(words, self.audio(audio, words), self.vision(vision, words))
        first, second = z.topk(2, dim=1).values.unbind(1)
        nearest["maximum"].append((first - second).min().item())
        return words, self.score(first).squeeze(1)


n = len(LENGTHS["l"])
model = TFMamba()
params = assign(model)
complete, mask = tokens(LENGTHS["l"]), until(LENGTHS["l"], T)
keep = {m: until(LENGTHS[m], STEPS[m]) for m in "lav"}
for m, lost in ({"l": LOST_WORDS} | LOST_FRAMES).items():
    for at in lost:
        assert keep[m][at] == 1
        keep[m][at] = 0
complete[LOST_WORDS[2]] = 1  # is unknown in the recording, too
ids = torch.where((mask == 1) & (keep["l"] == 0), 1, complete)
frames = {m: 3 * noise(number, n, STEPS[m], WIDTHS[m]) * keep[m][:, :, None] for m, number in (("a", 1001), ("v", 1005))}

words, score = model(ids, mask, frames["a"], frames["v"])
missing = (mask - keep["l"])[:, :, None]
made = model.decode["out"](F.relu(model.decode["hidden"](words)))
rec = F.smooth_l1_loss(missing * made, missing * model.text(complete, mask), reduction="sum") / (WORDS * missing.sum() + 1e-6)
terms = {"sp": F.mse_loss(score, noise(1003, n)), "rec": rec}
(terms["sp"] + ALPHA * terms["rec"]).backward()
assert min(nearest["threshold"]) > 1e-3 and min(nearest["maximum"]) > 1e-3, nearest

result = {"lengths": LENGTHS, "score": digits(score), "terms": {name: digits(t)[0] for name, t in terms.items()}}
result |= {"complete": complete.flatten().tolist(), "corrupted": ids.flatten().tolist()}
result["keep"] = {m: keep[m].flatten().tolist() for m in "lav"}
result["params"] = gradients(params)
write(__file__, "tf_mamba", result)
