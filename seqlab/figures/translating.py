"""The interactive figure of chapter 11: an encoder that reads a sum symbol by symbol, and a decoder that writes."""

import numpy as np

from seqlab.figures.figure import Figure, table

KINDS = {"plain": "as it is written", "reversed": "from its end", "peeking": "from its end; the decoder peeks"}
QUESTIONS = ("16+75", "999+1", "58+607", "4+4")
UNITS = 24  # of the state, as many as are drawn
SYMBOLS = 5  # shown at each step, the likeliest


class ReadThenWrite(Figure):
    """An encoder-decoder step by step, :eq:`encoder` and :eq:`decoder`: what it reads, what it carries, what it writes.

    Every number is that of a trained model; the reader steps through them.

    Parameters
    ----------
    translators : dict from a name to a `seqlab.seq2seq.Translator` of characters; None loads the three models that
        come with the package and add: plain, reversed and peeking.
    questions : list of 1 to 8 texts of 1 to 9 symbols; None offers four sums. A text "a+b" has its sum as the truth.

    Raises
    ------
    ValueError
        when there are no questions or models, too many, or a question is too long.
    """

    module = "read_then_write.js"
    label = "An encoder reads, a decoder writes"
    how = "Step on: the encoder reads the sum, hands over one vector, and the decoder writes the answer."

    def __init__(self, translators=None, questions=None):
        questions = [str(question) for question in (QUESTIONS if questions is None else questions)]
        if not 1 <= len(questions) <= 8:
            raise ValueError(f"questions holds {len(questions)} texts; the figure offers 1 to 8")
        for question in questions:
            if not 1 <= len(question) <= 9:
                raise ValueError(f"questions holds {question!r}, {len(question)} symbols long; 1 to 9 fit the drawing")
        if translators is None:
            from seqlab.seq2seq import load_addition

            translators = {kind: load_addition(kind) for kind in KINDS}
        if not translators:
            raise ValueError("translators is empty; give at least one model")
        super().__init__(
            questions=questions,
            truths=[truth(question) for question in questions],
            kinds=[[name, KINDS.get(name, name)] for name in translators],
            runs={name: [run(translator, q) for q in questions] for name, translator in translators.items()},
            kind=next(iter(translators)),
            chosen=0,
            step=1,
        )

    def still(self):
        rows = [
            (
                question,
                name,
                " ".join(run["read"]),
                "".join(run["written"]).replace("<eos>", ""),
                f"{certainty(run):.2f}",
            )
            for n, question in enumerate(self.state["questions"])
            for name, run in ((name, runs[n]) for name, runs in self.state["runs"].items())
        ]
        head = ("question", "model", "reads", "writes", "probability of that")
        return table(head, rows, "What each model reads, and what it writes")


def truth(question):
    """The sum as text, or "" where the question is none."""
    parts = question.split("+")
    return str(sum(map(int, parts))) if len(parts) == 2 and all(part.isdigit() for part in parts) else ""


def certainty(run):
    """The probability of the whole answer: the product over its symbols."""
    return float(np.prod([dict(step)[symbol] for step, symbol in zip(run["p"], run["written"], strict=True)]))


def run(translator, question, most=8):
    """Read and write one question greedily.

    Returns
    -------
    run : dict with "read", the symbols in the order in which the encoder reads them, and "encoder", the first units of
        its state after each; "heard" and "written", the symbols before and after each step of the decoder, and
        "decoder", its state after each; "p", each step's likeliest symbols with their probabilities; "peek"; "size".
    """
    import torch

    model, words = translator.model, translator.target_vocabulary
    symbols = list(question)
    read = symbols[::-1] if model.reverse else symbols
    hidden = [
        _units(translator.start([symbols[-n:] if model.reverse else symbols[:n]])) for n in range(1, len(read) + 1)
    ]
    state = translator.start([question])
    heard, written, states, p, now = [], [], [], [], translator.bos
    while len(written) < most and now != translator.eos:
        scores, state = translator.step(torch.tensor([now]), state)
        shares = scores[0].softmax(0)
        heard.append(words.tokens[now])
        now = int(shares.argmax())
        written.append(words.tokens[now])
        states.append(_units(state))
        best = shares.topk(min(SYMBOLS, len(words)))
        p.append(
            [[words.tokens[i], round(x, 4)] for x, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
        )
    parts = {"read": read, "encoder": hidden, "heard": heard, "written": written, "decoder": states, "p": p}
    return parts | {"peek": bool(model.peek), "size": model.hidden}


def _units(state):
    """The first numbers of the top layer's state."""
    return [round(x, 2) for x in state["cell"][0][0, -1, :UNITS].tolist()]
