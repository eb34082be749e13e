"""Writes almt.json: what PyTorch computes for a tiny ALMT, in double precision: prediction, loss and all gradients.

    pip install torch && python make_almt.py

The inputs are noise(number, shape), which the Go test computes too. The second utterance has no vision. As in the authors' code
language enters the fusion, and norms of keys have shifts; that neither has an effect is checked on the way, and Go has neither.
"""

import pathlib
import sys

import torch.nn.functional as F
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, WIDTHS, Embedding, Encoder, Fusion, Hyper, Words, assign, digits, gradients, noise, shift_keys, tokens, until, write

WORDS = 8  # width of the text encoder
D, TOKENS, HEADS, HEAD, HYPER_HEAD, HIDDEN = 4, 2, 2, 3, 2, 5
DEPTH, HYPER_DEPTH, FUSION_DEPTH = 1, 3, 2
TEXT_LEN = [5, 3, 1]


class ALMT(nn.Module):
    def __init__(self):
        super().__init__()
        size = (D, HEADS, HEAD, HIDDEN)
        self.text = Words(WORDS)
        self.embed = nn.ModuleDict({m: Embedding(width, TOKENS, STEPS[m], DEPTH, *size) for m, width in (WIDTHS | {"l": WORDS}).items()})
        self.language = Encoder(0, TOKENS, HYPER_DEPTH - 1, *size)
        self.hyper = Hyper(TOKENS, HYPER_DEPTH, D, HEADS, HYPER_HEAD)
        self.fusion, self.score = Fusion(TOKENS, FUSION_DEPTH, *size), nn.Linear(D, 1)

    def forward(self, ids, mask, audio, vision):
        u = {m: self.embed[m](x) for m, x in zip("lav", (self.text(ids, mask), audio, vision))}
        states = self.language(u["l"])
        fused = self.fusion(states[-1], self.hyper(states, u["a"], u["v"]))
        return self.score(fused[:, 0])


n = len(TEXT_LEN)
audio, vision, label = noise(1001, n, STEPS["a"], WIDTHS["a"]), noise(1002, n, STEPS["v"], WIDTHS["v"]), noise(1003, n)
vision[1] = 0

model = ALMT()
params, check_shifts = assign(model), shift_keys(model)
y = model(tokens(TEXT_LEN), until(TEXT_LEN, STEPS["l"]), audio, vision)
loss = F.mse_loss(y, label[:, None])
loss.backward()
check_shifts()

target = model.fusion.target
assert (target.grad[1:] == 0).all()
params["fusion.target"] = target[:1]
params["fusion.target"].grad = target.grad[:1]

write(__file__, "almt", {"score": digits(y), "terms": {"task": digits(loss)[0]}, "params": gradients(params)})
