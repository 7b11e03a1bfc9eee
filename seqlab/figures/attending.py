"""The interactive figure of chapter 14: lines from what is written to what was read, as thick as the attention."""

import datetime
import unicodedata
from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

DAY = datetime.date(1994, 9, 27)
WRITTEN = (  # name, locale, calendar and style of `seqlab.data.spelled`
    ("French", "fr", "gregorian", "full"),
    ("Korean", "ko", "gregorian", "full"),
    ("Japanese, in the era Heisei", "ja", "japanese", "full"),
    ("Chinese, by the years of Minguo", "zh_TW", "minguo", "full"),
    ("Thai, by the Buddhist years", "th", "buddhist", "long"),
    ("Arabic", "ar_EG", "gregorian", "long"),
)
MOST = {"examples": 12, "read": 60, "written": 30}
DIGITS = 4  # of the weights that the page holds
JOIN = "\u200d"  # asks for the form of an Arabic letter that stands between others
APART = set("اأإآٱدذرزوؤةىء")  # Arabic letters that do not join the next one


class AttentionLines(Figure):
    """Which symbols a decoder looked at for each one that it wrote, as lines of their :eq:`attention-weights`.

    The reader chooses a text and a symbol of the translation, by mouse, finger or arrow keys; the lines of that symbol
    stand out, and its weights are listed.

    Parameters
    ----------
    examples : list of 1 to 12 tuples (name, read, written, weights): the name to choose it by, the tokens that were
        read (2 to 60) and written (1 to 30), and the weights (Ty, Tx), rows that sum to one. None takes the shipped
        model of dates, `seqlab.seq2seq.load_dates`, and one day in six languages.
    chosen : number of the example that is shown first.
    at : number of the written token that is chosen at first, or None for none.

    Raises
    ------
    ValueError
        when there are too few or too many examples or tokens, weights have another shape or do not sum to one, or a
        number is out of range.
    """

    module = "attention_lines.js"
    label = "Where a translator looked for each symbol that it wrote"
    how = "Choose a written symbol: the lines show what the model looked at to write it, the thicker the more."

    def __init__(self, examples=None, chosen=0, at=None):
        meant = None if examples is not None else DAY.isoformat()
        examples = [_checked(*example) for example in (one_day() if examples is None else examples)]
        if not 1 <= len(examples) <= MOST["examples"]:
            raise ValueError(f"examples holds {len(examples)}; the figure offers 1 to {MOST['examples']}")
        check_number("chosen", chosen, 0, len(examples) - 1, whole=True)
        if at is not None:
            check_number("at", at, 0, len(examples[chosen]["written"]) - 1, whole=True)
        super().__init__(examples=examples, meant=meant, chosen=chosen, at=at)

    def still(self):
        example = self.state["examples"][self.state["chosen"]]
        rows = []
        for token, weights in zip(example["written"], example["weights"], strict=True):
            most = np.argsort(-np.array(weights), kind="stable")[:2]
            names = ["space" if example["read"][i] == " " else example["read"][i] for i in most]
            rows.append(
                (token, *(f"{n} ({i + 1}.), {100 * weights[i]:.0f} %" for n, i in zip(names, most, strict=True)))
            )
        joint = "" if all(len(token) == 1 for token in example["read"]) else " "
        caption = f"{example['name']}, {joint.join(example['read'])}: where the model looked for each symbol"
        return table(("written", "looked most at", "then at"), rows, caption)


def _checked(name, read, written, weights):
    """One example as the page wants it: besides the tokens, how each looks alone, and where it stands in its line."""
    read, written = ([str(token) for token in tokens] for tokens in (read, written))
    for what, tokens, least in (("read", read, 2), ("written", written, 1)):
        if not least <= len(tokens) <= MOST[what]:
            raise ValueError(f"{name!r} has {len(tokens)} tokens {what}; the figure takes {least} to {MOST[what]}")
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (len(written), len(read)):
        shape = len(written), len(read)
        raise ValueError(f"the weights of {name!r} have shape {weights.shape}; they must have shape {shape}")
    if not (np.all(weights >= 0) and np.allclose(weights.sum(axis=1), 1, atol=1e-3)):
        raise ValueError(f"the weights of {name!r} must be 0 or more, and each row must sum to one")
    return {
        "name": str(name),
        "read": read,
        "written": written,
        "weights": np.round(weights, DIGITS).tolist(),
        "faces": [faces(read), faces(written)],
        "places": [places(read), places(written)],
    }


def faces(tokens):
    """How each token looks when it is drawn alone.

    A space becomes a mark that is seen, a combining sign gets a circle to sit on, and an Arabic letter keeps the form
    that it has between its neighbours.
    """
    drawn = []
    for i, token in enumerate(tokens):
        face = token.replace(" ", "␣")
        if unicodedata.category(token[:1] or " ").startswith("M"):
            face = "◌" + face
        before, after = (tokens[j] if 0 <= j < len(tokens) else "" for j in (i - 1, i + 1))
        if _arabic(token[:1]):
            if _arabic(before[-1:]) and before[-1:] not in APART:
                face = JOIN + face
            if _arabic(after[:1]) and token[-1:] not in APART:
                face += JOIN
        drawn.append(face)
    return drawn


def _arabic(letter):
    return bool(letter) and unicodedata.bidirectional(letter) == "AL" and unicodedata.category(letter).startswith("L")


def places(tokens):
    """Where each token stands in the line, counted from the left; a line of Arabic or Hebrew begins on the right.

    In such a line numbers still run from left to right, so each run of digits is turned back.
    """
    kinds = [unicodedata.bidirectional(token[:1] or " ") for token in tokens]
    n, strong = len(tokens), [kind for kind in kinds if kind in ("L", "R", "AL")]
    if not strong or strong[0] == "L":
        return list(range(n))
    order, start = [], 0  # tokens from the right end on
    while start < n:
        end = start
        while end < n and kinds[end] in ("EN", "AN"):
            end += 1
        order += range(end - 1, start - 1, -1) if end > start else [start]
        start = max(end, start + 1)
    where = [0] * n
    for from_right, token in enumerate(order):
        where[token] = n - 1 - from_right
    return where


@lru_cache(maxsize=1)
def one_day():
    """One day in six languages, as the shipped model reads it: what was read, written and attended to."""
    from seqlab import data
    from seqlab.seq2seq import load_dates

    translator = load_dates(attention=True)
    return tuple((name, *translator.attend(data.spelled(DAY, *how))) for name, *how in WRITTEN)
