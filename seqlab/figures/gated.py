"""The interactive figures of chapter 5: the gates of a trained LSTM, and the additive path against the product.

`python -m seqlab.figures.gated` trains the network of `GatesLab` anew and writes its weights beside this file.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

WEIGHTS = Path(__file__).with_name("gates_lab.json")
VERBS = ("was", "were")
SENTENCES = (
    "the cat which chased the dogs near the birds",
    "the cats which chased the dog near the bird",
    "the mouse which saw the foxes",
    "the horses which followed the fox",
    "the dog",
)
SHAPES = {
    "W_ih": ("4H", "V"),
    "W_hh": ("4H", "H"),
    "b_ih": ("4H",),
    "b_hh": ("4H",),
    "W_ya": ("2", "H"),
    "b_y": ("2",),
}


class GatesLab(Figure):
    """The gates of a trained LSTM, :eq:`lstm-cell`, over a sentence: the reader opens and shuts each of them.

    The network reads a sentence up to its verb, one one-hot word a step, and says whether *was* or *were* comes next:
    p = softmax(W_ya h + b_y). A gate that is forced keeps its value 1 or 0; all that follows is computed anew.

    Parameters
    ----------
    weights : dict with W_ih (4H, V), W_hh (4H, H), b_ih, b_hh (4H,) in the gate order i, f, g, o, W_ya (2, H), b_y (2,)
        and "vocabulary", the V words in the order of the columns; 1 to 6 units. None loads the network that
        `python -m seqlab.figures.gated` trained on `seqlab.data.agreement`.
    sentence : the words before the verb, a string or a list, 1 to 12 of them; None offers five sentences.

    Raises
    ------
    ValueError
        when a word is not in the vocabulary, or a weight is missing, has a wrong shape or is not finite.
    """

    module = "gates_lab.js"
    label = "The gates of a trained LSTM over a sentence"
    how = "Pick a gate at a word, force it open or shut, and watch the cell and the answer change."

    def __init__(self, weights=None, sentence=None):
        weights = check_lstm(trained() if weights is None else weights)
        vocabulary = weights.pop("vocabulary")
        offered = SENTENCES if sentence is None else [sentence]
        sentences = [check_sentence(words, vocabulary) for words in offered]
        super().__init__(
            weights={name: array.tolist() for name, array in weights.items()},
            vocabulary=vocabulary,
            sentences=sentences,
            chosen=0,
            answers=list(VERBS),
            forced={},
            place=["f", min(2, len(sentences[0]) - 1)],
            unit=-1,
            every=False,
        )

    def still(self):
        weights = {name: np.array(value) for name, value in self.state["weights"].items()}
        words = self.state["sentences"][0]
        gates, c, h, p = read(weights, [self.state["vocabulary"].index(word) for word in words])
        columns = [*(gates[name] for name in "ifgo"), c, h]
        rows = [
            (word, *(" ".join(f"{x:.2f}" for x in column[t]) for column in columns), f"{100 * p[t, 1]:.0f} %")
            for t, word in enumerate(words)
        ]
        caption = "Gates, cell and state of each unit after each word, and the probability of “were”"
        return table(("word", "i", "f", "g", "o", "c", "h", "were"), rows, caption)


class AdditivePath(Figure):
    """A signal sent back over many steps: multiplied at every step of an RNN, let through by the gate of an LSTM.

    One unit of each kind. In the RNN h_t = tanh(w h_{t-1} + ...), a step multiplies the signal by w (1 - h^2). Along
    the LSTM's cell c_t = f c_{t-1} + i g, :eq:`additive-path`, a step multiplies it by f alone: what is added to the
    cell adds nothing to the derivative, and f = sigmoid(b) is near 1 where the bias b is large.

    Parameters
    ----------
    steps : how many steps back, 1 to 100.
    w : recurrent weight of the RNN, 0.5 to 2.
    state : size of the RNN's state h, 0 to 0.95; the slope of tanh there is 1 - h^2.
    bias : what the forget gate's pre-activation is on average, -2 to 6: its bias, as long as the rest is near 0.

    Raises
    ------
    ValueError
        when a number is outside its range.
    """

    module = "additive_path.js"
    label = "The additive path against the multiplicative one"
    how = "Move the number of steps, then the forget bias, and compare what is left of a signal sent back."

    def __init__(self, steps=50, w=1.0, state=0.5, bias=4):
        check_number("steps", steps, 1, 100, whole=True)
        check_number("w", w, 0.5, 2)
        check_number("state", state, 0, 0.95)
        check_number("bias", bias, -2, 6)
        super().__init__(steps=steps, w=w, state=state, bias=bias)

    def still(self):
        s = self.state
        factors = [(f"RNN, w = {s['w']:g}, |h| = {s['state']:g}", s["w"] * (1 - s["state"] ** 2))]
        factors += [(f"LSTM, forget bias {b}", 1 / (1 + np.exp(-b))) for b in (0, 1, 3, 5)]
        rows = [(name, f"{x:.3f}", *(f"{x**t:.2g}" for t in (10, 50, 100))) for name, x in factors]
        head = ("path", "factor a step", "after 10 steps", "after 50", "after 100")
        return table(head, rows, "What is left of a signal of size 1 on its way back")


def check_lstm(weights):
    """The weights as float arrays with their vocabulary, or one sentence saying which is wrong."""
    if set(weights) != {*SHAPES, "vocabulary"}:
        raise ValueError(f"weights has the keys {sorted(weights)}; it must have {sorted([*SHAPES, 'vocabulary'])}")
    vocabulary = [str(word) for word in weights["vocabulary"]]
    arrays = {name: np.asarray(weights[name], dtype=float) for name in SHAPES}
    H, rest = divmod(arrays["b_ih"].size, 4)
    if rest or not 1 <= H <= 6:
        raise ValueError(f"weights['b_ih'] has {arrays['b_ih'].size} numbers; 1 to 6 units have 4 to 24, 4 a unit")
    sizes = {"4H": 4 * H, "H": H, "V": len(vocabulary), "2": len(VERBS)}
    for name, array in arrays.items():
        shape = tuple(sizes[letter] for letter in SHAPES[name])
        if array.shape != shape:
            raise ValueError(f"weights[{name!r}] has shape {array.shape}; it must have shape {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"weights[{name!r}] holds a number that is not finite")
    return arrays | {"vocabulary": vocabulary}


def check_sentence(sentence, vocabulary):
    """The words of a sentence, or one sentence saying what is wrong."""
    words = sentence.split() if isinstance(sentence, str) else [str(word) for word in sentence]
    check_number("the number of words in sentence", len(words), 1, 12, whole=True)
    for word in words:
        if word not in vocabulary:
            raise ValueError(f"sentence holds {word!r}, which the network never saw; it knows {', '.join(vocabulary)}")
    return words


@lru_cache(maxsize=1)
def _stored():
    return json.loads(WEIGHTS.read_text(encoding="utf-8"))


def trained():
    """The committed weights of `GatesLab`: arrays in torch's layout, and their vocabulary."""
    return {name: value if name == "vocabulary" else np.array(value) for name, value in _stored().items()}


def read(weights, ids):
    """Gates {name: (T, H)}, cells (T, H), states (T, H) and answers (T, 2) over words given by their ids."""
    from seqlab.lm.reference import softmax
    from seqlab.recurrent.reference import lstm_forward, lstm_gates

    H = weights["W_hh"].shape[1]
    x, zero = np.eye(weights["W_ih"].shape[1])[list(ids)][None], np.zeros((1, H))
    h, c, cache = lstm_forward(x, zero, zero, *(weights[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")))
    gates = {name: gate[0] for name, gate in lstm_gates(cache).items()}
    return gates, c[0], h[0], softmax(h[0] @ weights["W_ya"].T + weights["b_y"])


def before_verb(sentences):
    """Each sentence up to its verb: what the network may read."""
    return [words[: next(t for t, word in enumerate(words) if word in VERBS)] for words in sentences]


def train(H=4, sentences=800, epochs=500, write_cost=0.3, seed=0):
    """Train the network of `GatesLab` on made sentences.

    After the subject and after each later noun it must say the verb's number. It pays the cross-entropy, and
    `write_cost` times the mean of its input gates: without that a net of this size writes at every word, and the reader
    could not see when it needs to.

    Returns
    -------
    weights : dict of arrays as `GatesLab` takes it, rounded to three digits.
    """
    import torch

    import seqlab.kernels  # noqa: F401  before torch.optim imports triton
    from seqlab import data
    from seqlab.data.made import ANIMAL

    given, plural = data.agreement(sentences, seed)
    texts = before_verb(given)
    vocabulary = sorted({word for words in texts for word in words})
    nouns = {*ANIMAL, *ANIMAL.values()}
    T, V = max(map(len, texts)), len(vocabulary)
    x, asked, there = torch.zeros(sentences, T, V), *torch.zeros(2, sentences, T, dtype=torch.bool)
    for b, words in enumerate(texts):
        for t, word in enumerate(words):
            x[b, t, vocabulary.index(word)] = 1
            asked[b, t], there[b, t] = word in nouns, True
    y = torch.tensor(plural)[:, None].expand(sentences, T)[asked]

    random = torch.Generator().manual_seed(seed)
    weights = {name: torch.rand([{"4H": 4 * H, "H": H, "V": V, "2": 2}[n] for n in shape], generator=random) - 0.5
               for name, shape in SHAPES.items()}  # fmt: skip
    weights["b_hh"].zero_()
    weights["b_ih"][H : 2 * H] = 1
    learnt = [w.requires_grad_() for name, w in weights.items() if name != "b_hh"]  # one of two biases is enough
    optimizer = torch.optim.Adam(learnt, lr=0.03)
    for _ in range(epochs):
        z = x @ weights["W_ih"].T + weights["b_ih"]
        h = c = torch.zeros(sentences, H)
        states, writes = [], []
        for t in range(T):
            i, f, g, o = (z[:, t] + h @ weights["W_hh"].T).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
            writes.append(i.sigmoid())
        scores = torch.stack(states, 1)[asked] @ weights["W_ya"].T + weights["b_y"]
        loss = torch.nn.functional.cross_entropy(scores, y) + write_cost * torch.stack(writes, 1)[there].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
    arrays = {name: np.round(w.detach().double().numpy(), 3) for name, w in weights.items()}
    return arrays | {"vocabulary": vocabulary}


def main():
    """Train and write the weights."""
    weights = train()
    lines = [f'"{name}": {json.dumps(np.asarray(value).tolist())}' for name, value in weights.items()]
    WEIGHTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
