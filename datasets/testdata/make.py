"""Makes this folder's files, with numpy 2: python make.py

protocol0.pkl to protocol5.pkl hold the same small data set in MMSA's layout; types.pkl holds it in other types and
memory orders; axes.pkl holds it with permuted axes, which needs numpy 2.3; extras.pkl holds it with values that
are not read; lists.pkl holds it in lists, with audio that is not padded, in the training split without its lengths;
flat.pkl holds its training split without labels; single*.pkl hold one utterance; masks.json holds keep masks made
with NumPy's legacy generator.
"""

import collections
import datetime
import enum
import json
import pathlib
import pickle

import numpy as np

WORDS = {"train": 3, "valid": 2, "test": 2}
TEXT, AUDIO, VISION = 6, (40, 8), (5, 3)


def wave(*shape):
    """Multiples of 1/512 that float16 holds exactly."""
    return ((np.arange(np.prod(shape)) * 37 % 1024 - 512) / 512).reshape(shape).astype(np.float32)


def split(n, name):
    ids = np.zeros((n, 3, TEXT), np.float32)
    for i in range(n):
        length = 3 + i
        ids[i, 0, :length] = [101, *range(2000 + i, 2000 + i + length - 2), 102]
        ids[i, 1, :length] = 1
    audio = wave(n, *AUDIO)
    audio[0, 1, 2] = -np.inf
    return {
        "raw_text": np.array([f"naïve 电影 \\u0041 {name} {i}\n" for i in range(n)], dtype=object),
        "id": np.array([f"{name}$_${i}" for i in range(n)], dtype=object),
        "text": wave(n, TEXT, 4),
        "text_bert": ids,
        "audio": audio,
        "vision": wave(n, *VISION),
        "audio_lengths": [10 * (i + 1) for i in range(n)],
        "vision_lengths": [i for i in range(n)],
        "regression_labels": np.array([0.5 * i - 1 for i in range(n)], np.float32),
        "annotations": ["Neutral"] * n,
    }


def other_types(s):
    return {
        "raw_text": list(s["raw_text"]),
        "id": s["id"].astype("S20"),
        "text_bert": s["text_bert"].astype(">i8"),
        "audio": s["audio"].astype(np.float16),
        "vision": np.asfortranarray(s["vision"].astype(">f8")),
        "audio_lengths": np.array(s["audio_lengths"], np.uint16)[:, None],
        "vision_lengths": [np.int64(v) for v in s["vision_lengths"]],
        "regression_labels": np.array([np.float64(v) for v in s["regression_labels"]], dtype=object),
    }


def stored(x, *axes):
    """x, with the elements in memory in the order of axes, from the slowest to the fastest."""
    return x.transpose(axes).copy().transpose(np.argsort(axes))


def other_axes(s):
    return s | {
        "text_bert": stored(s["text_bert"], 0, 2, 1),
        "audio": stored(s["audio"], 0, 2, 1) if len(s["audio"]) == 3 else stored(s["audio"], 1, 2, 0),
        "vision": stored(s["vision"], 2, 0, 1),
    }


class Color(enum.Enum):
    RED = 1


class Settings(dict):
    pass


def extras(s):
    settings = Settings(a=1)
    settings.b = {2}
    return s | {
        "times": np.array(["2024-01-01"] * len(s["id"]), "M8[D]"),
        "waits": np.timedelta64(3, "s"),
        "exact": wave(2, 3).astype(np.longdouble),
        "pairs": np.zeros(2, [("a", "f4"), ("b", "i4")]),
        "other": [datetime.datetime(2024, 1, 1), pathlib.PurePosixPath("/a"), Color.RED, settings, {3}, 1j, slice(4)],
    }


def lists(s):
    audio = [x[:n] for x, n in zip(s["audio"], s["audio_lengths"])]
    out = s | {"text_bert": list(s["text_bert"]), "vision": s["vision"].tolist()}
    out["audio"] = np.array(audio, dtype=object)
    if len(audio) == 3:
        out["audio"] = audio
        del out["audio_lengths"]
    return out


def masks():
    """The rules of MMSA and LNLN for 5 utterances of 7 tokens, 9 audio and 4 vision steps."""
    text = np.array([7, 2, 3, 5, 7])
    audio = np.array([9, 1, 4, 8, 5])
    vision = np.array([1, 4, 2, 3, 4])
    rates = np.array([[0.0], [0.9], [0.5], [0.7], [1.0]])

    def keep(lengths, steps):
        np.random.seed(1111)
        uniform = np.random.uniform(size=(len(lengths), steps))
        return (uniform > rates) * (np.arange(steps) < lengths[:, None])

    k = keep(text, 7).astype(int)
    for i, n in enumerate(text):
        k[i, 0] = k[i, n - 1] = 1
    return {
        "rates": rates[:, 0].tolist(),
        "text": {"lengths": text.tolist(), "keep": k.ravel().tolist()},
        "audio": {"lengths": audio.tolist(), "keep": keep(audio, 9).astype(int).ravel().tolist()},
        "vision": {"lengths": vision.tolist(), "keep": keep(vision, 4).astype(int).ravel().tolist()},
    }


def single():
    """One utterance as MMSA-FET saves it: no axis of utterances, no lengths, no id."""
    return {
        "text_bert": np.array([[101, 2000, 102], [1, 1, 1], [0, 0, 0]]),
        "audio": np.asfortranarray(np.arange(8.0).reshape(4, 2)),
        "vision": np.arange(2.0).reshape(2, 1),
    }


data = {name: split(n, name) for name, n in WORDS.items()}
for protocol in range(6):
    with open(f"protocol{protocol}.pkl", "wb") as f:
        pickle.dump(data, f, protocol)
with open("types.pkl", "wb") as f:
    pickle.dump({name: other_types(s) for name, s in data.items()}, f, 4)
with open("axes.pkl", "wb") as f:
    pickle.dump({name: other_axes(s) for name, s in data.items()}, f, 5)
with open("extras.pkl", "wb") as f:
    pickle.dump(collections.defaultdict(dict, {name: extras(s) for name, s in data.items()}), f, 4)
with open("lists.pkl", "wb") as f:
    pickle.dump({name: lists(s) for name, s in data.items()}, f, 4)
with open("flat.pkl", "wb") as f:
    pickle.dump({k: v for k, v in data["train"].items() if k != "regression_labels"}, f, 4)
bad = single()
bad["audio"][1, 1] = np.nan
for name, one in {
    "single": single(),
    "single_batched": {k: v[None] for k, v in single().items()},
    "single_named": single() | {"id": "mine"},
    "single_nan": bad,
}.items():
    with open(f"{name}.pkl", "wb") as f:
        pickle.dump(one, f, 4)
with open("masks.json", "w") as f:
    json.dump(masks(), f)
