"""Models small enough to be searched whole: a random tree, and a recurrent one that attends to its sources."""

from functools import cache

import numpy as np
import torch

from seqlab.decode import reference, states

BOS, EOS = 9, 0
POWER, GNMT = "power", "gnmt"
PENALTIES = [(0.0, POWER), (0.7, POWER), (1.0, GNMT), (2.0, GNMT)]


def tree(seed, V, concentration=0.6):
    """A distribution over V words after every beginning, all different and drawn at random."""

    @cache
    def distribution(prefix):
        p = np.random.default_rng([seed, *(word + 1 for word in prefix)]).dirichlet(np.full(V, concentration))
        return p / p.sum()

    return distribution


def in_numpy(distribution):
    """The step and the first state for `seqlab.decode.reference`."""
    return reference.prefix_step(distribution), np.zeros((1, 0), int)


def in_torch(distribution, B=1):
    """The step and the first state of B equal sentences for torch."""
    return states.prefix_step(distribution), torch.zeros(B, 0, dtype=torch.int64)


class Recurrent:
    """A decoder with attention and random weights in float64; its state is a nest, with padding and a mask."""

    def __init__(self, V=5, H=4, seed=0, mask=True):
        rng = np.random.default_rng(seed)
        self.embed, self.hidden, self.out = (torch.tensor(rng.normal(size=s) * 1.5) for s in ((10, H), (H, H), (H, V)))
        self.mask = mask

    def start(self, sources):
        """Sources, lists of ids of any length -> the state."""
        T = max(map(len, sources))
        ids = torch.tensor([[*s, *[0] * (T - len(s))] for s in sources])
        mask = torch.arange(T) < torch.tensor([[len(s)] for s in sources])
        keys = self.embed[ids]
        h = (keys * mask[..., None]).sum(1).tanh()
        return {"cell": [(h, None)], "keys": keys, "seen": mask} | ({"mask": mask} if self.mask else {})

    def step(self, tokens, state):
        """One step: the usual contract."""
        h = torch.tanh(state["cell"][0][0] @ self.hidden + self.embed[tokens])
        fit = torch.einsum("nd,ntd->nt", h, state["keys"]).masked_fill(~state["seen"], -torch.inf)
        weights = fit.softmax(-1)
        context = torch.einsum("nt,ntd->nd", weights, state["keys"])
        return (h + context) @ self.out, state | {"cell": [(h, None)], "weights": weights}
