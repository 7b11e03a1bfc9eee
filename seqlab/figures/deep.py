"""The interactive figures of chapter 6: a tagger that reads both ways, and what a stack of layers costs.

`python -m seqlab.figures.deep` trains the tagger of `BothWays` anew and writes its weights beside this file.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

WEIGHTS = Path(__file__).with_name("both_ways.json")
SENTENCES = (  # words and their labels: 1 for a word of a person's name
    ("Teddy bears are on sale", (0, 0, 0, 0, 0)),
    ("Teddy Roosevelt was a great president", (1, 1, 0, 0, 0, 0)),
    ("she said Rose petals fell on the table", (0, 0, 0, 0, 0, 0, 0, 0)),
    ("she said Rose Granger was late", (0, 0, 1, 1, 0, 0)),
)
CELLS = {"rnn": 1, "gru": 3, "lstm": 4}  # products with the weights in one step
KEPT = {"rnn": 1, "gru": 4, "lstm": 6}  # numbers a unit and step that the backward pass reads again: gates and states


class BothWays(Figure):
    """A tagger that asks whether each word belongs to a person's name, with a curtain over the words to come.

    Two plain recurrent networks read the sentence: one from the left, one from the right, from the curtain on. Three
    outputs were trained with them: on the left state, on the right state, and on both, :eq:`bidirectional`.

    Parameters
    ----------
    sentence : a string or a list of 1 to 10 words; None offers four sentences. A word that is not in
        `seqlab.data.tagged_sentences` counts as unknown.

    Raises
    ------
    ValueError
        when the sentence has too few or too many words.
    """

    module = "both_ways.js"
    label = "Reading a sentence from both ends"
    how = "Move the curtain word by word: what can each reader say before it has seen the end of the sentence?"

    def __init__(self, sentence=None):
        if sentence is None:
            offered = [(text.split(), list(labels)) for text, labels in SENTENCES]
        else:
            words = sentence.split() if isinstance(sentence, str) else [str(word) for word in sentence]
            check_number("the number of words in sentence", len(words), 1, 10, whole=True)
            offered = [(words, None)]
        tagger = trained()
        sentences = [{"words": words, "labels": labels, **answers(tagger, words)} for words, labels in offered]
        super().__init__(sentences=sentences, chosen=0, seen=1)

    def still(self):
        first = self.state["sentences"][0]
        left, right, both = first["left"], first["right"][-1], first["both"][-1]
        rows = [
            (word, *(f"{100 * p[t]:.0f} %" for p in (left, right, both)), f"{100 * first['both'][t][t]:.0f} %")
            for t, word in enumerate(first["words"])
        ]
        head = ("word", "left reader", "right reader", "both", "both, nothing after it seen")
        return table(head, rows, "How probable it is that each word belongs to a name")


class StackCost(Figure):
    """What a stack costs, :eq:`stacked`: the grid of steps, which of them wait for which, and the bill.

    Parameters
    ----------
    layers : 1 to 6.
    width : units H of each layer and direction, 16 to 1024.
    directions : 1, or 2 for a bidirectional stack.
    cell : "rnn", "gru" or "lstm".
    steps : T, 2 to 40.
    inputs : features D that the first layer reads, 1 to 4096.
    batch : sequences B at a time, 1 to 4096.

    Raises
    ------
    ValueError
        when a number is outside its range or the cell is unknown.
    """

    module = "stack_cost.js"
    label = "What a stack of recurrent layers costs"
    how = "Choose a stack, then press Tick: all steps that have what they wait for run at the same time."

    def __init__(self, layers=3, width=128, directions=1, cell="lstm", steps=12, inputs=64, batch=32):
        check_number("layers", layers, 1, 6, whole=True)
        check_number("width", width, 16, 1024, whole=True)
        check_number("directions", directions, 1, 2, whole=True)
        check_number("steps", steps, 2, 40, whole=True)
        check_number("inputs", inputs, 1, 4096, whole=True)
        check_number("batch", batch, 1, 4096, whole=True)
        if cell not in CELLS:
            raise ValueError(f"cell is {cell!r}; it must be one of {', '.join(CELLS)}")
        shape = {"layers": layers, "width": width, "directions": directions, "cell": cell}
        super().__init__(**shape, steps=steps, inputs=inputs, batch=batch, tick=0)

    def still(self):
        shape = {name: value for name, value in self.state.items() if name != "tick"}
        rows = []
        for layers in (1, 2, 4):
            for directions in (1, 2):
                b = bill(**shape | {"layers": layers, "directions": directions})
                name = f"{layers} layer{'s' * (layers > 1)}, {directions} direction{'s' * (directions > 1)}"
                rows.append((name, *(f"{b[key]:,}" for key in ("parameters", "products", "kept", "ticks"))))
        s = self.state
        caption = f"{s['cell']}, H = {s['width']}, D = {s['inputs']}, T = {s['steps']}, B = {s['batch']}"
        return table(("stack", "parameters", "multiplications", "numbers kept", "longest path"), rows, caption)


def bill(layers, width, directions, cell, steps, inputs, batch):
    """What a stack costs.

    Returns
    -------
    bill : dict. parameters; products: multiplications by weights in the forward pass of a batch; kept: numbers that the
        backward pass reads again, the inputs and each layer's gates and states; ticks: length of the longest chain of
        steps of which each waits for the one before.
    """
    sizes = [inputs] + [directions * width] * (layers - 1)
    gates, H = CELLS[cell], width
    return {
        "parameters": sum(directions * gates * H * (D + H + 2) for D in sizes),
        "products": sum(directions * batch * steps * gates * H * (D + H) for D in sizes),
        "kept": batch * steps * (inputs + layers * directions * KEPT[cell] * H),
        # both directions of a layer must end before the middle of the next can begin
        "ticks": steps + layers - 1 if directions == 1 else steps * layers,
    }


@lru_cache(maxsize=1)
def trained():
    """The committed weights of `BothWays`: {name: array}, and "words", those it knows."""
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return {name: value if name == "words" else np.array(value) for name, value in stored.items()}


def answers(tagger, words):
    """Probabilities of a name, by the book's reference, for every place of the curtain.

    Returns
    -------
    answers : dict of lists: left[t]; right[k][t] and both[k][t] when the first k + 1 words are seen, t <= k.
    """
    from seqlab.recurrent.reference import rnn_forward, sigmoid

    known = tagger["words"]
    x = np.eye(len(known))[[known.index(word if word in known else "<unk>") for word in words]]

    def states(x, side):
        weights = [tagger[f"{side}_{name}"] for name in ("W_ih", "W_hh", "b_ih", "b_hh")]
        return rnn_forward(x[None], np.zeros((1, len(weights[2]))), *weights)[0][0]

    def say(h, head):
        return sigmoid(h @ tagger[f"{head}_W"] + tagger[f"{head}_b"]).tolist()

    h_left = states(x, "left")
    out = {"left": say(h_left, "left"), "right": [], "both": []}
    for k in range(len(words)):
        h_right = states(x[: k + 1][::-1], "right")[::-1]
        out["right"].append(say(h_right, "right"))
        out["both"].append(say(np.hstack([h_left[: k + 1], h_right]), "both"))
    return out


def train(H=6, sentences=600, epochs=150, seed=0):
    """Train the tagger of `BothWays` on `seqlab.data.tagged_sentences`; one word in 50 is hidden as <unk>.

    Returns
    -------
    weights : dict as `trained` gives it, rounded to three digits.
    """
    import torch

    import seqlab.kernels  # noqa: F401  before torch.optim imports triton
    from seqlab.data import tagged_sentences

    texts, labels = tagged_sentences(sentences, seed)
    known = ["<unk>", *sorted({word for words in texts for word in words})]
    T = max(map(len, texts))
    x, y, there = torch.zeros(sentences, T, len(known)), torch.zeros(sentences, T), torch.zeros(sentences, T).bool()
    hide = np.random.default_rng(seed).random((sentences, T)) < 0.02
    for b, (words, tags) in enumerate(zip(texts, labels, strict=True)):
        for t, word in enumerate(words):
            x[b, t, 0 if hide[b, t] else known.index(word)] = 1
        y[b, : len(words)] = torch.tensor(tags, dtype=torch.float32)
        there[b, : len(words)] = True
    lengths = torch.tensor([len(words) for words in texts])

    torch.manual_seed(seed)
    net = torch.nn.RNN(len(known), H, batch_first=True, bidirectional=True)
    heads = {name: torch.nn.Linear(width, 1) for name, width in (("left", H), ("right", H), ("both", 2 * H))}
    learnt = [*net.parameters(), *(w for head in heads.values() for w in head.parameters())]
    optimizer = torch.optim.Adam(learnt, lr=0.02, weight_decay=1e-4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    for _ in range(epochs):
        h, _ = torch.nn.utils.rnn.pad_packed_sequence(net(packed)[0], batch_first=True)
        sides = {"left": h[..., :H], "right": h[..., H:], "both": h}
        loss = sum(
            torch.nn.functional.binary_cross_entropy_with_logits(head(sides[name]).squeeze(-1)[there], y[there])
            for name, head in heads.items()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    arrays = {}
    for side, end in (("left", ""), ("right", "_reverse")):
        for name in ("W_ih", "W_hh", "b_ih", "b_hh"):
            torch_name = {"W": "weight", "b": "bias"}[name[0]] + name[1:]
            arrays[f"{side}_{name}"] = getattr(net, f"{torch_name}_l0{end}")
    for name, head in heads.items():
        arrays |= {f"{name}_W": head.weight[0], f"{name}_b": head.bias[0]}
    plain = {name: np.round(w.detach().double().numpy(), 3) for name, w in arrays.items()}
    return {"words": known} | plain


def main():
    """Train and write the weights."""
    lines = [f'"{name}": {json.dumps(value if name == "words" else value.tolist())}' for name, value in train().items()]
    WEIGHTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
