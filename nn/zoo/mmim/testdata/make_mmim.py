"""Writes mmim.json: what PyTorch computes of a tiny MMIM, in double precision.

    pip install torch && python make_mmim.py

Twelve utterances pass in three batches, without dropout and without steps of the optimizer. Stored are the terms of each batch's loss in the second
pass, the gradients of the last batch's; terms and gradients of the first batch in the first pass; the norms over all gradients; and the predictions.
Inputs, parameters and buffers are noise(number, shape), which the Go test computes too; the k-th has number k, weights of norms are shifted by 1.
"""

import pathlib
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, VOCAB, WIDTHS, digits, noise, segments, tokens, until, write

WIDTH, HEADS, HIDDEN = 8, 2, 6  # of the text encoder, one layer
AUDIO_WIDTH, VISION_WIDTH, AUDIO_OUT, VISION_OUT, FUSION = 3, 2, 8, 12, 7
ALPHA, BETA = 0.3, 0.2
TEXT_LEN = [5, 3, 4, 2, 5, 1, 4, 5, 2, 3, 5, 4]
AUDIO_LEN, VISION_LEN = [7, 2, 5, 1, 6, 3, 4, 7, 1, 2, 5, 6], [6, 4, 1, 5, 3, 2, 6, 1, 4, 3, 2, 5]
LABELS = [0.5, -0.75, 0.0, 3.0, -2.25, 1.25, -1.0, 0.25, -0.5, 1.75, -3.0, 0.0]
BATCHES = [[4, 0, 2], [5, 1, 3, 7], [6, 9, 11, 8, 10]]


class Bert(nn.Module):
    """One layer of BERT, put together from PyTorch's encoder layer, whose packed projection is filled afterwards."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(n, WIDTH) for n in (VOCAB, STEPS["l"], 2)])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, dropout=0, activation="gelu", layer_norm_eps=1e-12, batch_first=True)

    def forward(self, ids, segments, mask):
        word, position, kind = self.tables
        x = self.norm(word(ids) + position.weight + kind(segments))
        return self.layer(x, src_key_padding_mask=~mask.bool())

    def pieces(self):
        """The parameters by the names of Hugging Face's BertModel, as views."""
        for name, table in zip(("word", "position", "token_type"), self.tables):
            yield f"embeddings.{name}_embeddings.weight", table, "weight", None
        yield from self.both("embeddings.LayerNorm", self.norm)
        attention, layer = self.layer.self_attn, "encoder.layer.0."
        for i, name in enumerate(("query", "key", "value")):
            rows = slice(i * WIDTH, (i + 1) * WIDTH)
            yield f"{layer}attention.self.{name}.weight", attention, "in_proj_weight", rows
            yield f"{layer}attention.self.{name}.bias", attention, "in_proj_bias", rows
        yield from self.both(layer + "attention.output.dense", attention.out_proj)
        yield from self.both(layer + "attention.output.LayerNorm", self.layer.norm1)
        yield from self.both(layer + "intermediate.dense", self.layer.linear1)
        yield from self.both(layer + "output.dense", self.layer.linear2)
        yield from self.both(layer + "output.LayerNorm", self.layer.norm2)

    def both(self, name, module):
        yield name + ".weight", module, "weight", None
        yield name + ".bias", module, "bias", None


class Recurrent(nn.Module):
    def __init__(self, width, hidden, out):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.project = nn.Linear(2 * hidden, out)

    def forward(self, x, lengths):
        _, (h, _) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.project(torch.cat([h[0], h[1]], dim=1))


class Predictor(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(WIDTH, out), nn.ReLU(), nn.Linear(out, out))
        self.log_variance = nn.Sequential(nn.Linear(WIDTH, out), nn.ReLU(), nn.Linear(out, out))
        self.project = nn.Linear(out, out // 4).requires_grad_(False)

    def lld(self, text, x):
        return (-((self.mean(text) - x) ** 2) / 2 / self.log_variance(text).exp()).sum(-1).mean()


class MMIM(nn.Module):
    def __init__(self):
        super().__init__()
        self.audio, self.vision = Recurrent(WIDTHS["a"], AUDIO_WIDTH, AUDIO_OUT), Recurrent(WIDTHS["v"], VISION_WIDTH, VISION_OUT)
        self.fusion = nn.ModuleDict({
            "first": nn.Linear(WIDTH + AUDIO_OUT + VISION_OUT, FUSION), "second": nn.Linear(FUSION, FUSION), "score": nn.Linear(FUSION, 1)})
        self.contrast = nn.ModuleDict({"l": nn.Linear(FUSION, WIDTH), "a": nn.Linear(FUSION, AUDIO_OUT), "v": nn.Linear(FUSION, VISION_OUT)})
        self.predictors = nn.ModuleDict({"a": Predictor(AUDIO_OUT), "v": Predictor(VISION_OUT)})

    def encode(self, rows):
        return {"l": bert(ids[rows], types[rows], mask[rows])[:, 0],
                "a": self.audio(audio[rows], audio_len[rows]), "v": self.vision(vision[rows], vision_len[rows])}

    def fuse(self, x):
        f = torch.cat([x["l"], x["a"], x["v"]], dim=1)
        f = self.fusion["second"](self.fusion["first"](f).tanh()).tanh()
        return f, self.fusion["score"](f).squeeze(1)


n = len(LABELS)
mask, ids, types = until(TEXT_LEN, STEPS["l"]), tokens(TEXT_LEN), segments(TEXT_LEN)
audio, vision = noise(1003, n, STEPS["a"], WIDTHS["a"]), noise(1004, n, STEPS["v"], WIDTHS["v"])
audio_len, vision_len = torch.tensor(AUDIO_LEN), torch.tensor(VISION_LEN)
labels = torch.tensor(LABELS)

bert, model = Bert(), MMIM()
pieces = [("text." + name, module, part, rows) for name, module, part, rows in bert.pieces()]
pieces += [(f"{name}.{part}", module, part, None) for name, module in model.named_modules() for part, _ in module.named_parameters(recurse=False)]
values = lambda x, rows: x if rows is None else x[rows]
params = []
for k, (name, module, part, rows) in enumerate(pieces):
    p = values(getattr(module, part).data, rows)
    p.copy_(noise(k, *p.shape) + ("norm" in name.lower() and part == "weight"))
    params.append([name, list(p.shape)])

def gradients(loss):
    """The gradient of each piece, none where there is none, and their norm."""
    every = list(bert.parameters()) + list(model.parameters())
    for p in every:
        p.grad = None
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(every, 1e9)
    return [None if getattr(m, part).grad is None else digits(values(getattr(m, part).grad, rows)) for _, m, part, rows in pieces], float(norm)


def nce(x, predicted):
    scores = (x / x.norm(dim=1, keepdim=True)) @ (predicted / predicted.norm(dim=1, keepdim=True)).t()
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean()


def log_det(rows):
    return torch.logdet(torch.cov(rows.t(), correction=0).reshape(rows.shape[1], -1) + 1e-6 * torch.eye(rows.shape[1]))


x = model.encode(BATCHES[0])
fit = {m: model.predictors[m].lld(x["l"], x[m]) for m in "av"}
fit_grads, fit_norm = gradients(-(fit["a"] + fit["v"]))
result = {"params": params, "fit": {
    "terms": {"fit_" + m: float(v) for m, v in fit.items()}, "norm": fit_norm,
    "params": [[*p, g] for p, g in zip(params, fit_grads) if g is not None]}}

steps, memory = [], {}
for b, rows in enumerate(BATCHES):
    x = model.encode(rows)
    f, y = model.fuse(x)
    terms = {"task": (y - labels[rows]).abs().mean()}
    terms |= {"nce_" + m: nce(x[m], model.contrast[m](f)) for m in "lav"}
    for m in "av":
        z = model.predictors[m].project(x[m]).tanh()
        now = (z[labels[rows] > 0], z[labels[rows] < 0])
        entropy = torch.zeros(())
        if b > 1:
            entropy = sum(log_det(torch.cat([before, rows])) for before, rows in zip(memory[m], now)) / 4
        memory[m] = [z.detach() for z in now]
        terms |= {"lld_" + m: model.predictors[m].lld(x["l"], x[m]), "entropy_" + m: entropy}
    steps.append({name: float(t.detach()) for name, t in terms.items()})
loss = terms["task"] + ALPHA * sum(terms["nce_" + m] for m in "lav") - BETA * sum(terms["lld_" + m] + terms["entropy_" + m] for m in "av")
grads, norm = gradients(loss)
dead = [p[0] for p, g in zip(params, grads) if g and max(map(abs, g)) == 0]
assert not dead, f"{dead} have no gradient"

result |= {"norm": norm, "steps": steps, "score": digits(model.fuse(model.encode(list(range(n))))[1].detach()), "grads": [g or [] for g in grads]}
write(__file__, "mmim", result)
