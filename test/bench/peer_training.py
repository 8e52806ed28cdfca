"""The model of test/bench/training.ts as one would write it in PyTorch: the peer that our training step is timed against.

Usage: peer_training.py FOLDER THREADS. The folder holds `problem.json` and flat little-endian float32 files, written by
training.ts. Each line of standard input is `<hidden set> <steps>`; the answer is a line of JSON with the loss, the norm
of the gradient, and the wall and CPU seconds of all steps. A step is forward and backward, without an optimizer.

It is given the formulations that we use ourselves, where PyTorch has them: one product for q, k and v, two-dimensional
products, the last block only for the row that is read, and fused attention where this version of PyTorch has it.
"""

import json
import math
import os
import sys
import time

import torch
from torch.nn import functional as F

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)


def floats(name, shape):
    path = os.path.join(folder, name + ".f32")
    size = math.prod(shape)
    return torch.from_file(path, shared=False, size=size, dtype=torch.float32).reshape(shape).clone()


with open(os.path.join(folder, "problem.json"), encoding="utf-8") as file:
    problem = json.load(file)

B, S, D, L, H = (problem[key] for key in ("batch", "slots", "width", "layers", "heads"))
G, FEATURES, C = problem["groups"], problem["features"], problem["labels"]
T = S // G
K = S + 1

flat = floats("weights", [problem["weights"]])
W = {}
for spec in problem["parameters"]:
    part = flat[spec["offset"] : spec["offset"] + spec["size"]].reshape(spec["shape"])
    W[spec["name"]] = part.clone().requires_grad_(True)

x = floats("features", [G, B * T, FEATURES])
positive, negative = floats("positive", [B, C]), floats("negative", [B, C])
bias = [-1e9 * floats(f"hidden{i}", [B, 1, 1, K]) for i in range(problem["hiddenSets"])]


def linear(rows, name):
    return torch.addmm(W[name + ".bias"], rows, W[name + ".weight"])


def norm(rows, name):
    return F.layer_norm(rows, [D], W[name + ".scale"], W[name + ".shift"], 1e-5)


def heads(rows, places):
    return rows.view(B, places, H, D // H).transpose(1, 2)


def attend(q, k, v, key_bias):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=key_bias)
    scores = torch.matmul(q, k.transpose(2, 3)) * (1 / math.sqrt(D // H)) + key_bias
    return torch.matmul(torch.softmax(scores, -1), v)


def block(rows, name, key_bias, last):
    h = norm(rows, name + ".attention.norm")
    own, places = rows, K
    if last:
        weight, shift = W[name + ".attention.qkv.weight"], W[name + ".attention.qkv.bias"]
        own, places = rows.view(B, K, D)[:, 0], 1
        q = torch.addmm(shift[:D], h.view(B, K, D)[:, 0], weight[:, :D])
        k, v = torch.addmm(shift[D:], h, weight[:, D:]).chunk(2, 1)
    else:
        q, k, v = linear(h, name + ".attention.qkv").chunk(3, 1)
    mixed = attend(heads(q, places), heads(k, K), heads(v, K), key_bias).transpose(1, 2).reshape(B * places, D)
    own = own + linear(mixed, name + ".attention.out")
    inner = F.gelu(linear(norm(own, name + ".feed.norm"), name + ".feed.in"))
    return own + linear(inner, name + ".feed.out")


def loss_of(key_bias):
    embedded = torch.baddbmm(W["embed.tokens.bias"], x, W["embed.tokens.weight"])
    tokens = embedded.view(G, B, T, D).permute(1, 0, 2, 3).reshape(B, S, D)
    identity = W["identity"]
    rows = torch.cat([identity[S].expand(B, 1, D), tokens + identity[:S]], 1).reshape(B * K, D)
    for i in range(L):
        rows = block(rows, f"layer.{i}", key_bias, i == L - 1)
    z = linear(torch.relu(norm(rows, "head.norm")), "head")
    return (positive * F.softplus(-z) + negative * F.softplus(z)).mean()


def step(hidden_set):
    for parameter in W.values():
        parameter.grad = None
    loss = loss_of(bias[hidden_set])
    loss.backward()
    return loss


def linked_blas():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        found = {os.path.basename(line.split()[-1]) for line in maps if "blas" in line or "mkl" in line}
    return sorted(found) or ["unknown"]


print(json.dumps({"torch": torch.__version__, "blas": linked_blas(), "threads": torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    hidden_set, steps = (int(word) for word in line.split())
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        loss = step(hidden_set)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    squares = sum(parameter.grad.double().square().sum().item() for parameter in W.values())
    answer = {"loss": loss.item(), "gradientNorm": math.sqrt(squares), "wallMs": wall * 1e3, "cpuMs": cpu * 1e3}
    print(json.dumps(answer), flush=True)
