"""The lattice of CTC in torch, for a whole batch: all states of all sequences in one step, a loop over the frames.

Beta is the alpha of a sequence that is read from its end, so both run side by side in one loop. Letters as in the
reference: T frames, B sequences, C classes, L labels, S = 2L + 1 states. Arguments come checked.
"""

import math

import torch


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
    own = log_probs.gather(2, states.expand(T, B, -1))  # (T, B, S): log y of each state
    if not with_gradient:
        log_alpha = _arrive(own, _jumps(states)).add_(own)
        return 0.0 - _at_the_end(log_alpha, input_lengths, target_lengths), None
    t, s = torch.arange(T, device=own.device), torch.arange(states.shape[1], device=own.device)
    frames, row = t[:, None] < input_lengths, torch.arange(B, device=own.device)[:, None]
    back_t = (input_lengths - 1 - t[:, None]).clamp(min=0)[:, :, None]  # the frame and the state seen from the end
    back_s = (2 * target_lengths[:, None] - s).clamp(min=0)
    jumps = torch.cat([_jumps(states), _jumps(states[row, back_s])])
    both = _arrive(torch.cat([own, own[back_t, row, back_s]], dim=1), jumps)
    log_alpha, log_beta = both[:, :B].add(own), both[:, B:][back_t, row, back_s]  # beta without the y of its frame
    log_prob = _at_the_end(log_alpha, input_lengths, target_lengths)
    frames = frames & (log_prob > -math.inf)
    inside = frames[:, :, None] & (s <= 2 * target_lengths[:, None])
    log_gamma = log_alpha.add_(log_beta).sub_(log_prob[:, None])
    gamma = log_gamma.masked_fill_(~inside, -math.inf).exp_()
    gradient = log_probs.exp()
    gradient[:, :, blank] -= gamma[:, :, 0::2].sum(2)
    gradient.scatter_add_(2, targets.expand(T, B, -1), -gamma[:, :, 1::2])
    return 0.0 - log_prob, gradient.masked_fill_(~frames[:, :, None], 0.0)


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
    S = states.shape[1]
    own = log_probs.gather(2, states.expand(T, B, -1))
    came_from = states.new_zeros(T, B, S)
    best = own.new_full((T, B, S + 2), -math.inf)  # two columns at the left, from where nothing comes
    best[0, :, 2:4] = own[0, :, :2]
    jumps = _jumps(states)
    for t in range(1, T):
        stay, move, jump = best[t - 1, :, 2:], best[t - 1, :, 1:-1], best[t - 1, :, :-2] + jumps
        ahead, came_from[t] = torch.stack([stay, move, jump]).max(0)
        torch.add(ahead, own[t], out=best[t, :, 2:])
    ends = _last(best[:, :, 2:], input_lengths, target_lengths)
    log_prob, end = torch.stack(ends).max(0)
    log_prob, state = torch.where(input_lengths > 0, log_prob, ends[0]), 2 * target_lengths - end
    paths, row = states.new_full((B, T), -1), torch.arange(B, device=own.device)
    for t in reversed(range(T)):
        inside = (t < input_lengths) & (log_prob > -math.inf)
        paths[:, t] = torch.where(inside, states[row, state], -1)
        state = torch.where(inside, state - came_from[t, row, state], state)
    return paths, log_prob


def extend(targets, blank):
    """(B, L) labels -> (B, 2L + 1) states: a blank before, between and after them."""
    states = targets.new_full((targets.shape[0], 2 * targets.shape[1] + 1), blank)
    states[:, 1::2] = targets
    return states


def _jumps(states):
    """(B, S): 0 where a path may come from two states before, over a blank to another label, else -Inf."""
    jumps = torch.full(states.shape, -math.inf, device=states.device)
    jumps[:, 2:].masked_fill_(states[:, 2:] != states[:, :-2], 0.0)  # from blank to blank, the two are equal
    return jumps


def _arrive(own, jumps):
    """Sum over all beginnings up to where the y of their last frame is not yet counted, :eq:`ctc-alpha`.

    own (T, R, S), jumps (R, S) -> (T, R, S). The result plus `own` is log alpha; for a sequence that is turned around
    the result is the log beta of the second convention.
    """
    T, R, S = own.shape
    arrived = torch.full_like(own, -math.inf)
    arrived[0, :, :2] = 0.0
    log_alpha = own.new_full((R, S + 2), -math.inf)  # two columns at the left, from where nothing comes
    stay, move, jump = log_alpha[:, 2:], log_alpha[:, 1:-1], log_alpha[:, :-2]
    jumps = jumps.to(own.dtype)
    stay.copy_(arrived[0] + own[0])
    for now, y in zip(arrived[1:], own[1:], strict=True):
        torch.logaddexp(stay, move, out=now)
        torch.logaddexp(now, jump + jumps, out=now)
        torch.add(now, y, out=stay)
    return arrived


def _at_the_end(log_alpha, input_lengths, target_lengths):
    """Log-probability of every target, :eq:`ctc-marginal`."""
    return torch.logaddexp(*_last(log_alpha, input_lengths, target_lengths))


def _last(log_alpha, input_lengths, target_lengths):
    """(T, B, S) -> two of (B,): what the last frame has in the last blank and in the last label."""
    row = torch.arange(len(input_lengths), device=log_alpha.device)
    at = log_alpha[(input_lengths - 1).clamp(min=0), row]
    blank, label = at[row, 2 * target_lengths], at[row, (2 * target_lengths - 1).clamp(min=0)]
    label = label.masked_fill(target_lengths == 0, -math.inf)
    empty = torch.where(target_lengths == 0, 0.0, -math.inf).to(blank.dtype)  # the text of no frame
    none = input_lengths == 0
    return torch.where(none, empty, blank), label.masked_fill(none, -math.inf)
