"""The interactive figures of chapters 12 and 13: a beam as a growing tree, and BLEU counted while the reader types."""

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

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
