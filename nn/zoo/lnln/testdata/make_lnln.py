"""Writes lnln.json: what PyTorch computes for LNLN, in double precision: prediction, terms of the loss, and all gradients of the whole.

    pip install torch && python make_lnln.py

The model is put together from PyTorch's own modules, without dropout, and its parameters have the names of the Go model. They and the inputs are
noise(number, shape), which the Go test computes too, so only results are stored. The k-th parameter has number k; weights of norms are shifted by 1.
Here the norms of keys have shifts, which the Go model leaves out: that they do nothing is checked on the way.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)

VOCAB, WORDS, WORD_HEADS, WORD_HIDDEN = 9, 6, 2, 5
STEPS, WIDTHS = {"l": 4, "a": 5, "v": 3}, {"l": WORDS, "a": 3, "v": 2}
D, TOKENS, HEADS, HEAD, HYPER_HEAD, HIDDEN = 4, 2, 2, 3, 2, 5
DEPTH, HYPER_DEPTH, FUSION_DEPTH = 2, 3, 2
CC, ADV, REC, SP = 0.9, 0.8, 0.1, 1.0
IDS = {"complete": [[2, 5, 8, 3], [2, 7, 3, 0], [2, 6, 4, 3]], "corrupted": [[2, 1, 8, 3], [2, 1, 3, 0], [2, 6, 1, 3]]}
RATES = [0.4, 0.9, 0.0]


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


def attend(q, k, v, heads, mask=None):
    split = lambda x: x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask)
    return y.transpose(1, 2).reshape(*q.shape)


def table(*shape):
    return nn.Parameter(torch.empty(*shape))


class Words(nn.Module):
    """One layer of BERT."""

    def __init__(self):
        super().__init__()
        linear = lambda n, m: nn.ModuleDict({"dense": nn.Linear(n, m)})
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(VOCAB, WORDS), "position_embeddings": nn.Embedding(STEPS["l"], WORDS),
            "token_type_embeddings": nn.Embedding(2, WORDS), "LayerNorm": nn.LayerNorm(WORDS, eps=1e-12)})
        layer = nn.ModuleDict({
            "attention": nn.ModuleDict({
                "self": nn.ModuleDict({name: nn.Linear(WORDS, WORDS) for name in ("query", "key", "value")}), "output": linear(WORDS, WORDS)}),
            "intermediate": linear(WORDS, WORD_HIDDEN), "output": linear(WORD_HIDDEN, WORDS)})
        for part in (layer["attention"]["output"], layer["output"]):
            part["LayerNorm"] = nn.LayerNorm(WORDS, eps=1e-12)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([layer])})

    def forward(self, ids):
        e, layer = self.embeddings, self.encoder["layer"][0]
        x = e["word_embeddings"](ids) + e["position_embeddings"](torch.arange(ids.shape[1])) + e["token_type_embeddings"](torch.zeros_like(ids))
        x = e["LayerNorm"](x)
        own, out = layer["attention"]["self"], layer["attention"]["output"]
        y = attend(own["query"](x), own["key"](x), own["value"](x), WORD_HEADS, (ids > 0)[:, None, None, :])
        x = out["LayerNorm"](x + out["dense"](y))
        y = layer["output"]["dense"](F.gelu(layer["intermediate"]["dense"](x)))
        return layer["output"]["LayerNorm"](x + y)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_q, self.norm_k, self.norm_v, self.norm = (nn.LayerNorm(D) for _ in range(4))
        self.attention = nn.ModuleDict({name: nn.Linear(D, HEADS * HEAD, bias=False) for name in ("query", "key", "value")})
        self.attention["output"] = nn.Linear(HEADS * HEAD, D)
        self.feed_forward = nn.ModuleDict({"in": nn.Linear(D, HIDDEN), "out": nn.Linear(HIDDEN, D)})

    def forward(self, x, source=None):
        source = x if source is None else source
        a, f = self.attention, self.feed_forward
        x = x + a["output"](attend(a["query"](self.norm_q(x)), a["key"](self.norm_k(source)), a["value"](self.norm_v(source)), HEADS))
        return x + f["out"](F.gelu(f["in"](self.norm(x))))


class Encoder(nn.Module):
    def __init__(self, steps, tokens, depth=DEPTH):
        super().__init__()
        self.positions = table(1, steps + tokens, D)
        self.tokens = table(1, tokens, D) if tokens else None
        self.layers = nn.ModuleList(Block() for _ in range(depth))

    def forward(self, x):
        """The list of states: what enters the first layer, then what leaves each."""
        if self.tokens is not None:
            x = torch.cat([self.tokens.expand(len(x), -1, -1), x], dim=1)
        states = [x + self.positions]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states


class Embedding(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.project, self.encode = nn.Linear(WIDTHS[m], D), Encoder(STEPS[m], TOKENS)

    def forward(self, x):
        return self.encode(self.project(x))[-1][:, :TOKENS]


def two_layers(out):
    return nn.ModuleDict({"hidden": nn.Linear(D, D // 2), "out": nn.Linear(D // 2, out)})


def two_layers_of(x, layers):
    return layers["out"](F.leaky_relu(layers["hidden"](x), 0.1))


class Hyper(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_l, self.norm_a, self.norm_v, self.norm_h = (nn.LayerNorm(D) for _ in range(4))
        self.query, self.key_a, self.value_a, self.key_v, self.value_v = (nn.Linear(D, HEADS * HYPER_HEAD, bias=False) for _ in range(5))
        self.output = nn.Linear(HEADS * HYPER_HEAD, D)

    def forward(self, h, language, audio, vision):
        q, a, v = self.query(self.norm_l(language)), self.norm_a(audio), self.norm_v(vision)
        found = attend(q, self.key_a(a), self.value_a(a), HEADS) + attend(q, self.key_v(v), self.value_v(v), HEADS)
        return self.norm_h(h) + self.output(found)


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        setattr(self, "class", table(1, 1, D))
        self.target, self.source = table(1, 1 + TOKENS, D), table(1, 1 + TOKENS, D)
        self.layers = nn.ModuleList(Block() for _ in range(FUSION_DEPTH))

    def forward(self, language, hyper):
        first = getattr(self, "class").expand(len(language), -1, -1)
        t, s = torch.cat([first, language], dim=1) + self.target, torch.cat([first, hyper], dim=1) + self.source
        for layer in self.layers:
            t = layer(t, s)
        return t


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return -g


class LNLN(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = Words()
        self.embed = nn.ModuleDict({m: Embedding(m) for m in "lav"})
        self.completeness = nn.ModuleDict({"encode": Encoder(TOKENS, 1), "score": two_layers(1)})
        self.proxy = nn.ModuleDict({"generate": Encoder(3 * TOKENS, TOKENS)})
        self.proxy.start = table(1, TOKENS, D)
        self.language = Encoder(TOKENS, 0, HYPER_DEPTH - 1)
        self.hyper = nn.ModuleDict({"layers": nn.ModuleList(Hyper() for _ in range(HYPER_DEPTH))})
        self.hyper.start = table(1, TOKENS, D)
        self.fusion, self.score = Fusion(), nn.Linear(D, 1)
        self.discriminator = two_layers(2)
        self.reconstruct = nn.ModuleDict({m: Encoder(TOKENS, 0) for m in "lav"})

    def features(self, ids, audio, vision):
        return {m: self.embed[m](x) for m, x in zip("lav", (self.text(ids), audio, vision))}

    def forward(self, corrupted, complete, rates, label):
        u, c = self.features(*corrupted), self.features(*complete)
        n = len(label)
        w = torch.sigmoid(two_layers_of(self.completeness["encode"](u["l"])[-1][:, 0], self.completeness["score"]))
        z = torch.cat([self.proxy.start.expand(n, -1, -1), u["a"], u["v"]], dim=1)
        p = Reverse.apply(self.proxy["generate"](z)[-1][:, :TOKENS])
        dominant = (1 - w[:, :, None]) * p + w[:, :, None] * u["l"]
        states = self.language(dominant)
        h = self.hyper.start.expand(n, -1, -1)
        for layer, state in zip(self.hyper["layers"], states):
            h = layer(h, state, u["a"], u["v"])
        y = self.score(self.fusion(states[-1], h)[:, 1:].mean(1))[:, 0]

        tokens = torch.cat([dominant.reshape(-1, D), c["l"].reshape(-1, D)])
        target = torch.cat([torch.ones(n * TOKENS), torch.zeros(n * TOKENS)]).long()
        made = torch.cat([self.reconstruct[m](u[m])[-1] for m in "avl"], dim=1)
        return y, {
            "cc": F.mse_loss(w[:, 0], 1 - rates),
            "adv": F.cross_entropy(two_layers_of(tokens, self.discriminator), target),
            "rec": F.mse_loss(made, torch.cat([c[m] for m in "avl"], dim=1)),
            "sp": F.mse_loss(y, label),
            "completeness": w.mean(),
        }


model = LNLN()
dead = {name for name, _ in model.named_parameters() if name.endswith("norm_k.bias")}
params = {name: p for name, p in model.named_parameters() if name not in dead}
for k, (name, p) in enumerate(params.items()):
    p.data = noise(k, *p.shape) + (1 if "norm" in name.lower() and name.endswith("weight") else 0)
for name, p in model.named_parameters():
    if name in dead:
        p.data = noise(2000, *p.shape)

n = len(RATES)
inputs = lambda name, number: (
    torch.tensor(IDS[name]), noise(number, n, STEPS["a"], WIDTHS["a"]), noise(number + 1, n, STEPS["v"], WIDTHS["v"]))
y, terms = model(inputs("corrupted", 1001), inputs("complete", 1003), torch.tensor(RATES), noise(1005, n))
(CC * terms["cc"] + ADV * terms["adv"] + REC * terms["rec"] + SP * terms["sp"]).backward()
assert all(p.grad.abs().max() < 1e-15 for name, p in model.named_parameters() if name in dead)

digits = lambda x: [float(f"{v:.11g}") for v in x.flatten().tolist()]
# Tables have no batch axis in Go.
shape = lambda p: list(p.shape[1:] if p.dim() == 3 else p.shape)
lines = [json.dumps([name, shape(p), digits(p.grad)]) for name, p in params.items()]
text = '{"score": %s,\n"terms": %s,\n"params": [\n%s\n]}\n' % (
    json.dumps(digits(y)), json.dumps({name: t.item() for name, t in terms.items()}), ",\n".join(lines))
pathlib.Path(__file__).with_name("lnln.json").write_text(text)
