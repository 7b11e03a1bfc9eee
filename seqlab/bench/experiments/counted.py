"""The experiments that the traffic counter decides: one function each, named after its experiment.

Each gives (outcome, parts): the number that was predicted, and those that it was made of. Needs a process that
interprets, TRITON_INTERPRET=1.
"""

import torch
import torch.nn.functional as F

from seqlab.kernels import count


def _scores(B=8, V=512):
    return torch.randn(B, V, generator=torch.Generator().manual_seed(0))


def fused_cross_entropy():
    """Loss and gradient of the same scores by torch's functions, and by our kernel."""
    from seqlab.lm import cross_entropy

    z, y = _scores().requires_grad_(), torch.arange(8) * 60
    ways = {
        "torch's functions": lambda: torch.autograd.grad(F.cross_entropy(z, y), z),
        "one kernel": lambda: torch.autograd.grad(cross_entropy(z, y, backend="triton"), z),
    }
    return _ratio({name: count(way).total for name, way in ways.items()})


def _ratio(parts):
    first, second = parts.values()
    return first / second, parts


def softmax_in_passes():
    """Four kernels that go through memory, and one."""
    from seqlab.lm.kernels import softmax_passes, softmax_row

    z = _scores()
    return _ratio({"four kernels": count(softmax_passes, z).moved, "one kernel": count(softmax_row, z).moved})


def softmax_online():
    """A row in parts, and a row held whole."""
    from seqlab.lm.kernels import softmax_online, softmax_row

    z = _scores()
    return _ratio({"in parts": count(softmax_online, z, block=64).moved, "whole": count(softmax_row, z).moved})


def _heads(*more):
    """Query, key, value and what else is asked for: 128 rows of 16 numbers."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 1, 128, 16, generator=generator) for _ in ("query", "key", "value", *more)]


def flash_tile():
    """The forward pass with 32 and with 64 queries of a program."""
    from seqlab.attention.kernels import flash, flash_tiles

    query, key, value = _heads()
    T, D = query.shape[-2:]
    constants = flash.plan(D, D, query.dtype)

    def attend(rows):
        out, (shift, bits) = torch.empty_like(query), torch.empty(2, 1, 1, T)
        strides = flash._strides(query, key, value)
        sizes = (*strides, 0, 0, 0, 0, T, T, D**-0.5)  # and no mask
        flash_tiles.forward.fn[(-(-T // rows),)](
            *(query, key, value, query, out, shift, bits), *sizes, **constants, ROWS=rows, KEYS=32
        )
        return out, shift, bits

    return _ratio({f"{rows} queries": count(attend, rows).moved for rows in (32, 64)})


def shared_negatives():
    """Windows of 8 contexts that share 5 negatives, and every pair with 5 negatives of its own."""
    from seqlab.embeddings.kernels import sgns_step

    W, C, K, D, V = 3, 8, 5, 32, 60
    generator = torch.Generator().manual_seed(0)
    centre, contexts, noise = (torch.randint(V, size, generator=generator) for size in ((W,), (W, C), (W * C, K)))
    tables = [torch.randn(V, D, generator=generator) for _ in "EO"]
    pairs = (centre.repeat_interleave(C), contexts.reshape(-1, 1), noise)
    own = count(sgns_step, *tables, *pairs, 1e-3).moved
    return _ratio(
        {"of each pair's own": own, "shared": count(sgns_step, *tables, centre, contexts, noise[:W], 1e-3).moved}
    )


def _ctc(T, B, L, gradient):
    """Bytes that the first kernel of the loss stores."""
    from seqlab.ctc.kernels import losses

    log_probs = torch.randn(T, B, 40, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    log_probs.requires_grad_(gradient)
    targets = 1 + torch.arange(B * L).view(B, L) % 39
    traffic = count(losses, log_probs, targets, torch.full((B,), T), torch.full((B,), L))
    return sum(launch.stored for launch in traffic.launches if launch.kind == "kernel")


def ctc_states():
    """The loss alone, of few frames and of many."""
    B, L = 2, 5
    parts = {f"{T} frames": _ctc(T, B, L, gradient=False) / B for T in (12, 24)}
    return parts["24 frames"], parts


def ctc_states_kept():
    """The loss with what its gradient needs; two lengths tell what a frame stores from what a sequence does."""
    B, L, short, long = 1, 31, 36, 48
    parts = {f"{T} frames": _ctc(T, B, L, gradient=True) for T in (short, long)}
    first, second = parts.values()
    return (second - first) / ((long - short) * L * B), parts


def keeping_activations():
    """The forward kernel of an LSTM, with and without a gradient wanted."""
    from seqlab.recurrent.kernels import lstm_recurrence

    B, T, H = 4, 6, 16
    generator = torch.Generator().manual_seed(0)
    z, h0, c0 = (torch.randn(size, generator=generator) for size in ((B, T, 4 * H), (B, H), (B, H)))
    W = torch.randn(4 * H, H, generator=generator)
    parts = {}
    for name, wanted in (("kept", True), ("not kept", False)):
        traffic = count(lstm_recurrence, z.clone().requires_grad_(wanted), h0, c0, W)
        parts[name] = sum(launch.stored for launch in traffic.launches if launch.kind == "kernel")
    return _ratio(parts)


def computing_again():
    """Attention forward and backward: torch's functions, which keep the weights, and our kernels, which do not."""
    from seqlab.attention.kernels import scaled_dot_product_attention

    *leaves, do = _heads("do")
    for leaf in leaves:
        leaf.requires_grad_()

    def eager():
        query, key, value = leaves
        weights = ((query * query.shape[-1] ** -0.5) @ key.mT).softmax(-1)
        return torch.autograd.grad(weights @ value, leaves, do)

    def tiles():
        return torch.autograd.grad(scaled_dot_product_attention(*leaves), leaves, do)

    return _ratio({"weights kept": count(eager).total, "computed again": count(tiles).total})


if __name__ == "__main__":
    from seqlab.bench.experiments import print_outcomes

    print_outcomes("counter", globals())
