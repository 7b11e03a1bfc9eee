"""Decoding of many sentences at once in torch: greedy, beam search, and the scores of given outputs.

A *step* is what every function here takes: `step(tokens (N,), state) -> (scores (N, V), state)`, with logits or
log-probabilities, -Inf allowed. A *state* is any nest of tuples, lists, dicts and None around tensors whose first
dimension is N, so that rows can be chosen and repeated. A search begins with a state of B rows, one for each sentence
(with a state that holds no tensor, B is 1), and goes on with rows for the hypotheses of all sentences that still need
it. Letters: B sentences, K beams, V words, T the largest length, n the length of one hypothesis.
"""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch

from seqlab.decode.reference import (
    Beam,
    Hypothesis,
    best_reachable,
    check_penalty,
    check_search,
    coverage_penalty,
    judge,
)
from seqlab.decode.states import begin, log_softmax, read, select
from seqlab.kernels import pick_backend
from seqlab.ordering import first_largest
from seqlab.shapes import check_shape

__all__ = ["Hypothesis", "beam_search", "beam_step", "greedy", "rescore"]


def beam_step(scores, totals, width, backend="auto"):
    """The best continuations of all beams of each sentence, :eq:`beam-step`.

    Parameters
    ----------
    scores : (B, K, V) logits or log-probabilities of the next word, finite or -Inf.
    totals : (B, K) log-probabilities of the beams, -Inf for a place that is empty.
    width : how many to return, 1 to K * V.
    backend : "torch", "triton" (log-softmax and top in one pass over the scores), or "auto": Triton on CUDA where the
        kernel takes the data types and the width, else torch.

    Returns
    -------
    totals : (B, width) log-probabilities of the continuations, the largest first; -Inf where no more are possible.
    beams : (B, width) int64, which beam each continues.
    tokens : (B, width) int64, with which word. Of equal totals the lower beam comes first, then the lower word.

    Raises
    ------
    ValueError
        when a shape does not fit, the width is out of range, a backend is unknown, or torch sees NaN or +Inf.
    """
    B, K, V = check_shape("scores", scores, ("B", "K", "V")).values()
    check_shape("totals", totals, (B, K))
    if not 1 <= width <= K * V:
        raise ValueError(f"width is {width}; with {K} beams and {V} words it must be 1 to {K * V}")
    if _way(scores, totals, width, backend) == "triton":
        from seqlab.decode import kernels

        return kernels.beam_step(scores, totals, width)
    if not ((scores < torch.inf).all() and (totals < torch.inf).all()):
        raise ValueError("scores or totals holds NaN or +Inf; they must be finite or -Inf")
    flat = (log_softmax(scores) + totals[..., None]).reshape(B, K * V)
    values, indices = first_largest(flat, width)
    return values, indices // V, indices % V


def _way(scores, totals, width, backend):
    """Which backend: "auto" leaves to torch what the kernel does not take."""
    way = pick_backend(backend, scores, totals)
    if way == "torch" or backend == "triton":
        return way
    from seqlab.decode.kernels import TYPES, WIDEST

    fits = scores.dtype in TYPES and totals.dtype == torch.float32 and width <= WIDEST
    return "triton" if fits else "torch"


def _attention(state):
    """The attention weights (N, Tx) that the last step has left in its state, 0 where there is no word."""
    if not (isinstance(state, dict) and isinstance(state.get("weights"), torch.Tensor)):
        raise ValueError(
            "coverage needs attention: step must return a dict with the weights (N, Tx) under the key 'weights'; "
            "use coverage=0 with a model that has none"
        )
    return state["weights"]


@torch.no_grad()
def greedy(step, state, bos, eos, max_len):
    """Take the likeliest word, again and again, in all sentences side by side, :eq:`greedy-decoding`.

    Parameters
    ----------
    step, state : the model, see the top of this page; B sentences.
    bos, eos : ids of the tokens that begin and end a sentence.
    max_len : the most tokens to choose, `<eos>` counted.

    Returns
    -------
    hypotheses : list of B `Hypothesis`; the score is the log-probability. Of equal words the lowest id is taken.

    Raises
    ------
    ValueError
        when the state, the scores or a number does not fit.
    """
    check_search(1, max_len, 1)
    B, device = begin(state)
    if B == 0:
        return []
    found = [([], []) for _ in range(B)]
    going = list(range(B))
    words = torch.full((B,), bos, dtype=torch.int64, device=device)
    for _ in range(max_len):
        scores, state = read(step, words, state, eos)
        best, words = log_softmax(scores).max(dim=1)
        stay = []
        for row, (sentence, word, value) in enumerate(zip(going, words.tolist(), best.tolist(), strict=True)):
            if value == -np.inf:  # nothing can follow
                continue
            found[sentence][0].append(word)
            found[sentence][1].append(value)
            if word != eos:
                stay.append(row)
        if not stay:
            break
        rows = torch.tensor(stay, device=device)
        going, words, state = [going[row] for row in stay], words[rows], select(state, rows)
    return [judge(Beam(tuple(tokens), tuple(log_probs)), eos) for tokens, log_probs in found]


@torch.no_grad()
def beam_search(
    step,
    state,
    bos,
    eos,
    beam_width,
    max_len,
    alpha=0.0,
    *,
    penalty="power",
    coverage=0.0,
    n_best=1,
    backend="auto",
):
    """Keep the K likeliest beginnings of each sentence and continue them all, :eq:`beam-step`.

    From the K * V continuations of a sentence the best 2K are looked at. One that ends is a result if it is among the
    best K. It leaves the beam, and the next candidate takes its place, so that the beam stays full. Inside the beam all
    have the same length and are ranked by log-probability; the penalties rank the results. A sentence stops at
    `max_len`, or when none of its beams can reach its `n_best` results any more: that is exact, see
    `seqlab.decode.reference.best_reachable`.

    Parameters
    ----------
    step, state : the model, see the top of this page; B sentences.
    bos, eos : ids of the tokens that begin and end a sentence.
    beam_width : K, at least 1. With 1 and no penalty the search is greedy.
    max_len : T, the most tokens of a hypothesis, `<eos>` counted.
    alpha, penalty : exponent and form of `length_penalty`: "power" for n^alpha :eq:`length-normalisation`, "gnmt" for
        ((5 + n) / 6)^alpha :eq:`length-penalty` (Wu et al. 2016).
    coverage : beta of `coverage_penalty`, which takes the attention from `state["weights"]`, (N, Tx), after each step.
        Source words that do not count have False in `state["mask"]`; without a mask, they are those whose weight is 0
        at every step.
    n_best : how many results are wanted of each sentence; more than K is allowed.
    backend : of `beam_step`.

    Returns
    -------
    hypotheses : list of B lists of at most `n_best` `Hypothesis`, the best first. Those that have not ended
        (`finished=False`) come last, and only where fewer than `n_best` have ended.

    Raises
    ------
    ValueError
        when the state, the scores or a number does not fit, or coverage is asked of a model without attention.
    """
    check_search(beam_width, max_len, n_best)
    check_penalty(alpha, penalty, coverage)
    B, device = begin(state)
    if B == 0:
        return []
    rule = _Rule(eos, alpha, penalty, coverage, n_best, max_len)
    results = [[] for _ in range(B)]
    beams = _Beams.first(B, beam_width, device)
    state = select(state, torch.arange(B, device=device).repeat_interleave(beam_width))
    words = torch.full((B * beam_width,), bos, dtype=torch.int64, device=device)
    for n in range(1, max_len + 1):
        scores, state = read(step, words, state, eos)
        before, (beams, ended) = beams, beams.grown(scores, state, rule, backend)
        best, going = beams.best, []
        for i, sentence in enumerate(beams.sentences):
            results[sentence] += ended[i]
            results[sentence].sort(key=lambda h: -h.score)
            if rule.goes_on(results[sentence], best[i], n):
                going.append(i)
            elif len(results[sentence]) < n_best:
                results[sentence] += (before if beams.dead[i] else beams).unfinished(i, rule)
        if not going:
            break
        beams, rows = beams.chosen(going)
        state, words = select(state, rows), beams.tokens[:, :, -1].reshape(-1)
    return [found[:n_best] for found in results]


class _Rule(NamedTuple):
    """What ends a hypothesis, a search, and how results are ranked."""

    eos: int
    alpha: float
    penalty: str
    coverage: float
    n_best: int
    max_len: int

    def judged(self, tokens, log_probs, weights):
        """A `Hypothesis`; weights is the attention of all its tokens, summed, (Tx,), or None."""
        hypothesis = judge(Beam(tuple(tokens), tuple(log_probs)), self.eos, self.alpha, self.penalty)
        if weights is None:
            return hypothesis
        less = coverage_penalty(weights.cpu().numpy()[None], self.coverage)
        return replace(hypothesis, score=hypothesis.score + less)

    def goes_on(self, results, best, n):
        """Whether a beam can still become one of the `n_best` results."""
        if best == -np.inf or n == self.max_len:
            return False
        if len(results) < self.n_best:
            return True
        return best_reachable(best, n, self.max_len, self.alpha, self.penalty) > results[self.n_best - 1].score


@dataclass
class _Beams:
    """The K beams of the A sentences that still need the search.

    Attributes
    ----------
    sentences : list of A, which sentences these are.
    totals : (A, K) float64 log-probabilities; -Inf for an empty place.
    tokens, log_probs : (A, K, n) what each beam has chosen.
    origin : (A, K) the beam of the step before that each continues.
    attended : (A, K, Tx) sum of the attention so far, or None.
    masked : whether the attention is NaN at source words that do not count; otherwise they have 0.
    dead : list of A, True where no word at all could follow.
    """

    sentences: list
    totals: torch.Tensor
    tokens: torch.Tensor
    log_probs: torch.Tensor
    origin: torch.Tensor
    attended: torch.Tensor | None = None
    masked: bool = False
    dead: list | None = None

    @classmethod
    def first(cls, B, K, device):
        """One empty beginning in each sentence, and K - 1 empty places."""
        totals = torch.full((B, K), -torch.inf, dtype=torch.float64, device=device)
        totals[:, 0] = 0
        tokens = torch.empty(B, K, 0, dtype=torch.int64, device=device)
        return cls(list(range(B)), totals, tokens, tokens.double(), torch.zeros_like(totals, dtype=torch.int64))

    @property
    def best(self):
        """The largest total of each sentence, a list of A."""
        return self.totals.amax(1).tolist()

    def grown(self, scores, state, rule, backend):
        """Continue every beam by a word: the new beams, and for each sentence the list of those that have ended."""
        A, K = self.totals.shape
        scores = scores.view(A, K, -1)
        top = self.totals.amax(1, keepdim=True)
        relative = (self.totals - top).to(torch.promote_types(scores.dtype, torch.float32))  # small numbers: exact
        totals, origin, words = beam_step(scores, relative, min(2 * K, K * scores.shape[2]), backend)
        gained = totals.double() - relative.gather(1, origin).double()
        totals = torch.where(totals == -torch.inf, -torch.inf, self.totals.gather(1, origin) + gained)
        attended, masked = self._attention(state, origin, rule)
        candidates = _Beams(
            self.sentences,
            totals,
            torch.cat([_take(self.tokens, origin), words[:, :, None]], 2),
            torch.cat([_take(self.log_probs, origin), gained[:, :, None]], 2),
            origin,
            attended,
            masked,
            (totals[:, 0] == -torch.inf).tolist(),
        )
        possible, ends = totals > -torch.inf, words == rule.eos
        ended = [[] for _ in range(A)]
        for i, k in (possible & ends)[:, :K].nonzero().tolist():
            ended[i].append(candidates.hypothesis(i, k, rule))
        stays = possible & ~ends
        order = stays.int().argsort(dim=1, descending=True, stable=True)[:, :K]
        totals = torch.where(stays, totals, -torch.inf)
        return replace(
            candidates,
            totals=totals.gather(1, order),
            tokens=_take(candidates.tokens, order),
            log_probs=_take(candidates.log_probs, order),
            origin=origin.gather(1, order),
            attended=attended if attended is None else _take(attended, order),
        ), ended

    def forced(self, scores, words, state, rule):
        """Continue every sentence's only beam by the given word, words (A,)."""
        A = len(words)
        origin = torch.zeros(A, 1, dtype=torch.int64, device=words.device)
        gained = log_softmax(scores).gather(1, words[:, None]).double()
        attended, masked = self._attention(state, origin, rule)
        return _Beams(
            self.sentences,
            self.totals + gained,
            torch.cat([self.tokens, words.view(A, 1, 1)], 2),
            torch.cat([self.log_probs, gained[:, :, None]], 2),
            origin,
            attended,
            masked,
        )

    def _attention(self, state, origin, rule):
        """The sum of the attention of every candidate's tokens, and whether a mask has put NaN into it."""
        if not rule.coverage:
            return None, False
        weights, mask = _attention(state), state.get("mask")
        if mask is not None:
            weights = weights.masked_fill(~mask, torch.nan)
        weights = weights.view(*self.totals.shape, -1).double()
        return _take(weights if self.attended is None else self.attended + weights, origin), mask is not None

    def hypothesis(self, i, k, rule):
        """Beam k of the sentence at place i, judged."""
        weights = None
        if self.attended is not None:
            weights = self.attended[i, k]
            weights = weights[~weights.isnan() if self.masked else weights > 0]
        return rule.judged(self.tokens[i, k].tolist(), self.log_probs[i, k].tolist(), weights)

    def unfinished(self, i, rule):
        """The beams of the sentence at place i as hypotheses that have not ended, the best first."""
        if self.tokens.shape[2] == 0:
            return []
        alive = (self.totals[i] > -torch.inf).nonzero()[:, 0].tolist()
        return sorted((self.hypothesis(i, k, rule) for k in alive), key=lambda h: -h.score)

    def chosen(self, places):
        """Keep some of the sentences: the beams, and which rows of the state they need."""
        K = self.totals.shape[1]
        index = torch.tensor(places, device=self.totals.device)
        rows = (index[:, None] * K + self.origin[index]).reshape(-1)
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        kept = {name: value[index] for name, value in kept.items() if isinstance(value, torch.Tensor)}
        return replace(self, sentences=[self.sentences[i] for i in places], **kept), rows


def _take(values, index):
    """Choose beams: values (A, K, n) and index (A, M) -> (A, M, n)."""
    return values.gather(1, index[:, :, None].expand(-1, -1, values.shape[2]))


@torch.no_grad()
def rescore(step, state, bos, eos, sequences, alpha=0.0, *, penalty="power", coverage=0.0):
    """What the model gives to outputs that are given: the tokens are read one after another, as in teacher forcing.

    Parameters
    ----------
    step, state : the model, see the top of this page; B sentences.
    bos, eos : ids of the tokens that begin and end a sentence.
    sequences : B lists of ids, an output for each sentence. Without `<eos>` at its end it counts as not finished.
    alpha, penalty, coverage : as in `beam_search`.

    Returns
    -------
    hypotheses : list of B `Hypothesis`, the same numbers as `beam_search` reports for an output that it finds.

    Raises
    ------
    ValueError
        when there is another number of sequences than sentences, one is empty, or an id is outside the vocabulary.
    """
    check_penalty(alpha, penalty, coverage)
    B, device = begin(state)
    sequences = [tuple(int(word) for word in sequence) for sequence in sequences]
    if len(sequences) != B:
        raise ValueError(f"there are {len(sequences)} sequences and {B} sentences; give one for each")
    if not all(sequences):
        raise ValueError(f"sequence {sequences.index(())} is empty; it must hold at least <eos>")
    if B == 0:
        return []
    rule = _Rule(eos, alpha, penalty, coverage, 1, max(map(len, sequences)))
    beams, found = _Beams.first(B, 1, device), [None] * B
    words = torch.full((B,), bos, dtype=torch.int64, device=device)
    for n in range(1, rule.max_len + 1):
        scores, state = read(step, words, state, eos)
        words = [sequences[sentence][n - 1] for sentence in beams.sentences]
        strange = [word for word in words if not 0 <= word < scores.shape[1]]
        if strange:
            raise ValueError(f"a sequence holds {strange[0]}; the step scores the ids 0 to {scores.shape[1] - 1}")
        words = torch.tensor(words, device=device)
        beams = beams.forced(scores, words, state, rule)
        ends = [len(sequences[sentence]) == n for sentence in beams.sentences]
        for i in np.flatnonzero(ends):
            found[beams.sentences[i]] = beams.hypothesis(i, 0, rule)
        going = np.flatnonzero(np.logical_not(ends)).tolist()
        if not going:
            break
        beams, rows = beams.chosen(going)
        state, words = select(state, rows), words[rows]
    return found
