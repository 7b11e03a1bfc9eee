"""A whole sequence in one launch where the weights fit no multiprocessor: many share them out and meet at each step.

Program (s, g) owns slice s of the units, for the sequences of group g. It holds the weights of its units, all gates of
them, from the first step to the last; only states travel. At each step it

1. reads what all programs of its group published at the step before,
2. multiplies it by its weights and does its units' arithmetic,
3. publishes its part, counts itself as arrived, and waits until all slices have arrived.

Forward, what travels is the state (ROWS, K); backward, the gradients before the gates (ROWS, SLOTS K). Two buffers
take turns: who writes step t + 1 into the buffer of step t - 1 knows that all have read it, because all have arrived
at step t. Groups are different sequences and never wait for each other.

Programs that wait must all be running, so there are no more of them than multiprocessors, and the launch is
cooperative: it fails where they cannot all run at once. More sequences than fit are further launches.

A product is split along its sum, a part to each warp: 16 rows by 16 units would leave most warps of a program without
work, and the sum of K / 16 tensor-core steps, each of which waits for the one before, would take longer than the
barrier.

What is checked where: Triton's interpreter runs programs one after the other, so there a launch has one slice; the
tests also run several slices side by side, in threads, so that they do wait for each other, and compile every size that
is benchmarked. What only a GPU can show is that its memory makes what was published visible in the order that `arrive`
and `wait` ask for, that the cooperative launch starts, and the speed. So backend="auto" leaves these sizes to torch
until a measurement says otherwise.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import common, sizes
from seqlab.recurrent.kernels.cells import (
    gru_cell,
    gru_slopes,
    load,
    load3,
    load4,
    lstm_cell,
    lstm_slopes,
    rnn_cell,
    rnn_slope,
    sigmoid,
    store,
    store3,
    store4,
)
from seqlab.recurrent.kernels.meeting import apart, arrive, hold, read, wait


@triton.jit
def _forward(
    z_ptr,  # (B, T, G, H): W_ih x + b, G gates
    h0_ptr,  # (B, H)
    c0_ptr,  # (B, H), LSTM only
    M_ptr,  # (slices, K, SLOTS, UNITS): W_hh^T, with zeros around
    b_ptr,  # (3, H): b_hh, GRU only
    state_ptr,  # (2, groups ROWS, K): what is published; h0, with zeros around, in the first half
    h_ptr,  # (B, T, H)
    c_ptr,  # (B, T, H), LSTM only
    a_ptr,  # (B, T, 4, H): what the backward pass needs, with KEEP
    count_ptr,  # (groups,): arrivals, 0 at first
    B,
    T,
    H,
    CELL: tl.constexpr,
    RELU: tl.constexpr,
    KEEP: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    K: tl.constexpr,  # H rounded up to a power of two
    SPLIT: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    SLOTS: tl.constexpr = 1 if CELL == "rnn" else 4
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    col = tl.program_id(0) * UNITS + tl.arange(0, UNITS)[None, :]
    inside = (row < B) & (col < H)
    mine = row * K + col
    half = tl.num_programs(1) * ROWS * K
    count_ptr += tl.program_id(1)
    M = hold(M_ptr, 0, K, K, SLOTS * UNITS, SPLIT).to(DOT)
    start = row.to(tl.int64) * T * H
    if CELL == "lstm":
        c = load(c0_ptr + row * H + col, inside, ACC)
    if CELL == "gru":
        h = load(h0_ptr + row * H + col, inside, ACC)
        b_r, b_u, b_n = load3(b_ptr + col, H, col < H, ACC)
    for t in range(T):
        here = start + t * H  # z is on its way while the others arrive
        if CELL == "lstm":
            z_i, z_f, z_g, z_o = load4(z_ptr + 4 * here + col, H, inside, ACC)
        elif CELL == "gru":
            z_r, z_u, z_n = load3(z_ptr + 3 * here + col, H, inside, ACC)
        else:
            z = load(z_ptr + here + col, inside, ACC)
        wait(count_ptr, t * tl.num_programs(0))
        state = read(state_ptr + t % 2 * half, K, K, ROWS, SPLIT).to(DOT)
        a = tl.sum(tl.dot(state, M, input_precision=PRECISION, out_dtype=ACC), axis=0)
        if CELL == "lstm":
            a_i, a_f, a_g, a_o = apart(a, ROWS, UNITS)
            a_i, a_f, a_g, a_o = a_i + z_i, a_f + z_f, a_g + z_g, a_o + z_o
            h, c = lstm_cell(a_i, a_f, a_g, a_o, c)
        elif CELL == "gru":
            a_r, a_u, q, _ = apart(a, ROWS, UNITS)
            a_r, a_u, q = a_r + z_r + b_r, a_u + z_u + b_u, q + b_n
            a_n = z_n + sigmoid(a_r) * q
            h = gru_cell(a_u, a_n, h)
        else:
            h = rnn_cell(a + z, RELU)
        store(state_ptr + (t + 1) % 2 * half + mine, h, True)
        arrive(count_ptr)
        store(h_ptr + here + col, h, inside)
        if CELL == "lstm":
            store(c_ptr + here + col, c, inside)
            if KEEP:
                store4(a_ptr + 4 * here + col, H, a_i, a_f, a_g, a_o, inside)
        elif CELL == "gru" and KEEP:
            store4(a_ptr + 4 * here + col, H, a_r, a_u, a_n, q, inside)


@triton.jit
def _backward(
    dh_ptr,  # (B, T, H)
    dc_ptr,  # (B, T, H), LSTM only, with HAS_DC
    M_ptr,  # (slices, SLOTS, K, UNITS): W_hh, with zeros around
    state_ptr,  # (2, groups ROWS, SLOTS, K): what is published; the first half is 0
    h_ptr,  # (B, T, H): the state after each step (RNN) or before it (GRU)
    c_ptr,  # (B, T, H): the cell after each step, LSTM only
    c0_ptr,  # (B, H), LSTM only
    a_ptr,  # (B, T, 4, H): what the forward pass kept, GRU and LSTM only
    da_ptr,  # (B, T, G, H): the gradient before each gate
    dq_ptr,  # (B, T, H), GRU only
    dh0_ptr,  # (B, H)
    dc0_ptr,  # (B, H), LSTM only
    count_ptr,  # (groups,): arrivals, 0 at first
    B,
    T,
    H,
    CELL: tl.constexpr,
    RELU: tl.constexpr,
    HAS_DC: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    K: tl.constexpr,
    SPLIT: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    SLOTS: tl.constexpr = 1 if CELL == "rnn" else 4
    # What is read is multiplied in pieces: of all gates at once, it would take too much shared memory.
    PIECES: tl.constexpr = SLOTS if DOT.primitive_bitwidth == 32 else (SLOTS + 1) // 2
    PIECE: tl.constexpr = SLOTS * K // PIECES
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    col = tl.program_id(0) * UNITS + tl.arange(0, UNITS)[None, :]
    inside = (row < B) & (col < H)
    mine = row * SLOTS * K + col
    half = tl.num_programs(1) * ROWS * SLOTS * K
    count_ptr += tl.program_id(1)
    M = ()
    for n in tl.static_range(PIECES):
        M = M + (hold(M_ptr, n * PIECE, PIECE, SLOTS * K, UNITS, SPLIT).to(DOT),)  # noqa: RUF005, which Triton does not know
    last = (row.to(tl.int64) * T + T - 1) * H
    nothing = tl.zeros((ROWS, UNITS), ACC)
    dh, directly = nothing, nothing  # directly: what the later steps want of this state by the GRU's own way
    if CELL == "lstm":
        dc, from_c = nothing, nothing  # from_c: what the later steps want of this cell
        c = load(c_ptr + last + col, inside, ACC)
    for s in range(T + 1):  # once more, for the state and cell before the first step
        here = last - s * H
        step = inside & (s < T)  # what is loaded here is on its way while the others arrive
        dh = directly + load(dh_ptr + here + col, step, ACC)
        if CELL == "lstm":
            a_i, a_f, a_g, a_o = load4(a_ptr + 4 * here + col, H, step, ACC)
            before = load(tl.where(s + 1 < T, c_ptr + here - H, c0_ptr + row * H) + col, step, ACC)
            dc = from_c
            if HAS_DC:
                dc += load(dc_ptr + here + col, step, ACC)
        else:
            h = load(h_ptr + here + col, step, ACC)
            if CELL == "gru":
                a_r, a_u, a_n, q = load4(a_ptr + 4 * here + col, H, step, ACC)
        wait(count_ptr, s * tl.num_programs(0))
        published = state_ptr + s % 2 * half
        part = tl.zeros((SPLIT, ROWS, UNITS), ACC)
        for n in tl.static_range(PIECES):
            state = read(published + n * PIECE, PIECE, SLOTS * K, ROWS, SPLIT)
            part = tl.dot(state.to(DOT), M[n], acc=part, input_precision=PRECISION, out_dtype=ACC)
        dh += tl.sum(part, axis=0)
        spot = state_ptr + (s + 1) % 2 * half + mine
        if CELL == "lstm":
            d_i, d_f, d_g, d_o, from_c = lstm_slopes(a_i, a_f, a_g, a_o, c, before, dh, dc)
            c = before
            store4(spot, K, d_i, d_f, d_g, d_o, True)
        elif CELL == "gru":
            d_r, d_u, d_n, d_q, directly = gru_slopes(a_r, a_u, a_n, q, h, dh)
            store3(spot, K, d_r, d_u, d_q, True)
        else:
            d = rnn_slope(h, dh, RELU)
            store(spot, d, True)
        arrive(count_ptr)
        if CELL == "lstm":
            store4(da_ptr + 4 * here + col, H, d_i, d_f, d_g, d_o, step)
        elif CELL == "gru":
            store3(da_ptr + 3 * here + col, H, d_r, d_u, d_n, step)
            store(dq_ptr + here + col, d_q, step)
        else:
            store(da_ptr + here + col, d, step)
    store(dh0_ptr + row * H + col, dh, inside)
    if CELL == "lstm":
        store(dc0_ptr + row * H + col, dc, inside)


def cut(weights, share, cell):
    """Cut (G, H, H) weights, gate by row by column, into what each slice holds: (slices, SLOTS, K, UNITS)."""
    whole = common.padded(weights, sizes.slots(cell), share.K, share.slices * share.units)
    return whole.unflatten(2, (share.slices, share.units)).permute(2, 0, 1, 3)


def _launches(B, share, tensors):
    """Take turns at the launches: groups, and the tensors with their part of the sequences; None stays None."""
    rows = share.groups * sizes.ROWS
    for first in range(0, B, rows):
        groups = -(-min(rows, B - first) // sizes.ROWS)
        yield groups, {name: None if t is None else t[first : first + rows] for name, t in tensors.items()}


def _start(kernel, share, groups, state, tensors, numbers, constants):
    count = torch.zeros(groups, dtype=torch.int32, device=state.device)
    kernel[(share.slices, groups)](
        **tensors,
        state_ptr=state,
        count_ptr=count,
        **numbers,
        **constants,
        **share.constants(),
        **number_types(state.dtype),
        **share.options(state.dtype),
    )


def forward(cell, share, z, h0, W_hh, h, c0=None, b_hh=None, c=None, a=None, relu=False):
    """Fill h, for an LSTM c, and a (what the backward pass needs) unless it is None."""
    B, T, H = h.shape
    M = cut(W_hh.unflatten(0, (-1, H)).transpose(1, 2), share, cell).transpose(1, 2).contiguous()
    constants = {"CELL": cell, "RELU": relu, "KEEP": a is not None}
    tensors = {"z_ptr": z, "h0_ptr": h0, "c0_ptr": c0, "h_ptr": h, "c_ptr": c, "a_ptr": a}
    for groups, given in _launches(B, share, tensors):
        state = z.new_zeros(2, groups * sizes.ROWS, share.K)
        state[0, : len(given["h0_ptr"]), :H] = given["h0_ptr"]
        given |= {"M_ptr": M, "b_ptr": b_hh}
        _start(_forward, share, groups, state, given, {"B": len(given["z_ptr"]), "T": T, "H": H}, constants)


def backward(cell, share, dh, W_hh, h, da, dh0, dc=None, c0=None, c=None, a=None, dq=None, dc0=None, relu=False):
    """Fill da, dh0, for a GRU dq, and for an LSTM dc0; h is the state after each step, for a GRU before it."""
    B, T, H = dh.shape
    M = cut(W_hh.unflatten(0, (-1, H)), share, cell).contiguous()
    constants = {"CELL": cell, "RELU": relu, "HAS_DC": dc is not None}
    tensors = {"dh_ptr": dh, "dc_ptr": dc, "h_ptr": h, "c_ptr": c, "c0_ptr": c0, "a_ptr": a}
    tensors |= {"da_ptr": da, "dq_ptr": dq, "dh0_ptr": dh0, "dc0_ptr": dc0}
    for groups, given in _launches(B, share, tensors):
        state = dh.new_zeros(2, groups * sizes.ROWS, sizes.slots(cell) * share.K)
        given["M_ptr"] = M
        _start(_backward, share, groups, state, given, {"B": len(given["dh_ptr"]), "T": T, "H": H}, constants)
