"""Error analysis: when a translation is bad, is the search to blame, or the model?"""

import textwrap
from dataclasses import dataclass

import numpy as np
import torch

from seqlab.decode.functional import rescore
from seqlab.decode.reference import Hypothesis, blame
from seqlab.decode.states import begin, select

ADVICE = {
    None: "All translations are right: there is nothing to repair.",
    "search": "The search is to blame more often: make the beam wider.",
    "model": "The model is to blame more often: a wider beam will not help. Train longer, on more data, regularise, "
    "change the network, or change what the search maximises.",
}


@dataclass(frozen=True)
class Verdict:
    """One sentence of an error analysis.

    Attributes
    ----------
    sentence : its number.
    star : `Hypothesis`, the right translation y*; of several the one that the model scores best.
    hat : `Hypothesis`, what the program wrote, y^.
    objective_star, objective_hat : what the search maximises, of both: the score, which is log P(y|x) without
        penalties. -Inf for an output that has not ended, as it is no output at all.
    blame : "search", "model", or None where the program's translation is right.
    """

    sentence: int
    star: Hypothesis
    hat: Hypothesis
    objective_star: float
    objective_hat: float
    blame: str | None


@dataclass(frozen=True)
class ErrorAnalysis:
    """The verdicts of all sentences, :eq:`blame`.

    Attributes
    ----------
    verdicts : list of B `Verdict`.
    """

    verdicts: list

    @property
    def counts(self):
        """How many are right, and how many are the fault of the search and of the model: a dict of three numbers."""
        said = [verdict.blame for verdict in self.verdicts]
        return {"right": said.count(None), "search": said.count("search"), "model": said.count("model")}

    @property
    def shares(self):
        """The share of search and of model among the errors, a dict of two numbers; both 0 without an error."""
        wrong = max(1, self.counts["search"] + self.counts["model"])
        return {name: self.counts[name] / wrong for name in ("search", "model")}

    @property
    def advice(self):
        """What to work on, a sentence."""
        counts = self.counts
        if counts["right"] == len(self.verdicts):
            return ADVICE[None]
        return ADVICE["search" if counts["search"] > counts["model"] else "model"]

    def __str__(self):
        lines = ["sentence  log P(y*|x)  log P(y^|x)   compared  blame"]
        for v in self.verdicts:
            sign = {True: ">", False: "<="}[v.objective_star > v.objective_hat]
            compared = f"{v.objective_star:.2f} {sign} {v.objective_hat:.2f}"
            lines.append(
                f"{v.sentence:8}{v.star.log_prob:13.3f}{v.hat.log_prob:13.3f}  {compared}  {v.blame or 'right'}"
            )
        counts = self.counts
        lines.append(f"right {counts['right']}, search {counts['search']}, model {counts['model']}")
        lines.extend(textwrap.wrap(self.advice, 60))
        return "\n".join(lines)


@torch.no_grad()
def error_analysis(step, state, references, hypotheses, bos, eos, alpha=0.0, *, penalty="power", coverage=0.0):
    """Blame the search or the model for every translation that is not right, :eq:`blame`.

    If the model gives the right translation y* a higher objective than the program's y^, the search has missed it.
    Otherwise the search did its work, and the model prefers the wrong one. Both are compared by **what the search
    maximises**: with a length penalty, compare the normalised scores, or else a short y^ that lost under the objective
    is blamed on the wrong part.

    Parameters
    ----------
    step, state : the model, as in `seqlab.decode.beam_search`; B sentences.
    references : B right translations, each a list of ids that ends with `<eos>`, or a list of several such lists.
    hypotheses : B outputs of the program: `Hypothesis`, lists of them (the first counts, as `beam_search` returns
        them), or lists of ids. They are scored again by the model.
    bos, eos : ids of the tokens that begin and end a sentence.
    alpha, penalty, coverage : of the search that wrote the hypotheses.

    Returns
    -------
    analysis : `ErrorAnalysis`. A hypothesis that is one of the references is right. One that has not ended is the
        fault of the search, which has found no output.

    Raises
    ------
    ValueError
        when the numbers of sentences differ, or a reference does not end with `<eos>`.
    """
    B, device = begin(state)
    for name, given in {"references": references, "hypotheses": hypotheses}.items():
        if len(given) != B:
            raise ValueError(f"{name} has {len(given)} entries and state has {B} sentences; give one for each")
    right = [_several(entry) for entry in references]
    for sentence, those in enumerate(right):
        for ids in those:
            if not ids or ids[-1] != eos:
                raise ValueError(f"a reference of sentence {sentence} does not end with <eos>, {eos}: add it")
    owners = np.repeat(np.arange(B), [len(those) for those in right])

    def scored(rows, sequences):
        chosen = select(state, torch.as_tensor(rows, device=device))
        return rescore(step, chosen, bos, eos, sequences, alpha, penalty=penalty, coverage=coverage)

    stars = scored(owners, [ids for those in right for ids in those])
    hats = scored(np.arange(B), [_tokens(entry) for entry in hypotheses])
    verdicts = []
    for sentence, hat in enumerate(hats):
        those = [star for star, owner in zip(stars, owners, strict=True) if owner == sentence]
        star = max(those, key=lambda h: h.score)
        objective = hat.score if hat.finished else -np.inf
        found = None if hat.tokens in right[sentence] else blame(star.score, objective)
        verdicts.append(Verdict(sentence, star, hat, star.score, objective, found))
    return ErrorAnalysis(verdicts)


def _several(entry):
    """One reference or several -> a list of tuples of ids."""
    one = len(entry) > 0 and not hasattr(entry[0], "__len__")
    several = [tuple(int(word) for word in ids) for ids in ([entry] if one else entry)]
    if not several:
        raise ValueError("a sentence has no reference; give it at least one right translation")
    return several


def _tokens(entry):
    """A hypothesis in any of its forms -> its ids."""
    if not isinstance(entry, Hypothesis) and len(entry) and isinstance(entry[0], Hypothesis):
        entry = entry[0]
    return entry.tokens if isinstance(entry, Hypothesis) else entry
