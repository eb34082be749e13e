#!/usr/bin/env python3
"""What transformers' BertModel computes: last hidden states, and the gradient of Σ w·hidden with respect to parameters.

usage: make_bert.py tiny
           writes tiny_bert/: a small random BERT in both file formats, the second with the prefix and the norms' names of the first
           releases, and golden.json
       make_bert.py MODEL_DIR FEATURES.pkl OUT
           writes OUT/golden.safetensors of a real model on 20 utterances of a feature file, for
           RECAP_BERT=MODEL_DIR RECAP_BERT_GOLDEN=OUT/golden.safetensors go test ./nn -run Pretrained

needs torch, transformers, safetensors, numpy"""
import json, os, pickle, sys
import numpy as np, torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

UNK, PAD = 100, 0


def run(model, ids, mask, types):
    """hidden states, weighted loss w = sin(1.7 i), gradients; in double precision, padding's states not in the loss"""
    model = model.double().eval()
    hidden = model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
    w = torch.sin(1.7 * torch.arange(hidden.numel(), dtype=torch.float64)).reshape(hidden.shape) * mask[..., None]
    (w * hidden).sum().backward()
    return hidden.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def tiny(dir):
    torch.manual_seed(1)
    c = BertConfig(vocab_size=19, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20, max_position_embeddings=9)
    m = BertModel(c)
    for n, p in m.named_parameters():  # norms and biases are not 1 and 0 in a trained model
        p.data = p.data + 0.3 * torch.randn_like(p)
    for sub in ["safe", "old"]:
        os.makedirs(f"{dir}/{sub}", exist_ok=True)
        json.dump(c.to_dict(), open(f"{dir}/{sub}/config.json", "w"), indent=1, sort_keys=True)
    save_file({n: t.contiguous() for n, t in m.state_dict().items()}, f"{dir}/safe/model.safetensors", metadata={"format": "pt"})
    old = {"bert." + n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t for n, t in m.state_dict().items()}
    torch.save(old | {"cls.predictions.bias": torch.zeros(19)}, f"{dir}/old/pytorch_model.bin")
    ids = torch.tensor([[1, 5, 7, 18, 2, 0, 0], [1, 3, 3, 11, 4, 9, 2]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0], [1] * 7])
    types = torch.tensor([[0, 0, 0, 1, 1, 0, 0], [0] * 7])
    hidden, grads = run(m, ids, mask, types)
    grads = {n: g.flatten().tolist() for n, g in grads.items()}
    json.dump({"IDs": ids.flatten().tolist(), "Mask": mask.flatten().tolist(), "Types": types.flatten().tolist(), "Shape": list(ids.shape),
               "Hidden": hidden.flatten().tolist(), "Grads": grads}, open(f"{dir}/golden.json", "w"))


def real(dir, features, out):
    text = pickle.load(open(features, "rb"))["test"]["text_bert"]
    x = torch.tensor(np.array(text[:20]).astype(np.int64))
    ids, mask, types = x[:, 0].clone(), x[:, 1], x[:, 2]
    for i in range(len(ids)):  # holes: every third word of every second utterance
        n = int(mask[i].sum())
        if i % 2:
            ids[i, 2 : n - 1 : 3] = UNK
    model = BertModel.from_pretrained(dir)
    last = model.config.num_hidden_layers - 1
    hidden, grads = run(model, ids, mask, types)
    keep = {n: g for n, g in grads.items() if n.startswith("embeddings.") or n.startswith(f"encoder.layer.{last}.")}
    os.makedirs(out, exist_ok=True)
    tensors = {"ids": ids, "mask": mask, "types": types, "hidden": hidden} | {"grad." + n: g for n, g in keep.items()}
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, f"{out}/golden.safetensors")


if sys.argv[1] == "tiny":
    tiny(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny_bert"))
else:
    real(*sys.argv[1:4])
