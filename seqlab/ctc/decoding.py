"""Decoding a batch in torch: greedy, and prefix beam search over all sequences at once.

Letters: T frames, B sequences, C classes (the labels and the blank), K beams, L the labels of the longest prefix. The
layout is that of torch's `ctc_loss`, (T, B, C). All logarithms are natural.
"""

from dataclasses import dataclass

import numpy as np
import torch

from seqlab.ctc.checks import check_lengths
from seqlab.ctc.reference.decoding import MOST, TOO_MUCH, CTCHypothesis, Judge, check_blank, check_search
from seqlab.kernels import pick_backend
from seqlab.ordering import first_largest
from seqlab.shapes import check_shape

__all__ = ["CTCHypothesis", "beam_decode", "greedy_decode"]


@torch.no_grad()
def greedy_decode(log_probs, input_lengths=None, blank=0, *, backend="auto"):
    """Take the likeliest class of every frame and collapse, :eq:`ctc-greedy`.

    This is the text of the likeliest path, which need not be the likeliest text: best path decoding of Graves et al.
    (2006). No frame waits for another one: there is no loop.

    Parameters
    ----------
    log_probs : (T, B, C) log-probabilities of the classes in every frame. Scores before the softmax give the same text.
    input_lengths : (B,) frames of each sequence, a tensor or a list; None for T each. What stands behind them, NaN
        too, does not matter.
    blank : id of the blank.
    backend : "torch", "triton" (one pass over log_probs), or "auto": Triton on CUDA, torch on the CPU.

    Returns
    -------
    labels : (B, T) int64, the labels of each sequence and then -1. Of equal classes the lowest id is taken.
    lengths : (B,) int64, how many labels there are.

    Raises
    ------
    ValueError
        when a shape, a length, the blank or the backend does not fit, or torch sees NaN.
    """
    T, B, _, lengths = _checked(log_probs, input_lengths, blank)
    if pick_backend(backend, log_probs) == "triton":
        from seqlab.ctc import kernels

        return kernels.greedy_decode(log_probs, lengths, blank)
    real = _real(lengths, T)
    if (log_probs.isnan().any(2) & real).any():
        raise ValueError("log_probs has NaN in a frame that counts")
    path = log_probs.argmax(2) if T else lengths.new_empty(T, B)
    new = torch.ones_like(real)
    new[1:] = path[1:] != path[:-1]
    kept = new & (path != blank) & real
    place = torch.where(kept, kept.cumsum(0) - 1, T)  # what is dropped goes into a column that is cut off
    labels = path.new_full((B, T + 1), -1).scatter_(1, place.T, torch.where(kept, path, -1).T)
    return labels[:, :T].contiguous(), kept.sum(0)


@torch.no_grad()
def beam_decode(
    log_probs,
    input_lengths=None,
    beam_width=16,
    blank=0,
    *,
    lm=None,
    lm_weight=0.5,
    bonus=0.0,
    n_best=1,
    lm_end=None,
    top=None,
    backend="auto",
):
    """Keep the K best prefixes of each sequence and let every frame extend them, :eq:`ctc-prefix-beam`.

    The search of `seqlab.ctc.reference.beam_decode`, where it is explained, for all sequences side by side;
    it is written out in loops there.

    Parameters
    ----------
    log_probs : (T, B, C) log-probabilities of the classes in every frame.
    input_lengths : (B,) frames of each sequence, a tensor or a list; None for T each. What stands behind them, NaN
        too, does not matter.
    beam_width : K, the prefixes kept after each frame, at least 1. Width 1 is not greedy decoding.
    blank : id of the blank.
    lm : language model, anything with `.distribution(context) -> (C,)` probabilities of the next label after a tuple
        of labels, e.g. `seqlab.lm.NGram`; or None. It is asked on the CPU, once for each new prefix. A text that it
        gives the probability 0 is never found.
    lm_weight : what its log-probability is multiplied by, at least 0; 0 leaves it out.
    bonus : added for every label.
    n_best : how many texts are wanted of each sequence, 1 to K.
    lm_end : id with which the language model says that the text ends, or None. The blank's id is free for that.
    top : how many labels of a frame, the likeliest, may extend a prefix; None for all of them. It saves time
        where C is large, and is no longer exact.
    backend : "torch", "triton" (one launch for the whole search; it has no language model, bonus or top), or "auto":
        Triton on CUDA where the kernel has all that is asked for, else torch.

    Returns
    -------
    hypotheses : list of B lists of at most n_best `CTCHypothesis` with different texts, the best score first; no text
        without any probability is among them. The score is log_prob + lm_weight * log p_lm + bonus * labels,
        :eq:`ctc-language-model`, not divided by a length. Of equal scores a prefix that was in the beam comes before a
        new one, then what comes from the better beam, then the lower label.

    Raises
    ------
    ValueError
        when a shape or a number does not fit, torch sees what are no log-probabilities, or the kernel is asked for
        what it does not have.
    """
    _, B, C, lengths = _checked(log_probs, input_lengths, blank)
    check_search(beam_width, n_best, lm_weight, lm_end, top)
    plain = (lm is None or lm_weight == 0) and bonus == 0 and top is None
    if _way(log_probs, beam_width, plain, backend) == "triton":
        return _by_kernel(log_probs, lengths, beam_width, blank, n_best)
    log_probs = _certain_blanks(log_probs, lengths, blank)
    judge = Judge(lm, lm_weight, bonus, C, lm_end)
    beams = _Beams.first(log_probs, beam_width, blank, judge)
    for y in log_probs[: int(lengths.max()) if B else 0]:
        beams = beams.grown(y, blank, top, judge)
    return beams.hypotheses(judge, n_best)


def _way(log_probs, beam_width, plain, backend):
    """Which backend: "auto" leaves to torch what the kernel does not have."""
    way = pick_backend(backend, log_probs)
    if backend == "triton" and not plain:
        raise ValueError("the kernel has no language model, no bonus and no top; use backend='torch' with them")
    if way == "torch" or backend == "triton":
        return way
    from seqlab.ctc.kernels.beam import WIDEST

    return "triton" if plain and beam_width <= WIDEST else "torch"


def _by_kernel(log_probs, lengths, beam_width, blank, n_best):
    """The kernel's beams as hypotheses."""
    from seqlab.ctc import kernels

    labels, counts, totals = kernels.beam_decode(log_probs, lengths, beam_width, blank)
    if totals.isnan().any():
        raise ValueError("log_probs has NaN or +Inf in a frame that counts")
    found = []
    for row in zip(labels.tolist(), counts.tolist(), totals.tolist(), strict=True):
        beams = [CTCHypothesis(tuple(ids[:n]), total, total) for ids, n, total in zip(*row, strict=True)]
        found.append([h for h in beams if h.log_prob > -torch.inf][:n_best])
    return found


@dataclass
class _Beams:
    """The K prefixes of each of B sequences, the best first; an empty place has masses of -Inf.

    Attributes
    ----------
    labels, lengths : (B, K, T + 1) and (B, K), the prefixes; what stands behind their ends means nothing.
    last : (B, K) the last label of each prefix; of the empty one the blank, which cannot be repeated or extend.
    blank, label : (B, K) log-probabilities of a prefix's paths that end in a blank, and of those that end in a label.
    added : (B, K) what the language model and the bonus add to the score of a prefix.
    next : (B, K, V) what the language model would add for the label that follows; None without a model.
    begins : (B, K, K) bool, whether prefix i is the beginning of prefix j, or all of it.
    """

    labels: torch.Tensor
    lengths: torch.Tensor
    last: torch.Tensor
    blank: torch.Tensor
    label: torch.Tensor
    added: torch.Tensor
    next: torch.Tensor | None
    begins: torch.Tensor

    @classmethod
    def first(cls, log_probs, K, blank, judge):
        """Before the first frame: the empty prefix, whose probability is 1, and K - 1 empty places."""
        T, B, _ = log_probs.shape
        nothing = log_probs.new_full((B, K), -torch.inf)
        labels = torch.zeros(B, K, T + 1, dtype=torch.int64, device=log_probs.device)
        begins = torch.zeros(B, K, K, dtype=torch.bool, device=log_probs.device)
        begins[:, 0, 0] = True
        return cls(
            labels=labels,
            lengths=labels.new_zeros(B, K),
            last=labels.new_full((B, K), blank),
            blank=nothing.index_fill(1, labels.new_zeros(1), 0.0),
            label=nothing,
            added=torch.zeros_like(nothing),
            next=None if judge.lm is None else log_probs.new_tensor(judge.next(())).repeat(B, K, 1),
            begins=begins,
        )

    def grown(self, y, blank, top, judge):
        """The beams after one more frame, y (B, C)."""
        K, C = self.last.shape[1], y.shape[1]
        stay_blank, stay_label, grow = self._candidates(y, blank, top)
        added = (self.added + judge.bonus)[..., None].expand_as(grow)
        if self.next is not None:
            added = added + self.next[..., :C]
        stay = torch.logaddexp(stay_blank, stay_label)
        scores, chosen = first_largest(_joined(stay + self.added, grow + added), K)
        alive = scores > -torch.inf
        grows = alive & (chosen >= K)
        before = torch.where(grows, (chosen - K) // C, chosen % K)  # which prefix it was, and what was added to it
        c = torch.where(grows, (chosen - K) % C, self.last.gather(1, before))
        after = _Beams(
            labels=_rows(self.labels, before),
            lengths=self.lengths.gather(1, before),
            last=c,
            blank=stay_blank.gather(1, before).masked_fill(grows | ~alive, -torch.inf),
            label=_joined(stay_label, grow).gather(1, chosen).masked_fill(~alive, -torch.inf),
            added=_joined(self.added, added).gather(1, chosen).masked_fill(~alive, 0.0),
            next=None if self.next is None else _rows(self.next, before),
            begins=_rows(_rows(self.begins, before).mT, before).mT & alive[:, :, None] & alive[:, None],
        )
        after._append(c, grows)
        if judge.lm is not None and grows.any():
            after._ask(judge, grows)
        return after

    def _candidates(self, y, blank, top):
        """The masses (B, K) of the prefixes that stay, in two parts, and (B, K, C) of those that grow by a label."""
        total = torch.logaddexp(self.blank, self.label)
        stay_blank = total + y[:, blank, None]
        stay_label = self.label + y.gather(1, self.last)
        y = _only_labels(y, blank, top)
        grow = total[..., None] + y[:, None]
        double = self.blank + y.gather(1, self.last)  # a double letter needs a blank between
        grow.scatter_(2, self.last[..., None], double[..., None])

        # a prefix that grows into another one of the beam gives its mass to that one
        one_shorter = self.begins & (self.lengths[:, :, None] + 1 == self.lengths[:, None])
        has, parent = one_shorter.any(1), one_shorter.int().argmax(1)
        C = y.shape[1]
        place = torch.where(has, parent * C + self.last, blank)  # a blank's place is empty
        flat = grow.flatten(1)
        stay_label = torch.logaddexp(stay_label, flat.gather(1, place))
        return stay_blank, stay_label, flat.scatter(1, place, -torch.inf).view_as(grow)

    def _append(self, c, grows):
        """Write the new labels, and keep `begins` true: a prefix that grew begins only those that go on with its c."""
        there = self.lengths[..., None]
        self.labels.scatter_(2, there, c[..., None])
        self.lengths = self.lengths + grows
        goes_on = self.labels.gather(2, there.mT.expand_as(self.begins)).mT == c[..., None]
        goes_on &= self.lengths[:, None] > there
        self.begins &= goes_on | ~grows[..., None]

    def _ask(self, judge, grows):
        """Ask the language model what may follow the new prefixes."""
        new = zip(self.labels[grows].tolist(), self.lengths[grows].tolist(), strict=True)
        self.next[grows] = self.next.new_tensor(np.stack([judge.next(tuple(ids[:n])) for ids, n in new]))

    def hypotheses(self, judge, n_best):
        """The texts of each sequence, the best first."""
        found = []
        total = torch.logaddexp(self.blank, self.label)
        for row in zip(*(x.tolist() for x in (self.labels, self.lengths, total, self.added)), strict=True):
            texts = []
            for ids, n, log_prob, added in zip(*row, strict=True):
                labels = tuple(ids[:n])
                score = log_prob + added + (judge.ending(labels) if log_prob > -np.inf else 0.0)
                if score > -np.inf:
                    texts.append(CTCHypothesis(labels, log_prob, score))
            found.append(sorted(texts, key=lambda h: -h.score)[:n_best])
        return found


def _joined(stay, grow):
    """(B, K) and (B, K, C) as the candidates of each sequence in their order, (B, K + K C)."""
    return torch.cat([stay, grow.flatten(1)], 1)


def _rows(x, which):
    """x (B, K, N) with the rows `which` (B, K) of each sequence."""
    return x.gather(1, which[..., None].expand(-1, -1, x.shape[2]))


def _only_labels(y, blank, top):
    """y (B, C) with -Inf for the blank, and for all but the `top` likeliest labels."""
    y = y.index_fill(1, torch.tensor([blank], device=y.device), -torch.inf)
    if top is None or top >= y.shape[1]:
        return y
    values, labels = first_largest(y, top)
    return torch.full_like(y, -torch.inf).scatter_(1, labels, values)


def _certain_blanks(log_probs, lengths, blank):
    """In float32 or more, and behind each sequence frames of a certain blank, which leave every prefix as it is."""
    log_probs = log_probs if log_probs.dtype == torch.float64 else log_probs.float()
    real = _real(lengths, len(log_probs))
    log_probs = log_probs.masked_fill(~real[..., None], -torch.inf)
    log_probs[..., blank].masked_fill_(~real, 0.0)
    totals = log_probs.exp().sum(2)
    if not (totals <= MOST).all():
        raise ValueError(TOO_MUCH.format(totals.max().item()))
    return log_probs


def _real(lengths, T):
    """(T, B) bool: whether a frame belongs to its sequence."""
    return torch.arange(T, device=lengths.device)[:, None] < lengths


def _checked(log_probs, input_lengths, blank):
    """T, B, C and the lengths (B,) on the device; or one sentence saying what is wrong."""
    if not (isinstance(log_probs, torch.Tensor) and log_probs.is_floating_point()):
        raise ValueError("log_probs must be a tensor of floats, (T, B, C)")
    T, B, C = check_shape("log_probs", log_probs, ("T", "B", "C")).values()
    check_blank(blank, C)
    if input_lengths is None:
        return T, B, C, torch.full((B,), T, device=log_probs.device)
    if B == 0:
        check_shape("input_lengths", torch.as_tensor(input_lengths), (0,))
        return T, B, C, torch.empty(0, dtype=torch.int64, device=log_probs.device)
    return T, B, C, check_lengths("input_lengths", input_lengths, B, T, log_probs.device)
