"""Writes misa.json: what PyTorch computes for MISA, in double precision: predictions, terms of the loss, and all gradients.

    pip install torch && python make_misa.py

The model is put together from PyTorch's own modules, without dropout. Inputs and parameters are noise(number, shape), which the Go test computes too,
so only results are stored. The k-th parameter has number k; weights of norms are shifted by 1. There are two cases: as many frames of audio and vision
are read as there are tokens, or as many as the recordings have.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import Words, digits, noise, write

VOCAB, WORDS, WORD_HEADS, WORD_HIDDEN = 11, 8, 2, 12
TOKENS, AUDIO, VISION = 6, (5, 2), (9, 3)  # steps and widths
WIDTH, HEADS, HIDDEN = 6, 2, 7
DIFF, SIM, RECON = 0.3, 0.8, 0.9
TEXT_LENGTHS, AUDIO_LENGTHS, VISION_LENGTHS = [6, 4, 2, 5], [5, 1, 3, 4], [9, 4, 1, 7]
IDS = [[2, 5, 10, 7, 7, 3], [2, 7, 1, 3, 0, 0], [2, 3, 0, 0, 0, 0], [2, 9, 4, 1, 3, 0]]


class Params:
    """Parameters by the names of the Go model: fill gives values, gradients are read afterwards."""

    def __init__(self):
        self.shapes, self.gradients = [], []

    def next(self, name, *shape):
        self.shapes.append([name, list(shape)])
        return noise(len(self.shapes) - 1, *shape) + (1 if "norm" in name.lower() and name.endswith("weight") else 0)

    def fill(self, name, module):
        for part, p in module.named_parameters():
            p.data = self.next(f"{name}.{part}", *p.shape)
            self.gradients.append(lambda p=p: p.grad)
        return module

    def pack(self, names, p):
        """Of p, the parameters of these names are pieces one below the other."""
        n = p.shape[0] // len(names)
        p.data = torch.cat([self.next(name, n, *p.shape[1:]) for name in names])
        self.gradients += [lambda i=i: p.grad[i * n : (i + 1) * n] for i in range(len(names))]


class Encoder:
    """Two bidirectional LSTMs over packed sequences."""

    def __init__(self, params, name, width):
        self.first = params.fill(name + ".first", nn.LSTM(width, width, bidirectional=True))
        self.norm = params.fill(name + ".norm", nn.LayerNorm(2 * width))
        self.second = params.fill(name + ".second", nn.LSTM(2 * width, width, bidirectional=True))

    def __call__(self, x, lengths):
        pack = lambda x: pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        y, (h1, _) = self.first(pack(x.transpose(0, 1)))
        _, (h2, _) = self.second(pack(self.norm(pad_packed_sequence(y)[0])))
        return torch.cat([h1[0], h2[0], h1[1], h2[1]], dim=1)


def mix(params):
    m = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0)
    for kind in ("weight", "bias"):
        params.pack([f"mix.attention.{n}.{kind}" for n in ("query", "key", "value")], getattr(m.self_attn, "in_proj_" + kind))
    params.fill("mix.attention.output", m.self_attn.out_proj)
    params.fill("mix.feed_forward.in", m.linear1)
    params.fill("mix.feed_forward.out", m.linear2)
    params.fill("mix.attention_norm", m.norm1)
    params.fill("mix.norm", m.norm2)
    return m


def cmd(x, y):
    mx, my = x.mean(0), y.mean(0)
    distance = lambda a, b: ((a - b).square().sum() + 1e-12).sqrt()
    moments = (distance(((x - mx) ** k).mean(0), ((y - my) ** k).mean(0)) for k in range(2, 6))
    return distance(mx, my) + sum(moments)


def apart(x, y):
    rows = lambda x: (x - x.mean(0)) / ((x - x.mean(0)).norm(dim=1, keepdim=True).detach() + 1e-6)
    return (rows(x).t() @ rows(y)).square().mean()


def misa(lengths):
    params = Params()
    bert = params.fill("text", Words(WORDS, WORD_HEADS, WORD_HIDDEN, vocab=VOCAB, steps=TOKENS))
    vision, audio = Encoder(params, "encode.v", VISION[1]), Encoder(params, "encode.a", AUDIO[1])
    linear = {m: params.fill(f"project.{m}.linear", nn.Linear(w, WIDTH)) for m, w in zip("lva", (WORDS, 4 * VISION[1], 4 * AUDIO[1]))}
    norm = {m: params.fill(f"project.{m}.norm", nn.LayerNorm(WIDTH)) for m in "lva"}
    private = {m: params.fill(f"private.{m}", nn.Linear(WIDTH, WIDTH)) for m in "lva"}
    recon = {m: params.fill(f"reconstruct.{m}", nn.Linear(WIDTH, WIDTH)) for m in "lva"}
    shared = params.fill("shared", nn.Linear(WIDTH, WIDTH))
    fusion = mix(params)
    hidden, score = params.fill("head.hidden", nn.Linear(6 * WIDTH, 3 * WIDTH)), params.fill("head.score", nn.Linear(3 * WIDTH, 1))

    ids = torch.tensor(IDS)
    mask = (ids > 0).double()
    x_a, x_v = noise(1001, len(IDS), *AUDIO), noise(1002, len(IDS), *VISION)
    label = noise(1003, len(IDS))
    l_a, l_v = AUDIO_LENGTHS, VISION_LENGTHS
    if lengths == "text":
        l_a, l_v = ([min(n, steps) for n in TEXT_LENGTHS] for steps in (AUDIO[0], VISION[0]))

    words = bert(ids, mask, torch.zeros_like(ids))
    u = {"l": (mask[..., None] * words).sum(1) / mask.sum(1, keepdim=True), "v": vision(x_v, l_v), "a": audio(x_a, l_a)}
    p = {m: norm[m](F.relu(linear[m](u[m]))) for m in "lva"}
    s = {m: torch.sigmoid(private[m](p[m])) for m in "lva"}
    c = {m: torch.sigmoid(shared(p[m])) for m in "lva"}
    z = fusion(torch.stack([s["l"], s["v"], s["a"], c["l"], c["v"], c["a"]]))
    y = score(F.relu(hidden(torch.cat(list(z), dim=1))))[:, 0]

    terms = {
        "task": F.mse_loss(y, label),
        "diff": sum(apart(s[m], c[m]) for m in "lva") + apart(s["a"], s["l"]) + apart(s["a"], s["v"]) + apart(s["l"], s["v"]),
        "sim": (cmd(c["l"], c["v"]) + cmd(c["l"], c["a"]) + cmd(c["a"], c["v"])) / 3,
        "recon": sum(F.mse_loss(recon[m](s[m] + c[m]), p[m]) for m in "lva") / 3,
    }
    (terms["task"] + DIFF * terms["diff"] + SIM * terms["sim"] + RECON * terms["recon"]).backward()
    return {"score": digits(y), "terms": {n: t.item() for n, t in terms.items()}, "params": params.shapes,
            "grads": [digits(g()) for g in params.gradients]}


write(__file__, "misa", {lengths: misa(lengths) for lengths in ("text", "own")})
