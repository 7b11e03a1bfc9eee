"""The interactive figures of chapters 12 and 13: a beam as a growing tree, and BLEU counted while the reader types."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

WIDEST = 6  # the widest beam of the tree
LONGEST = 16  # tokens of a hypothesis, <eos> counted
SOURCES = (
    "jane visite l' afrique en septembre",
    "demain , les enfants découvrent la mer",
    "le professeur quitte la ville avec des amis",
)
MOST_WORDS = 40
SMOOTHINGS = ("none", "floor", "add-k", "exp")
EXAMPLES = (
    ("the cat on the mat", "the cat the cat on the mat", ("the cat is on the mat", "there is a cat on the mat")),
    (
        "the guide (Papineni et al.)",
        "It is a guide to action which ensures that the military always obeys the commands of the party.",
        (
            "It is a guide to action that ensures that the military will forever heed Party commands.",
            "It is the guiding principle which guarantees the military forces always being under the command of the"
            " Party.",
            "It is the practical guide for the army always to heed the directions of the party.",
        ),
    ),
    ("learning Korean", "나는 매일 한국어를 배워요", ("나는 한국어를 매일 배워요", "저는 매일 한국어를 배웁니다")),
)


class BeamTree(Figure):
    """Beam search as a growing tree, :eq:`beam-step`, on the probabilities of a trained translator.

    Kept branches are thick, dropped ones faint; finished translations are marked with their score,
    :eq:`length-normalisation`. The reader steps, and moves the beam width B and the exponent alpha. The search runs in
    the page: the tree holds every word that a beam of up to 6 can need.

    Parameters
    ----------
    tree : a list of sentences from `seqlab.figures.decoding.grow`; None takes three French sentences and the phrase
        book's translator, `seqlab.seq2seq.load_phrasebook`.
    beam_width : B at the start, 1 to 6. With 1 the search is greedy, :eq:`greedy-decoding`.
    alpha : exponent of the length at the start, 0 to 1.5.

    Raises
    ------
    ValueError
        when there is no sentence, one is not as `grow` makes it, or a number is out of range.
    """

    module = "beam_tree.js"
    label = "Beam search as a growing tree"
    how = "Step through the search; then change the beam width and how much length counts."

    def __init__(self, tree=None, beam_width=3, alpha=0.0):
        tree = [dict(sentence) for sentence in shipped()] if tree is None else check_tree(tree)
        check_number("beam_width", beam_width, 1, WIDEST, whole=True)
        check_number("alpha", alpha, 0, 1.5)
        super().__init__(tree=tree, sentence=0, B=beam_width, alpha=alpha, step=0)

    def still(self):
        from seqlab.decode.reference import beam_search

        rows = []
        for sentence in self.state["tree"]:
            step, state = dense(sentence)
            for width in sorted({1, self.state["B"], WIDEST}):
                best, *_ = beam_search(
                    step, state, -1, sentence["eos"], width, sentence["max_len"], self.state["alpha"]
                )
                found = " ".join(sentence["words"][id] for id in best.words)
                rows.append((sentence["source"], width, found, f"{best.log_prob:.2f}", f"{best.score:.2f}"))
        head = ("sentence", "beams", "best translation", "log P", "score")
        return f'<div class="told">{table(head, rows, "What a beam search finds")}</div>'


def grow(step, state, bos, eos, words, max_len=LONGEST, *, source="", right=()):
    """Write down what a model says after every beginning that a beam search of up to 6 beams can visit.

    Parameters
    ----------
    step, state : the model and its state for one sentence, as a decoder takes them (N = 1); NumPy or torch.
    bos, eos : ids of the tokens that begin and end a sentence.
    words : the V words, by id.
    max_len : the most tokens of a hypothesis, `<eos>` counted.
    source : the sentence that is translated, shown to the reader.
    right : texts of right translations, to tell the reader whether the winner is one.

    Returns
    -------
    sentence : dict of plain values: "next" is a list of [id, log-probability, the same list of what follows it, or
        None], the likeliest first. It holds the words that are among the first 2B candidates for some B, and no others.
    """
    from seqlab.decode.reference import read

    rows, needed = {(): read(step, state, bos, eos)}, set()
    for width in range(1, WIDEST + 1):
        beams = [((), 0.0)]
        for n in range(1, max_len + 1):
            candidates = [
                ((*path, word), total + float(rows[path][0][word]))
                for path, total in beams
                for word in np.flatnonzero(rows[path][0] > -np.inf).tolist()
            ]
            candidates = sorted(candidates, key=lambda c: -c[1])[: 2 * width]
            needed |= {path for path, _ in candidates}
            beams = [c for c in candidates if c[0][-1] != eos][:width]
            for path, _ in beams if n < max_len else []:
                if path not in rows:
                    rows[path] = read(step, rows[path[:-1]][1], path[-1], eos)

    def branches(path):
        here = [word for word in range(len(words)) if (*path, word) in needed]
        here.sort(key=lambda word: (-rows[path][0][word], word))
        return [[word, float(rows[path][0][word]), branches((*path, word)) or None] for word in here]

    return {
        "source": source,
        "words": list(words),
        "eos": eos,
        "max_len": max_len,
        "right": list(right),
        "next": branches(()),
    }


def dense(sentence):
    """A step, and the state to begin with, that read a tree of `grow`: what is not in it shares what is left over."""
    from seqlab.decode.reference import prefix_step

    V = len(sentence["words"])

    def distribution(path):
        here = sentence["next"]
        for word in path:
            here = next(following for id, _, following in here if id == word) or []
        p = {word: np.exp(log_p) for word, log_p, _ in here}
        rest = max(0.0, 1 - sum(p.values())) / max(1, V - len(p))
        rest = min([rest, *(x * (1 - 1e-10) for x in p.values())])  # of equal words the tree holds those that win
        return np.array([p.get(word, rest) for word in range(V)])

    return prefix_step(distribution), np.zeros((1, 0), int)


def check_tree(tree):
    """The sentences of a tree; or one sentence saying what is wrong."""
    needs = {"source", "words", "eos", "max_len", "right", "next"}
    tree = [tree] if isinstance(tree, dict) else list(tree)
    check_number("the number of sentences in tree", len(tree), 1, 6, whole=True)
    for i, sentence in enumerate(tree):
        if not isinstance(sentence, dict) or set(sentence) != needs:
            raise ValueError(
                f"sentence {i} of tree is not what seqlab.figures.decoding.grow returns; make it with that"
            )
    return tree


@lru_cache(maxsize=1)
def shipped():
    """The trees of three sentences, from the phrase book's translator."""
    import torch

    from seqlab import data
    from seqlab.seq2seq import load_phrasebook

    translator = load_phrasebook()
    words = translator.target_vocabulary.tokens

    def step(tokens, state):
        return translator.step(torch.from_numpy(tokens), state)

    return tuple(
        grow(
            step,
            translator.start([source]),
            translator.bos,
            translator.eos,
            words,
            source=source,
            right=[" ".join(english) for english, _ in data.phrasebook_references(source.split())],
        )
        for source in SOURCES
    )


class BleuCounter(Figure):
    """BLEU of one sentence, :eq:`bleu`, counted while the reader types it.

    Every n-gram of the sentence is listed with its count and its clipped count, :eq:`clipped-precision`; the words
    that match and those whose match was clipped are underlined; below stand the precisions, the brevity penalty,
    :eq:`brevity-penalty`, and the score. The reader chooses which references count.

    Parameters
    ----------
    hypothesis : the sentence at the start, at most 40 words; needs `references`. None offers three examples: the
        cat on the mat, one of Papineni et al. (2002), and one in Korean.
    references : 1 to 6 sentences, each a string of at most 40 words.
    max_n : the longest n-grams, 1 to 4.

    Raises
    ------
    ValueError
        when one of hypothesis and references is missing, or their numbers do not fit the figure.
    """

    module = "bleu_counter.js"
    label = "BLEU counted word by word"
    how = "Edit the translation and watch what matches, what is clipped, and what the score becomes."

    def __init__(self, hypothesis=None, references=None, max_n=4):
        if (hypothesis is None) != (references is None):
            raise ValueError("hypothesis and references come together: give both or none")
        examples = EXAMPLES if hypothesis is None else (("as given", hypothesis, references),)
        check_number("max_n", max_n, 1, 4, whole=True)
        examples = [check_example(*example) for example in examples]
        super().__init__(
            examples=examples,
            example=0,
            text=examples[0]["hypothesis"],
            used=[True] * len(examples[0]["references"]),
            split="spaces",
            smoothing="none",
            N=max_n,
            n=1,
        )

    def still(self):
        from seqlab.decode.bleu import sentence_bleu

        one, N = self.state["examples"][0], self.state["N"]
        references = [text.split() for text in one["references"]]
        result = sentence_bleu(one["hypothesis"].split(), references, N, smoothing=None, effective_order=False)
        rows = [
            (n, match, total, f"{match / total:.3f}" if total else "0")
            for n, match, total in zip(range(1, N + 1), result.matches, result.totals, strict=True)
        ]
        caption = (
            f"“{one['hypothesis']}” against {len(references)} reference{'s' * (len(references) > 1)}: brevity penalty "
            f"{result.brevity_penalty:.3f}, BLEU {result.score:.3f} = {result.points:.1f} points"
        )
        return table(("n", "n-grams that match, clipped", "n-grams in all", "precision"), rows, caption)


def check_example(name, hypothesis, references):
    """An example as the state holds it; or one sentence saying what is wrong."""
    if isinstance(references, str):
        raise ValueError("references is one string; it must be a list of sentences")
    check_number("the number of references", len(references), 1, 6, whole=True)
    for text in (hypothesis, *references):
        if not isinstance(text, str):
            raise ValueError(f"a sentence is {text!r}; give it as a string, its words between spaces")
        check_number(f"the number of words in {text[:30]!r}", len(text.split()), 0, MOST_WORDS, whole=True)
    return {"name": name, "hypothesis": hypothesis, "references": list(references)}
