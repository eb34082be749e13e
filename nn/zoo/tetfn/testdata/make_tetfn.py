"""Writes tetfn.json: what PyTorch computes of a tiny TETFN, in double precision.

    pip install torch && python make_tetfn.py

As for Self-MM, six utterances pass three times in two batches, without steps of the optimizer. Stored are the terms of each batch's
loss and the generated labels after it, the gradient of the last batch's loss, and the predictions. Inputs and parameters are
noise(number, shape), which the Go test computes too; the k-th parameter has number k, weights of norms are shifted by 1. Sequences
in the encoders are [time, batch, width], as in MMSA's code.
"""

import math
import pathlib
import sys

import torch
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import Words, assign, digits, gradients, noise, tokens, until, write

WORDS = 8  # width of the text encoder
STEPS, WIDTHS, LSTM = {"l": 5, "a": 7, "v": 3}, {"a": 3, "v": 4}, {"a": 3, "v": 2}
D, HEADS, LAYERS = 4, 2, 2
KERNEL = {"l": 2, "a": 3, "v": 3}
TEXT_LEN = [5, 3, 4, 2, 5, 1]
LABELS, BOUND = [0.5, -0.75, 0.0, 3.0, -2.25, 1.25], 2.0
EPOCHS = [[[4, 0, 2], [5, 1, 3]], [[1, 2], [0, 5, 3, 4]], [[3, 5, 0], [2, 4, 1]]]
TASKS = ["fusion", "text", "audio", "vision"]


def linears(width, *names):
    return {name: nn.Linear(width, width) for name in names}


def positions(x):
    """Codes of x [time, batch, width]: those of steps 1, 2, ..., and 0 where the first channel is 0."""
    steps, _, width = x.shape
    half = width // 2
    angle = torch.arange(1, steps + 1)[:, None] * torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, None, :] * (x[:, :, :1] != 0)


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention = nn.ModuleDict(linears(width, "query", "key", "value", "output"))
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.ModuleDict({"in": nn.Linear(width, 4 * width), "out": nn.Linear(4 * width, width)})

    def forward(self, x, source):
        q = self.attention_norm(x)
        k = q if source is None else self.attention_norm(source)
        t, s = len(q), len(k)
        split = lambda y: y.unflatten(2, (self.heads, -1)).permute(1, 2, 0, 3)  # [batch, head, time, width]
        q, k, v = split(self.attention["query"](q)), split(self.attention["key"](k)), split(self.attention["value"](k))
        cut = torch.triu(torch.ones(t, s), diagonal=1 + abs(s - t)).bool()
        scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(cut, -math.inf)
        x = x + self.attention["output"]((scores.softmax(3) @ v).permute(2, 0, 1, 3).flatten(2))
        return x + self.feed_forward["out"](torch.relu(self.feed_forward["in"](self.norm(x))))


class Transformer(nn.Module):
    def __init__(self, width, heads, layers, codes=True):
        super().__init__()
        self.codes, self.layers, self.norm = codes, nn.ModuleList(Layer(width, heads) for _ in range(layers)), nn.LayerNorm(width)

    def embed(self, x):
        return math.sqrt(x.shape[2]) * x + (positions(x) if self.codes else 0)

    def forward(self, x, source=None):
        x, source = self.embed(x), None if source is None else self.embed(source)
        for layer in self.layers:
            x = layer(x, source)
        return self.norm(x)


class Task(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.rest = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        f = torch.relu(self.first(x))
        return f, self.rest(f).squeeze(1)


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
    return nn.ModuleDict({"lower": Transformer(D, HEADS, 1), "upper": Transformer(D, HEADS, LAYERS)})


class TETFN(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words()
        self.project = nn.Conv1d(WORDS, D, KERNEL["l"], bias=False)
        self.audio, self.vision = Frames("a"), Frames("v")
        names = ("text_audio", "text_vision", "audio_text", "vision_text")
        plain = {name: Transformer(D, HEADS, LAYERS, codes=False) for name in names}
        memory = nn.ModuleDict({m: Transformer(2 * D, HEADS, LAYERS, codes=False) for m in "lav"})
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
        steps.append({"terms": {name: digits(v)[0] for name, v in terms.items()}, "tables": tables})

assert 0 < clamped < 24, "want some labels clamped and some not"

result = {"text_len": TEXT_LEN, "labels": LABELS, "epochs": EPOCHS}
result["params"] = gradients(params)
result |= {"steps": steps, "score": digits(model(list(range(n)))["fusion"][1])}
write(__file__, "tetfn", result)
