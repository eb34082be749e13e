"""Writes tetfn.json: what PyTorch computes of a tiny TETFN, in double precision.

    pip install torch && python make_tetfn.py

As for Self-MM, six utterances pass three times in two batches, without steps of the optimizer. Stored are the terms of each batch's
loss and the generated labels after it, the gradient of the last batch's loss, and the predictions. Inputs and parameters are
noise(number, shape), which the Go test computes too; the k-th parameter has number k, weights of norms are shifted by 1. Sequences
in the encoders are [time, batch, width], as in MMSA's code.
"""

import pathlib
import sys

import torch
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import TASKS, CrossmodalTransformer, PseudoLabels, Task, Words, assign, digits, gradients, noise, tokens, until, write

WORDS = 8  # width of the text encoder
STEPS, WIDTHS, LSTM = {"l": 5, "a": 7, "v": 3}, {"a": 3, "v": 4}, {"a": 3, "v": 2}
D, HEADS, LAYERS = 4, 2, 2
KERNEL = {"l": 2, "a": 3, "v": 3}
TEXT_LEN = [5, 3, 4, 2, 5, 1]
LABELS, BOUND = [0.5, -0.75, 0.0, 3.0, -2.25, 1.25], 2.0
EPOCHS = [[[4, 0, 2], [5, 1, 3]], [[1, 2], [0, 5, 3, 4]], [[3, 5, 0], [2, 4, 1]]]


class Frames(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.lstm = nn.LSTM(WIDTHS[m], LSTM[m], batch_first=True)
        self.project = nn.Conv1d(LSTM[m], D, KERNEL[m], bias=False)

    def forward(self, x):
        return self.project(self.lstm(x)[0].transpose(1, 2)).permute(2, 0, 1)


def align(x, steps):
    """Average pooling to as many steps as the text has."""
    whole, rest = divmod(x.shape[1], steps)
    window, missing = (whole, 0) if rest == 0 else (whole + 1, steps - rest)
    x = torch.cat([x] + [x[:, -1:]] * missing, dim=1)
    return x.reshape(len(x), steps, window, -1).mean(2)


def enhanced():
    return nn.ModuleDict({"lower": CrossmodalTransformer(D, HEADS, 1), "upper": CrossmodalTransformer(D, HEADS, LAYERS)})


class TETFN(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words()
        self.project = nn.Conv1d(WORDS, D, KERNEL["l"], bias=False)
        self.audio, self.vision = Frames("a"), Frames("v")
        names = ("text_audio", "text_vision", "audio_text", "vision_text")
        plain = {name: CrossmodalTransformer(D, HEADS, LAYERS, codes=False) for name in names}
        memory = nn.ModuleDict({m: CrossmodalTransformer(2 * D, HEADS, LAYERS, codes=False) for m in "lav"})
        self.fusion = nn.ModuleDict(plain | {"audio": enhanced(), "vision": enhanced(), "memory": memory})
        widths = {"fusion": (6 * D, 6), "text": (D, 5), "audio": (D, 4), "vision": (D, 3)}
        self.heads = nn.ModuleDict({x: Task(*widths[x]) for x in TASKS})

    def forward(self, rows):
        f = self.fusion
        t = self.project(self.text(ids[rows], mask[rows]).transpose(1, 2)).permute(2, 0, 1)
        a, v = self.audio(align(audio[rows], STEPS["l"])), self.vision(align(vision[rows], STEPS["l"]))
        through = lambda te, x, other: te["upper"](x, te["lower"](other, t))
        pairs = {"l": (f["text_audio"](t, a), f["text_vision"](t, v)), "a": (f["audio_text"](a, t), through(f["audio"], a, v)),
                 "v": (f["vision_text"](v, t), through(f["vision"], v, a))}
        z = torch.cat([f["memory"][m](torch.cat(pairs[m], dim=2))[-1] for m in "lav"], dim=1)
        inputs = {"fusion": z, "text": t.max(0).values, "audio": a.max(0).values, "vision": v.max(0).values}
        return {x: self.heads[x](inputs[x]) for x in TASKS}


n = len(LABELS)
mask, ids = until(TEXT_LEN, STEPS["l"]), tokens(TEXT_LEN)
audio, vision = noise(1003, n, STEPS["a"], WIDTHS["a"]), noise(1004, n, STEPS["v"], WIDTHS["v"])

model = TETFN()
params = assign(model)

steps = PseudoLabels(model.heads, LABELS, BOUND).steps(model, EPOCHS)
for step in steps:
    step["tables"] = {name: table for name, table in step["tables"].items() if name.startswith("labels")}

result = {"text_len": TEXT_LEN, "labels": LABELS, "epochs": EPOCHS}
result["params"] = gradients(params)
result |= {"steps": steps, "score": digits(model(list(range(n)))["fusion"][1])}
write(__file__, "tetfn", result)
