"""Multi-head attention and the Transformer's encoder: they load the state_dicts of their twins in torch.

What is (B, T, D) stays so: there is no `batch_first`. A mask is True = real, may be attended.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from seqlab.attention.functional import masked_softmax, scaled_dot_product_attention
from seqlab.shapes import check_shape

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class MultiHeadAttention(nn.Module):
    """Several heads that attend side by side, each in a space of its own, :eq:`multi-head`. Vaswani et al. (2017).

    Loads the state_dict of `torch.nn.MultiheadAttention` and gives its numbers; draws the same first weights from the
    same seed. `attention(x, x)` is self-attention, :eq:`self-attention`. Here a mask is True where attention may go;
    torch's module wants the opposite, True = ignore.

    Parameters
    ----------
    embed_dim : E, of queries and output; a multiple of `num_heads`.
    num_heads : heads, each with E / heads numbers of every vector.
    dropout : probability with which each weight is dropped in training.
    bias : False leaves out all biases.
    kdim, vdim : sizes of keys and values; None for E.
    backend : "auto", "torch" or "triton", as in `seqlab.attention.scaled_dot_product_attention`, for calls that do not
        need the weights.
    """

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        kdim=None,
        vdim=None,
        device=None,
        dtype=None,
        *,
        backend="auto",
    ):
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ValueError(f"embed_dim is {embed_dim} and num_heads is {num_heads}; heads must share it evenly")
        self.embed_dim, self.num_heads, self.dropout, self.backend = embed_dim, num_heads, dropout, backend
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        made = {"device": device, "dtype": dtype}
        self.same_sizes = self.kdim == self.vdim == embed_dim
        if self.same_sizes:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim, **made))
        else:
            for name, size in {"q": embed_dim, "k": self.kdim, "v": self.vdim}.items():
                self.register_parameter(f"{name}_proj_weight", nn.Parameter(torch.empty(embed_dim, size, **made)))
        self.register_parameter("in_proj_bias", nn.Parameter(torch.zeros(3 * embed_dim, **made)) if bias else None)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, **made)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the weights of queries, keys and values as Glorot and Bengio (2010) do; set the biases to zero."""
        for weight in self._weights(whole=True):
            nn.init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                nn.init.zeros_(bias)

    def forward(self, query, keys, values=None, mask=None, *, is_causal=False, need_weights=True):
        """Attend with all heads.

        Parameters
        ----------
        query : (B, Tq, E).
        keys : (B, Tk, kdim).
        values : (B, Tk, vdim); None for the keys.
        mask : bool (B, Tk), (B, Tq, Tk) or (B, heads, Tq, Tk), True = real, may be attended; or None.
        is_causal : True lets query i see keys 0 to i alone; it goes with a mask.
        need_weights : False does without the weights, which saves their memory.

        Returns
        -------
        context : (B, Tq, E).
        weights : (B, heads, Tq, Tk) of each head, before dropout; None where they are not needed.

        Raises
        ------
        ValueError
            when a shape, a data type or a device does not fit.
        """
        values = keys if values is None else values
        B, Tq = check_shape("query", query, ("B", "Tq", self.embed_dim)).values()
        Tk = check_shape("keys", keys, (B, "Tk", self.kdim))["Tk"]
        check_shape("values", values, (B, Tk, self.vdim))
        mask = self._pairs(mask, B, Tq, Tk)
        q, k, v = (self._heads(x) for x in self._project(query, keys, values))
        dropped = self.dropout if self.training else 0.0
        causal_alone = is_causal and mask is None
        if is_causal and not (causal_alone and not need_weights):
            past = torch.ones(Tq, Tk, dtype=torch.bool, device=query.device).tril()
            mask = past if mask is None else mask & past
        if need_weights:
            weights = masked_softmax((q * q.shape[-1] ** -0.5) @ k.mT, mask)
            context = F.dropout(weights, dropped) @ v
        else:
            weights, causal = None, causal_alone
            context = scaled_dot_product_attention(q, k, v, mask, dropped, causal, backend=self.backend)
        return self.out_proj(context.transpose(1, 2).reshape(B, Tq, self.embed_dim)), weights

    def _weights(self, whole=False):
        if not self.same_sizes:
            return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        return (self.in_proj_weight,) if whole else self.in_proj_weight.chunk(3)

    def _project(self, *inputs):
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return (F.linear(x, W, b) for x, W, b in zip(inputs, self._weights(), biases, strict=True))

    def _heads(self, x):
        """(B, T, E) to (B, heads, T, E / heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _pairs(self, mask, B, Tq, Tk):
        if mask is None:
            return None
        if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
            kind = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
            raise ValueError(f"mask holds {kind}; it must be a torch tensor of bool, True where attention may go")
        every_head = (B, self.num_heads, Tq, Tk)
        shapes = {(B, Tk): (B, 1, 1, Tk), (B, Tq, Tk): (B, 1, Tq, Tk), every_head: every_head}
        if tuple(mask.shape) not in shapes:
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; it must have shape ({B}, {Tk}), ({B}, {Tq}, {Tk}) or "
                f"({B}, {self.num_heads}, {Tq}, {Tk})"
            )
        return mask.reshape(shapes[tuple(mask.shape)])


class PositionalEncoding(nn.Module):
    """Add waves to the vectors of a sequence, so that each knows its place, :eq:`positional-encoding`.

    Vaswani et al. (2017). Nothing is learned and no length is the last.

    Parameters
    ----------
    d_model : D.
    dropout : probability with which each number of the sum is dropped in training.
    """

    def __init__(self, d_model, dropout=0.0):
        super().__init__()
        self.d_model = d_model
        self.dropout = nn.Dropout(dropout)
        self._made = {}  # device and data type -> waves, as long as was ever needed

    def forward(self, x, first=0):
        """Add each vector's place.

        Parameters
        ----------
        x : (B, T, D).
        first : place of the first vector, counted from 0.

        Returns
        -------
        x : (B, T, D).

        Raises
        ------
        ValueError
            when the shape does not fit or `first` is negative.
        """
        T = check_shape("x", x, ("B", "T", self.d_model))["T"]
        if first < 0:
            raise ValueError(f"first is {first}; places are counted from 0")
        waves = self._made.get((x.device, x.dtype), ())
        if first + T > len(waves):
            waves = _waves(2 * (first + T), self.d_model).to(x.dtype).to(x.device)
            self._made[x.device, x.dtype] = waves
        return self.dropout(x + waves[first : first + T])


class TransformerEncoderLayer(nn.Module):
    """Self-attention, then two linear layers, each around a shortcut and with a normalisation, :eq:`transformer-layer`.

    Loads the state_dict of `torch.nn.TransformerEncoderLayer` and gives its numbers; draws the same first weights from
    the same seed. It takes (B, T, D), and a mask that is True where a step is real: torch's `src_key_padding_mask` is
    the opposite, `~mask`.

    Parameters
    ----------
    d_model : D, a multiple of `nhead`.
    nhead : heads of the self-attention.
    dim_feedforward : units between the two linear layers.
    dropout : probability, in training, of each weight, each unit between the linear layers and each number of what
        either part adds.
    activation : "relu" or "gelu", between the linear layers.
    layer_norm_eps : what is added to a variance, :eq:`layer-norm`.
    norm_first : False normalises after each sum, as the paper; True before each part, which trains without a warm-up
        (Xiong et al. 2020).
    bias : False leaves out all biases.
    backend : "auto", "torch" or "triton", as in `seqlab.attention.scaled_dot_product_attention`.
    """

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation="relu",
        layer_norm_eps=1e-5,
        *,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
        backend="auto",
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}; it must be 'relu' or 'gelu'")
        made = {"device": device, "dtype": dtype}
        self.activation, self.norm_first = activation, norm_first
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout, bias, **made, backend=backend)
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias=bias, **made)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias=bias, **made)
        self.norm1 = nn.LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
        self.norm2 = nn.LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None, *, is_causal=False):
        """Run the layer.

        Parameters
        ----------
        x : (B, T, D).
        mask : bool (B, T), (B, T, T) or (B, heads, T, T), True = real, may be attended; or None.
        is_causal : True lets step i see steps 0 to i alone; it goes with a mask.

        Returns
        -------
        x : (B, T, D). What stands at padding is finite and means nothing.

        Raises
        ------
        ValueError
            when a shape, a data type or a device does not fit.
        """
        if self.norm_first:
            x = x + self._attend(self.norm1(x), mask, is_causal)
            return x + self._think(self.norm2(x))
        x = self.norm1(x + self._attend(x, mask, is_causal))
        return self.norm2(x + self._think(x))

    def attention_weights(self, x, mask=None, *, is_causal=False):
        """Give the weights of every head, (B, heads, T, T), for the arguments of `forward`."""
        seen = self.norm1(x) if self.norm_first else x
        return self.self_attn(seen, seen, mask=mask, is_causal=is_causal)[1]

    def _attend(self, x, mask, is_causal):
        return self.dropout(self.self_attn(x, x, mask=mask, is_causal=is_causal, need_weights=False)[0])

    def _think(self, x):
        return self.dropout(self.linear2(self.dropout(ACTIVATIONS[self.activation](self.linear1(x)))))


class TransformerEncoder(nn.Module):
    """A stack of encoder layers, each a copy of one that is given, :eq:`transformer-layer`.

    Loads the state_dict of `torch.nn.TransformerEncoder` and gives its numbers.

    Parameters
    ----------
    encoder_layer : a `TransformerEncoderLayer`; as in torch, all copies start with its weights.
    num_layers : copies, at least 1.
    norm : what comes last, `nn.LayerNorm(D)` with layers that normalise first; None for nothing.
    """

    def __init__(self, encoder_layer, num_layers, norm=None):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers is {num_layers}; it must be at least 1")
        self.layers = nn.ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.norm = norm

    def forward(self, x, mask=None, *, is_causal=False):
        """Run all layers.

        Parameters
        ----------
        x, mask, is_causal : as in `TransformerEncoderLayer`.

        Returns
        -------
        x : (B, T, D).

        Raises
        ------
        ValueError
            when a shape, a data type or a device does not fit.
        """
        for layer in self.layers:
            x = layer(x, mask, is_causal=is_causal)
        return x if self.norm is None else self.norm(x)


def _waves(T, D):
    """(T, D) waves, as `seqlab.attention.reference.positional_encoding`, in float64."""
    number = torch.arange(D)
    angle = torch.arange(T, dtype=torch.float64)[:, None] / 10000 ** (2 * (number // 2).double() / D)
    return torch.where(number % 2 == 0, angle.sin(), angle.cos())
