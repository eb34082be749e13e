#!/usr/bin/env python3
"""Compares a training step and an evaluation of each model of the zoo with PyTorch, on one thread, and prints a table.

The PyTorch models are those of the scripts nn/zoo/MODEL/testdata/make_*.py, in float32 at the sizes of the preset "paper" and the shapes of MOSI; RECAP's
is peer_step.py. As in recap's benchmark (internal/models/bench_linux_test.go), there is no dropout, and the text encoder has embeddings but no layers;
that of CENET has two. Each step includes AdamW, here PyTorch's fused kernels. Times are seconds of the processor, which other processes do not change as
much as the time. The programs alternate, and each ends before the other starts, so that only one is in memory.

usage: go test -c -o models.test ./internal/models && python benchmarks/peer_zoo.py --recap models.test [--rounds 5] [--models misa,lnln] [--openblas LIBRARY]
       peer_zoo.py --serve MODEL     PyTorch's measurement of one model
  --openblas    what openblas.c compiles to: replaces PyTorch's oneMKL, which does not use AVX-512 on AMD
"""
import argparse, ast, json, os, pathlib, re, resource, statistics, subprocess, sys, time

# Samples of a batch: those of the preset, except where PyTorch's states do not fit into 6 GB.
BATCH = {"recap-stage1": 16, "recap-stage2": 64, "misa": 16, "self-mm": 16, "mmim": 32, "tfr-net": 16, "cenet": 64, "tetfn": 64, "almt": 64, "bi-mamba": 8,
         "lnln": 64, "tf-mamba": 64, "mascf-style": 24}
PARTS = {"recap-stage1": "stage1$", "recap-stage2": "(stage2|evaluation)$"}

ap = argparse.ArgumentParser()
ap.add_argument("--recap")
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--models", default=",".join(BATCH))
ap.add_argument("--openblas")
ap.add_argument("--serve")
A = ap.parse_args()
HERE = pathlib.Path(__file__).resolve().parent
ZOO = HERE.parent / "nn" / "zoo"


def recap(model, environment):
    times = "3x" if model in ("misa", "self-mm", "mmim") else "1x"
    bench = ["-test.run", "xxx", "-test.bench", f"Models/^{model}$/" + PARTS.get(model, ""), "-test.benchtime", times, "-test.cpu", "1", "-batch", str(BATCH[model])]
    out = subprocess.run([os.path.abspath(A.recap), *bench], env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.findall(r"/(\w+)\s+\d+.*?([\d.]+) MiB\s+([\d.e+-]+) cpu-s/op", out)
    return {"evaluation" if name == "evaluation" else "train": float(seconds) for name, _, seconds in found} | {"mib": float(found[0][1])}


def pytorch(model, environment):
    if not model.startswith("recap"):
        out = subprocess.run([sys.executable, __file__, "--serve", model], env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        return json.loads(out)
    flags = "--serve --fused --same --factorised --trim --sdpa --critic-layers 1 --reps 1".split() + ["--stage", model[-1], "--batch", str(BATCH[model])]
    modes = ["eager", "evaluation"] if model == "recap-stage2" else ["eager"]
    out = subprocess.run([sys.executable, HERE / "peer_step.py", *flags], env=environment, input="\n".join(modes), stdout=subprocess.PIPE, text=True, check=True).stdout
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")][1:]
    cpu = [a["cpu"][0] for a in answers]
    return dict(zip(["train", "evaluation"], cpu), mib=answers[0]["rss_gib"] * 1024)


def compare(model):
    """Returns recap's and PyTorch's measurements, which alternate."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", GOMAXPROCS="1")
    environment.update(MALLOC_MMAP_THRESHOLD_="17179869184", MALLOC_TRIM_THRESHOLD_="17179869184")  # glibc keeps freed memory
    peer = dict(environment, LD_PRELOAD=os.path.abspath(A.openblas), OPENBLAS_CORETYPE="SKYLAKEX", OPENBLAS_NUM_THREADS="1") if A.openblas else environment
    rounds = [(recap(model, environment), pytorch(model, peer)) for _ in range(A.rounds)]
    return zip(*rounds)


def shown(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def table():
    print("| model | batch | step: recap | PyTorch | ratio | evaluation: recap | PyTorch | ratio | memory: recap | PyTorch |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in A.models.split(","):
        ours, theirs = compare(model)
        cells = [model, str(BATCH[model])]
        for what in ("train", "evaluation"):
            if what not in ours[0]:
                cells += [""] * 3
                continue
            cells += [shown(statistics.median(x[what] for x in side)) for side in (ours, theirs)]
            cells.append(f"{statistics.median(t[what] / o[what] for o, t in zip(ours, theirs)):.2f}")
        cells += [f"{max(x['mib'] for x in side):.0f} MiB" for side in (ours, theirs)]
        print("| " + " | ".join(cells) + " |", flush=True)


if A.recap:
    table()
    sys.exit()

import torch, torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
B, T, AUDIO, VISION, VOCAB, WORDS = BATCH[A.serve], 50, (375, 5), (500, 20), 1000, 768
sys.path.append(str(ZOO / "zootest"))


def scan(u, delta, a, b, c):
    """The selective scan of golden.py for long sequences. A slice of a step has a gradient as large as the sequence; unbind has not."""
    h, y = torch.zeros(()), []
    for d, x, b, c in zip(delta.unbind(1), (delta * u).unbind(1), b.unbind(1), c.unbind(1)):
        h = torch.addcmul(x[:, :, None] * b[:, None, :], torch.exp(d[:, :, None] * a), h)
        y.append((h @ c[:, :, None])[:, :, 0])
    return torch.stack(y, dim=1)


def script(path, **constants):
    """The definitions of a script, with other constants, but without what it computes."""
    names = {"__file__": str(ZOO / path)}
    for node in ast.parse((ZOO / path).read_text()).body:
        assigned = [n.id for target in getattr(node, "targets", []) for n in ast.walk(target) if isinstance(n, ast.Name)]
        constant = assigned and all(n.isupper() for n in assigned) or isinstance(getattr(node, "value", None), ast.Lambda)
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) or constant:
            exec(compile(ast.Module([node], []), path, "exec"), names)
            names.update(constants)
    if "golden" in sys.modules:
        sys.modules["golden"].scan = scan
    torch.set_default_dtype(torch.float32)
    torch.empty = lambda *shape, **how: torch.randn(*shape, **how) / 50  # tables are made by empty and filled by the scripts
    return names


class Text(nn.Module):
    """The embeddings of BERT."""

    def __init__(self):
        super().__init__()
        self.word, self.position, self.kind = (nn.Embedding(n, WORDS) for n in (VOCAB, T, 2))
        self.norm = nn.LayerNorm(WORDS, eps=1e-12)

    def forward(self, ids, *_):
        return self.norm(self.word(ids) + self.position.weight + self.kind.weight[0])


class Batch:
    """The same kind of batch as zoo.RandomBatch: some sequences are shorter, and a third of the tokens and frames is missing."""

    def __init__(self):
        self.mask = (torch.arange(T) < (T - torch.arange(B) % 2)[:, None]).long()
        self.ids = torch.randint(1, VOCAB, (B, T)) * self.mask
        self.segments = torch.zeros_like(self.ids)
        self.holes = {"l": self.third(B, T)}
        self.corrupted_ids = self.ids * self.holes["l"]
        self.text_len = self.mask.sum(1)
        self.complete, self.corrupted, self.valid, self.length = {}, {}, {"l": self.mask}, {}
        for m, (steps, width) in {"a": AUDIO, "v": VISION}.items():
            self.length[m] = steps - torch.randint(0, (steps + 1) // 2, (B,))
            self.valid[m] = (torch.arange(steps) < self.length[m][:, None]).long()
            self.holes[m] = self.third(B, steps)
            self.complete[m] = torch.randn(B, steps, width) * self.valid[m][..., None]
            self.corrupted[m] = self.complete[m] * self.holes[m][..., None]
        self.missing = {m: self.valid[m] * (1 - self.holes[m]) for m in "lav"}
        self.label, self.rates = torch.randn(B), torch.rand(B)

    def third(self, *shape):
        return (torch.arange(shape[0] * shape[1]).reshape(shape) % 3 > 0).long()


def misa(b):
    """MISA reads as many frames as there are tokens."""
    names = script("misa/testdata/make_misa.py", WIDTH=128, HEADS=2, HIDDEN=2048)
    modules = nn.ModuleList()

    class Params:
        def fill(self, name, module):
            modules.append(module)
            return module

        def pack(self, *_):
            pass

    params, width = Params(), 128
    linear = lambda n, m: params.fill("", nn.Linear(n, m))
    text, vision, audio = params.fill("", Text()), names["Encoder"](params, "", VISION[1]), names["Encoder"](params, "", AUDIO[1])
    project = {m: linear(n, width) for m, n in zip("lva", (WORDS, 4 * VISION[1], 4 * AUDIO[1]))}
    norm = {m: params.fill("", nn.LayerNorm(width)) for m in "lva"}
    private, recon = ({m: linear(width, width) for m in "lva"} for _ in range(2))
    shared, fusion, hidden, score = linear(width, width), names["mix"](params), linear(6 * width, 3 * width), linear(3 * width, 1)
    modules.append(fusion)
    mask, x_a, x_v, lengths = b.mask.float(), b.corrupted["a"][:, :T], b.corrupted["v"][:, :T], b.text_len.tolist()

    def forward():
        words = text(b.corrupted_ids)
        u = {"l": (mask[..., None] * words).sum(1) / mask.sum(1, keepdim=True), "v": vision(x_v, lengths), "a": audio(x_a, lengths)}
        p = {m: norm[m](F.relu(project[m](u[m]))) for m in "lva"}
        s, c = {m: torch.sigmoid(private[m](p[m])) for m in "lva"}, {m: torch.sigmoid(shared(p[m])) for m in "lva"}
        z = fusion(torch.stack([s["l"], s["v"], s["a"], c["l"], c["v"], c["a"]]))
        return score(F.relu(hidden(torch.cat(list(z), dim=1))))[:, 0], p, s, c

    def loss():
        y, p, s, c = forward()
        apart, cmd = names["apart"], names["cmd"]
        diff = sum(apart(s[m], c[m]) for m in "lva") + apart(s["a"], s["l"]) + apart(s["a"], s["v"]) + apart(s["l"], s["v"])
        sim = (cmd(c["l"], c["v"]) + cmd(c["l"], c["a"]) + cmd(c["a"], c["v"])) / 3
        return F.mse_loss(y, b.label) + 0.1 * diff + 0.3 * sim + sum(F.mse_loss(recon[m](s[m] + c[m]), p[m]) for m in "lva") / 3

    return modules, [loss], lambda: forward()[0]


SIZES = {"STEPS": {"l": T, "a": AUDIO[0], "v": VISION[0]}, "WIDTHS": {"a": AUDIO[1], "v": VISION[1]}}


class Labels:
    """The labels of Self-MM and TETFN, for whole batches at once: see PseudoLabels in golden.py."""

    def __init__(self, b, widths):
        self.human, self.epoch, self.rows = b.label, 3, torch.arange(B)
        self.labels = {x: b.label.clone() for x in widths}
        self.features = {x: torch.zeros(B, n) for x, n in widths.items()}

    def score(self, x, f):
        centroid = lambda member: member.float() @ self.features[x] / member.sum().clamp(min=1)
        near, far = ((f - centroid(m)).norm(dim=1) for m in (self.labels[x] > 0, self.labels[x] < 0))
        return (far - near) / (near + 1e-8)

    def loss(self, out):
        total = 0.0
        for x, (_, y) in out.items():
            w = 1 if x == "fusion" else torch.tanh((self.labels[x] - self.human).abs())
            total = total + (w * (y - self.labels[x]).abs()).mean()
        with torch.no_grad():
            dm, e = self.score("fusion", out["fusion"][0]), self.epoch
            for x in ("text", "audio", "vision"):
                dx = self.score(x, out[x][0])
                new = (self.human * dx / (dm + 1e-8) / 2 + (self.human + dx - dm) / 2).clamp(-3, 3)
                self.labels[x] = (e - 1) / (e + 1) * self.labels[x] + 2 / (e + 1) * new
            for x in out:
                self.features[x][self.rows] = out[x][0]
        return total


def tasks(model, names, b, widths):
    """The heads of Self-MM and TETFN of the right sizes; rows are the whole batch."""
    model.text, model.heads = Text(), nn.ModuleDict({x: names["Task"](*w) for x, w in widths.items()})
    names.update(ids=b.corrupted_ids, types=b.segments, mask=b.mask, audio=b.corrupted["a"], vision=b.corrupted["v"],
                 audio_len=b.length["a"], vision_len=b.length["v"])
    labels, rows = Labels(b, {x: w[1] for x, w in widths.items()}), slice(None)
    return model, [lambda: labels.loss(model(rows))], lambda: model(rows)["fusion"][1]


def self_mm(b):
    names = script("selfmm/testdata/make_self_mm.py", **SIZES)
    model = names["SelfMM"]()
    model.audio, model.vision = names["Recurrent"](AUDIO[1], 16, 16), names["Recurrent"](VISION[1], 32, 32)
    return tasks(model, names, b, {"fusion": (WORDS + 48, 128), "text": (WORDS, 32), "audio": (16, 16), "vision": (32, 32)})


def tetfn(b):
    names = script("tetfn/testdata/make_tetfn.py", WORDS=WORDS, D=50, HEADS=5, LAYERS=2, KERNEL={m: 1 for m in "lav"}, LSTM={"a": 16, "v": 64}, **SIZES)
    return tasks(names["TETFN"](), names, b, {"fusion": (300, 64), "text": (50, 32), "audio": (50, 32), "vision": (50, 16)})


def mmim(b):
    sizes = {"AUDIO_WIDTH": 16, "VISION_WIDTH": 16, "AUDIO_OUT": 16, "VISION_OUT": 16, "FUSION": 128}
    names = script("mmim/testdata/make_mmim.py", WIDTH=WORDS, **sizes, **SIZES)
    model, text, rows, memory = names["MMIM"](), Text(), slice(None), {}
    names.update(bert=text, ids=b.corrupted_ids, types=b.segments, mask=b.mask, audio=b.corrupted["a"], vision=b.corrupted["v"],
                 audio_len=b.length["a"], vision_len=b.length["v"])
    for m in "av":
        z = torch.randn(B, 4)
        memory[m] = [z[b.label > 0], z[b.label < 0]]

    def fit():
        x = model.encode(rows)
        return -sum(model.predictors[m].lld(x["l"], x[m]) for m in "av")

    def loss():
        x = model.encode(rows)
        f, y = model.fuse(x)
        total = (y - b.label).abs().mean() + 0.1 * sum(names["nce"](x[m], model.contrast[m](f)) for m in "lav")
        for m in "av":
            z = model.predictors[m].project(x[m]).tanh()
            now = (z[b.label > 0], z[b.label < 0])
            entropy = sum(names["log_det"](torch.cat(pair)) for pair in zip(memory[m], now)) / 4
            memory[m] = [z.detach() for z in now]
            total = total - 0.1 * (model.predictors[m].lld(x["l"], x[m]) + entropy)
        return total

    return nn.ModuleList([model, text]), [fit, loss], lambda: model.fuse(model.encode(rows))[1]


def tfr_net(b):
    names = script("tfrnet/testdata/make_tfr_net.py", WORDS=WORDS, WORD_HEADS=12, STEPS=SIZES["STEPS"], D=30, HEADS=6, LAYERS=3,
                   KERNEL={"l": 1, "a": 5, "v": 3}, GRU={"l": 36, "a": 20, "v": 48}, GRU_LAYERS=3, HIDDEN=128, RECONSTRUCTION_HEADS=25)
    model = names["TFRNet"]({"l": WORDS, "a": AUDIO[1], "v": VISION[1]}, 3)
    model.text, names["valid"] = Text(), b.valid
    forward = lambda: model({"l": model.text(b.corrupted_ids), **b.corrupted})

    def loss():
        y, h = forward()
        complete = {"l": model.text(b.ids), **b.complete}
        made = {m: names["rec"](model.reconstruct[m](h[m], "batch"), complete[m], b.missing[m]) for m in "lav"}
        return (y - b.label).abs().mean() + sum(w * made[m] for m, w in zip("lav", (5, 2, 20)))

    return model, [loss], lambda: forward()[0]


def cenet(b):
    names = script("cenet/testdata/make_cenet.py", VOCAB=VOCAB, WIDTH=WORDS, HEADS=12, HIDDEN=3072, LAYERS=2, **SIZES)
    model = names["CENET"]()
    names.update(ids=b.corrupted_ids, types=b.segments, mask=b.mask, audio=b.corrupted["a"], vision=b.corrupted["v"])
    return model, [lambda: (model() - b.label).abs().mean()], model


ALMT = {"WORDS": WORDS, "D": 128, "TOKENS": 8, "HEADS": 8, "HEAD": 64, "HYPER_HEAD": 16, "HIDDEN": 128, "HYPER_DEPTH": 3, "FUSION_DEPTH": 2}


def almt(b):
    names = script("almt/testdata/make_almt.py", DEPTH=1, **ALMT, **SIZES)
    model = names["ALMT"]()
    model.text = Text()
    predict = lambda: model(b.corrupted_ids, b.mask, b.corrupted["a"], b.corrupted["v"])
    return model, [lambda: F.mse_loss(predict(), b.label[:, None])], predict


def lnln(b):
    names = script("lnln/testdata/make_lnln.py", WORD_HEADS=12, DEPTH=2, **ALMT, STEPS=SIZES["STEPS"], WIDTHS=SIZES["WIDTHS"] | {"l": WORDS})
    model = names["LNLN"]()
    model.text = Text()
    corrupted, complete = ((ids, x["a"], x["v"]) for ids, x in ((b.corrupted_ids, b.corrupted), (b.ids, b.complete)))

    def loss():
        terms = model(corrupted, complete, b.rates, b.label)[1]
        return 0.9 * terms["cc"] + 0.8 * terms["adv"] + 0.1 * terms["rec"] + terms["sp"]

    def predict():  # without the losses and the complete input
        u = model.features(*corrupted)
        w = torch.sigmoid(names["two_layers_of"](model.completeness["encode"](u["l"])[-1][:, 0], model.completeness["score"]))
        z = names["prepend"](model.proxy.start, torch.cat([u["a"], u["v"]], dim=1))
        states = model.language((1 - w[:, :, None]) * model.proxy["generate"](z)[-1][:, :8] + w[:, :, None] * u["l"])
        return model.score(model.fusion(states[-1], model.hyper(states, u["a"], u["v"]))[:, 1:].mean(1))[:, 0]

    return model, [loss], predict


def tf_mamba(b):
    names = script("tfmamba/testdata/make_tf_mamba.py", WORDS=WORDS, D=128, EXPAND=4, STATE=12, HEADS=8, HEAD=64, LAYERS={"context": 1, "query": 1}, T=T,
                   nearest={"threshold": [], "maximum": []}, **SIZES)
    model = names["TFMamba"]()
    model.text = Text()
    forward = lambda: model(b.corrupted_ids, b.mask, b.corrupted["a"], b.corrupted["v"])

    def loss():
        words, score = forward()
        missing = b.missing["l"][:, :, None]
        made = model.decode["out"](F.relu(model.decode["hidden"](words)))
        rec = F.smooth_l1_loss(missing * made, missing * model.text(b.ids), reduction="sum") / (WORDS * missing.sum() + 1e-6)
        return F.mse_loss(score, b.label) + 0.7 * rec

    return model, [loss], lambda: forward()[1]


def bi_mamba(b):
    names = script("bimamba/testdata/make_bimamba.py", WORDS=WORDS, D=128, BLOCKS=4, EXPAND=2, STATE=16, **SIZES)
    model = names["BIMamba"](squeezed=False)
    model.text = Text()
    names.update(ids=b.corrupted_ids, mask=b.mask, audio=b.corrupted["a"], vision=b.corrupted["v"])
    return model, [lambda: F.mse_loss(model(), b.label)], model


def mascf_style(b):
    names = script("mascfstyle/testdata/make_mascf_style.py", WORDS=WORDS, D=128, EXPAND=2, STATE=16, TOKENS=8, **SIZES)
    model, mean = names["Model"](), lambda terms: sum(terms) / 3
    model.text = Text()
    forward = lambda: model({"l": model.text(b.corrupted_ids), **b.corrupted}, b.valid)

    def loss():
        y, u, c, p = forward()
        cmd, dependence, pairs = names["cmd"], names["dependence"], ("la", "lv", "av")
        diff = sum(dependence(c[m], p[m]) for m in "lav") + sum(dependence(p[i], p[j]) for i, j in pairs)
        recon = mean(F.mse_loss(model.reconstruct[m](c[m] + p[m]), u[m]) for m in "lav")
        return F.mse_loss(y, b.label) + 0.1 * diff + 0.3 * mean(cmd(c[i], c[j]) for i, j in pairs) + recon

    return model, [loss], lambda: forward()[0]


def serve():
    model, losses, predict = globals()[A.serve.replace("-", "_")](Batch())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)

    def step():
        for loss in losses:
            optimizer.zero_grad(set_to_none=True)
            loss().backward()
            optimizer.step()

    def evaluate():
        with torch.inference_mode():
            predict().tolist()

    def seconds(f, training):
        model.train(training)
        f()
        start, n = time.process_time(), 3 if A.serve in ("misa", "self-mm", "mmim") else 1
        for _ in range(n):
            f()
        return (time.process_time() - start) / n

    result = {"train": seconds(step, True)}
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result | {"evaluation": seconds(evaluate, False), "mib": mib}))


serve()
