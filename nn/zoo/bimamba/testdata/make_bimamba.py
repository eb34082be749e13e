"""Writes bimamba.json: what PyTorch computes of two tiny BI-Mamba models, in double precision: predictions, the loss, and all gradients.

    pip install torch && python make_bimamba.py

One model has three tokens for each modality, the other reads the whole sequences. Inputs and parameters are noise(number, shape), which the Go
test computes too; the k-th parameter has number k, weights of norms are shifted by 1. The last frames of audio of utterance 1, and all of vision
of utterance 2, are 0.
"""

import pathlib
import sys

import torch
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, WIDTHS, BiMamba, Embedding, Words, assign, digits, gradients, noise, table, tokens, until, write

WORDS = 8  # width of the text encoder
D, BLOCKS, EXPAND, STATE = 4, 2, 2, 3
TOKENS, DEPTH, HEADS, HEAD, HIDDEN = 3, 2, 2, 3, 5  # of the embeddings
TEXT_LEN = [5, 3, 4, 1]
LABELS = torch.tensor([-1.0, 0.5, -2.0, 1.25])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.mixer = nn.RMSNorm(D, eps=1e-5), BiMamba(D, EXPAND, STATE)


class BIMamba(nn.Module):
    def __init__(self, squeezed):
        super().__init__()
        self.text = Words()
        widths = {"l": WORDS} | WIDTHS
        embed = lambda m: Embedding(widths[m], TOKENS, STEPS[m], DEPTH, D, HEADS, HEAD, HIDDEN) if squeezed else nn.Linear(widths[m], D)
        self.embed = nn.ModuleDict({m: embed(m) for m in "lav"})
        length = {m: TOKENS if squeezed else STEPS[m] for m in "lav"}
        self.at = length["v"] + length["l"] // 2
        self.positions, self.class_token = table(1 + sum(length.values()), D), table(1, D)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm, self.score = nn.RMSNorm(D, eps=1e-5), nn.Linear(D, 1)

    def forward(self):
        x = torch.cat([self.embed["v"](vision), self.embed["l"](self.text(ids, mask)), self.embed["a"](audio)], dim=1)
        token = self.class_token.expand(len(x), 1, D)
        r, h = torch.cat([x[:, :self.at], token, x[:, self.at:]], dim=1) + self.positions, 0
        for block in self.blocks:
            r = r + h
            h = block.mixer(block.norm(r))
        return self.score(self.norm(r + h)[:, self.at]).squeeze(1)


n = len(LABELS)
mask, ids = until(TEXT_LEN, STEPS["l"]), tokens(TEXT_LEN)
audio, vision = noise(1003, n, STEPS["a"], WIDTHS["a"]), noise(1004, n, STEPS["v"], WIDTHS["v"])
audio[1, 4:], vision[2] = 0, 0

result = {}
for name in ("squeezed", "whole"):
    model = BIMamba(name == "squeezed")
    params = assign(model)
    y = model()
    loss = ((y - LABELS) ** 2).mean()
    loss.backward()
    result[name] = {"score": digits(y), "terms": {"task": digits(loss)[0]}, "params": gradients(params)}
write(__file__, "bimamba", result)
