"""Decoding in NumPy, one sentence at a time: the equations of chapter 12, one function each, with loops.

A *step* is what every decoder takes: `step(tokens (N,), state) -> (scores (N, V), state)`. The scores are logits or
log-probabilities, -Inf allowed. Here N is always 1, and a state is handed back to the step as it came, so that it may
be anything that the step does not change in place. Letters: K beams, V words, T the largest length, n the length of
one hypothesis. All logarithms are natural.

The length n counts every token that the model had to choose, so it counts `<eos>`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqlab.shapes import check_whole

FORMS = ("power", "gnmt")


@dataclass(frozen=True)
class Hypothesis:
    """A sentence that a search has found, with all that is needed to compute its score again.

    Attributes
    ----------
    tokens : tuple of n ids, without `<bos>`; the last one is `<eos>` exactly when `finished`.
    log_probs : tuple of n numbers: the model's log-probability of each token, given those before it.
    log_prob : their sum, log P(y|x), in nats.
    score : what the search has ranked by: log_prob over the length penalty, plus the coverage penalty.
    finished : False where the limit came before `<eos>`; then log_prob is that of a beginning.
    """

    tokens: tuple
    log_probs: tuple
    log_prob: float
    score: float
    finished: bool

    @property
    def length(self):
        """The n of the length penalty: all tokens, `<eos>` counted."""
        return len(self.tokens)

    @property
    def words(self):
        """The tokens without `<eos>`, a list of ids."""
        return list(self.tokens[: self.length - self.finished])


class Beam(NamedTuple):
    """A beginning on its way to be a hypothesis.

    Attributes
    ----------
    tokens, log_probs : as those of a `Hypothesis`.
    state : of the model, after it has read all tokens but the last.
    attended : tuple of the attention weights of each token, (Tx,); only where coverage counts.
    """

    tokens: tuple
    log_probs: tuple
    state: object = None
    attended: tuple = ()

    @property
    def log_prob(self):
        """Log-probability of the beginning."""
        return float(sum(self.log_probs))

    def ends(self, eos):
        """Whether its last token is `<eos>`."""
        return self.tokens[-1:] == (eos,)


def log_softmax(scores):
    """Turn scores into log-probabilities; a row without a possible word stays -Inf.

    Parameters
    ----------
    scores : (..., V) logits or log-probabilities, finite or -Inf.

    Returns
    -------
    log_p : (..., V), float64.
    """
    scores = np.asarray(scores, dtype=float)
    top = scores.max(axis=-1, keepdims=True)
    top = np.where(np.isneginf(top), 0, top)
    total = np.exp(scores - top).sum(axis=-1, keepdims=True)
    return scores - top - np.log(np.where(total == 0, 1, total))


def length_penalty(n, alpha, form="power"):
    """The number that divides a log-probability, :eq:`length-normalisation` and :eq:`length-penalty`.

    Parameters
    ----------
    n : length of the output, `<eos>` counted, at least 1; a number or an array.
    alpha : 0 for none, 1 for the mean over the tokens with the form "power".
    form : "power" for n^alpha, "gnmt" for ((5 + n) / 6)^alpha (Wu et al. 2016).

    Returns
    -------
    penalty : at least 1, rising with n.

    Raises
    ------
    ValueError
        when n is below 1, alpha is negative or the form is unknown.
    """
    check_penalty(alpha, form)
    if np.min(n) < 1:
        raise ValueError(f"n is {np.min(n)}; it must be at least 1: <eos> counts")
    base = n if form == "power" else (5 + np.asarray(n)) / 6
    return np.power(base, float(alpha))


def coverage_penalty(weights, beta):
    """Subtract for source words that attention has passed over, :eq:`coverage-penalty`.

    It is from Wu et al. (2016).

    Parameters
    ----------
    weights : (Ty, Tx) attention of each chosen token on each source word, padding left out.
    beta : how much it matters, at least 0.

    Returns
    -------
    penalty : at most 0; 0 when every source word was attended to with a total weight of 1 or more, -Inf when one
        was never attended to.

    Raises
    ------
    ValueError
        when the shape does not fit or beta is negative.
    """
    if beta < 0:
        raise ValueError(f"beta is {beta}; it must be at least 0")
    if np.ndim(weights) != 2:
        raise ValueError(f"weights has shape {np.shape(weights)}; it must have shape (Ty, Tx)")
    if beta == 0:
        return 0.0
    attended = np.minimum(np.sum(weights, axis=0), 1.0)
    with np.errstate(divide="ignore"):  # a word that was never attended to
        return float(beta * np.log(attended).sum())


def greedy(step, state, bos, eos, max_len):
    """Take the likeliest word, again and again, :eq:`greedy-decoding`.

    Parameters
    ----------
    step, state : the model, see the top of this page; one sentence.
    bos, eos : ids of the tokens that begin and end a sentence.
    max_len : the most tokens to choose, `<eos>` counted.

    Returns
    -------
    hypothesis : `Hypothesis`, its score is its log-probability. Of equal words the one with the lowest id is taken.
    """
    check_search(1, max_len, 1)
    tokens, log_probs = (), ()
    for _ in range(max_len):
        log_p, state = read(step, state, tokens[-1] if tokens else bos, eos)
        word = int(log_p.argmax())
        if np.isneginf(log_p[word]):  # nothing can follow
            break
        tokens, log_probs = (*tokens, word), (*log_probs, float(log_p[word]))
        if word == eos:
            break
    return judge(Beam(tokens, log_probs), eos)


def beam_search(step, state, bos, eos, beam_width, max_len, alpha=0.0, *, penalty="power", coverage=0.0, n_best=1):
    """Keep the K likeliest beginnings and continue them all, :eq:`beam-step`.

    A candidate that ends is a result if it is among the K best candidates of its step. It leaves the beam, and the next
    candidate takes its place. Inside the beam all have the same length and are ranked by log-probability; the penalties
    rank the results. The search stops at `max_len`, or when no beam can reach the results any more: see
    `best_reachable`.

    Parameters
    ----------
    step, state : the model, see the top of this page; one sentence. The coverage penalty takes `state["weights"]`,
        (1, Tx), as it is after the step.
    bos, eos : ids of the tokens that begin and end a sentence.
    beam_width : K, at least 1. With 1 and no penalty the search is greedy.
    max_len : the most tokens of a hypothesis, `<eos>` counted.
    alpha, penalty : exponent and form of the length penalty, see `length_penalty`.
    coverage : beta of `coverage_penalty`; 0 for none.
    n_best : how many results are wanted.

    Returns
    -------
    hypotheses : list of at most `n_best` `Hypothesis`, the best first. Those that have not ended come last, and only
        where fewer than `n_best` have ended.
    """
    check_search(beam_width, max_len, n_best)
    check_penalty(alpha, penalty, coverage)
    K, rule = beam_width, (eos, alpha, penalty, coverage)
    beams, results = [Beam((), (), state)], []
    for n in range(1, max_len + 1):
        candidates = []
        for beam in beams:
            candidates += children(step, beam, bos, eos, coverage)
        if not candidates:
            break
        candidates.sort(key=lambda c: -c.log_prob)  # equal ones keep their order
        results += [judge(c, *rule) for c in candidates[:K] if c.ends(eos)]
        results.sort(key=lambda h: -h.score)
        beams = [c for c in candidates[: 2 * K] if not c.ends(eos)][:K]
        if not beams:
            break
        bound = best_reachable(beams[0].log_prob, n, max_len, alpha, penalty)
        if len(results) >= n_best and results[n_best - 1].score >= bound:
            break
    stopped = [judge(beam, *rule) for beam in beams if beam.tokens]
    stopped.sort(key=lambda h: -h.score)
    return (results + stopped)[:n_best]


def children(step, beam, bos, eos, coverage=0.0):
    """Continue a beginning by every word that is possible.

    Parameters
    ----------
    step, bos, eos, coverage : as in `beam_search`.
    beam : `Beam`.

    Returns
    -------
    children : list of `Beam`, in the order of their words.
    """
    last = beam.tokens[-1] if beam.tokens else bos
    log_p, state = read(step, beam.state, last, eos)
    attended = (*beam.attended, state["weights"][0]) if coverage else ()
    found = []
    for word, value in enumerate(log_p.tolist()):
        if value > -np.inf:
            tokens, log_probs = (*beam.tokens, word), (*beam.log_probs, value)
            found.append(Beam(tokens, log_probs, state, attended))
    return found


def best_reachable(log_prob, n, max_len, alpha, penalty="power"):
    """A bound: no continuation of a beginning can have a higher score.

    More tokens only make a log-probability smaller, and it is negative, so what divides it may at best be as large as
    it can get: the penalty of the longest output allowed. Coverage only subtracts. Without normalisation the bound is
    the log-probability itself.

    Parameters
    ----------
    log_prob : log-probability of the beginning, at most 0.
    n : tokens chosen so far.
    max_len : the most tokens that there may be.
    alpha, penalty : as in `length_penalty`.

    Returns
    -------
    score : the bound; -Inf where nothing can be added any more.
    """
    if n == max_len:
        return -np.inf
    return log_prob / length_penalty(max_len, alpha, penalty)


def exhaustive(step, state, bos, eos, max_len, alpha=0.0, *, penalty="power", coverage=0.0, n_best=None, limit=200_000):
    """Score every output there is, :eq:`best-translation`: the truth that a search is measured by, in tiny cases.

    Parameters
    ----------
    step, state, bos, eos, max_len, alpha, penalty, coverage : as in `beam_search`.
    n_best : how many to return; None for all.
    limit : the largest number of outputs, V^T, that is tried.

    Returns
    -------
    hypotheses : list of `Hypothesis`, the best first, those that have not ended at the end of the list. The
        probabilities of all sum to one.

    Raises
    ------
    ValueError
        when there are more than `limit` outputs.
    """
    check_search(1, max_len, n_best or 1)
    check_penalty(alpha, penalty, coverage)
    found, open_ = [], [Beam((), (), state)]
    V = len(read(step, state, bos, eos)[0])
    if V**max_len > limit:
        raise ValueError(
            f"{V} words and {max_len} tokens make {V}^{max_len} outputs, more than the limit of {limit:,}: "
            "make max_len smaller, or search with a beam"
        )
    while open_:
        for child in children(step, open_.pop(), bos, eos, coverage):
            if child.ends(eos) or len(child.tokens) == max_len:
                found.append(judge(child, eos, alpha, penalty, coverage))
            else:
                open_.append(child)
    return sorted(found, key=lambda h: (not h.finished, -h.score, h.tokens))[:n_best]


def blame(log_p_star, log_p_hat):
    """Say who is at fault when a person's translation is better than the program's, :eq:`blame`.

    Parameters
    ----------
    log_p_star : what the search maximises (log P(y|x), or the normalised score), of the person's translation y*.
    log_p_hat : the same of the program's translation.

    Returns
    -------
    blame : "search" when the model likes y* better, so that the search should have found it; else "model".

    Raises
    ------
    ValueError
        when a number is NaN.
    """
    if np.isnan(log_p_star) or np.isnan(log_p_hat):
        raise ValueError(f"log_p_star is {log_p_star} and log_p_hat is {log_p_hat}; NaN cannot be compared")
    return "search" if log_p_star > log_p_hat else "model"


def judge(beam, eos, alpha=0.0, penalty="power", coverage=0.0):
    """Score a beginning: its log-probability over the length penalty.

    The coverage penalty is added where it is wanted.

    Parameters
    ----------
    beam : `Beam`.
    eos : id of the token that ends a sentence.
    alpha, penalty, coverage : as in `beam_search`.

    Returns
    -------
    hypothesis : `Hypothesis`.
    """
    n = len(beam.tokens)
    score = beam.log_prob / length_penalty(max(1, n), alpha, penalty)
    if coverage and n:
        score += coverage_penalty(np.array(beam.attended), coverage)
    found = beam.tokens, beam.log_probs, beam.log_prob
    return Hypothesis(*found, float(score), beam.ends(eos))


def read(step, state, token, eos):
    """Let the model read one token: log-probabilities (V,) of the next, and the new state."""
    scores, state = step(np.array([token]), state)
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or len(scores) != 1:
        raise ValueError(f"step gave scores of shape {scores.shape}; for one token they must have shape (1, V)")
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise ValueError("step gave scores with NaN or +Inf; they must be finite or -Inf")
    if not 0 <= eos < scores.shape[1]:
        raise ValueError(f"eos is {eos}; the step scores the ids 0 to {scores.shape[1] - 1}")
    return log_softmax(scores[0]), state


def prefix_step(distribution):
    """Make a step of a function that knows the next word's probabilities after any beginning.

    Parameters
    ----------
    distribution : function from a tuple of ids, the tokens after `<bos>`, to (V,) probabilities of the next.

    Returns
    -------
    step : its state holds the ids that were read, (N, t); begin with `np.zeros((1, 0), int)`.
    """

    def step(tokens, state):
        state = np.concatenate([state, tokens[:, None]], axis=1)
        with np.errstate(divide="ignore"):  # probability 0
            return np.log([distribution(tuple(row[1:].tolist())) for row in state]), state

    return step


def check_search(beam_width, max_len, wanted, name_of_wanted="n_best"):
    """Refuse numbers that no search can use."""
    for name, number in {"beam_width": beam_width, "max_len": max_len, name_of_wanted: wanted}.items():
        check_whole(name, number)


def check_penalty(alpha, form, coverage=0.0):
    """Refuse penalties for which the search could not know when to stop."""
    if form not in FORMS:
        raise ValueError(f"penalty is {form!r}; it must be 'power' or 'gnmt'")
    for name, number in {"alpha": alpha, "coverage": coverage}.items():
        if not 0 <= number < np.inf:
            raise ValueError(f"{name} is {number}; it must be a number, at least 0")
