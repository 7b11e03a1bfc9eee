"""The interactive figures of chapter 2: the unrolled network, and one matrix in place of two."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table

SHAPES = {
    "W_ih": ("H", "D"),
    "W_hh": ("H", "H"),
    "b_ih": ("H",),
    "b_hh": ("H",),
    "W_ya": ("D", "H"),
    "b_y": ("D",),
}


class UnrolledRNN(Figure):
    """A character network unrolled over a word, whose every number can be stepped through and changed.

    Parameters
    ----------
    text : the word, 2 to 9 letters; step t reads letter t and should predict letter t + 1.
    weights : dict of arrays W_ih (H, D), W_hh (H, H), b_ih, b_hh (H,), W_ya (D, H), b_y (D,) with D letters and
        1 to 6 units; None trains a network of 3 units on the text, the same one each time.
    symbols : the letters the network knows.

    Raises
    ------
    ValueError
        when the text has a letter that is no symbol or a length outside 2 to 9, a symbol stands twice, or a weight
        is missing, has a wrong shape or is not finite.
    """

    module = "unrolled_rnn.js"
    how = "Press Step to let the network read one letter at a time; change a letter or a weight and watch what follows."

    def __init__(self, text="hello", weights=None, symbols="helo"):
        check_letters(text, symbols)
        given = "given" if weights else "trained"
        weights = check_weights(weights, len(symbols)) if weights else trained_weights(text, symbols)
        H = len(weights["b_ih"])
        self.label = f"A recurrent network unrolled over the word {text}"
        start = start_weights(H, len(symbols))
        presets = {
            "given": weights,
            "untrained": {name: np.round(value, 2) for name, value in start.items()},
            "forgetful": weights | {"W_hh": np.zeros((H, H))},
        }
        plain = {name: {key: w.tolist() for key, w in preset.items()} for name, preset in presets.items()}
        super().__init__(text=text, symbols=symbols, given=given, presets=plain, weights=plain["given"], step=0)

    def still(self):
        text, symbols = self.state["text"], self.state["symbols"]
        weights = {name: np.array(value) for name, value in self.state["weights"].items()}
        states, predictions = predict(weights, [symbols.index(letter) for letter in text[:-1]])
        rows = []
        for t, (h, p) in enumerate(zip(states, predictions, strict=True)):
            wanted = p[symbols.index(text[t + 1])]
            shares = [f"{100 * share:.0f} %" for share in p]
            rows.append(
                (t + 1, text[t], " ".join(f"{x:.2f}" for x in h), *shares, text[t + 1], f"{-np.log(wanted):.2f}")
            )
        head = ("step", "reads", "state h", *symbols, "wanted", "loss")
        return table(head, rows, f"What the network predicts after each letter of “{text}”")


def check_letters(text, symbols):
    """Say in one sentence what is wrong with a word and its letters."""
    if not isinstance(symbols, str) or not 2 <= len(symbols) <= 8 or len(set(symbols)) < len(symbols):
        raise ValueError(f"symbols is {symbols!r}; it must be a string of 2 to 8 different letters")
    if not isinstance(text, str) or not 2 <= len(text) <= 9:
        raise ValueError(f"text is {text!r}; it must be a word of 2 to 9 letters")
    for letter in text:
        if letter not in symbols:
            raise ValueError(f"text holds {letter!r}, which is not one of the symbols {symbols!r}; add it there")


def check_weights(weights, D):
    """The weights as float arrays, or one sentence saying which is wrong."""
    if set(weights) != set(SHAPES):
        raise ValueError(f"weights has the keys {sorted(weights)}; it must have {sorted(SHAPES)}")
    arrays = {name: np.asarray(weights[name], dtype=float) for name in SHAPES}
    H = arrays["b_ih"].size
    if not 1 <= H <= 6:
        raise ValueError(f"weights['b_ih'] has {H} numbers; the figure shows 1 to 6 units")
    for name, array in arrays.items():
        shape = tuple({"H": H, "D": D}[letter] for letter in SHAPES[name])
        if array.shape != shape:
            raise ValueError(f"weights[{name!r}] has shape {array.shape}; it must have shape {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"weights[{name!r}] holds a number that is not finite")
    return arrays


def start_weights(H, D):
    """Small random weights, the same each time."""
    rng = np.random.default_rng(1)
    return {
        name: rng.normal(scale=0.5, size=tuple({"H": H, "D": D}[letter] for letter in shape)) if len(shape) == 2
        else np.zeros({"H": H, "D": D}[shape[0]])
        for name, shape in SHAPES.items()
    }  # fmt: skip


def predict(weights, ids):
    """States (T, H) and probabilities (T, D) of the network over letters given by their ids."""
    from seqlab.recurrent.reference import rnn_forward, rnn_output

    D, H = weights["W_ya"].shape
    x = np.eye(D)[ids][None]
    h, _ = rnn_forward(x, np.zeros((1, H)), *(weights[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")))
    e = np.exp(rnn_output(h, weights["W_ya"], weights["b_y"])[0])
    return h[0], e / e.sum(axis=1, keepdims=True)


@lru_cache(maxsize=8)
def trained_weights(text, symbols, steps=20, rate=0.2):
    """Weights of a network of 3 units after gradient descent on one word, rounded to two digits."""
    from seqlab.recurrent.reference import rnn_backward, rnn_forward, rnn_output

    D, H = len(symbols), 3
    ids = [symbols.index(letter) for letter in text]
    x, wanted = np.eye(D)[ids[:-1]][None], np.eye(D)[ids[1:]]
    weights = start_weights(H, D)
    for _ in range(steps):
        h, cache = rnn_forward(x, np.zeros((1, H)), *(weights[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")))
        e = np.exp(rnn_output(h, weights["W_ya"], weights["b_y"])[0])
        dy = e / e.sum(axis=1, keepdims=True) - wanted
        gradients = rnn_backward((dy @ weights["W_ya"])[None], cache)
        gradients |= {"W_ya": dy.T @ h[0], "b_y": dy.sum(axis=0), "b_hh": np.zeros(H)}  # one bias is enough to learn
        weights = {name: w - rate * gradients[name] for name, w in weights.items()}
    return {name: np.round(w, 2) for name, w in weights.items()}


class SharedWeights(Figure):
    """One matrix W_a = [W_aa | W_ax] times one column [a ; x], beside the two products it stands for.

    Parameters
    ----------
    text, symbols : the word and the letters of the network, trained as in `UnrolledRNN`.

    Raises
    ------
    ValueError
        when the text has a letter that is no symbol or a length outside 2 to 9, or a symbol stands twice.
    """

    module = "shared_weights.js"
    label = "The concatenated form of a recurrent step"
    how = "Move over the matrix with the arrow keys or a click; change t, and only the column at the bottom changes."

    def __init__(self, text="hello", symbols="helo"):
        check_letters(text, symbols)
        weights = trained_weights(text, symbols)
        ids = [symbols.index(letter) for letter in text[:-1]]
        states, _ = predict(weights, ids)
        before = np.vstack([np.zeros(states.shape[1]), states[:-1]])
        steps = [
            {"a": a.tolist(), "x": x.tolist(), "letter": letter}
            for a, x, letter in zip(before, np.eye(len(symbols))[ids], text[:-1], strict=True)
        ]
        both = {"W_aa": weights["W_hh"].tolist(), "W_ax": weights["W_ih"].tolist()}
        super().__init__(weights=both, steps=steps, symbols=symbols, step=min(2, len(steps)), cell=[0, 0])

    def still(self):
        W_aa, W_ax = (np.array(self.state["weights"][name]) for name in ("W_aa", "W_ax"))
        step = self.state["steps"][self.state["step"] - 1]
        left, right = W_aa @ step["a"], W_ax @ step["x"]
        whole = np.hstack([W_aa, W_ax]) @ [*step["a"], *step["x"]]
        rows = [
            (f"row {i + 1}", *(f"{v[i]:.2f}" for v in (left, right, left + right, whole))) for i in range(len(left))
        ]
        head = ("row", "W_aa a", "W_ax x", "their sum", "W_a [a ; x]")
        return table(head, rows, f"Two products and one, for the letter “{step['letter']}”")
