"""Interactive figures in Python: what they put on the page, and what they refuse."""

import html
import importlib.resources
import importlib.util
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.figures.figure import Figure
from tests.figures.test_style import DARK, WHITE, contrast, rgb

KINDS = [kind for kind in map(vars(figures).get, figures.__all__) if isinstance(kind, type) and kind is not Figure]
INK = {WHITE: "#222832", DARK: "#ced6dd"}  # the theme's text on its two grounds
ROOM = Path(figures.__file__).parent


def payload(page):
    """What the script on the page was given: id, state, code, sheet."""
    return json.loads(re.search(r"const \[id, state, code, css\] = (.*);\n", page)[1])


def test_the_room_exports_every_figure():
    modules = {path.name for path in importlib.resources.files(figures).iterdir() if path.name.endswith(".js")}
    assert {kind.module for kind in KINDS} == modules - {"common.js"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_brings_its_module_state_and_still_picture(kind):
    figure = kind()
    page = figure._repr_html_()
    name, state, code, css = payload(page)
    assert f'id="{name}"' in page
    assert state == json.loads(json.dumps(figure.state))
    assert "export default" in code
    assert "--blue:" in css
    assert html.escape(figure.how) in page
    assert "<table" in figure.still()
    assert repr(figure).startswith(kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_asks_nothing_of_the_network(kind):
    page = kind()._repr_html_()
    addresses = set(re.findall(r"https?://[^\s\"'<>\\`)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address that is fetched


def test_the_same_figure_twice_has_two_ids():
    first, second = (payload(figures.ClipLab()._repr_html_())[0] for _ in range(2))
    assert first != second
    assert first.rsplit("-", 1)[0] == second.rsplit("-", 1)[0]


def test_nothing_in_the_state_can_close_the_script():
    page = figures.OneHotLab(text="</script><!-- <b>")._repr_html_()
    assert page.count("</script>") == 1
    assert page.count("<script") == 1
    assert "<b>" not in page
    assert payload(page)[1]["text"] == "</script><!-- <b>"


def test_state_that_is_not_plain_is_refused():
    class Sketch(Figure):
        pass

    for value in (np.zeros(2), float("nan")):
        with pytest.raises(ValueError, match="the state of Sketch must be plain"):
            Sketch(value=value)


@pytest.mark.parametrize(("ground", "ink"), INK.items())
def test_text_on_a_painted_cell_can_be_read(ground, ink):
    from seqlab.figures.figure import _read
    from seqlab.figures.style import COLOURS

    share = int(re.search(r"Math\.round\((\d+) \*", _read("common.js"))[1]) / 100
    for hue in ("blue", "orange"):
        cell = [share * c + (1 - share) * g for c, g in zip(rgb(COLOURS[hue]), ground, strict=True)]
        assert contrast(rgb(ink), cell) >= 4.5
    assert contrast(WHITE, rgb(COLOURS["blue"])) >= 4.5  # the main button's words


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.UnrolledRNN(text="help"), "text holds 'p', which is not one of the symbols 'helo'"),
        (lambda: figures.UnrolledRNN(text="h"), "2 to 9 letters"),
        (lambda: figures.UnrolledRNN(symbols="hell"), "different letters"),
        (lambda: figures.UnrolledRNN(weights={"W_ih": 1}), r"weights has the keys \['W_ih'\]"),
        (
            lambda: figures.UnrolledRNN(weights=weights(W_hh=np.zeros((2, 3)))),
            r"weights\['W_hh'\] has shape \(2, 3\); it must have shape \(2, 2\)",
        ),
        (lambda: figures.UnrolledRNN(weights=weights(b_y=np.full(4, np.inf))), r"weights\['b_y'\] holds a number that"),
        (lambda: figures.SharedWeights(text="hex"), "text holds 'x'"),
        (lambda: figures.MatrixPowers(radius=2), "radius is 2; it must be a number from 0.5 to 1.5"),
        (lambda: figures.MatrixPowers(steps=7.5), "steps is 7.5; it must be a whole number"),
        (lambda: figures.MatrixPowers(start=(1, 2, 3)), "start has 3 numbers; it must have 2"),
        (lambda: figures.ClipLab(gradient=(99, 0)), "each number must be from -40 to 40"),
        (lambda: figures.ClipLab(method="both"), "it must be 'norm' or 'value'"),
        (lambda: figures.BackwardGraph(x=(1, 2)), "y has 5 numbers; it must have 2"),
        (lambda: figures.BackwardGraph(loss="first"), "it must be 'every' or 'last'"),
        (lambda: figures.BackwardGraph(truncate=5), "truncate is 5; it must be a whole number from 0 to 4"),
        (lambda: figures.BackwardGraph(w_hh=float("nan")), "w_hh is nan"),
        (lambda: figures.SequenceTensor([]), "holds 0 sentences"),
        (lambda: figures.SequenceTensor(["one", " "]), "sentence 1 has 0 words"),
        (lambda: figures.SequenceTensor(n_x=1), "n_x is 1; it must be a whole number from 2 to 19"),
        (lambda: figures.ProblemShapes("Chess"), "problem is 'Chess'; it must be one of Digit recognition"),
        (lambda: figures.OneHotLab(text="x" * 81), "at most 80 letters"),
        (lambda: figures.OneHotLab(vocabulary=["a", "b", "c", "<unk>"]), "vocabulary has no '<eos>'"),
        (lambda: figures.OneHotLab(vocabulary=["<unk>", "<eos>"]), "has 2 tokens; the figure shows 4 to 40"),
        (lambda: figures.PerplexityDie(probabilities=[0.5, 0.5]), "probabilities came without words"),
        (lambda: figures.PerplexityDie(["a"]), "words holds 1 words; the figure shows 2 to 60"),
        (lambda: figures.PerplexityDie(["a", "b", "a"]), "words holds 'a' more than once"),
        (lambda: figures.PerplexityDie(next_word="the film was odd"), "next_word holds 'odd', which is not in the voc"),
        (
            lambda: figures.PerplexityDie("ab", next_word=["a"] * 13),
            "next_word is 13; it must be a whole number",
        ),
        (lambda: figures.PerplexityDie("ab", [0.5, 0.4]), "row 0 of probabilities sums to 0.9"),
        (lambda: figures.PerplexityDie("ab", [1.5, -0.5]), "must hold shares that sum to 1"),
        (
            lambda: figures.PerplexityDie("ab", [[1, 0]] * 2, "a"),
            r"shape \(2, 2\); with 1 steps and 2 words",
        ),
        (lambda: figures.TemperatureLab(scores=[1, 2]), "scores came without words"),
        (lambda: figures.TemperatureLab("abc", [1, 2]), r"scores has shape \(2,\); with 3 words it must have \(3,\)"),
        (lambda: figures.TemperatureLab("ab", [0, -np.inf]), "holds a number that is not finite; cut words off with"),
        (lambda: figures.TemperatureLab([str(n) for n in range(31)]), "holds 31 words; the figure shows 2 to 30"),
        (lambda: figures.GatesLab(sentence="the cat which barked"), "sentence holds 'barked', which the network never"),
        (lambda: figures.GatesLab(sentence=""), "the number of words in sentence is 0"),
        (lambda: figures.GatesLab({"W_ih": 1}), r"weights has the keys \['W_ih'\]; it must have \['W_hh'"),
        (
            lambda: figures.GatesLab(lstm_weights(W_hh=np.zeros((8, 3)))),
            r"weights\['W_hh'\] has shape \(8, 3\); it must have shape \(8, 2\)",
        ),
        (lambda: figures.GatesLab(lstm_weights(b_ih=np.zeros(7))), r"weights\['b_ih'\] has 7 numbers; 1 to 6 units"),
        (lambda: figures.GatesLab(lstm_weights(b_y=[0, np.nan])), r"weights\['b_y'\] holds a number that is not"),
        (lambda: figures.AdditivePath(steps=101), "steps is 101; it must be a whole number from 1 to 100"),
        (lambda: figures.AdditivePath(state=1), "state is 1; it must be a number from 0 to 0.95"),
        (lambda: figures.BothWays("one " * 11), "the number of words in sentence is 11"),
        (lambda: figures.StackCost(layers=7), "layers is 7; it must be a whole number from 1 to 6"),
        (lambda: figures.StackCost(cell="qrnn"), "cell is 'qrnn'; it must be one of rnn, gru, lstm"),
        (lambda: figures.StackCost(directions=0), "directions is 0"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def weights(H=2, D=4, **changed):
    rng = np.random.default_rng(0)
    shapes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": H, "b_hh": H, "W_ya": (D, H), "b_y": D}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()} | changed


def lstm_weights(H=2, **changed):
    vocabulary = ["the", "cat"]
    shapes = {"W_ih": (4 * H, 2), "W_hh": (4 * H, H), "b_ih": 4 * H, "b_hh": 4 * H, "W_ya": (2, H), "b_y": 2}
    return {name: np.zeros(shape) for name, shape in shapes.items()} | {"vocabulary": vocabulary} | changed


def test_the_trained_network_spells_its_word_and_needs_its_memory_for_it():
    from seqlab.figures.recurrent import predict

    presets = figures.UnrolledRNN().state["presets"]
    ids, wanted = [0, 1, 2, 2], [1, 2, 2, 3]  # h e l l -> e l l o
    bets = {}
    for name, preset in presets.items():
        _, p = predict({key: np.array(value) for key, value in preset.items()}, ids)
        bets[name] = p.argmax(axis=1).tolist()
    assert bets["given"] == wanted
    assert bets["forgetful"][2] == bets["forgetful"][3]  # the same letter without memory: the same bet
    assert bets["untrained"] != wanted


def test_a_widget_has_the_same_module_and_a_synced_state(monkeypatch):
    import traitlets

    fake = types.ModuleType("anywidget")
    fake.AnyWidget = type("AnyWidget", (traitlets.HasTraits,), {})
    monkeypatch.setitem(sys.modules, "anywidget", fake)
    figure = figures.MatrixPowers(radius=1.2)
    widget = figure.widget()
    assert widget.radius == 1.2
    assert set(widget.traits(sync=True)) == set(figure.state)
    assert widget._esm == figure.code()


@pytest.mark.skipif(importlib.util.find_spec("anywidget") is not None, reason="anywidget is installed")
def test_without_anywidget_the_error_says_what_to_do():
    with pytest.raises(ImportError, match="pip install anywidget"):
        figures.ClipLab().widget()


@pytest.mark.parametrize("module", sorted(ROOM.glob("*.js")), ids=lambda path: path.stem)
def test_no_part_of_a_figure_is_named_as_the_site_s_icons_are(module):
    """The theme's icon font takes hold of every element of the class `fa`, `far` or the like, text and all."""
    named = re.findall(r"class(?:Name)?\s*[:=]\s*[\"'`]([^\"'`]*)", module.read_text(encoding="utf-8"))
    assert {"fa", "fab", "fad", "fal", "far", "fas"} & {name for names in named for name in names.split()} == set()
