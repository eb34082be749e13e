"""Writes recap.json: what PyTorch computes for RECAP, in double precision: predictions, terms of the loss, and their gradients.

    pip install torch && python make_recap.py

It is written from the formulas of the paper, pair by pair and segment by segment; comments give the equations. Where the paper leaves something
open, docs/guide.md says what was decided. What a loss holds constant is detached here, of features (detach) or of weights (constant).

Parameters are named as in Go, and value(NAME, INDEX) gives their elements, in both languages. The batch is in the file. A gradient is described by
its sum, the sum of its absolute values, and its first, middle and last element (in the cases of DETAILED); that of a module, by the
derivative along the direction value("direction of NAME", INDEX).
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

MODALITIES = "lav"
PAIRS = ("la", "lv", "av")
VOCAB, WORDS, WORD_HEADS, WORD_HIDDEN = 13, 6, 2, 7  # of the text encoder: tokens, width, heads, hidden width
STEPS = {"l": 6, "a": 5, "v": 7}  # T_m
FRAME = {"a": 2, "v": 3}  # d_m
L, D, HEADS, HEAD_WIDTH, HIDDEN, DEPTH = 4, 4, 2, 3, 5, 2
GRANULARITIES = (4, 2)
CRITIC = 8  # width
PREDICTOR_HEADS, PREDICTOR_HIDDEN, DROPOUT, SEED = 4, 64, 0.1, 3
ADV, FID, REC, TASK, RANK, AUX, MARGIN = 0.7, 0.3, 0.9, 0.8, 1.3, 0.4, 0.15
W = {"l": 0.5, "a": 0.2, "v": 0.3}
UNK = 1


def splitmix(seed, counter):
    """SplitMix64 (Steele, Lea, Flood 2014) at a position of its sequence."""
    z = (seed + (counter + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def fraction(seed, counter):
    return (splitmix(seed, counter) >> 11) * 2.0**-53


def value(name, i):
    """A number in [-1, 1); the seed is FNV-1a of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    return 2 * fraction(seed, i) - 1


def values(name, *shape):
    return torch.tensor([value(name, i) for i in range(math.prod(shape))]).reshape(shape)


class Parameters(dict):
    """By name. A parameter is created where it is used first."""

    def __call__(self, name, *shape):
        if name not in self:
            weight = name.endswith("weight")
            shift = 1 if weight and "norm" in name.lower() else 0
            scale = 1.5 / math.sqrt(shape[1]) if weight and len(shape) == 2 else 0.3
            self[name] = (shift + scale * values(name, *shape)).requires_grad_()
        assert self[name].shape == shape, name
        return self[name]


def constant(w):
    """The same weights, without gradient."""
    return lambda name, *shape: w(name, *shape).detach()


# Modules: w gives the parameters, at is the name of the module.


def linear(w, at, x, width, bias=True):
    return F.linear(x, w(at + ".weight", width, x.shape[-1]), w(at + ".bias", width) if bias else None)


def mlp(w, at, x, *widths):
    for i, width in enumerate(widths):
        x = linear(w, f"{at}.{2 * i}", F.relu(x) if i else x, width)
    return x


def norm(w, at, x, eps, bias=True):
    n = x.shape[-1:]
    return F.layer_norm(x, n, w(at + ".weight", *n), w(at + ".bias", *n) if bias else None, eps)


def attention(q, k, v, heads, mask=None):
    split = lambda x: x.unflatten(-1, (heads, -1)).transpose(-3, -2)
    if mask is not None:
        mask = mask[:, None, None, :]
    return F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask).transpose(-3, -2).flatten(-2)


def bert(w, at, ids):
    table = lambda name, n: w(f"{at}.embeddings.{name}_embeddings.weight", n, WORDS)
    x = table("word", VOCAB)[ids] + table("position", STEPS["l"]) + table("token_type", 2)[0]
    x = norm(w, at + ".embeddings.LayerNorm", x, 1e-12)
    at += ".encoder.layer.0"
    q, k, v = (linear(w, f"{at}.attention.self.{name}", x, WORDS) for name in ("query", "key", "value"))
    y = linear(w, at + ".attention.output.dense", attention(q, k, v, WORD_HEADS, ids > 0), WORDS)
    x = norm(w, at + ".attention.output.LayerNorm", x + y, 1e-12)
    y = linear(w, at + ".output.dense", F.gelu(linear(w, at + ".intermediate.dense", x, WORD_HIDDEN)), WORDS)
    return norm(w, at + ".output.LayerNorm", x + y, 1e-12)


def transformer(w, at, x, steps=L, heads=HEADS, depth=DEPTH):
    """Pre-norm, with learned positions, of which a shorter sequence uses the first; no norm at the end."""
    x = x + w(at + ".positions", steps, D)[: x.shape[1]]
    for i in range(depth):
        layer = f"{at}.layers.{i}."
        q, k, v = (
            linear(w, layer + "attention." + name, norm(w, layer + "norm_" + name[0], x, 1e-5, name != "key"), heads * HEAD_WIDTH, False)
            for name in ("query", "key", "value")
        )
        x = x + linear(w, layer + "attention.output", attention(q, k, v, heads), D)
        hidden = linear(w, layer + "feed_forward.in", norm(w, layer + "norm", x, 1e-5), HIDDEN)
        x = x + linear(w, layer + "feed_forward.out", F.gelu(hidden), D)
    return x


def embed(w, x, at="embed"):
    """E_m: the first L positions after L learned tokens were put before the projected input."""
    h = {}
    for m in MODALITIES:
        frames = bert(w, "embed.text", x["ids"]) if m == "l" else x[m]
        tokens = w(f"{at}.{m}.tokens", L, D).expand(len(frames), L, D)
        frames = torch.cat([tokens, linear(w, f"{at}.{m}.project", frames, D)], 1)
        h[m] = transformer(w, f"{at}.{m}.encode", frames, L + STEPS[m])[:, :L]
    return h


def generate(c, w, h):
    """X' = G(X̃); without H-CAG there is no generator."""
    return h if c["without"] == "hcag" else {m: transformer(w, "generate." + m, h[m]) for m in MODALITIES}


# Stage 1


def adversarial(c, w, m, x, future):
    """Eqs 1 to 6: L_gen and L_disc of a modality, summed over granularities and pairs of adjacent segments."""

    def bce(w, s, label):  # eq 4, mean over positions, [B]
        if c["discriminator"] == "mlp":
            logit = mlp(w, f"discriminate.{m}.score", s, D // 2, 1)
        else:
            logit = mlp(w, f"discriminate.{m}.score", transformer(w, "discriminate." + m, s), 1)
        p = torch.sigmoid(logit)
        return -(label * p.log() + (1 - label) * (1 - p).log()).mean((1, 2))

    gen = disc = 0
    for n in GRANULARITIES:
        for now, following in zip(x.chunk(n, 1), future.chunk(n, 1)[1:]):
            made = transformer(w, "generate." + m, now)  # eq 1
            # eq 2: "the weights … modulate the generator's loss"; they are not part of what it learns
            omega = (1 + F.cosine_similarity(now.flatten(1), following.flatten(1))).detach() / 2
            # eq 3: "generators … seek to fool discriminators", whose weights are constant, but not in the release
            gen = gen + (omega * bce(w if c["release"] else constant(w), made, 1)).mean()
            # eq 5: "to optimize the discriminator", so both segments are constant
            disc = disc + (bce(w, following.detach(), 1) + bce(w, made.detach(), 0)).mean() / 2
    return gen, disc


def scores(c, w, at, x, y):
    """f(x_j, y_i) in row i and column j. A side has parts, the features and their condition; one head serves the parts of a side."""
    side = lambda head, parts: torch.cat([mlp(w, f"{at}.{head}", part, part.shape[1], part.shape[1]) for part in parts], 1)
    x, y = side("head_x", x), side("head_y", y)
    b, n = x.shape
    x, y = x.expand(b, b, n), y[:, None].expand(b, b, n)
    at += ".critic"
    widths = [CRITIC] * (c["hidden"] + 2)
    if c["critic"] == "separable":
        return (mlp(w, at + ".g", x, *widths) * mlp(w, at + ".h", y, *widths)).sum(2) / math.sqrt(CRITIC)
    first = torch.cat([w(at + ".first_x.weight", CRITIC, n), w(at + ".first_y.weight", CRITIC, n)], 1)
    h = F.relu(F.linear(torch.cat([x, y], 2), first, w(at + ".first_y.bias", CRITIC)))
    if c["hidden"]:
        h = F.relu(linear(w, at + ".second", h, CRITIC))
    return linear(w, at + ".last", h, 1)[..., 0]


def nce(c, w, at, x, y):
    """InfoNCE (Oord, Li, Vinyals 2018), the lower bound in eqs 8 and 10."""
    s = scores(c, w, at, x, y)
    return sum(s[i, i] - torch.logsumexp(s[i], 0) + math.log(len(s)) for i in range(len(s))) / len(s)


def club(c, w, at, x, y):
    """Eq 9, and the objective of its critic. The critic f* is the optimal one of the lower bound (FactorCL, Liang et al. 2023): it is constant in
    eq 9, which moves the features, and learns from features that are constant."""
    if c["release"]:  # one loss for both, which has to be clamped
        s = scores(c, w, at, x, y)
        return (s.diagonal().mean() - s.mean()).clamp(min=-5), None
    s = scores(c, constant(w), at, x, y)
    fixed = lambda parts: [part.detach() for part in parts]
    return s.diagonal().mean() - s.mean(), nce(c, w, at, fixed(x), fixed(y))


def stage1(c, w, batch):
    # "We treat the complete features X_m as a surrogate task signal Y": a target is constant (eqs 8, 10, 13)
    at = "embed_stage1" if c["release"] else "embed"
    complete = {m: h if c["release"] else h.detach() for m, h in embed(w, batch["complete"], at).items()}
    corrupted = embed(w, batch["corrupted"], at)
    completed = generate(c, w, corrupted)
    deviation = {m: h.var(0, correction=0) for m, h in complete.items()}
    terms = {}

    def add(name, weight, loss):
        if loss is not None:
            terms[name] = (weight, loss)

    if c["without"] != "hcag":
        for m in MODALITIES:  # eqs 6 and 7
            # "to distinguish real future segments from generated ones": of the complete sequence, and then the loss of the generator trains it alone;
            # by the letter all segments are those of the corrupted sequence, and nothing says what its loss trains
            x = (corrupted[m].detach(), complete[m]) if c["future"] == "complete" else (corrupted[m], corrupted[m])
            gen, disc = adversarial(c, w, m, *x)
            add("gen_" + m, ADV * W[m], gen)
            add("disc_" + m, ADV * W[m], disc)
        add("disc_chance", 0, torch.tensor(math.log(2) * sum(n - 1 for n in GRANULARITIES)))  # eq 5 for p = 1/2

    def seen(h):  # what critics see: standardised over the batch, unless literal
        h = h.mean(1) if c["input"] == "mean" else h.flatten(1)
        return h if c["literal"] else (h - h.mean(0)) / (h.var(0, correction=0) + 1e-8).sqrt()

    for first, second in PAIRS:  # eq 11
        x1, x2, y1, y2 = seen(complete[first]), seen(complete[second]), seen(completed[first]), seen(completed[second])
        at, pair = f"fid.{first}{second}.", "_" + first + second
        given1, given2 = [y1, x1], [y2, x2]  # the condition is concatenated
        # eq 8
        add("nce_common" + pair, -FID, nce(c, w, at + "common", [y1], [y2]))
        bound, learn = club(c, w, at + "common_club", given1, given2)
        add("club_common" + pair, FID, bound)
        add("learn_club_common" + pair, -1, learn)
        # eq 10, for both modalities: the second and the third bound occur twice
        add("nce_own1" + pair, -FID, nce(c, w, at + "own_1", [x1], [y1]))
        add("nce_own2" + pair, -FID, nce(c, w, at + "own_2", [x2], [y2]))
        bound, learn = club(c, w, at + "club", [y1], [y2])
        add("club" + pair, 2 * FID, bound)
        add("learn_club" + pair, -1, learn)
        add("nce_given" + pair, -2 * FID, nce(c, w, at + "given", given1, given2))
    for m in MODALITIES:
        x = complete[m]
        target = x if c["literal"] else (x - x.mean(0)) / (deviation[m].sqrt() + 1e-4)
        add("rec_" + m, REC, (transformer(w, "reconstruct." + m, completed[m]) - target).square().mean())  # eqs 12 and 13
    for m in MODALITIES:
        add("spread_" + m, 0, deviation[m].sqrt().mean())
        add("token_spread_" + m, 0, complete[m].std(1, correction=0).mean())
    return terms


# Stage 2


def fuse(c, w, x):
    """Eqs 16 and 17: the scores and α [B 3]."""
    logits, mu_v = [], []
    for m in MODALITIES:
        h = transformer(w, "fuse.body", x[m], depth=c["fusion"]) if c["fusion"] else x[m]
        q, k, v = linear(w, "fuse.qkv", h, 3 * D).chunk(3, 2)  # of every position
        logits.append((q.mean(1) * k.mean(1)).sum(1) / math.sqrt(D))
        mu_v.append(v.mean(1))
    logits = torch.stack(logits, 1)
    alpha = torch.full_like(logits, 1 / 3) if c["without"] == "mir" else torch.softmax(logits, 1)
    fused = sum(alpha[:, [i]] * mu_v[i] for i in range(3))
    return linear(w, "fuse.head", fused, c["classes"] or 1), alpha


def errors(c, score, batch):
    """Eq 18 of each sample."""
    if c["classes"]:
        return -torch.log_softmax(score, 1)[torch.arange(len(score)), batch["class"]]
    return (batch["label"] - score[:, 0]).square()


def predictor(c, w, m, x):
    """g_m. The dropout is a hash of the seed, of the number of the dropout and of the element."""
    h = transformer(w, "predict." + m, x, heads=PREDICTOR_HEADS).mean(1)
    h = F.relu(linear(w, f"predict.{m}.hidden", h, PREDICTOR_HIDDEN))
    seed = splitmix(SEED, 1 + MODALITIES.index(m))
    kept = torch.tensor([float(fraction(seed, i) >= DROPOUT) for i in range(h.numel())]).reshape(h.shape)
    return linear(w, f"predict.{m}.score", h * kept / (1 - DROPOUT), c["classes"] or 1)


def stage2(c, w, batch):
    # the generators were trained in stage 1 and are frozen, unless there was none
    x = generate(c, w if c["without"] == "stage1" else constant(w), embed(w, batch["corrupted"]))
    score, alpha = fuse(c, w, x)
    terms = {"task": (TASK, errors(c, score, batch).mean())}  # eqs 18 and 19
    if c["without"] != "mir":
        # eq 15: "the MI-based auxiliary loss for modality m"; without a weight g_m is a probe of X'_m as it is, on constant features
        mi = torch.stack([errors(c, predictor(c, w, m, x[m] if c["aux"] else x[m].detach()), batch) for m in MODALITIES], 1)
        weight = 0 if c["release"] else c["aux"] or 1
        terms |= {"probe_" + m: (weight, mi[:, i].mean()) for i, m in enumerate(MODALITIES)}
        best = batch["label"].var(correction=0)  # of constants
        if c["classes"]:
            p = torch.tensor([(batch["class"] == i).sum() / len(batch["class"]) for i in range(c["classes"])])
            best = -(p * p.log()).sum()
        terms["constant"] = (0, best)
        mi = mi.detach()
        rank = 0
        for i in range(3):
            for j in range(3):
                if i != j:
                    rank = rank + (mi[:, i] < mi[:, j]) * F.relu(alpha[:, j] - alpha[:, i] + MARGIN) / 2
        terms["rank"] = (RANK, rank.mean())
        terms |= {"alpha_" + m: (0, alpha[:, i].mean()) for i, m in enumerate(MODALITIES)}
    return terms, score if c["classes"] else score[:, 0], alpha


# The file


def utterances():
    """Five utterances of different lengths, complete and corrupted. Of each modality one is missing."""
    words, lengths = [6, 4, 5, 3, 6], {"a": [5, 2, 4, 1, 3], "v": [7, 3, 4, 7, 2]}
    ids = [[2] + [4 + splitmix(i, t) % (VOCAB - 4) for t in range(n - 2)] + [3] for i, n in enumerate(words)]
    missing = {"l": [{2, 4}, {1, 2}, {3}, set(), {1}], "a": [{0, 3}, set(), {0, 1, 2, 3}, {0}, {1}], "v": [{1, 2, 6}, {2}, set(), {0, 5}, {0, 1}]}
    batch = {"complete": {"ids": [row + [0] * (STEPS["l"] - len(row)) for row in ids]}, "corrupted": {}}
    batch["corrupted"]["ids"] = [
        [UNK if t in gone else token for t, token in enumerate(row)] for row, gone in zip(batch["complete"]["ids"], missing["l"])
    ]
    for m in "av":
        x = [[[0.0] * FRAME[m] for _ in range(STEPS[m])] for _ in words]
        for i, row in enumerate(x):
            for t in range(lengths[m][i]):
                row[t] = [round(1.5 * value(f"utterance {i} {m}", t * FRAME[m] + k), 2) for k in range(FRAME[m])]
        batch["complete"][m] = x
        batch["corrupted"][m] = [[[0.0] * FRAME[m] if t in gone else f for t, f in enumerate(row)] for row, gone in zip(x, missing[m])]
    return batch | {"label": [-1.4, 0.3, 2.1, -0.6, 0.9], "class": [2, 0, 1, 1, 0]}


PAPER = {"stage": 1, "critic": "concat", "hidden": 1, "input": "flat", "discriminator": "transformer", "aux": AUX, "fusion": DEPTH}
PAPER |= {"future": "complete", "classes": 0, "literal": False, "release": False, "without": ""}
RELEASE = PAPER | {"discriminator": "mlp", "aux": 0, "fusion": 0, "future": "corrupted", "literal": True, "release": True}
CASES = {
    "stage1": PAPER,
    "concat critic of one layer, D an MLP": PAPER | {"hidden": 0, "discriminator": "mlp"},
    "separable critic of mean tokens": PAPER | {"critic": "separable", "hidden": 0, "input": "mean"},
    "deep separable critic, literal": PAPER | {"critic": "separable", "literal": True, "future": "corrupted"},
    "without H-CAG": PAPER | {"without": "hcag"},
    "stage2": PAPER | {"stage": 2},
    "release": RELEASE,
    "release, stage 2": RELEASE | {"stage": 2},
    "stage2 of version 0.1": PAPER | {"stage": 2, "aux": 0, "fusion": 0},
    "classes": PAPER | {"stage": 2, "classes": 3},
    "without MIR": PAPER | {"stage": 2, "without": "mir"},
    "without stage 1": PAPER | {"stage": 2, "without": "stage1"},
}
DETAILED = ("stage1", "stage2")

digits = lambda v: float(f"{v.item() if torch.is_tensor(v) else v:.12g}")


def module(name):
    """The module of a parameter: embed.l, fuse.head, fid.la.club."""
    return ".".join(name.split(".")[: 3 if name.startswith("fid.") else 2])


def gradients(w, loss):
    if not loss.requires_grad:
        return {}
    found = torch.autograd.grad(loss, list(w.values()), retain_graph=True, allow_unused=True)
    found = {name: g for name, g in zip(w, found) if g is not None}
    moved = {module(name) for name, g in found.items() if g.any()}
    return {name: g for name, g in found.items() if module(name) in moved}


def derivatives(grads):
    sums = {}
    for name, g in grads.items():
        along = values("direction of " + name, *g.shape)
        sums[module(name)] = sums.get(module(name), 0) + (g * along).sum().item()
    return {name: digits(v) for name, v in sorted(sums.items())}


def describe(g):
    flat = g.flatten()
    return [digits(v) for v in (flat.sum(), flat.abs().sum(), flat[0], flat[len(flat) // 2], flat[-1])]


def case(name, c, batch):
    w, result = Parameters(), {}
    if c["stage"] == 1:
        terms = stage1(c, w, batch)
    else:
        terms, score, alpha = stage2(c, w, batch)
        result = {"score": [digits(v) for v in score.flatten()], "alpha": [digits(v) for v in alpha.flatten()]}
    total = sum(weight * loss for weight, loss in terms.values())
    result["terms"] = {n: digits(loss) for n, (_, loss) in terms.items()}
    result["total"] = digits(total)
    grads = gradients(w, total)
    result["modules"] = derivatives(grads)
    if name in DETAILED:
        result["by term"] = {n: derivatives(gradients(w, loss)) for n, (_, loss) in terms.items()}
        result["parameters"] = {n: describe(g) for n, g in sorted(grads.items())}
    return result


def lines(x, depth):
    """JSON with a line for each entry down to a depth."""
    if depth == 0 or not isinstance(x, dict):
        return json.dumps(x, ensure_ascii=False)
    return "{\n" + ",\n".join(f"{json.dumps(k)}: {lines(v, depth - 1)}" for k, v in x.items()) + "\n}"


def tensors(x):
    return {k: tensors(v) for k, v in x.items()} if isinstance(x, dict) else torch.tensor(x)


if __name__ == "__main__":
    batch = utterances()
    results = {name: case(name, c, tensors(batch)) for name, c in CASES.items()}
    pathlib.Path(__file__).with_name("recap.json").write_text(lines({"batch": batch, "cases": results}, 4) + "\n")
