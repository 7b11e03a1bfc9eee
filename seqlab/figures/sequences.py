"""The interactive figures of chapter 1: the tensor of a batch, the shapes of problems, one-hot vectors."""

import re

from seqlab.figures.figure import Figure, table

SENTENCES = (
    "Harry Potter and Hermione Granger invented a new spell",
    "Teddy Roosevelt was a president",
    "Teddy bears are on sale",
)
SPECIALS = ("<pad>", "<unk>")

SHAPES = (
    ("one-to-one", "one to one", "One input, one output, no sequence. A plain network does this."),
    ("one-to-many", "one to many", "After the one input, each output is fed back as the next input (dashed)."),
    ("many-to-one", "many to one", "The only output comes after the last input, when everything has been read."),
    (
        "many-to-many",
        "many to many, equal",
        "One output for each input, without delay: y⟨t⟩ comes when x⟨t⟩ is read.",
    ),
    (
        "encoder-decoder",
        "many to many, with delay",
        "The encoder reads all the input first; then the decoder writes, and T_x and T_y may differ.",
    ),
)
# name, shape, what goes in, what comes out, numbers a step of each
PROBLEMS = (
    ("Digit recognition", "one-to-one", ["image"], ["7"], "784 pixels", "10 digits"),
    ("Music generation", "one-to-many", ["jazz"], ["C", "E", "G", "B♭", "C"], "a genre", "88 keys"),
    ("Image captioning", "one-to-many", ["photo"], ["a", "cat", "asleep", "<eos>"], "features", "the vocabulary"),
    ("Sentiment", "many-to-one", ["a", "film", "to", "forget"], ["★☆☆☆☆"], "the vocabulary", "5 stars"),
    ("Video activity", "many-to-one", ["frame 1", "frame 2", "frame 3"], ["running"], "features", "the activities"),
    (
        "Named entities",
        "many-to-many",
        ["Harry", "Potter", "found", "a", "broom"],
        ["1", "1", "0", "0", "0"],
        "the vocabulary",
        "1: name or not",
    ),
    ("DNA", "many-to-many", ["A", "T", "G", "C", "A"], ["0", "1", "1", "1", "0"], "4 bases", "1: in a gene or not"),
    (
        "Video, frame by frame",
        "many-to-many",
        ["frame 1", "frame 2", "frame 3"],
        ["stand", "run", "jump"],
        "features",
        "the activities",
    ),
    (
        "Machine translation",
        "encoder-decoder",
        ["le", "chat", "dort"],
        ["the", "cat", "sleeps", "<eos>"],
        "French words",
        "English words",
    ),
    (
        "Speech recognition",
        "encoder-decoder",
        ["10 ms", "20 ms", "30 ms", "40 ms"],
        ["h", "i", "<eos>"],
        "frequencies",
        "letters",
    ),
)


class SequenceTensor(Figure):
    """A mini-batch of sentences as the tensor (n_x, m, T_x): pick a place, see its word and its one-hot column.

    Parameters
    ----------
    sentences : list of strings or of lists of words, 1 to 6 of them with 1 to 12 words each.
    n_x : how many entries of the vocabulary are known at first; None for all. The others become <unk>.

    Raises
    ------
    ValueError
        when there are too few or too many sentences or words, or n_x is outside the vocabulary.
    """

    module = "sequence_tensor.js"
    label = "A batch of sentences as a tensor of one-hot columns"
    how = "Pick a place in the batch with the arrow keys or a click, and see the column that stands behind it."

    def __init__(self, sentences=None, n_x=None):
        from seqlab.text import Vocabulary, pad

        given = SENTENCES if sentences is None else sentences
        words = [sentence.split() if isinstance(sentence, str) else list(sentence) for sentence in given]
        if not 1 <= len(words) <= 6:
            raise ValueError(f"sentences holds {len(words)} sentences; the figure shows 1 to 6")
        for i, sentence in enumerate(words):
            if not 1 <= len(sentence) <= 12:
                raise ValueError(f"sentence {i} has {len(sentence)} words; the figure shows 1 to 12")
        vocabulary = Vocabulary([word for sentence in words for word in sentence], specials=SPECIALS)
        n_x = known(n_x, len(vocabulary))
        ids, _ = pad([vocabulary.encode(sentence) for sentence in words])
        super().__init__(
            sentences=words, tokens=vocabulary.tokens, ids=ids.tolist(), n_x=n_x, least=len(SPECIALS), place=[0, 0]
        )

    def still(self):
        tokens, ids, n_x = self.state["tokens"], self.state["ids"], self.state["n_x"]
        seen = [[id if id < n_x else tokens.index("<unk>") for id in row] for row in ids]
        rows = [(f"({i + 1})", *(f"{tokens[id]} {id}" for id in row)) for i, row in enumerate(seen)]
        caption = f"The words and ids behind a tensor of shape (n_x, m, T_x) = ({n_x}, {len(ids)}, {len(ids[0])})"
        return table(("example", *range(1, len(ids[0]) + 1)), rows, caption)


class ProblemShapes(Figure):
    """The shapes of sequence problems, unrolled: one to one, one to many, many to one, and both many to many.

    Parameters
    ----------
    problem : name of the problem shown first.

    Raises
    ------
    ValueError
        when there is no such problem.
    """

    module = "problem_shapes.js"
    label = "The shapes of sequence problems"
    how = "Choose a problem or a shape, and see what goes in, what comes out, and when."

    def __init__(self, problem="Named entities"):
        names = [name for name, *_ in PROBLEMS]
        if problem not in names:
            raise ValueError(f"problem is {problem!r}; it must be one of {', '.join(names)}")
        keys = ("name", "shape", "x", "y", "n_x", "n_y")
        super().__init__(
            shapes=[dict(zip(("id", "name", "says"), shape, strict=True)) for shape in SHAPES],
            problems=[dict(zip(keys, entry, strict=True)) for entry in PROBLEMS],
            problem=problem,
        )

    def still(self):
        names = {id: name for id, name, _ in SHAPES}
        rows = [(name, names[shape], " ".join(x), " ".join(y)) for name, shape, x, y, _, _ in PROBLEMS]
        return table(("problem", "shape", "in", "out"), rows, "Sequence problems and their shapes")


class OneHotLab(Figure):
    """Type a sentence: tokens become ids, ids become one-hot columns, words that are not known become <unk>.

    Parameters
    ----------
    text : the sentence shown first, at most 80 letters.
    vocabulary : a `seqlab.text.Vocabulary` or a list of tokens with "<unk>" and "<eos>" in it, 4 to 40 of them;
        None for the words of the running example.

    Raises
    ------
    ValueError
        when the text is too long, or the vocabulary lacks a special token, repeats one or has a wrong size.
    """

    module = "one_hot_lab.js"
    label = "From words to ids to one-hot columns"
    how = "Type a sentence and watch its words become columns; make the vocabulary smaller and words get lost."

    def __init__(self, text="Harry Potter invented a broom", vocabulary=None):
        from seqlab.text import Vocabulary

        if vocabulary is None:
            vocabulary = Vocabulary(SENTENCES[0].split(), specials=("<unk>", "<eos>"))
        tokens = list(getattr(vocabulary, "tokens", vocabulary))
        if not isinstance(text, str) or len(text) > 80:
            raise ValueError(f"text is {text!r}; it must be a string of at most 80 letters")
        if not 4 <= len(tokens) <= 40 or len(set(tokens)) < len(tokens):
            raise ValueError(f"vocabulary has {len(tokens)} tokens; the figure shows 4 to 40 different ones")
        for special in ("<unk>", "<eos>"):
            if special not in tokens:
                raise ValueError(f"vocabulary has no {special!r}; the figure needs it")
        least = 1 + max(tokens.index("<unk>"), tokens.index("<eos>"))
        super().__init__(text=text, tokens=tokens, n_x=len(tokens), least=least, end=True)

    def still(self):
        tokens = self.state["tokens"]
        words = [*re.findall(r"<\w+>|[\w'’-]+|[^\w\s]", self.state["text"]), "<eos>"]
        ids = [tokens.index(word) if word in tokens else tokens.index("<unk>") for word in words]
        rows = [
            (f"{k} {token}", *("1" if id == k else "0" for id in ids)) for k, token in enumerate(tokens) if k in ids
        ]
        caption = f"One-hot columns; the other {len(tokens) - len(rows)} of the {len(tokens)} rows hold zeros only"
        return table(("entry", *words), rows, caption)


def known(n_x, size):
    """The number of entries known, or one sentence saying why it cannot be."""
    n_x = size if n_x is None else n_x
    if isinstance(n_x, bool) or not isinstance(n_x, int) or not len(SPECIALS) <= n_x <= size:
        raise ValueError(f"n_x is {n_x!r}; it must be a whole number from {len(SPECIALS)} to {size}, the vocabulary")
    return n_x
