"""Writes self_mm.json: what PyTorch computes of a tiny Self-MM, in double precision.

    pip install torch && python make_self_mm.py

Six utterances pass three times in two batches, without steps of the optimizer, so that what changes is the labels of text, audio and vision that the
method makes itself. Stored are the terms of each batch's loss and the tables after it, the gradient of the last batch's loss, and the predictions.
Inputs and parameters are noise(number, shape), which the Go test computes too; the k-th parameter has number k, weights of norms are shifted by 1.
"""

import json
import math
import pathlib

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

torch.set_default_dtype(torch.float64)

VOCAB, WIDTH, HEADS, HIDDEN = 20, 8, 2, 6  # of the words' encoder, one layer
TEXT, AUDIO, VISION = 5, (7, 3), (6, 4)  # steps and widths of the inputs
TEXT_LEN, AUDIO_LEN, VISION_LEN = [5, 3, 4, 2, 5, 1], [7, 2, 5, 1, 6, 3], [6, 4, 1, 5, 3, 2]
LABELS, BOUND = [0.5, -0.75, 0.0, 3.0, -2.25, 1.25], 3.0
EPOCHS = [[[4, 0, 2], [5, 1, 3]], [[1, 2], [0, 5, 3, 4]], [[3, 5, 0], [2, 4, 1]]]
TASKS = ["fusion", "text", "audio", "vision"]


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


class BertLayer(nn.Module):
    def __init__(self):
        super().__init__()
        projections = {name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")}
        block = lambda n: nn.ModuleDict({"dense": nn.Linear(n, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(projections), "output": block(WIDTH)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, HIDDEN)})
        self.output = block(HIDDEN)

    def forward(self, x, mask):
        b, t, _ = x.shape
        split = lambda y: y.reshape(b, t, HEADS, -1).transpose(1, 2)
        q, k, v = (split(p(x)) for p in self.attention["self"].values())
        a = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.bool()[:, None, None, :])
        a = self.attention["output"]["dense"](a.transpose(1, 2).reshape(b, t, WIDTH))
        x = self.attention["output"]["LayerNorm"](x + a)
        h = nn.functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](h))


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        tables = {"word": VOCAB, "position": TEXT, "token_type": 2}
        self.embeddings = nn.ModuleDict({name + "_embeddings": nn.Embedding(n, WIDTH) for name, n in tables.items()})
        self.embeddings["LayerNorm"] = nn.LayerNorm(WIDTH, eps=1e-12)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([BertLayer()])})

    def forward(self, ids, segments, mask):
        e = self.embeddings
        x = e["word_embeddings"](ids) + e["position_embeddings"].weight + e["token_type_embeddings"](segments)
        return self.encoder["layer"][0](e["LayerNorm"](x), mask)


class Recurrent(nn.Module):
    def __init__(self, width, hidden, out):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.project = nn.Linear(hidden, out)

    def forward(self, x, lengths):
        _, (h, _) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.project(h[0])


class Task(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.rest = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        f = torch.relu(self.first(x))
        return f, self.rest(f).squeeze(1)


class SelfMM(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Bert()
        self.audio, self.vision = Recurrent(AUDIO[1], 3, 2), Recurrent(VISION[1], 4, 3)
        widths = {"fusion": (WIDTH + 2 + 3, 6), "text": (WIDTH, 5), "audio": (2, 4), "vision": (3, 3)}
        self.heads = nn.ModuleDict({x: Task(*widths[x]) for x in TASKS})

    def forward(self, rows):
        t = self.text(ids[rows], segments[rows], mask[rows])[:, 0]
        a, v = self.audio(audio[rows], audio_len[rows]), self.vision(vision[rows], vision_len[rows])
        inputs = {"fusion": torch.cat([t, a, v], dim=1), "text": t, "audio": a, "vision": v}
        return {x: self.heads[x](inputs[x]) for x in TASKS}


n = len(LABELS)
step = torch.arange(TEXT)
mask = (step < torch.tensor(TEXT_LEN)[:, None]).long()
ids = mask * (1 + (7 * torch.arange(n)[:, None] + 3 * step) % (VOCAB - 1))
segments = (mask * (step > 2)).long()
audio, vision = noise(1003, n, *AUDIO), noise(1004, n, *VISION)
audio_len, vision_len = torch.tensor(AUDIO_LEN), torch.tensor(VISION_LEN)

model = SelfMM()
params = dict(model.named_parameters())
for k, (name, p) in enumerate(params.items()):
    p.data = noise(k, *p.shape) + ("LayerNorm.weight" in name)

labels = {x: torch.tensor(LABELS) for x in TASKS}
human = labels["fusion"]
features = {x: torch.zeros(n, model.heads[x].first.out_features) for x in TASKS}
clamped = 0


def centroid(x, member):
    rows = [features[x][i] for i in range(n) if member(labels[x][i])]
    return sum(rows) / len(rows) if rows else torch.zeros(features[x].shape[1])


def score(x, f):
    positive, negative = centroid(x, lambda y: y > 0), centroid(x, lambda y: y < 0)
    near, far = torch.linalg.vector_norm(f - positive), torch.linalg.vector_norm(f - negative)
    return (far - near) / (near + 1e-8)


def update(epoch, rows, f):
    global clamped
    if epoch > 1:
        rewritten = {}
        for x in TASKS[1:]:
            for k, i in enumerate(rows):
                dm, dx = score("fusion", f["fusion"][k]), score(x, f[x][k])
                new = human[i] * dx / (dm + 1e-8) / 2 + (human[i] + dx - dm) / 2
                clamped += bool(abs(new) > BOUND)
                new = min(max(new, -BOUND), BOUND)
                rewritten[x, i] = (epoch - 1) / (epoch + 1) * labels[x][i] + 2 / (epoch + 1) * new
        for (x, i), y in rewritten.items():
            labels[x][i] = y
    for x in TASKS:
        features[x][rows] = f[x]


digits = lambda t: [float(f"{v:.10g}") for v in t.flatten().tolist()]
steps = []
for epoch, batches in enumerate(EPOCHS, 1):
    for rows in batches:
        out = model(rows)
        terms = {}
        for x in TASKS:
            y = labels[x][rows].clone()
            w = torch.ones(len(rows)) if x == "fusion" else torch.tanh((y - human[rows]).abs())
            terms[x] = (w * (out[x][1] - y).abs()).mean()
        for x in TASKS[1:]:
            terms["shift_" + ("l" if x == "text" else x[0])] = (labels[x] - human)[rows].abs().mean()
        model.zero_grad()
        sum(terms[x] for x in TASKS).backward()
        with torch.no_grad():
            update(epoch, rows, {x: out[x][0] for x in TASKS})
        tables = {"labels." + x[0]: digits(labels[x]) for x in TASKS[1:]}
        tables |= {"features." + ("m" if x == "fusion" else x[0]): digits(features[x]) for x in TASKS}
        steps.append({"terms": {name: digits(v)[0] for name, v in terms.items()}, "tables": tables})

assert 0 < clamped < 24, "want some labels clamped and some not"
assert all(p.grad.abs().max() > 0 for p in params.values()), "want no dead parameter"

result = {"text_len": TEXT_LEN, "audio_len": AUDIO_LEN, "vision_len": VISION_LEN, "labels": LABELS, "epochs": EPOCHS}
result["params"] = [[name, list(p.shape)] for name, p in params.items()]
result |= {"steps": steps, "score": digits(model(list(range(n)))["fusion"][1])}
result["grads"] = [digits(p.grad) for p in params.values()]
text = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in result.items())
pathlib.Path(__file__).with_name("self_mm.json").write_text("{\n" + text + "\n}\n")
