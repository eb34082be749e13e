"""Writes lstm.json and gru.json: what PyTorch's LSTM and GRU compute of packed sequences, in double precision.

    pip install torch && python make_recurrent.py

Two layers, both directions, batch_first. The input and the k-th parameter are noise, which the Go test computes too; the loss is
Σ noise·output + Σ noise·final hidden states.
"""

import json
import math
import pathlib

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)

IN, HIDDEN, STEPS, LENGTHS = 3, 5, 7, [4, 7, 1, 6]


def noise(number, *shape):
    """A tensor of numbers in [-1/2, 1/2): a hash of the tensor's number and the element's."""
    n = math.prod(shape)
    h = (number * 0x9E3779B1 + torch.arange(n) * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) / 2**32 - 0.5).reshape(shape)


def write(kind):
    model = getattr(torch.nn, kind)(IN, HIDDEN, num_layers=2, bidirectional=True, batch_first=True)
    params = dict(model.named_parameters())
    for k, p in enumerate(params.values()):
        p.data = noise(k, *p.shape)
    x = noise(100, len(LENGTHS), STEPS, IN).requires_grad_()
    packed, final = model(pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False))
    if kind == "LSTM":
        final = final[0]
    y, _ = pad_packed_sequence(packed, batch_first=True, total_length=STEPS)
    ((noise(200, *y.shape) * y).sum() + (noise(300, *final.shape) * final).sum()).backward()

    result = {"lengths": LENGTHS, "params": [[name, list(p.shape)] for name, p in params.items()]}
    result |= {"y": y.flatten().tolist(), "final": final.flatten().tolist(), "x": x.grad.flatten().tolist()}
    result["grads"] = [p.grad.flatten().tolist() for p in params.values()]
    text = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in result.items())
    pathlib.Path(__file__).with_name(kind.lower() + ".json").write_text("{\n" + text + "\n}\n")


write("LSTM")
write("GRU")
