#!/usr/bin/env python3
"""Makes the files of tensors that the tests read, and what is in them (expected.json).

needs torch and safetensors; usage: make.py"""
import collections, json, os
import torch
from safetensors.torch import save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
base = (torch.arange(24, dtype=torch.float64) * 37 % 17 - 8) / 4
state = collections.OrderedDict()
for name in ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"]:
    state[name] = base.to(getattr(torch, name)).reshape(2, 3, 4)
state["uint8"] = torch.arange(5, dtype=torch.uint8)
state["bool"] = torch.tensor([True, False, True])
state["scalar"] = torch.tensor(2.5)
state["empty"] = torch.zeros(0, 3)
safe = {k: v.clone() for k, v in state.items()}
state["transposed"] = base.float().reshape(4, 6).t()
state["slice"] = base.float().reshape(4, 6)[1:3, 2:5]
state["parameter"] = torch.nn.Parameter(base.float()[:6].reshape(2, 3))
torch.save(state, "state.pth")
torch.save({"epoch": 3, "loss": 0.25, "state_dict": torch.nn.Linear(2, 1).state_dict() | {"x": state["slice"]}, "note": "nested", "none": None,
            "device": torch.device("cpu"), "dtype": torch.float16, "shape": torch.Size([1, 2])}, "nested.pth")
torch.save(state, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(2, 1), "module.pth")
save_file(safe, "safe.safetensors", metadata={"format": "pt"})
json.dump({k: {"shape": list(v.shape), "values": v.double().flatten().tolist()} for k, v in state.items()}, open("expected.json", "w"))
print(torch.__version__, {f: os.path.getsize(f) for f in sorted(os.listdir("."))})
