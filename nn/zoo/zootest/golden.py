"""What the scripts testdata/make_*.py of models share: parts of PyTorch models from which they compute the fixtures of golden.go.

A script imports this module from beside package zootest:

    sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
    from golden import BiMamba, Words, assign, digits, noise, write

Modules have the parameter names of the Go model. Everything is in double precision and without dropout. A change here must not change
the output of a script that imports it.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

VOCAB, STEPS, WIDTHS = 20, {"l": 5, "a": 7, "v": 6}, {"a": 3, "v": 4}  # zootest.TinyDims


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's, agtest.Noise."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


def assign(model):
    """Sets the k-th parameter to the noise of number k, weights of norms shifted by 1, and returns the parameters by name."""
    params = dict(model.named_parameters())
    for k, (name, p) in enumerate(params.items()):
        p.data = noise(k, *p.shape) + ("norm" in name.lower() and name.endswith("weight"))
    return params


def digits(t, n=10):
    return [float(f"{v:.{n}g}") for v in t.flatten().tolist()]


def gradients(params, n=10):
    """Name, shape and gradient of each parameter, with n digits; none may be absent or zero."""
    for name, p in params.items():
        assert p.grad is not None and p.grad.abs().max() > 0, name + " has no gradient"
    return [[name, list(p.shape), digits(p.grad, n)] for name, p in params.items()]


def write(script, name, result):
    """Writes the fixture NAME.json beside the script."""
    text = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in result.items())
    pathlib.Path(script).with_name(name + ".json").write_text("{\n" + text + "\n}\n")


def until(lengths, steps):
    """A mask [B steps]: 1 in the first lengths[b] steps."""
    return (torch.arange(steps) < torch.tensor(lengths)[:, None]).double()


def segments(lengths):
    """Token types [B T]: 1 from the fourth token on."""
    return (until(lengths, STEPS["l"]) * (torch.arange(STEPS["l"]) > 2)).long()


def tokens(lengths):
    """Token ids [B T]: 1 + (7b + 3t) mod 19, and 0 after the lengths."""
    step = torch.arange(STEPS["l"])
    return until(lengths, STEPS["l"]).long() * (1 + (7 * torch.arange(len(lengths))[:, None] + 3 * step) % (VOCAB - 1))


class Words(nn.Module):
    """BERT, of one layer unless there are more."""

    def __init__(self, width=8, heads=2, hidden=6, layers=1, vocab=VOCAB, steps=STEPS["l"]):
        super().__init__()
        self.heads = heads
        sizes = {"word": vocab, "position": steps, "token_type": 2}
        self.embeddings = nn.ModuleDict({name + "_embeddings": nn.Embedding(n, width) for name, n in sizes.items()})
        self.embeddings["LayerNorm"] = nn.LayerNorm(width, eps=1e-12)
        block = lambda n: nn.ModuleDict({"dense": nn.Linear(n, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)})
        own = lambda: nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        layer = lambda: nn.ModuleDict({"attention": nn.ModuleDict({"self": own(), "output": block(width)}),
                                       "intermediate": nn.ModuleDict({"dense": nn.Linear(width, hidden)}), "output": block(hidden)})
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layer() for _ in range(layers))})

    def forward(self, ids, mask, segments=None):
        e = self.embeddings
        types = e["token_type_embeddings"].weight[0] if segments is None else e["token_type_embeddings"](segments)
        x = e["LayerNorm"](e["word_embeddings"](ids) + e["position_embeddings"].weight + types)
        split = lambda y: y.unflatten(2, (self.heads, -1)).transpose(1, 2)
        for layer in self.encoder["layer"]:
            q, k, v = (split(p(x)) for p in layer["attention"]["self"].values())
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.bool()[:, None, None, :]).transpose(1, 2).flatten(2)
            x = layer["attention"]["output"]["LayerNorm"](x + layer["attention"]["output"]["dense"](a))
            y = layer["output"]["dense"](F.gelu(layer["intermediate"]["dense"](x)))
            x = layer["output"]["LayerNorm"](x + y)
        return x


def scan(u, delta, a, b, c):
    """Selective scan [B T D]: h_t = exp(delta_t a) h_{t-1} + delta_t b_t u_t, y_t = c_t h_t; a [D N], b and c [B T N]."""
    h, y = 0, []
    for t in range(u.shape[1]):
        h = torch.exp(delta[:, t, :, None] * a) * h + (delta[:, t] * u[:, t])[:, :, None] * b[:, t, None, :]
        y.append((h * c[:, t, None, :]).sum(2))
    return torch.stack(y, dim=1)


class BiMamba(nn.Module):
    """Mamba in both directions, version 2: projections in and out are shared, and the directions' mean goes out."""

    KERNEL = 4

    def __init__(self, width, expand, state):
        super().__init__()
        inner, rank = expand * width, math.ceil(width / 16)
        self.sizes = rank, state, state
        self.in_proj, self.out_proj = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
        for s in ("", "_b"):
            setattr(self, "conv1d" + s, nn.Conv1d(inner, inner, self.KERNEL, groups=inner))
            setattr(self, "x_proj" + s, nn.Linear(inner, sum(self.sizes), bias=False))
            setattr(self, "dt_proj" + s, nn.Linear(rank, inner))
            setattr(self, "D" + s, nn.Parameter(torch.empty(inner)))
        self.A_log, self.A_b_log = (nn.Parameter(torch.empty(inner, state)) for _ in range(2))

    def direction(self, xz, s, log):
        x, z = xz.chunk(2, dim=2)
        conv = getattr(self, "conv1d" + s)
        u = F.silu(conv(F.pad(x.transpose(1, 2), (self.KERNEL - 1, 0))).transpose(1, 2))
        rho, b, c = getattr(self, "x_proj" + s)(u).split(self.sizes, dim=2)
        y = scan(u, F.softplus(getattr(self, "dt_proj" + s)(rho)), -torch.exp(log), b, c)
        return (y + getattr(self, "D" + s) * u) * F.silu(z)

    def forward(self, x):
        xz = self.in_proj(x)
        backward = self.direction(xz.flip(1), "_b", self.A_b_log).flip(1)
        return self.out_proj((self.direction(xz, "", self.A_log) + backward) / 2)


def table(*shape):
    return nn.Parameter(torch.empty(*shape))


def attend(q, k, v, heads):
    """Attention of heads that are blocks of channels."""
    split = lambda y: y.unflatten(2, (heads, -1)).transpose(1, 2)
    return F.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).flatten(2)


def prepend(rows, x):
    return torch.cat([rows.expand(len(x), -1, -1), x], dim=1)


class Block(nn.Module):
    """Layer of nn.Transformer and of ALMT: attention of H heads of any width, of x to itself or to a source."""

    def __init__(self, width, heads, head, hidden):
        super().__init__()
        self.heads = heads
        # a shift of norm_k would have no effect
        self.norm_q, self.norm_k, self.norm_v, self.norm = (nn.LayerNorm(width, bias=name != "k") for name in ("q", "k", "v", ""))
        self.attention = nn.ModuleDict({name: nn.Linear(width, heads * head, bias=False) for name in ("query", "key", "value")})
        self.attention["output"] = nn.Linear(heads * head, width)
        self.feed_forward = nn.ModuleDict({"in": nn.Linear(width, hidden), "out": nn.Linear(hidden, width)})

    def forward(self, x, source=None):
        source = x if source is None else source
        a, f = self.attention, self.feed_forward
        q, k, v = a["query"](self.norm_q(x)), a["key"](self.norm_k(source)), a["value"](self.norm_v(source))
        x = x + a["output"](attend(q, k, v, self.heads))
        return x + f["out"](F.gelu(f["in"](self.norm(x))))


class Encoder(nn.Module):
    """Learned tokens, if any, before a sequence, with learned positions, and blocks."""

    def __init__(self, tokens, steps, depth, width, heads, head, hidden):
        super().__init__()
        self.positions, self.tokens = table(tokens + steps, width), table(tokens, width) if tokens else None
        self.layers = nn.ModuleList(Block(width, heads, head, hidden) for _ in range(depth))

    def forward(self, x):
        """The list of states: what enters the first layer, then what leaves each."""
        states = [(x if self.tokens is None else prepend(self.tokens, x)) + self.positions]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states


class Embedding(nn.Module):
    """ALMT's embedding of a sequence by a number of tokens; sizes are those of Block."""

    def __init__(self, features, tokens, steps, depth, width, *sizes):
        super().__init__()
        self.project, self.encode = nn.Linear(features, width), Encoder(tokens, steps, depth, width, *sizes)

    def forward(self, x):
        return self.encode(self.project(x))[-1][:, :len(self.encode.tokens)]


class HyperLayer(nn.Module):
    def __init__(self, width, heads, head):
        super().__init__()
        self.heads = heads
        self.norm_l, self.norm_a, self.norm_v, self.norm_h = (nn.LayerNorm(width) for _ in range(4))
        self.query, self.key_a, self.value_a, self.key_v, self.value_v = (nn.Linear(width, heads * head, bias=False) for _ in range(5))
        self.output = nn.Linear(heads * head, width)

    def forward(self, h, language, audio, vision):
        q, a, v = self.query(self.norm_l(language)), self.norm_a(audio), self.norm_v(vision)
        found = attend(q, self.key_a(a), self.value_a(a), self.heads) + attend(q, self.key_v(v), self.value_v(v), self.heads)
        return self.norm_h(h) + self.output(found)


class Hyper(nn.Module):
    """ALMT's hyper-modality: language attends to audio and vision."""

    def __init__(self, tokens, depth, width, heads, head):
        super().__init__()
        self.start, self.layers = table(tokens, width), nn.ModuleList(HyperLayer(width, heads, head) for _ in range(depth))

    def forward(self, states, audio, vision):
        h = self.start.expand(len(audio), -1, -1)
        for layer, state in zip(self.layers, states):
            h = layer(h, state, audio, vision)
        return h


class Fusion(nn.Module):
    """ALMT's attention from [class; language] to [class; hyper-modality]; sizes are those of Block."""

    def __init__(self, tokens, depth, width, *sizes):
        super().__init__()
        setattr(self, "class", table(1, width))
        self.target, self.source = table(1 + tokens, width), table(1 + tokens, width)
        self.layers = nn.ModuleList(Block(width, *sizes) for _ in range(depth))

    def forward(self, language, hyper):
        first = getattr(self, "class")
        t, s = prepend(first, language) + self.target, prepend(first, hyper) + self.source
        for layer in self.layers:
            t = layer(t, s)
        return t


def shift_keys(model):
    """Adds the shifts of norm_k, which Go leaves out, and returns a function that checks that their gradients are 0."""
    shifts = []
    for b in (b for b in model.modules() if isinstance(b, Block)):
        b.norm_k.bias = nn.Parameter(noise(2000, *b.norm_k.weight.shape))
        shifts.append(b.norm_k.bias)

    def check():
        assert shifts and all(p.grad.abs().max() < 1e-15 for p in shifts)

    return check


def linears(width, *names):
    return {name: nn.Linear(width, width) for name in names}


def positions(x):
    """Codes of x [time, batch, width]: those of steps 1, 2, ..., and 0 where the first channel is 0."""
    steps, _, width = x.shape
    half = width // 2
    angle = torch.arange(1, steps + 1)[:, None] * torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, None, :] * (x[:, :, :1] != 0)


class CrossmodalLayer(nn.Module):
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


class CrossmodalTransformer(nn.Module):
    """MulT's encoder of sequences [time, batch, width], as in MMSA's code."""

    def __init__(self, width, heads, layers, codes=True):
        super().__init__()
        self.codes, self.layers, self.norm = codes, nn.ModuleList(CrossmodalLayer(width, heads) for _ in range(layers)), nn.LayerNorm(width)

    def embed(self, x):
        return math.sqrt(x.shape[2]) * x + (positions(x) if self.codes else 0)

    def forward(self, x, source=None):
        x, source = self.embed(x), None if source is None else self.embed(source)
        for layer in self.layers:
            x = layer(x, source)
        return self.norm(x)


TASKS = ["fusion", "text", "audio", "vision"]


class Task(nn.Module):
    """A regression of Self-MM."""

    def __init__(self, width, hidden):
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.rest = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        f = torch.relu(self.first(x))
        return f, self.rest(f).squeeze(1)


class PseudoLabels:
    """What Self-MM stores of each utterance: labels of each task, which it makes itself for single modalities, and features."""

    def __init__(self, heads, labels, bound):
        self.labels = {x: torch.tensor(labels) for x in TASKS}
        self.human, self.bound, self.clamped = self.labels["fusion"], bound, 0
        self.features = {x: torch.zeros(len(labels), heads[x].first.out_features) for x in TASKS}

    def centroid(self, x, member):
        rows = [f for f, y in zip(self.features[x], self.labels[x]) if member(y)]
        return sum(rows) / len(rows) if rows else torch.zeros(self.features[x].shape[1])

    def score(self, x, f):
        positive, negative = self.centroid(x, lambda y: y > 0), self.centroid(x, lambda y: y < 0)
        near, far = torch.linalg.vector_norm(f - positive), torch.linalg.vector_norm(f - negative)
        return (far - near) / (near + 1e-8)

    def update(self, epoch, rows, f):
        if epoch > 1:
            rewritten = {}
            for x in TASKS[1:]:
                for k, i in enumerate(rows):
                    dm, dx = self.score("fusion", f["fusion"][k]), self.score(x, f[x][k])
                    new = self.human[i] * dx / (dm + 1e-8) / 2 + (self.human[i] + dx - dm) / 2
                    self.clamped += bool(abs(new) > self.bound)
                    new = min(max(new, -self.bound), self.bound)
                    rewritten[x, i] = (epoch - 1) / (epoch + 1) * self.labels[x][i] + 2 / (epoch + 1) * new
            for (x, i), y in rewritten.items():
                self.labels[x][i] = y
        for x in TASKS:
            self.features[x][rows] = f[x]

    def terms(self, rows, out):
        terms = {}
        for x in TASKS:
            y = self.labels[x][rows].clone()
            w = torch.ones(len(rows)) if x == "fusion" else torch.tanh((y - self.human[rows]).abs())
            terms[x] = (w * (out[x][1] - y).abs()).mean()
        for x in TASKS[1:]:
            terms["shift_" + ("l" if x == "text" else x[0])] = (self.labels[x] - self.human)[rows].abs().mean()
        return terms

    def steps(self, model, epochs):
        """Terms and tables of each batch; the gradients of the last one stay in the model."""
        steps = []
        for epoch, batches in enumerate(epochs, 1):
            for rows in batches:
                out = model(rows)
                terms = self.terms(rows, out)
                model.zero_grad()
                sum(terms[x] for x in TASKS).backward()
                with torch.no_grad():
                    self.update(epoch, rows, {x: out[x][0] for x in TASKS})
                tables = {"labels." + x[0]: digits(self.labels[x]) for x in TASKS[1:]}
                tables |= {"features." + ("m" if x == "fusion" else x[0]): digits(self.features[x]) for x in TASKS}
                steps.append({"terms": {name: digits(v)[0] for name, v in terms.items()}, "tables": tables})
        assert 0 < self.clamped < 24, "want some labels clamped and some not"
        return steps
