"""The lattice of CTC in torch, for a whole batch: all states of all sequences in one step, a loop over the frames.

Beta is the alpha of a sequence that is read from its end, so both run side by side in one loop. Every few frames the
largest log alpha is subtracted: without that it grows with T, and float32 has few digits left for the differences that
make the gradient. Letters as in the reference: T frames, B sequences, C classes, L labels, S = 2L + 1 states. Arguments
come checked.
"""

import math

import torch

OFTEN = 8  # frames from one subtraction to the next
LEAST = -1e30  # stands for the maximum of a frame in which no path is possible: -Inf - LEAST is -Inf and no NaN


def losses_and_gradient(log_probs, targets, input_lengths, target_lengths, blank, with_gradient=True):
    """Loss of every sequence, :eq:`ctc-loss`, and torch's gradient of it, as the kernel computes them.

    Parameters
    ----------
    log_probs : (T, B, C).
    targets : (B, L) labels, the blank behind each end.
    input_lengths, target_lengths : (B,) frames and labels of each sequence.
    blank : the class that stands for no label.
    with_gradient : False leaves the gradient out, and beta with it.

    Returns
    -------
    losses : (B,), Inf where a target has no path.
    gradient : (T, B, C), exp(log_probs) minus :eq:`ctc-occupancy`; zeros behind a sequence's end and where the loss is
        Inf. None without.
    """
    T, B, _ = log_probs.shape
    states = extend(targets, blank)
    S, row = len(states), torch.arange(B, device=states.device)
    own = log_probs[:, row, states]  # (T, S, B) log y of each state; the batch is last, so that a state is a whole row
    if not with_gradient:
        arrived, scale = _arrive(own, _jumps(states))
        return 0.0 - _at_the_end(arrived.add_(own), scale, input_lengths, target_lengths), None
    t, s = torch.arange(T, device=states.device)[:, None, None], torch.arange(S, device=states.device)[:, None]
    back_t, back_s = (input_lengths - 1 - t).clamp(min=0), (2 * target_lengths - s).clamp(min=0)  # seen from the end
    jumps = torch.cat([_jumps(states), _jumps(states[back_s, row])], dim=1)
    both, scale = _arrive(torch.cat([own, own[back_t, back_s, row]], dim=2), jumps)
    log_alpha, log_beta = both[:, :, :B] + own, both[back_t, back_s, row + B]  # beta without the y of its frame
    log_prob = _at_the_end(log_alpha, scale[:, :B], input_lengths, target_lengths)
    gamma = log_alpha.add_(log_beta).masked_fill_(s > 2 * target_lengths, -math.inf).softmax(1)
    gradient = log_probs.exp()
    gradient[:, :, blank] -= gamma[:, 0::2].sum(1)
    gradient.scatter_add_(2, targets.expand(T, B, -1), -gamma[:, 1::2].transpose(1, 2))
    frames = (t < input_lengths) & (log_prob != -math.inf)
    return 0.0 - log_prob, gradient.masked_fill_(~frames.transpose(1, 2), 0.0)


def best_paths(log_probs, targets, input_lengths, target_lengths, blank):
    """Most probable path of every target, :eq:`ctc-viterbi`.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank : as in `losses_and_gradient`.

    Returns
    -------
    paths : (B, T) classes, -1 behind a sequence's end and where a target has no path.
    log_prob : (B,) of these paths, -Inf where there is none.
    """
    T, B, _ = log_probs.shape
    states = extend(targets, blank)
    S, row = len(states), torch.arange(B, device=states.device)
    own = log_probs[:, row, states]
    came_from = states.new_zeros(T, S, B)
    best = own.new_full((T, S + 2, B), -math.inf)  # two rows above, from where nothing comes
    best[0, 2:4] = own[0, :2]
    jumps = _jumps(states).to(own.dtype)
    for t in range(1, T):
        before = best[t - 1]
        ahead, came_from[t] = torch.stack([before[2:], before[1:-1], before[:-2] + jumps]).max(0)
        best[t, 2:] = ahead + own[t]
    ends = _last(best[:, 2:], input_lengths, target_lengths)
    log_prob, end = torch.stack(ends).max(0)
    state = 2 * target_lengths - end
    paths = states.new_full((B, T), -1)
    for t in reversed(range(T)):
        inside = (t < input_lengths) & (log_prob > -math.inf)
        paths[:, t] = torch.where(inside, states[state, row], -1)
        state = torch.where(inside, state - came_from[t, state, row], state)
    return paths, log_prob


def extend(targets, blank):
    """(B, L) labels -> (2L + 1, B) states: a blank before, between and after them."""
    states = targets.new_full((2 * targets.shape[1] + 1, targets.shape[0]), blank)
    states[1::2] = targets.T
    return states


def _jumps(states):
    """(S, B): 0 where a path may come from two states before, over a blank to another label, else -Inf."""
    jumps = torch.full(states.shape, -math.inf, device=states.device)
    jumps[2:].masked_fill_(states[2:] != states[:-2], 0.0)  # from blank to blank, the two are equal
    return jumps


def _arrive(own, jumps):
    """Sum over all beginnings up to where the y of their last frame is not yet counted, :eq:`ctc-alpha`.

    own (T, S, R), jumps (S, R) -> arrived (T, S, R), scale (T, R). `arrived[t]` plus `own[t]` plus the sum of
    `scale[: t + 1]` is log alpha; for a sequence that is turned around, without `own`, it is the log beta of the second
    convention.
    """
    T, S, R = own.shape
    arrived, scale = torch.full_like(own, -math.inf), own.new_zeros(T, R)
    arrived[0, :2] = 0.0
    log_alpha = own.new_full((S + 2, R), -math.inf)  # two rows above, from where nothing comes
    stay, move, jump = log_alpha[2:], log_alpha[1:-1], log_alpha[:-2]
    jumps, jumped = jumps.to(own.dtype), torch.empty_like(own[0])
    torch.add(arrived[0], own[0], out=stay)
    for t, now, y in zip(range(1, T), arrived[1:], own[1:], strict=True):
        if t % OFTEN == 0:
            stay.sub_(torch.amax(stay, 0, out=scale[t]).clamp_(min=LEAST))
        torch.logaddexp(stay, move, out=now)
        torch.add(jump, jumps, out=jumped)
        torch.logaddexp(now, jumped, out=now)
        torch.add(now, y, out=stay)
    return arrived, scale


def _at_the_end(log_alpha, scale, input_lengths, target_lengths):
    """Log-probability of every target, :eq:`ctc-marginal`."""
    behind = torch.arange(len(scale), device=scale.device)[:, None] >= input_lengths
    return torch.logaddexp(*_last(log_alpha, input_lengths, target_lengths)) + scale.masked_fill(behind, 0.0).sum(0)


def _last(log_alpha, input_lengths, target_lengths):
    """(T, S, B) -> two of (B,): what the last frame has in the last blank and in the last label."""
    row = torch.arange(len(input_lengths), device=log_alpha.device)
    last = (input_lengths - 1).clamp(min=0)
    blank = log_alpha[last, 2 * target_lengths, row]
    label = log_alpha[last, (2 * target_lengths - 1).clamp(min=0), row].masked_fill(target_lengths == 0, -math.inf)
    empty = torch.where(target_lengths == 0, 0.0, -math.inf).to(blank.dtype)  # the text of no frame
    none = input_lengths == 0
    return torch.where(none, empty, blank), label.masked_fill(none, -math.inf)
