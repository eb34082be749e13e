"""Writes cenet.json: what PyTorch computes of a tiny CENET, in double precision: predictions, the loss, and all gradients.

    pip install torch && python make_cenet.py

The text encoder has three layers, without dropout. All frames of vision of utterance 2 are missing. Inputs and parameters are noise(number, shape),
which the Go test computes too; the k-th parameter has number k, weights of norms are shifted by 1.
"""

import math
import pathlib
import sys

import torch
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parents[2] / "zootest"))
from golden import STEPS, VOCAB, WIDTHS, digits, noise, segments, tokens, until, write

WIDTH, HEADS, HIDDEN, LAYERS = 8, 2, 6, 3
TEXT_LEN = [5, 3, 4, 2, 1]


class Attention(nn.Module):
    """Of tokens to the frames of one modality."""

    def __init__(self, features):
        super().__init__()
        self.frames = nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, h, x):
        s = self.frames(x)
        scores = torch.einsum("biw,bjw->bij", self.query(h), self.key(s)) * 8
        return torch.einsum("bij,bjw->biw", scores.softmax(-1), self.value(s))


class CENET(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(n, WIDTH) for n in (VOCAB, STEPS["l"], 2)])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([
            nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0, activation="gelu", layer_norm_eps=1e-12, batch_first=True)
            for _ in range(LAYERS)])
        self.audio, self.vision, self.merge = Attention(WIDTHS["a"]), Attention(WIDTHS["v"]), nn.Linear(2 * WIDTH, WIDTH)
        self.hidden, self.score = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self):
        word, position, kind = self.tables
        h = self.norm(word(ids) + position.weight + kind(types))
        for i, layer in enumerate(self.layers):
            if i == 1:
                h = h + self.merge(torch.cat([self.vision(h, vision), self.audio(h, audio)], dim=-1))
            h = layer(h, src_key_padding_mask=mask == 0)
        return self.score(self.hidden(h[:, 0]).tanh()).squeeze(1)

    def pieces(self):
        """The parameters by the names of the Go model: module, attribute, and rows where it is a part of a packed matrix."""
        for name, table in zip(("word", "position", "token_type"), self.tables):
            yield f"text.embeddings.{name}_embeddings.weight", table, "weight", None
        yield from self.both("text.embeddings.LayerNorm", self.norm)
        for i, layer in enumerate(self.layers):
            at = f"text.encoder.layer.{i}."
            for k, name in enumerate(("query", "key", "value")):
                rows = slice(k * WIDTH, (k + 1) * WIDTH)
                yield f"{at}attention.self.{name}.weight", layer.self_attn, "in_proj_weight", rows
                yield f"{at}attention.self.{name}.bias", layer.self_attn, "in_proj_bias", rows
            yield from self.both(at + "attention.output.dense", layer.self_attn.out_proj)
            yield from self.both(at + "attention.output.LayerNorm", layer.norm1)
            yield from self.both(at + "intermediate.dense", layer.linear1)
            yield from self.both(at + "output.dense", layer.linear2)
            yield from self.both(at + "output.LayerNorm", layer.norm2)
        for name in ("audio", "vision"):
            for part, module in getattr(self, name).named_modules():
                if isinstance(module, nn.Linear):
                    yield from self.both(f"enhance.{name}.{part}", module)
        yield from self.both("enhance.merge", self.merge)
        yield from self.both("head.hidden", self.hidden)
        yield from self.both("head.score", self.score)

    def both(self, name, module):
        yield name + ".weight", module, "weight", None
        yield name + ".bias", module, "bias", None


n = len(TEXT_LEN)
mask, ids, types = until(TEXT_LEN, STEPS["l"]), tokens(TEXT_LEN), segments(TEXT_LEN)
audio, vision = noise(1003, n, STEPS["a"], WIDTHS["a"]), noise(1004, n, STEPS["v"], WIDTHS["v"])
label = torch.tensor([-1.0, -0.5, -2.0, 0.5, -1.25])
vision[2] = 0

model = CENET()
pieces = list(model.pieces())
part_of = lambda x, rows: x if rows is None else x[rows]
params = []
for k, (name, module, part, rows) in enumerate(pieces):
    p = part_of(getattr(module, part).data, rows)
    p.copy_(noise(k, *p.shape) + ("norm" in name.lower() and part == "weight"))
    params.append([name, list(p.shape)])
assert sum(math.prod(s) for _, s in params) == sum(p.numel() for p in model.parameters())

y = model()
loss = (y - label).abs().mean()
loss.backward()
grads = [digits(part_of(getattr(module, part).grad, rows)) for _, module, part, rows in pieces]
dead = [name for (name, *_), g in zip(pieces, grads) if max(map(abs, g)) == 0]
assert not dead, f"{dead} have no gradient"

result = {"score": digits(y), "terms": {"task": float(loss.detach())}, "params": params, "grads": grads}
write(__file__, "cenet", result)
