"""Writes self_mm.json: what PyTorch computes of a tiny Self-MM, in double precision.

    pip install torch && python make_self_mm.py

Six utterances pass three times in two batches, without steps of the optimizer, so that what changes is the labels of text, audio and vision that the
method makes itself. Stored are the terms of each batch's loss and the tables after it, the gradient of the last batch's loss, and the predictions.
Inputs and parameters are noise(number, shape), which the Go test computes too; the k-th parameter has number k, weights of norms are shifted by 1.
"""

import pathlib
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, TASKS, WIDTHS, PseudoLabels, Task, Words, assign, digits, gradients, noise, segments, tokens, until, write

WIDTH = 8  # of the text encoder
TEXT_LEN, AUDIO_LEN, VISION_LEN = [5, 3, 4, 2, 5, 1], [7, 2, 5, 1, 6, 3], [6, 4, 1, 5, 3, 2]
LABELS, BOUND = [0.5, -0.75, 0.0, 3.0, -2.25, 1.25], 3.0
EPOCHS = [[[4, 0, 2], [5, 1, 3]], [[1, 2], [0, 5, 3, 4]], [[3, 5, 0], [2, 4, 1]]]


class Recurrent(nn.Module):
    def __init__(self, width, hidden, out):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.project = nn.Linear(hidden, out)

    def forward(self, x, lengths):
        _, (h, _) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.project(h[0])


class SelfMM(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words(WIDTH)
        self.audio, self.vision = Recurrent(WIDTHS["a"], 3, 2), Recurrent(WIDTHS["v"], 4, 3)
        widths = {"fusion": (WIDTH + 2 + 3, 6), "text": (WIDTH, 5), "audio": (2, 4), "vision": (3, 3)}
        self.heads = nn.ModuleDict({x: Task(*widths[x]) for x in TASKS})

    def forward(self, rows):
        t = self.text(ids[rows], mask[rows], types[rows])[:, 0]
        a, v = self.audio(audio[rows], audio_len[rows]), self.vision(vision[rows], vision_len[rows])
        inputs = {"fusion": torch.cat([t, a, v], dim=1), "text": t, "audio": a, "vision": v}
        return {x: self.heads[x](inputs[x]) for x in TASKS}


n = len(LABELS)
mask, ids, types = until(TEXT_LEN, STEPS["l"]), tokens(TEXT_LEN), segments(TEXT_LEN)
audio, vision = noise(1003, n, STEPS["a"], WIDTHS["a"]), noise(1004, n, STEPS["v"], WIDTHS["v"])
audio_len, vision_len = torch.tensor(AUDIO_LEN), torch.tensor(VISION_LEN)

model = SelfMM()
params = assign(model)
steps = PseudoLabels(model.heads, LABELS, BOUND).steps(model, EPOCHS)
all_params = gradients(params)

result = {"text_len": TEXT_LEN, "audio_len": AUDIO_LEN, "vision_len": VISION_LEN, "labels": LABELS, "epochs": EPOCHS}
result["params"] = [[name, shape] for name, shape, _ in all_params]
result |= {"steps": steps, "score": digits(model(list(range(n)))["fusion"][1])}
result["grads"] = [grad for _, _, grad in all_params]
write(__file__, "self_mm", result)
