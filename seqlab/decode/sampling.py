"""Draw outputs instead of searching for the best: with and without replacement.

The step and the state are those of `seqlab.decode.states`. Letters: B sentences, K outputs of each, V words.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from seqlab.decode.reference import Beam, check_search, judge
from seqlab.decode.states import begin, log_softmax, read, select
from seqlab.lm.sampling import draw, filtered


@torch.no_grad()
def sample(step, state, bos, eos, max_len, *, samples=1, rng, temperature=1.0, top_k=None, top_p=None):
    """Draw outputs word by word, each independent of the others.

    Parameters
    ----------
    step, state : the model, see the top of this page; B sentences.
    bos, eos : ids of the tokens that begin and end a sentence.
    max_len : the most tokens to draw, `<eos>` counted.
    samples : how many outputs of each sentence.
    rng : `numpy.random.Generator`, or a seed for one.
    temperature, top_k, top_p : as `temperature`, `top_k` and `nucleus` of `seqlab.lm.sample`.

    Returns
    -------
    hypotheses : list of B lists of `samples` `Hypothesis`, in the order drawn. Their log-probabilities are the
        model's own, whatever the temperature; the score is their sum.

    Raises
    ------
    ValueError
        when the state, the scores or a number does not fit, or no word can follow.
    """
    check_search(1, max_len, samples, "samples")
    rng = np.random.default_rng(rng)
    B, device = begin(state)
    if B == 0:
        return []
    state = select(state, torch.arange(B, device=device).repeat_interleave(samples))
    found = [([], []) for _ in range(B * samples)]
    going = list(range(B * samples))
    words = torch.full((B * samples,), bos, dtype=torch.int64, device=device)
    for _ in range(max_len):
        scores, state = read(step, words, state, eos)
        log_p = log_softmax(scores).double().cpu().numpy()
        if np.isneginf(log_p.max(axis=1)).any():
            raise ValueError("all scores of a row are -Inf: no word can be drawn")
        drawn = draw(filtered(log_p, temperature, top_k, top_p), rng)
        for row, word in zip(going, drawn.tolist(), strict=True):
            found[row][0].append(word)
        for row, value in zip(going, log_p[np.arange(len(drawn)), drawn].tolist(), strict=True):
            found[row][1].append(value)
        stay = np.flatnonzero(drawn != eos)
        if len(stay) == 0:
            break
        rows = torch.tensor(stay, device=device)
        going, state = [going[row] for row in stay], select(state, rows)
        words = torch.tensor(drawn[stay], device=device)
    hypotheses = [judge(Beam(tuple(tokens), tuple(log_probs)), eos) for tokens, log_probs in found]
    return [hypotheses[b * samples : (b + 1) * samples] for b in range(B)]


@torch.no_grad()
def stochastic_beam_search(step, state, bos, eos, beam_width, max_len, *, rng):
    """Draw K *different* outputs, as if without replacement, :eq:`gumbel-top-k` (Kool et al. 2019).

    Every output y has a perturbed log-probability G(y) = log P(y|x) + a Gumbel draw of its own, and the K largest are a
    sample without replacement. No need to look at all outputs: the largest G among the outputs with a common beginning
    can be drawn before they are known, and so a beam of width K finds the K largest.

    Parameters
    ----------
    step, state : the model, see the top of this page; B sentences.
    bos, eos : ids of the tokens that begin and end a sentence.
    beam_width : K, how many outputs.
    max_len : the most tokens of an output, `<eos>` counted; what is cut off there is an output with
        `finished=False`.
    rng : `numpy.random.Generator`, or a seed for one.

    Returns
    -------
    hypotheses : list of B lists of at most K different `Hypothesis` (fewer where there are no more outputs) in the
        order of their G, which is their `score`: the order of drawing. The first is a sample of the model.

    Raises
    ------
    ValueError
        when the state, the scores or a number does not fit.
    """
    check_search(beam_width, max_len, 1)
    rng = np.random.default_rng(rng)
    B, device = begin(state)
    if B == 0:
        return []
    beams = [[_Node(rng.gumbel(), (), (), row)] for row in range(B)]
    words = torch.full((B,), bos, dtype=torch.int64, device=device)
    for _ in range(max_len):
        scores, state = read(step, words, state, eos)
        log_p = log_softmax(scores).double().cpu().numpy()
        for b, beam in enumerate(beams):
            grown = [node for node in beam if node.row is None]
            for node in beam:
                if node.row is not None:
                    grown += _children(node, log_p[node.row], eos, beam_width, rng)
            beams[b] = sorted(grown, key=lambda node: -node.G)[:beam_width]
        open_ = [node.row for beam in beams for node in beam if node.row is not None]
        if not open_:
            break
        words = [node.tokens[-1] for beam in beams for node in beam if node.row is not None]
        words, state = torch.tensor(words, device=device), select(state, torch.tensor(open_, device=device))
        rows = iter(range(len(open_)))
        beams = [[node if node.row is None else node._replace(row=next(rows)) for node in beam] for beam in beams]
    return [[replace(judge(Beam(n.tokens, n.log_probs), eos), score=float(n.G)) for n in beam] for beam in beams]


class _Node(NamedTuple):
    """An output or the beginning of some, with the largest G among them; row of the state, None when it has ended."""

    G: float
    tokens: tuple
    log_probs: tuple
    row: int | None


def _children(node, log_p, eos, width, rng):
    """The continuations of a beginning by one word, as many of the largest G as a beam can hold."""
    words = np.flatnonzero(log_p > -np.inf)
    G = gumbel_with_maximum(sum(node.log_probs) + log_p[words], node.G, rng)
    best = [(G[i], int(words[i])) for i in np.argsort(-G, kind="stable")[:width]]
    return [
        _Node(g, (*node.tokens, v), (*node.log_probs, float(log_p[v])), None if v == eos else node.row) for g, v in best
    ]


def gumbel_with_maximum(log_p, maximum, rng):
    """Gumbel draws around log-probabilities, given the largest of them, :eq:`gumbel-top-k`.

    Parameters
    ----------
    log_p : (n,) log-probabilities of the children of a node.
    maximum : the node's own perturbed log-probability, which the best child inherits.
    rng : `numpy.random.Generator`.

    Returns
    -------
    perturbed : (n,) the children's, the largest of them equal to `maximum`.

    Notes
    -----
    -log(exp(-maximum) - exp(-Z) + exp(-G)) with Z the largest of the free draws G, in the stable form of Kool et al.
    (2019), appendix B.3.
    """
    if len(log_p) == 0:
        return log_p
    free = log_p + rng.gumbel(size=len(log_p))
    Z = free.max()
    with np.errstate(divide="ignore"):  # the largest itself: log 0
        v = maximum - free + np.log1p(-np.exp(free - Z))
    return maximum - np.maximum(0, v) - np.log1p(np.exp(-np.abs(v)))
