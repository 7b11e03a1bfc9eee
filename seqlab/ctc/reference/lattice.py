"""The lattice of CTC in NumPy, float64, for one sequence: paths, the sum over them, its gradient, the best of them.

Connectionist temporal classification, Graves, Fernández, Gomez and Schmidhuber (2006). Letters: T frames, C classes
(the labels and the blank), L labels of a target, S = 2L + 1 states: the labels with a blank before, between and after
them. A state is written s, its class z_s; `log_probs[t, k]` is log y of class k in frame t. All logarithms are natural.
"""

import itertools

import numpy as np

from seqlab.arrays import check_floats

MOST_PATHS = 2_000_000  # that `brute_force` walks, half a minute of them


def collapse(path, blank=0):
    """Turn a path into its text: merge what repeats, then drop the blanks, :eq:`ctc-collapse`.

    Parameters
    ----------
    path : sequence of T classes, one a frame.
    blank : the class that stands for no label.

    Returns
    -------
    labels : list of at most T labels.

    Raises
    ------
    ValueError
        when `path` is not one row.
    """
    path = _one_row("path", path)
    return [int(k) for t, k in enumerate(path) if k != blank and (t == 0 or k != path[t - 1])]


def extend(target, blank=0):
    """Lay a blank before, between and after the labels: the classes z_s of the lattice's states.

    Parameters
    ----------
    target : sequence of L labels, none of them the blank.
    blank : the class that stands for no label.

    Returns
    -------
    states : (2L + 1,) classes.

    Raises
    ------
    ValueError
        when `target` is not one row of whole numbers, or holds the blank.
    """
    target = _one_row("target", target)
    if blank in target:
        raise ValueError(
            f"target holds {blank}, the blank, at place {list(target).index(blank)}; it may hold labels only"
        )
    states = np.full(2 * len(target) + 1, blank, dtype=np.int64)
    states[1::2] = target
    return states


def before(states, s):
    """Give the states from which state s is reached in one frame: itself, the one before, and the one before that.

    The last is a jump over a blank, from one label to another. From blank to blank it would jump over a label, and
    between equal labels over the blank that keeps them two: in both cases the two states have the same class.

    Parameters
    ----------
    states : (S,) classes, of `extend`.
    s : number of a state, from 0.

    Returns
    -------
    states : list of one to three numbers, s first.
    """
    return [b for b in (s, s - 1, s - 2) if b >= 0 and (b > s - 2 or states[b] != states[s])]


def after(states, s):
    """Give the states that state s reaches in one frame: `before`, seen from the other side.

    Parameters
    ----------
    states : (S,) classes, of `extend`.
    s : number of a state, from 0.

    Returns
    -------
    states : list of one to three numbers, s first.
    """
    return [a for a in (s, s + 1, s + 2) if a < len(states) and (a < s + 2 or states[a] != states[s])]


def frames_needed(target):
    """Count the frames that the shortest path of a target has: a label each, and a blank between equal neighbours.

    Parameters
    ----------
    target : sequence of L labels.

    Returns
    -------
    frames : L plus the number of neighbours that are equal.

    Raises
    ------
    ValueError
        when `target` is not one row of whole numbers.
    """
    target = _one_row("target", target)
    return len(target) + int((target[1:] == target[:-1]).sum())


def path_log_prob(log_probs, path):
    """Log-probability of one path: its frames are independent given the input, :eq:`ctc-path`.

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame.
    path : sequence of T classes.

    Returns
    -------
    log_prob : at most 0.

    Raises
    ------
    ValueError
        when a shape or a class does not fit.
    """
    T = _check(log_probs, path, 0, "path")
    path = _one_row("path", path)
    if len(path) != T:
        raise ValueError(f"path has {len(path)} classes and log_probs {T} frames; there must be one class a frame")
    return float(log_probs[np.arange(T), path].sum())


def ctc_forward(log_probs, target, blank=0):
    """Sum over all beginnings of paths, :eq:`ctc-alpha`.

    alpha_t(s) is the probability of all ways to be in state s at frame t, the y of frame t included, as in
    Graves et al. (2006).

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame.
    target : sequence of L labels.
    blank : the class that stands for no label.

    Returns
    -------
    log_alpha : (T, S), -Inf where no path can be.

    Raises
    ------
    ValueError
        when a shape, a class or a log-probability does not fit.
    """
    T = _check(log_probs, target, blank)
    states = extend(target, blank)
    log_alpha = np.full((T, len(states)), -np.inf)
    log_alpha[:1, :2] = log_probs[:1, states[:2]]  # a path begins with the first blank or the first label
    for t in range(1, T):
        for s in range(len(states)):
            arrived = np.logaddexp.reduce(log_alpha[t - 1, before(states, s)])
            log_alpha[t, s] = arrived + log_probs[t, states[s]]
    return log_alpha


def ctc_backward(log_probs, target, blank=0, includes=True):
    """Sum over all ends of paths, :eq:`ctc-beta`.

    The literature has two betas. With `includes=True`, as in Graves et al. (2006), beta_t(s) includes the y of frame t,
    so that alpha * beta counts it twice and must be divided by it. With `includes=False`, as in Graves' book (2012) and
    in most code, beta_t(s) begins with frame t + 1, and alpha * beta is the probability of all paths through (t, s).

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame.
    target : sequence of L labels.
    blank : the class that stands for no label.
    includes : whether beta_t includes the y of frame t.

    Returns
    -------
    log_beta : (T, S), -Inf from where the target cannot be finished.

    Raises
    ------
    ValueError
        when a shape, a class or a log-probability does not fit.
    """
    T = _check(log_probs, target, blank)
    states = extend(target, blank)
    own = log_probs[:, states]  # (T, S): the y of each state
    log_beta = np.full((T, len(states)), -np.inf)
    log_beta[-1:, -2:] = own[-1:, -2:] if includes else 0.0  # a path ends with the last label or the last blank
    for t in reversed(range(T - 1)):
        for s in range(len(states)):
            r = after(states, s)
            if includes:
                log_beta[t, s] = np.logaddexp.reduce(log_beta[t + 1, r]) + own[t, s]
            else:
                log_beta[t, s] = np.logaddexp.reduce(log_beta[t + 1, r] + own[t + 1, r])
    return log_beta


def log_likelihood(log_alpha):
    """Log-probability of the target, the sum over all its paths, :eq:`ctc-marginal`.

    Parameters
    ----------
    log_alpha : (T, S) of `ctc_forward`.

    Returns
    -------
    log_prob : at most 0; -Inf where the target has no path.

    Raises
    ------
    ValueError
        when the shape does not fit.
    """
    T, S = check_floats("log_alpha", log_alpha, ("T", "S")).values()
    if T == 0:
        return 0.0 if S == 1 else -np.inf  # without frames there is the empty path, and its text is empty
    return float(np.logaddexp.reduce(log_alpha[-1, -2:]))


def occupancies(log_probs, target, blank=0):
    """Say where the target's paths spend their frames, :eq:`ctc-occupancy`.

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame.
    target : sequence of L labels.
    blank : the class that stands for no label.

    Returns
    -------
    gamma : (T, S) probability of each state in each frame, given the target; rows sum to one.
    per_class : (T, C) the same for each class: the sum over the states that have it.

    Raises
    ------
    ValueError
        when a shape, a class or a log-probability does not fit, or the target has no path.
    """
    log_alpha = ctc_forward(log_probs, target, blank)
    log_prob = log_likelihood(log_alpha)
    if np.isneginf(log_prob):
        raise _no_path(target, len(log_probs))
    gamma = np.exp(log_alpha + ctc_backward(log_probs, target, blank, includes=False) - log_prob)
    per_class = np.zeros(log_probs.shape)
    for s, k in enumerate(extend(target, blank)):
        per_class[:, k] += gamma[:, s]
    return gamma, per_class


def ctc_loss(log_probs, target, blank=0):
    """Negative log-probability of a target, :eq:`ctc-loss`, and its gradient by the scores, :eq:`ctc-gradient`.

    Parameters
    ----------
    log_probs : (T, C), the log_softmax of scores.
    target : sequence of L labels.
    blank : the class that stands for no label.

    Returns
    -------
    loss : in nats, at least 0; Inf where the target has no path.
    dlogits : (T, C) gradient by the scores before the log_softmax: what the network says minus the occupancies. Where
        the loss is Inf there is no gradient and these are zeros, which leave a network as it is; torch's are NaN there,
        or zeros with `zero_infinity=True`, which turns the loss to 0 as well.

    Raises
    ------
    ValueError
        when a shape, a class or a log-probability does not fit.
    """
    log_prob = log_likelihood(ctc_forward(log_probs, target, blank))
    if np.isneginf(log_prob):
        return np.inf, np.zeros(log_probs.shape)
    _, per_class = occupancies(log_probs, target, blank)
    return 0.0 - log_prob, np.exp(log_probs) - per_class


def viterbi(log_probs, target, blank=0):
    """Find the most probable path of a target, :eq:`ctc-viterbi`: the recursion of alpha with a maximum for the sum.

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame.
    target : sequence of L labels.
    blank : the class that stands for no label.

    Returns
    -------
    path : (T,) classes that collapse to the target; of equally good paths the one that is ahead in the lattice.
    log_prob : of this path.

    Raises
    ------
    ValueError
        when a shape, a class or a log-probability does not fit, or the target has no path.
    """
    T = _check(log_probs, target, blank)
    states = extend(target, blank)
    S = len(states)
    best = np.full((T, S), -np.inf)
    best[:1, :2] = log_probs[:1, states[:2]]
    came_from = np.zeros((T, S), dtype=np.int64)
    for t in range(1, T):
        for s in range(S):
            came_from[t, s] = max(before(states, s), key=lambda r, row=best[t - 1]: row[r])
            best[t, s] = best[t - 1, came_from[t, s]] + log_probs[t, states[s]]
    s = max(range(S - 1, max(S - 3, -1), -1), key=lambda end: best[-1, end]) if T else 0
    log_prob = float(best[-1, s]) if T else log_likelihood(best)
    if np.isneginf(log_prob):
        raise _no_path(target, T)
    through = []
    for t in reversed(range(T)):
        through.append(s)
        s = came_from[t, s]
    return states[through[::-1]], log_prob


def spans(path, blank=0):
    """Say from when to when a path shows each label of its text.

    Parameters
    ----------
    path : sequence of T classes, one a frame, such as `viterbi` gives.
    blank : the class that stands for no label.

    Returns
    -------
    spans : list of (label, first frame, last frame), one for each label of `collapse(path)`, in its order.

    Raises
    ------
    ValueError
        when `path` is not one row.
    """
    path = _one_row("path", path)
    found, t = [], 0
    for k, run in itertools.groupby(path):
        length = len(list(run))
        if k != blank:
            found.append((int(k), t, t + length - 1))
        t += length
    return found


def brute_force(log_probs, blank=0):
    """Walk all C**T paths and add up those of each text, :eq:`ctc-marginal`: the truth for tiny cases.

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in each frame; at most two million paths.
    blank : the class that stands for no label.

    Returns
    -------
    texts : dict from each text that T frames can hold, a tuple of labels, to its log-probability.

    Raises
    ------
    ValueError
        when a shape or a log-probability does not fit, or there are more paths.
    """
    T, C = _check(log_probs, [], blank), log_probs.shape[1]
    if C**T > MOST_PATHS:
        raise ValueError(f"log_probs has {C}**{T} paths; brute_force walks {MOST_PATHS:,} at most: take fewer frames")
    texts = {}
    for path in itertools.product(range(C), repeat=T):
        text = tuple(collapse(path, blank))
        texts[text] = np.logaddexp(texts.get(text, -np.inf), log_probs[np.arange(T), path].sum())
    return {text: float(log_prob) for text, log_prob in texts.items()}


def paths_of(target, T, blank=0):
    """Give all paths of T frames that collapse to a target, one after the other.

    Parameters
    ----------
    target : sequence of L labels.
    T : how many frames.
    blank : the class that stands for no label.

    Yields
    ------
    path : tuple of T classes.

    Raises
    ------
    ValueError
        when `target` is not one row of whole numbers, holds the blank, or T is negative.
    """
    states = extend(target, blank)
    if T < 0:
        raise ValueError(f"T is {T}; it must be a number of frames, 0 or more")
    return _walk(states, T)


def _no_path(target, T):
    needed = frames_needed(target)
    return ValueError(
        f"target has no path of {T} frames with a probability above 0: it needs {needed} frames or more, in which its "
        "labels are possible"
    )


def _walk(states, T):
    S = len(states)
    if T == 0:
        yield from [()] if S == 1 else []
        return
    can_end = np.zeros((T, S), dtype=bool)  # whether the last frame can still finish the target
    can_end[-1, -2:] = True
    for t in reversed(range(T - 1)):
        for s in range(S):
            can_end[t, s] = can_end[t + 1, after(states, s)].any()
    waiting = [(s,) for s in range(min(2, S)) if can_end[0, s]][::-1]
    while waiting:
        begun = waiting.pop()
        if len(begun) == T:
            yield tuple(states[list(begun)].tolist())
            continue
        waiting += [(*begun, s) for s in reversed(after(states, begun[-1])) if can_end[len(begun), s]]


def _one_row(name, classes):
    """One row of whole numbers as an array; an empty one is allowed."""
    row = np.asarray(classes)
    if row.ndim != 1:
        raise ValueError(f"{name} has shape {row.shape}; it must be one row of classes")
    if not row.size:
        return row.astype(np.int64)
    if not np.issubdtype(row.dtype, np.integer):
        raise ValueError(f"{name} holds {row.dtype}; it must hold whole numbers, the classes")
    return row


def _check(log_probs, classes, blank, name="target"):
    """Check what all functions take and give the number of frames."""
    T, C = check_floats("log_probs", log_probs, ("T", "C")).values()
    if not 0 <= blank < C:
        raise ValueError(f"blank is {blank}; log_probs has classes 0 to {C - 1}")
    row = _one_row(name, classes)
    if row.size and not (row.min() >= 0 and row.max() < C):
        raise ValueError(f"{name} holds classes from {row.min()} to {row.max()}; log_probs has classes 0 to {C - 1}")
    if not T:
        return T
    with np.errstate(invalid="ignore"):
        total = np.exp(np.logaddexp.reduce(log_probs, axis=1))
    wrong = ~(total <= 1.001)  # NaN is wrong as well
    if wrong.any():
        t = int(wrong.argmax())
        raise ValueError(
            f"log_probs: the probabilities of frame {t} sum to {total[t]:.4g}, above 1; give logarithms of "
            "probabilities, such as the log_softmax of scores"
        )
    return T
