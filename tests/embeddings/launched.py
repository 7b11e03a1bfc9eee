"""What the tests of the kernels share: tables, and the truth as float64 loops, one window after another."""

import numpy as np
import torch
import triton

from seqlab.kernels import interpreting

DEVICE = "cpu" if interpreting() else "cuda"
ONE_BY_ONE = {"programs": 1}  # windows follow each other, as the loops do, on a GPU too


def table(V, D, seed, spread=0.5):
    return np.random.default_rng(seed).normal(size=(V, D)) * spread


def tensor(array, dtype=None):
    dtype = dtype or (torch.float32 if np.asarray(array).dtype.kind == "f" else torch.int64)
    return torch.tensor(np.asarray(array), dtype=dtype, device=DEVICE)


def errors(have, before, want):
    """Relative error of each table's change: what a step adds, not what was there."""
    changes = [(h.double().cpu().numpy() - b, w - b) for h, b, w in zip(have, before, want, strict=True)]
    return [np.linalg.norm(h - w) / max(np.linalg.norm(w), 1e-30) for h, w in changes]


def form(monkeypatch, kernel, rows):
    """Let a kernel hold `rows` rows at a time."""
    monkeypatch.setattr(kernel, "configs", [triton.Config({"ROWS": rows})])


def sigmoid(s):
    return (1 + np.tanh(s / 2)) / 2


def pairs_step(h, outputs, lr):
    """Loss of one input vector against (row, label, times) outputs; its gradient, and each row's change."""
    loss, dh, changes = 0.0, np.zeros_like(h), []
    for row, label, times in outputs:
        s = float(h @ row)
        loss += times * np.logaddexp(0, -s if label else s)
        g = times * (sigmoid(s) - label)
        dh += g * row
        changes.append(-lr * g * h)
    return loss, dh, changes


def sgns(E, O, centre, contexts, negatives, lr):
    """Windows one after another; each changes its rows when all have been read."""
    E, O, loss = E.copy(), O.copy(), 0.0
    for word, near, noise in zip(centre, contexts, negatives, strict=True):
        near = [c for c in near if c >= 0]
        if word < 0 or not near:
            continue
        ids = [*near, *noise]
        outputs = [(O[c].copy(), 1, 1) for c in near] + [(O[k].copy(), 0, len(near)) for k in noise]
        here, de, changes = pairs_step(E[word].copy(), outputs, lr)
        for row, change in zip(ids, changes, strict=True):
            O[row] += change
        E[word] -= lr * de
        loss += here
    return loss, E, O


def cbow(E, O, contexts, target, negatives, lr):
    E, O, loss = E.copy(), O.copy(), 0.0
    for near, word, noise in zip(contexts, target, negatives, strict=True):
        if word < 0:
            continue
        outputs = [(O[word].copy(), 1, 1)] + [(O[k].copy(), 0, 1) for k in noise]
        loss += _from_mean(E, O, near, [word, *noise], outputs, lr)
    return loss, E, O


def _from_mean(E, rows, near, ids, outputs, lr):
    near = [c for c in near if c >= 0]
    h = sum(E[c] for c in near) / len(near) if near else np.zeros(E.shape[1])
    loss, dh, changes = pairs_step(h, outputs, lr)
    for row, change in zip(ids, changes, strict=True):
        rows[row] += change
    for c in near:
        E[c] -= lr * dh / len(near)
    return loss


def _way(N, nodes, bits, word):
    """The (row, label, times) of the way to a word, and its nodes: bit 0 is the label 1."""
    ids = [n for n in nodes[word] if n >= 0]
    return ids, [(N[n].copy(), 1 - bit, 1) for n, bit in zip(ids, bits[word], strict=False)]


def skipgram_hierarchical(E, N, centre, contexts, nodes, bits, lr):
    E, N, loss = E.copy(), N.copy(), 0.0
    for word, near in zip(centre, contexts, strict=True):
        if word < 0:
            continue
        ways = [_way(N, nodes, bits, c) for c in near if c >= 0]
        here, de, changes = pairs_step(E[word].copy(), [o for _, outputs in ways for o in outputs], lr)
        for row, change in zip([n for ids, _ in ways for n in ids], changes, strict=True):
            N[row] += change
        E[word] -= lr * de
        loss += here
    return loss, E, N


def cbow_hierarchical(E, N, contexts, target, nodes, bits, lr):
    E, N, loss = E.copy(), N.copy(), 0.0
    for near, word in zip(contexts, target, strict=True):
        if word >= 0:
            ids, outputs = _way(N, nodes, bits, word)
            loss += _from_mean(E, N, near, ids, outputs, lr)
    return loss, E, N
