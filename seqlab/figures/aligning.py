"""An interactive figure of chapter 17: a path of CTC that the reader edits, and that collapses as she types."""

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

BLANK = "_"
LONGEST = 30  # frames
EXAMPLES = (("the q", "ttt_h_eee___ ___qqq__"), ("hello, with its double l", "hheel_lloo_"))
DIGITS = 6  # of the probabilities that the page holds


class AlignmentEditor(Figure):
    """A path that the reader edits, one symbol a frame, and what it collapses to, :eq:`ctc-collapse`.

    Beneath stand the probability of this path, :eq:`ctc-path`, how many paths have the same text, and the probability
    of the text, :eq:`ctc-marginal`, by the recursion :eq:`ctc-alpha` in the page, under a table of made probabilities.

    Parameters
    ----------
    path : the path at the start, a string of 2 to 30 symbols, one a frame, "_" for the blank. None offers three
        examples: the lecture notes' ``ttt_h_eee___ ___qqq__``, a hello, and two frames of which the best path is not
        the best text.
    log_probs : (T, C) log-probabilities of the symbols in every frame; needs `symbols`. None makes a table that
        believes in the path and doubts at its borders, see `beliefs`.
    symbols : the C symbols, a string that begins with "_". None takes those of the path.

    Raises
    ------
    ValueError
        when path, symbols and log_probs do not fit one another or the figure.
    """

    module = "alignment_editor.js"
    label = "A path that collapses while it is edited"
    how = "Choose a frame and type, or tap a symbol: what merges, what falls away, and what does the text become?"

    def __init__(self, path=None, log_probs=None, symbols=None):
        if path is None and (log_probs is not None or symbols is not None):
            raise ValueError("log_probs and symbols belong to a path: give path too")
        if path is not None:
            examples = [example("as given", path, log_probs, symbols)]
        else:
            examples = [example(name, one) for name, one in EXAMPLES]
            examples.append(example("two frames in doubt", "__", np.log([[0.6, 0.4], [0.6, 0.4]]), "_a"))
        super().__init__(examples=examples, example=0, path=examples[0]["path"], frame=0, draws=0)

    def still(self):
        from seqlab.ctc.reference import collapse, ctc_forward, log_likelihood, path_log_prob

        rows = []
        for one in self.state["examples"]:
            symbols, path = one["symbols"], [one["symbols"].index(symbol) for symbol in one["path"]]
            with np.errstate(divide="ignore"):
                log_probs = np.log(np.array(one["p"]))
            said = collapse(path)
            merged = [symbol for t, symbol in enumerate(one["path"]) if t == 0 or symbol != one["path"][t - 1]]
            text = "".join(symbols[id] for id in said)
            exact = log_likelihood(ctc_forward(log_probs, said))
            chances = (f"{np.exp(x):.2g}" for x in (path_log_prob(log_probs, path), exact))
            rows.append((one["path"], "".join(merged), f"“{text}”", *chances))
        head = ("path", "repeats merged", "blanks dropped", "P of the path", "P of the text")
        return f'<div class="told">{table(head, rows, "Paths and what they say")}</div>'


def example(name, path, log_probs=None, symbols=None):
    """An example as the state holds it; or one sentence saying what is wrong."""
    if not isinstance(path, str):
        raise ValueError(f"path is {path!r}; give it as a string, one symbol a frame, {BLANK!r} for the blank")
    check_number("the number of frames in path", len(path), 2, LONGEST, whole=True)
    if symbols is None:
        if log_probs is not None:
            raise ValueError("log_probs has a column for every symbol: give symbols too, the blank first")
        symbols = "".join(dict.fromkeys(BLANK + path))
    if symbols[:1] != BLANK or len(set(symbols)) < len(symbols):
        raise ValueError(f"symbols is {symbols!r}; it must hold different symbols, {BLANK!r} first")
    strange = [symbol for symbol in path if symbol not in symbols]
    if strange:
        raise ValueError(f"path holds {strange[0]!r}, which is not among the symbols {symbols!r}")
    p = beliefs(path, symbols) if log_probs is None else np.exp(np.asarray(log_probs, float))
    if p.shape != (len(path), len(symbols)):
        raise ValueError(
            f"log_probs has shape {p.shape}; {len(path)} frames and {len(symbols)} symbols need "
            f"({len(path)}, {len(symbols)})"
        )
    if not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError("log_probs holds a frame whose probabilities do not sum to 1; take the log_softmax first")
    return {"name": name, "path": path, "symbols": symbols, "p": p.round(DIGITS).tolist()}


def beliefs(path, symbols):
    """Made probabilities (T, C): mostly the path's own symbol, some of its neighbours', a little of every symbol."""
    own = np.array([[symbol == one for one in symbols] for symbol in path], float)
    near = (np.concatenate([own[:1], own[:-1]]) + np.concatenate([own[1:], own[-1:]])) / 2
    return 0.64 * own + 0.24 * near + 0.12 / len(symbols)
