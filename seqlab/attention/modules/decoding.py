"""What a recurrent decoder looks at its source with: the notes' two layers, Bahdanau's, Luong's, and over a picture."""

import torch
from torch import nn

from seqlab.attention.functional import additive_attention, dot_attention, local_weights, masked_softmax
from seqlab.shapes import check_shape, check_whole

SCORES = ("dot", "scaled", "bilinear", "additive")


class AttentionWeight(nn.Module):
    """Compare one state of the decoder with every state of the encoder: the notes' first layer, :eq:`dot-score`."""

    def forward(self, hs, h, mask=None):
        """Weigh the states.

        Parameters
        ----------
        hs : (B, T, H) states of the encoder.
        h : (B, H) one state of the decoder.
        mask : bool (B, T), True = real; or None.

        Returns
        -------
        a : (B, T) weights, :eq:`attention-weights`.

        Raises
        ------
        ValueError
            when a shape or a data type does not fit.
        """
        B, T, H = check_shape("hs", hs, ("B", "T", "H")).values()
        check_shape("h", h, (B, H))
        if mask is not None:
            check_shape("mask", mask, (B, T))
        return masked_softmax((hs * h[:, None]).sum(2), mask)


class WeightedSum(nn.Module):
    """Mix the encoder's states by their weights: the notes' second layer, :eq:`context-vector`."""

    def forward(self, hs, a):
        """Sum the states.

        Parameters
        ----------
        hs : (B, T, H) states of the encoder.
        a : (B, T) weights.

        Returns
        -------
        c : (B, H) context.

        Raises
        ------
        ValueError
            when a shape does not fit.
        """
        B, T, _ = check_shape("hs", hs, ("B", "T", "H")).values()
        check_shape("a", a, (B, T))
        return (hs * a[:, :, None]).sum(1)


class _Looking(nn.Module):
    """Shared by what looks: a query (B, Dq) is one of (B, 1, Dq), and the values are the keys where none are given."""

    def __init__(self, query_size, key_size, backend):
        super().__init__()
        for name, size in {"query_size": query_size, "key_size": key_size}.items():
            check_whole(name, size)
        self.query_size, self.key_size, self.backend = query_size, key_size, backend

    def forward(self, query, keys, values=None, mask=None, **options):
        """Look with every query at all keys.

        Parameters
        ----------
        query : (B, Tq, query_size), or (B, query_size) for one query each.
        keys : (B, Tk, key_size).
        values : (B, Tk, Dv) what is summed; None for the keys.
        mask : bool (B, Tk) or (B, Tq, Tk), True = real, may be attended; or None.
        options : of the class.

        Returns
        -------
        context : (B, Tq, Dv), or (B, Dv) for one query each; zeros where a query may attend to nothing.
        weights : (B, Tq, Tk), or (B, Tk).

        Raises
        ------
        ValueError
            when a shape, a data type or a device does not fit.
        """
        single = query.ndim == 2
        if single:
            check_shape("query", query, ("B", self.query_size))
            query = query[:, None]
        B = check_shape("query", query, ("B", "Tq", self.query_size))["B"]
        check_shape("keys", keys, (B, "Tk", self.key_size))
        context, weights = self._look(query, keys, keys if values is None else values, mask, **options)
        return (context[:, 0], weights[:, 0]) if single else (context, weights)


class BahdanauAttention(_Looking):
    """Additive attention: a hidden layer sees the query and a key, :eq:`additive-score`. Bahdanau et al. (2015).

    Parameters
    ----------
    query_size : of the decoder's state.
    key_size : of the encoder's states, both directions together.
    hidden : units of the hidden layer.
    backend : "auto", "torch" or "triton", as in `seqlab.attention.additive_attention`.

    Notes
    -----
    `attention(query, keys, projected=attention.project(keys))` multiplies the keys with W_k once for many queries that
    come one by one.
    """

    def __init__(self, query_size, key_size, hidden, *, backend="auto"):
        super().__init__(query_size, key_size, backend)
        check_whole("hidden", hidden)
        self.W_q = nn.Linear(query_size, hidden, bias=False)
        self.W_k = nn.Linear(key_size, hidden, bias=False)
        self.v = nn.Parameter(_uniform(hidden))

    def project(self, keys):
        """Multiply keys (B, Tk, key_size) with W_k: (B, Tk, hidden)."""
        return self.W_k(keys)

    def _look(self, query, keys, values, mask, projected=None):
        projected = self.W_k(keys) if projected is None else projected
        return additive_attention(self.W_q(query), projected, values, self.v, mask, backend=self.backend)


class LuongAttention(_Looking):
    """Attention by a score of choice, over the whole source or near one place of it. Luong et al. (2015).

    Parameters
    ----------
    query_size : of the decoder's state.
    key_size : of the encoder's states; the scores "dot" and "scaled" need it to be `query_size`.
    score : "dot" :eq:`dot-score`, "scaled" :eq:`scaled-dot-score`, "bilinear" :eq:`bilinear-score` (Luong's general) or
        "additive" :eq:`additive-score` (Luong's concat).
    local : None looks everywhere. "monotonic" looks around the query's own step, "predictive" around a place that it
        learns to predict, with weights that fall off as a Gaussian: Luong's local-m and local-p, :eq:`local-attention`.
    window : how far a local form looks, both ways, in source steps; Luong et al. write D.
    hidden : units of the hidden layers of the additive score and of the predicted place; None for `query_size`.
    backend : "auto", "torch" or "triton" for the additive score over the whole source.

    Notes
    -----
    With "monotonic", query i of a call stands at step i; a decoder that sends one query at a time says where it is:
    ``attention(query, keys, first=t)``. With "predictive", padding comes behind the real steps, as `seqlab.text.pad`
    puts it.
    """

    def __init__(self, query_size, key_size, score="dot", local=None, window=10, *, hidden=None, backend="auto"):
        super().__init__(query_size, key_size, backend)
        if score not in SCORES:
            raise ValueError(f"score is {score!r}; it must be one of {', '.join(map(repr, SCORES))}")
        if local not in (None, "monotonic", "predictive"):
            raise ValueError(f"local is {local!r}; it must be None, 'monotonic' or 'predictive'")
        if score in ("dot", "scaled") and query_size != key_size:
            raise ValueError(
                f"score is {score!r} with query_size {query_size} and key_size {key_size}, which must be the same: "
                "choose 'bilinear' or 'additive'"
            )
        if not window > 0:
            raise ValueError(f"window is {window}; it must be a positive number of source steps")
        hidden = query_size if hidden is None else hidden
        check_whole("hidden", hidden)
        self.score, self.local, self.window = score, local, window
        self.scale = query_size**-0.5 if score == "scaled" else 1.0
        if score == "bilinear":
            self.W = nn.Linear(key_size, query_size, bias=False)  # rows of W: the query's numbers
        if score == "additive":
            self.W_q = nn.Linear(query_size, hidden, bias=False)
            self.W_k = nn.Linear(key_size, hidden, bias=False)
            self.v = nn.Parameter(_uniform(hidden))
        if local == "predictive":
            self.W_p = nn.Linear(query_size, hidden, bias=False)
            self.v_p = nn.Parameter(_uniform(hidden))

    def places(self, query, mask=None, *, size=None, first=0):
        """Say where in the source each query of a local form looks.

        Parameters
        ----------
        query : (B, Tq, query_size).
        mask : bool (B, Tk) or (B, Tq, Tk), True = real; or None when all `size` steps are.
        size : steps of the source; needed without a mask in the form "predictive".
        first : step of the first query, in the form "monotonic".

        Returns
        -------
        p : (B, Tq), counted from 0.

        Raises
        ------
        ValueError
            when this attention is not local, or neither a mask nor a size was given.
        """
        B, Tq, _ = query.shape
        if self.local is None:
            raise ValueError("this attention looks everywhere; make it with local='monotonic' or local='predictive'")
        if self.local == "monotonic":
            steps = torch.arange(first, first + Tq, device=query.device, dtype=query.dtype)
            return steps.expand(B, Tq)
        if mask is None and size is None:
            raise ValueError("size is None and there is no mask; give one of them, to say how long the source is")
        length = size if mask is None else mask.sum(-1) if mask.ndim == 3 else mask.sum(-1)[:, None]
        return length * torch.sigmoid(torch.tanh(self.W_p(query)) @ self.v_p)

    def _look(self, query, keys, values, mask, first=0):
        if self.local is None and self.score == "additive":
            return additive_attention(self.W_q(query), self.W_k(keys), values, self.v, mask, backend=self.backend)
        if self.local is None:
            return dot_attention(query, self._keys(keys), values, mask, self.scale)
        p = self.places(query, mask, size=keys.shape[1], first=first)
        weights = local_weights(self._scores(query, keys), p, self.window, self.local == "predictive", mask)
        return weights @ values, weights

    def _keys(self, keys):
        return self.W(keys) if self.score == "bilinear" else keys

    def _scores(self, query, keys):
        if self.score == "additive":
            return torch.tanh(self.W_q(query)[:, :, None] + self.W_k(keys)[:, None]) @ self.v
        return (query * self.scale) @ self._keys(keys).mT


class VisualAttention(_Looking):
    """Look at a picture while writing about it: additive attention over its places, and a gate, :eq:`visual-attention`.

    The soft form of Xu et al. (2015). The gate beta = sigmoid(W_beta query + b), one number for each query, lets a
    decoder look less when the next word does not need the picture.

    Parameters
    ----------
    query_size : of the decoder's state.
    key_size : features of each place, the channels of a convolutional network.
    hidden : units of the hidden layer.
    gate : False leaves the gate out.
    backend : "auto", "torch" or "triton", as in `seqlab.attention.additive_attention`.

    Notes
    -----
    A grid of features (B, D, height, width) becomes keys (B, P, D) by ``grid.flatten(2).mT``; weights (B, P) become a
    map by ``weights.unflatten(-1, (height, width))``. The weights sum to one whatever the gate says.
    """

    def __init__(self, query_size, key_size, hidden, *, gate=True, backend="auto"):
        super().__init__(query_size, key_size, backend)
        self.attention = BahdanauAttention(query_size, key_size, hidden, backend=backend)
        self.gate = nn.Linear(query_size, 1) if gate else None

    def project(self, keys):
        """Multiply keys (B, P, key_size) with W_k, once for all words: (B, P, hidden)."""
        return self.attention.project(keys)

    def openness(self, query):
        """How much of the picture the gate lets through, beta (..., 1), for queries (..., query_size)."""
        return query.new_ones(*query.shape[:-1], 1) if self.gate is None else torch.sigmoid(self.gate(query))

    def _look(self, query, keys, values, mask, projected=None):
        context, weights = self.attention(query, keys, values, mask, projected=projected)
        return (context if self.gate is None else self.openness(query) * context), weights

    @staticmethod
    def doubly_stochastic_loss(weights, real=None):
        """Ask that over all words every place is looked at about once: the mean over B of sum_p (1 - sum_t a_tp)^2.

        Parameters
        ----------
        weights : (B, Ty, P) of all words.
        real : bool (B, Ty), True = a real word; or None.

        Returns
        -------
        loss : a 0-d tensor, 0 when every place's weights sum to one.

        Raises
        ------
        ValueError
            when a shape does not fit.
        """
        B, Ty, _ = check_shape("weights", weights, ("B", "Ty", "P")).values()
        if real is not None:
            check_shape("real", real, (B, Ty))
            weights = weights * real[:, :, None]
        return ((1 - weights.sum(1)) ** 2).sum(1).mean()


def _uniform(size):
    """As `nn.Linear` draws its weights: uniform, up to 1 / sqrt(size)."""
    return torch.empty(size).uniform_(-(size**-0.5), size**-0.5)
