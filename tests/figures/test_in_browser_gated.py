"""The figures of chapter 5 in Chromium: the gates compute what the reference computes, forced or free."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.figures import gated
from seqlab.lm.reference import softmax
from seqlab.recurrent.reference import lstm_backward, lstm_forward, sigmoid
from tests.browser import PHONE
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def forced_lstm(w, ids, forced):
    """Gates, cell, state and answer at each step by the equations, with forced values of gates {(name, t, unit): v}."""
    w = {name: np.array(value, float) for name, value in w.items() if name != "vocabulary"}
    H = w["W_hh"].shape[1]
    h, c, steps = np.zeros(H), np.zeros(H), []
    for t, id in enumerate(ids):
        parts = np.split(w["W_ih"][:, id] + w["W_hh"] @ h + w["b_ih"] + w["b_hh"], 4)
        gates = {name: np.tanh(z) if name == "g" else sigmoid(z) for name, z in zip("ifgo", parts, strict=True)}
        for (name, at, unit), value in forced.items():
            if at == t:
                gates[name][unit] = value
        c = gates["f"] * c + gates["i"] * gates["g"]
        h = gates["o"] * np.tanh(c)
        steps.append(gates | {"c": c, "h": h, "p": softmax((w["W_ya"] @ h + w["b_y"])[None])[0]})
    return steps


def test_the_gates_are_those_of_the_reference_and_stay_where_they_are_forced(shown):
    figure, rng = figures.GatesLab(), np.random.default_rng(0)
    with shown(figure) as page:
        for H, V, T in ((1, 2, 1), (4, 9, 12), (6, 5, 7)):
            shapes = {"W_ih": (4 * H, V), "W_hh": (4 * H, H), "b_ih": 4 * H, "b_hh": 4 * H, "W_ya": (2, H), "b_y": 2}
            w = {name: 2 * rng.normal(size=shape) for name, shape in shapes.items()}
            plain, ids = {name: value.tolist() for name, value in w.items()}, rng.integers(V, size=T).tolist()
            zero = np.zeros((1, H))
            h, c, _ = lstm_forward(np.eye(V)[ids][None], zero, zero, *(w[name] for name in list(shapes)[:4]))
            got = call(page, figure, "forward", plain, ids)
            np.testing.assert_allclose([step["h"] for step in got], h[0], atol=1e-12)
            np.testing.assert_allclose([step["c"] for step in got], c[0], atol=1e-12)

            forced = {("f", T // 2, 0): 0, ("i", 0, H - 1): 1, ("o", T - 1, 0): 1, ("g", T // 2, H - 1): 0}
            names = {" ".join(map(str, key)): value for key, value in forced.items()}
            got = call(page, figure, "forward", plain, ids, names)
            for step, want in zip(got, forced_lstm(w, ids, forced), strict=True):
                for name, value in want.items():
                    np.testing.assert_allclose(step[name], value, atol=1e-12)


def test_the_reader_shuts_a_gate_by_keyboard_and_the_answer_turns(shown):
    figure = figures.GatesLab()
    weights, vocabulary, words = gated.trained(), figure.state["vocabulary"], figure.state["sentences"][0]
    ids = [vocabulary.index(word) for word in words]
    with shown(figure, width=PHONE) as page:
        says = page.locator(".says")

        def check(forced, t):
            steps, free = forced_lstm(weights, ids, forced), forced_lstm(weights, ids, {})
            best = steps[-1]["p"].max()
            want = [best, free[-1]["p"].max()] if forced else [best]
            np.testing.assert_allclose(numbers(page, ".says"), want, atol=1e-6)
            np.testing.assert_allclose(numbers(page, ".gates"), [100 * step["p"][1] for step in steps], atol=1e-6)
            table = np.array(numbers(page, ".tight")).reshape(4, 7)
            old = steps[t - 1]["c"] if t else np.zeros(4)
            np.testing.assert_allclose(table[:, 0], old, atol=1e-6)
            for column, name in enumerate("ifgoch", start=1):
                np.testing.assert_allclose(table[:, column], steps[t][name], atol=1e-6)

        assert "says was" in says.inner_text()
        check({}, 2)
        press(button(page, "Shut (0)"), "Enter")  # the forget gate of all units, at "which"
        shut = {("f", 2, unit): 0 for unit in range(4)}
        check(shut, 2)
        assert "says were" in says.inner_text()
        assert "The answer has turned." in says.inner_text()
        assert page.locator(".gates i.forced").count() == 4

        page.locator("[role=grid] [tabindex='0']").focus()
        press(page.locator("[role=grid] [tabindex='0']"), "Delete")  # let go with a key
        check({}, 2)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        assert "Gate i (write) at “chased”" in page.locator("b", has_text="Gate").inner_text()
        page.keyboard.press("1")
        check({("i", 3, unit): 1 for unit in range(4)}, 3)
        press(button(page, "Let all go"), "Enter")

        page.get_by_role("combobox", name="Units").select_option(label="2")
        press(page.get_by_role("checkbox"), "Space")
        press(button(page, "Open (1)"), "Enter")  # one unit, at every word
        check({("i", t, 1): 1 for t in range(len(words))}, 3)
        assert page.locator(".gates i.forced").count() == len(words)
        press(button(page, "Let go"), "Enter")
        check({}, 3)
        assert page.problems == []


def test_only_gates_can_be_forced_and_a_new_sentence_starts_free(shown):
    figure = figures.GatesLab()
    with shown(figure) as page:
        page.locator(".gates [data-place='c,1']").click()
        assert button(page, "Shut (0)").is_disabled()
        assert "is no gate" in page.locator(".seqlab-live").inner_text()
        page.locator(".gates [data-place='f,8']").click()
        button(page, "Shut (0)").click()
        assert page.locator(".gates i.forced").count() == 4
        page.get_by_role("combobox", name="Sentence").select_option(
            "4"
        )  # two words: the place moves to the last of them
        assert page.locator(".gates i.forced").count() == 0
        assert "says was" in page.locator(".says").inner_text()
        assert page.locator(".gates [tabindex='0']").get_attribute("data-place") == "f,1"
        page.get_by_role("combobox", name="Sentence").select_option("3")
        assert "says were" in page.locator(".says").inner_text()
        assert page.problems == []


def test_a_chapter_s_own_network_and_sentence_are_shown(shown):
    rng = np.random.default_rng(3)
    shapes = {"W_ih": (8, 3), "W_hh": (8, 2), "b_ih": 8, "b_hh": 8, "W_ya": (2, 2), "b_y": 2}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()} | {"vocabulary": ["a", "b", "c"]}
    with shown(figures.GatesLab(weights, ["c", "a"])) as page:
        want = forced_lstm(weights, [2, 0], {})
        np.testing.assert_allclose(numbers(page, ".gates"), [100 * step["p"][1] for step in want], atol=1e-6)
        assert page.locator(".gates td.stackcell").count() == 12
        assert page.problems == []


def test_what_is_left_of_a_signal_agrees_with_the_references(shown):
    figure = figures.AdditivePath(steps=20, w=1.2, state=0.4, bias=1)
    with shown(figure, width=PHONE) as page:
        says, steps, bias = page.locator(".says"), slider(page, "steps back"), slider(page, "LSTM")

        def cell(b, T):
            """The gradient that the reference's LSTM sends back through its cell when no gate looks at the state."""
            biases, zero = np.array([0.3, b, 0.5, 0.2]), np.zeros((1, 1))
            h, c, cache = lstm_forward(np.ones((1, T, 1)), zero, zero, *np.zeros((2, 4, 1)), biases, np.zeros(4))
            dc = np.zeros_like(c)
            dc[:, -1] = 1
            return lstm_backward(np.zeros_like(h), cache, dc)["c0"].item()

        def check(w, state, b, T):
            each = [w * (1 - state**2), 1 / (1 + np.exp(-b))]
            want = [each[0], each[0] ** T, each[1], cell(float(b), T)]
            np.testing.assert_allclose(numbers(page, ".says"), want, rtol=1e-9)

        check(1.2, 0.4, 1, 20)
        assert "doubles every" in says.inner_text()
        assert button(page, "Bias 1").is_disabled()
        press(slider(page, "weight w"), "Home")
        press(slider(page, "state"), "ArrowRight")
        press(button(page, "Bias 0"), "Enter")
        check(0.5, 0.41, 0, 20)
        assert "halves every 1.0 steps" in says.inner_text()  # f = 1/2
        press(steps, "End")
        press(button(page, "Bias 4"), "Enter")
        check(0.5, 0.41, 4, 100)
        press(bias, "ArrowRight")
        check(0.5, 0.41, 4.1, 100)
        press(steps, "Home")
        check(0.5, 0.41, 4.1, 1)
        assert page.locator("svg[aria-label^='What is left'] circle").count() == 2
        assert page.problems == []
