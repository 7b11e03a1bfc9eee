"""The models behind the figures of chapters 4 to 6: what they know, and that their numbers are the package's own."""

import math
import re
from functools import cache

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab import data
from seqlab.figures import deep, gated, language
from seqlab.lm.reference import perplexity


def cells(figure):
    """The cells of a still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


# ---- chapter 4


def test_the_die_pays_what_the_bigram_model_pays():
    from seqlab.lm import NGram

    figure = figures.PerplexityDie()
    words, targets = figure.state["words"], figure.state["targets"]
    texts = [[words.index(word) for word in text] for text in language.made_text()]
    for name, n in (("bigram", 2), ("unigram", 1)):
        nll, tokens = NGram(n, smoothing="add-k", k=0.1).fit(texts, len(words)).nll([targets])
        rows = np.array(figure.state["models"][name]["rows"])
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)
        assert -np.log(rows[range(len(targets)), targets]).sum() == pytest.approx(nll, rel=1e-12)
        if name == "bigram":
            assert cells(figure)[-1][-1] == f"{perplexity(nll, tokens):.2f}"


def test_the_made_text_is_about_few_things_and_the_sentence_is_in_its_vocabulary():
    used = {word for text in language.made_text() for word in text}
    assert not used & {"ending", "hour", "actor"}
    assert used == set(figures.PerplexityDie().state["words"])
    assert len(used) == 13


def test_equal_guesses_over_v_words_have_perplexity_v_and_certainty_has_1():
    numbers = [str(n) for n in range(53)]
    assert {row[-1] for row in cells(figures.PerplexityDie(numbers, next_word=["0", "52", "7"]))} == {"53.00"}
    assert cells(figures.PerplexityDie("ab", [0, 1], "b")) == [["1", "b", "1.000", "0.00", "0.00", "1.00"]]
    assert cells(figures.PerplexityDie("ab", [0, 1], "a"))[0][-1] == "inf"


def test_the_words_after_the_are_counted_in_the_book():
    figure = figures.TemperatureLab()
    text = data.book_text().lower()
    for word, score in zip(figure.state["words"], figure.state["scores"], strict=True):
        assert len(re.findall(rf"(?<![a-z])the[^a-z.,;:?!]+{word}(?![a-z])", text)) == round(math.exp(score))
    assert figure.state["scores"] == sorted(figure.state["scores"], reverse=True)


def test_the_still_picture_of_the_temperature_lab_is_greedy_at_0_and_counts_at_1():
    rows = cells(figures.TemperatureLab(["a", "b", "c"], np.log([6.0, 3.0, 1.0])))
    assert [row[1] for row in rows] == ["100.0 %", "0.0 %", "0.0 %", "0.00"]
    assert [row[3] for row in rows] == ["60.0 %", "30.0 %", "10.0 %", "0.90"]


# ---- chapter 5


def answered(weights, sentences):
    """The verb that the network chooses for each sentence."""
    ids = [[weights["vocabulary"].index(word) for word in words] for words in gated.before_verb(sentences)]
    return np.array([gated.read(weights, one)[3][-1].argmax() for one in ids])


def test_the_committed_network_knows_the_number_of_a_subject_far_back():
    for others in (0, 1, 3):
        sentences, plural = data.agreement(200, seed=31 + others, others=others)
        assert (answered(gated.trained(), sentences) == plural).mean() > 0.95


def test_without_its_forget_gate_the_committed_network_forgets():
    weights = gated.trained()
    H = weights["W_hh"].shape[1]
    weights["b_ih"] = np.where(np.arange(4 * H) // H == 1, -100.0, weights["b_ih"])
    sentences, plural = data.agreement(200, seed=5, others=2)
    assert (answered(weights, sentences) == plural).mean() < 0.75


def test_the_committed_network_writes_at_the_subject_and_keeps():
    weights = gated.trained()
    for sentence in gated.SENTENCES[:2]:
        gates, *_ = gated.read(weights, [weights["vocabulary"].index(word) for word in sentence.split()])
        assert gates["i"][1].max() > 0.4  # the subject
        assert gates["i"][2:].max() < 0.2
        assert gates["f"][2:].min() > 0.85


def test_the_command_trains_such_a_network_anew():
    weights = gated.train(sentences=120, epochs=60, seed=1)
    sentences, plural = data.agreement(100, seed=77)
    assert (answered(weights, sentences) == plural).mean() > 0.95
    figures.GatesLab(weights)  # and the figure takes it


def test_the_cell_s_path_is_the_gradient_that_the_reference_sends_back():
    from seqlab.recurrent.reference import lstm_backward, lstm_forward, rnn_backward, rnn_forward

    T, x = 50, np.ones((1, 50, 1))
    bias = np.array([0.3, 3, 0.5, 0.2])  # i, f, g, o
    h, c, cache = lstm_forward(x, np.zeros((1, 1)), np.ones((1, 1)), *np.zeros((2, 4, 1)), bias, np.zeros(4))
    dc = np.zeros_like(c)
    dc[:, -1] = 1
    left = lstm_backward(np.zeros_like(h), cache, dc)["c0"].item()
    assert f"{left:.2g}" == {row[0]: row[3] for row in cells(figures.AdditivePath())}["LSTM, forget bias 3"]

    # an RNN that an input holds at h = 0.5
    w, state = 0.9, 0.5
    push = np.array([[np.arctanh(state) - w * state]])
    h, cache = rnn_forward(x, np.full((1, 1), state), push, np.array([[w]]), np.zeros(1), np.zeros(1))
    dh = np.zeros_like(h)
    dh[:, -1] = 1
    left = rnn_backward(dh, cache)["h0"].item()
    assert f"{left:.2g}" == cells(figures.AdditivePath(w=w, state=state, steps=T))[0][3]


# ---- chapter 6


def test_the_tagger_knows_names_and_the_left_reader_falls_into_the_traps():
    right = {"left": [], "both": []}
    for words, labels in zip(*data.tagged_sentences(150, seed=99), strict=True):
        said = deep.answers(deep.trained(), words)
        for name, p in (("left", said["left"]), ("both", said["both"][-1])):
            right[name] += [(share > 0.5) == label for share, label in zip(p, labels, strict=True)]
    assert np.mean(right["both"]) > 0.99
    assert np.mean(right["left"]) < np.mean(right["both"]) - 0.01
    assert deep.answers(deep.trained(), ["Teddy"])["left"] == pytest.approx(
        deep.answers(deep.trained(), ["Teddy", "bears"])["left"][:1]
    )


def test_the_answers_are_those_of_torch_s_bidirectional_network():
    import torch

    tagger, words = deep.trained(), ["Teddy", "bears", "are", "on", "sale"]
    H = len(tagger["left_b_ih"])
    net = torch.nn.RNN(len(tagger["words"]), H, batch_first=True, bidirectional=True, dtype=torch.float64)
    for side, end in (("left", ""), ("right", "_reverse")):
        for ours, theirs in (("W_ih", "weight_ih"), ("W_hh", "weight_hh"), ("b_ih", "bias_ih"), ("b_hh", "bias_hh")):
            getattr(net, f"{theirs}_l0{end}").data = torch.tensor(tagger[f"{side}_{ours}"])
    said = deep.answers(tagger, words)
    for seen in (1, 3, 5):
        x = torch.eye(len(tagger["words"]), dtype=torch.float64)[[tagger["words"].index(w) for w in words[:seen]]]
        h = net(x[None])[0][0].detach().numpy()
        both = 1 / (1 + np.exp(-(h @ tagger["both_W"] + tagger["both_b"])))
        left = 1 / (1 + np.exp(-(h[:, :H] @ tagger["left_W"] + tagger["left_b"])))
        np.testing.assert_allclose(said["both"][seen - 1], both, atol=1e-12)
        np.testing.assert_allclose(said["left"][:seen], left, atol=1e-12)


def test_an_unknown_word_is_read_as_unknown():
    one, other = (deep.answers(deep.trained(), f"{word} Granger was late".split()) for word in ("Zaphod", "<unk>"))
    assert one == other


def test_the_command_trains_such_a_tagger_anew():
    tagger = deep.train(sentences=150, epochs=40, seed=1)
    words, labels = deep.SENTENCES[0][0].split(), deep.SENTENCES[0][1]
    assert [p > 0.5 for p in deep.answers(tagger, words)["both"][-1]] == list(map(bool, labels))


SHAPES = [
    {"layers": 1, "directions": 1, "width": 16, "inputs": 5, "steps": 7, "batch": 3},
    {"layers": 3, "directions": 1, "width": 32, "inputs": 8, "steps": 4, "batch": 1},
    {"layers": 2, "directions": 2, "width": 16, "inputs": 40, "steps": 6, "batch": 2},
]


@pytest.mark.parametrize("cell", deep.CELLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bill_has_the_parameters_of_the_module_and_the_products_of_the_cost_model(shape, cell):
    from seqlab import recurrent
    from seqlab.recurrent.cost import cost

    bill = deep.bill(**shape, cell=cell)
    L, d, H, D, B, T = (shape[name] for name in ("layers", "directions", "width", "inputs", "batch", "steps"))
    net = getattr(recurrent, cell.upper())(D, H, num_layers=L, bidirectional=d == 2)
    assert bill["parameters"] == sum(w.numel() for w in net.parameters())
    flops = sum(d * cost(B, T, D if layer == 0 else d * H, H, 4, cell=cell).flops for layer in range(L))
    assert bill["products"] == pytest.approx(flops / 2, rel=1e-12)


@pytest.mark.parametrize("cell", deep.CELLS)
def test_the_numbers_kept_are_those_of_the_reference_s_cache(cell):
    from seqlab.recurrent import reference

    B, T, D, H, gates = 2, 5, 3, 16, deep.CELLS[cell]
    zero, weights = np.zeros((B, H)), (np.zeros((gates * H, D)), np.zeros((gates * H, H)), *np.zeros((2, gates * H)))
    states = (zero, zero) if cell == "lstm" else (zero,)
    *_, cache = getattr(reference, f"{cell}_forward")(np.zeros((B, T, D)), *states, *weights)
    kept = sum(a.size for a in cache if isinstance(a, np.ndarray) and a.shape[:2] == (B, T))
    bill = deep.bill(layers=1, directions=1, width=H, inputs=D, steps=T, batch=B, cell=cell)
    assert bill["kept"] == kept


@pytest.mark.parametrize("shape", SHAPES)
def test_the_longest_path_is_the_longest_path(shape):
    L, d, T = shape["layers"], shape["directions"], shape["steps"]

    @cache
    def depth(layer, back, t):  # 0 outside the grid
        if layer < 0 or not 0 <= t < T:
            return 0
        below = [depth(layer - 1, other, t) for other in range(d)]
        return 1 + max(depth(layer, back, t + 1 if back else t - 1), *below)

    longest = max(depth(L - 1, back, t) for back in range(d) for t in range(T))
    assert deep.bill(**shape, cell="rnn")["ticks"] == longest
