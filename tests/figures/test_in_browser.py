"""The interactive figures in Chromium: right numbers, worked by keyboard alone, clean for axe, without network."""

import json
from itertools import product

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.figures.figure import Figure
from seqlab.recurrent import reference as rnn
from seqlab.text import one_hot
from tests.browser import DESKTOP, PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site

KINDS = [kind for kind in map(vars(figures).get, figures.__all__) if isinstance(kind, type) and kind is not Figure]


# ---- every figure


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_figure_is_clean_and_fits(shown, width, dark):
    with shown(*(kind() for kind in KINDS), width=width, dark=dark, reduced_motion=True) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        for main in page.locator("button.main").all():
            press(main, "Enter", "Enter")
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == len(
            page.query_selector_all("[id]")
        )
        assert page.evaluate("getComputedStyle(document.querySelector('.text_html')).backgroundColor") == (
            "rgba(0, 0, 0, 0)"
        )
        assert page.problems == []


def test_the_tab_key_reaches_every_control_shows_where_it_is_and_leaves_the_page(shown):
    with shown(*(kind() for kind in KINDS)) as page:
        reached = 0
        while reached < 400:
            page.keyboard.press("Tab")
            here = page.evaluate("""() => {
                const here = document.activeElement, style = getComputedStyle(here);
                return here === document.body ? null
                  : [here.outerHTML.slice(0, 90), style.outlineStyle, parseFloat(style.outlineWidth)];
            }""")
            if here is None:
                break
            reached += 1
            assert here[1] != "none", here
            assert here[2] >= 2, here
        open_controls = page.evaluate("""() => [...document.querySelectorAll(
            ".seqlab-live :is(input:not([type=radio]), select, button, summary, [tabindex='0'])")]
            .filter((one) => one.checkVisibility() && !one.disabled).length""")
        radio_groups = page.evaluate(
            "new Set([...document.querySelectorAll('.seqlab-live input[type=radio]')].map((one) => one.name)).size"
        )
        assert reached == open_controls + radio_groups


def test_without_scripts_the_still_pictures_are_there(shown):
    with shown(*(kind() for kind in KINDS), javascript=False, live=False, width=PHONE) as page:
        stills = page.locator(".seqlab-still table").all()
        assert len(stills) == len(KINDS)
        assert all(still.is_visible() for still in stills)
        assert overflow(page) == 0


def test_on_paper_the_still_picture_takes_the_place_of_the_live_one(shown):
    with shown(figures.ClipLab()) as page:
        assert page.locator(".seqlab-live").is_visible()
        assert not page.locator(".seqlab-still").is_visible()
        page.emulate_media(media="print")
        assert not page.locator(".seqlab-live").is_visible()
        assert page.locator(".seqlab-still").is_visible()


def test_a_figure_that_breaks_leaves_its_still_picture(shown):
    class Broken(figures.ClipLab):
        def code(self):
            return "export default { render() { throw new Error('broken on purpose'); } };"

    with shown(Broken(), live=False) as page:
        page.wait_for_timeout(200)
        assert page.locator(".seqlab-still").is_visible()
        assert any("broken on purpose" in problem for problem in page.problems)


def test_two_of_the_same_figure_do_not_disturb_each_other(shown):
    with shown(figures.ClipLab(), figures.ClipLab()) as page:
        first, second = page.locator(".seqlab-figure").all()
        press(first.get_by_role("radio", name="by norm"), "ArrowRight")
        press(first.get_by_role("slider", name="threshold"), "Home")
        assert first.get_by_role("radio", name="by value").is_checked()
        assert second.get_by_role("radio", name="by norm").is_checked()
        assert second.get_by_role("slider", name="threshold").input_value() == "20"


def test_text_from_the_author_stays_text(shown):
    with shown(figures.OneHotLab(text="</script><img src=x onerror=alert(1)>")) as page:
        assert page.query_selector("main img") is None
        assert page.get_by_role("textbox").input_value() == "</script><img src=x onerror=alert(1)>"
        assert page.problems == []


def test_who_asks_for_less_motion_sees_none(shown):
    with shown(figures.UnrolledRNN(), reduced_motion=True) as page:
        moving = "[...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e, '::before')"
        assert page.evaluate(moving + ".transitionDuration) > 0).length") == 0
    with shown(figures.UnrolledRNN()) as page:
        assert page.evaluate(moving + ".transitionDuration) > 0).length") > 0


# ---- chapter 2


def unrolled(weights, ids):
    """States and probabilities by the book's reference, one `rnn_step` at a time."""
    w = {name: np.array(value, float) for name, value in weights.items()}
    h, states, shares = np.zeros((1, len(w["b_ih"]))), [], []
    for id in ids:
        x = one_hot(np.array([id]), w["W_ih"].shape[1])
        h = rnn.rnn_step(x, h, w["W_ih"], w["W_hh"], w["b_ih"], w["b_hh"])
        e = np.exp(rnn.rnn_output(h, w["W_ya"], w["b_y"])[0])
        states.append(h[0])
        shares.append(e / e.sum())
    return np.array(states), np.array(shares)


def test_the_unrolled_network_computes_what_the_reference_computes(shown):
    figure, rng = figures.UnrolledRNN(), np.random.default_rng(0)
    with shown(figure) as page:
        for H, D, T in ((1, 2, 1), (3, 4, 4), (6, 8, 8)):
            shapes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": H, "b_hh": H, "W_ya": (D, H), "b_y": D}
            weights = {name: (2 * rng.normal(size=shape)).tolist() for name, shape in shapes.items()}
            ids = rng.integers(D, size=T).tolist()
            steps = call(page, figure, "forward", weights, ids)
            states, shares = unrolled(weights, ids)
            np.testing.assert_allclose([step["h"] for step in steps], states, rtol=0, atol=1e-12)
            np.testing.assert_allclose([step["p"] for step in steps], shares, rtol=0, atol=1e-12)


def test_the_unrolled_network_is_stepped_and_edited_by_keyboard(shown):
    figure = figures.UnrolledRNN()
    weights = json.loads(json.dumps(figure.state["weights"]))
    with shown(figure, width=PHONE) as page:

        def state(t):
            return numbers(page, f".unrolled > div:nth-child({t}) .state")

        def check(ids, upto):
            states, shares = unrolled(weights, ids)
            for t in range(1, len(ids)):
                np.testing.assert_allclose(state(t), states[t - 1] if t <= upto else [], rtol=0, atol=1e-6)
            wanted, loss, total = numbers(page, ".says")
            each = -np.log([shares[t, ids[t + 1]] for t in range(upto)])
            np.testing.assert_allclose([wanted, loss, total], [np.exp(-each[-1]), each[-1], each.sum()], atol=1e-6)

        press(button(page, "Step"), "Enter", "Space")
        check([0, 1, 2, 2, 3], 2)
        press(button(page, "Step"), "Enter", "Enter")
        check([0, 1, 2, 2, 3], 4)
        assert button(page, "Step").is_disabled()
        assert "bets on “o”" in page.locator(".says").inner_text()

        press(page.get_by_label("letter read at step 2"), "o")  # hello -> hollo
        check([0, 3, 2, 2, 3], 4)

        press(page.locator("summary"), "Enter")
        box = page.get_by_label("W_hh, row h2, column h3")
        box.fill("-1.25")
        weights["W_hh"][1][2] = -1.25
        check([0, 3, 2, 2, 3], 4)
        press(box, "ArrowUp")
        weights["W_hh"][1][2] = float(box.input_value())
        assert weights["W_hh"][1][2] != -1.25
        check([0, 3, 2, 2, 3], 4)
        assert page.get_by_label("Weights").input_value() == "edited"

        box.fill("")  # not a number: marked, and the network stays
        assert box.get_attribute("aria-invalid") is not None
        check([0, 3, 2, 2, 3], 4)

        press(button(page, "Start again"), "Enter")
        assert state(1) == []
        assert page.problems == []


def test_without_memory_the_network_bets_the_same_on_both_ls(shown):
    with shown(figures.UnrolledRNN()) as page:
        page.get_by_label("Weights").select_option("forgetful")
        press(button(page, "Go to step 4"), "Enter")
        bets = [page.locator(f".unrolled > div:nth-child({t}) .bars").get_attribute("aria-label") for t in (2, 3, 4)]
        assert bets[1] == bets[2] != bets[0]


def test_the_long_matrix_gives_the_sum_of_its_halves(shown):
    figure = figures.SharedWeights()
    W_aa, W_ax = (np.array(figure.state["weights"][name]) for name in ("W_aa", "W_ax"))
    with shown(figure) as page:
        for t, i, keys in ((2, 0, []), (2, 1, ["ArrowDown", "ArrowRight"]), (3, 2, ["ArrowDown"])):
            if t == 3:
                press(slider(page, "time step"), "ArrowRight")
            page.locator("[role=grid] [tabindex='0']").focus()
            for key in keys:
                page.keyboard.press(key)
            step = figure.state["steps"][t - 1]
            left, right = W_aa[i] @ step["a"], W_ax[i] @ step["x"]
            want = [left, right, left + right, np.hstack([W_aa, W_ax])[i] @ [*step["a"], *step["x"]]]
            np.testing.assert_allclose(numbers(page, ".says"), want, atol=1e-12)
        assert page.locator("[aria-selected=true]").count() == 1
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.cellIndex") == 7
        page.keyboard.press("ArrowRight")  # at the edge the focus stays
        assert page.evaluate("document.activeElement.cellIndex") == 7
        page.keyboard.press("Home")
        assert page.evaluate("document.activeElement.cellIndex") == 1


# ---- chapter 3


def powers(radius, angle, steps, tanh, start):
    a = np.deg2rad(angle)
    W = radius * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    h, J, path, sizes = np.array(start, float), np.eye(2), [start], [1.0]
    for _ in range(steps):
        h = np.tanh(W @ h) if tanh else W @ h
        J = (np.diag(1 - h**2) if tanh else np.eye(2)) @ W @ J
        path.append(h.tolist())
        sizes.append(np.linalg.norm(J, 2))
    return np.array(path), np.array(sizes)


def test_the_powers_of_a_matrix_agree_with_numpy(shown):
    figure = figures.MatrixPowers()
    with shown(figure) as page:
        for (radius, angle), tanh in product([(0.5, 0), (0.9, 20), (1.0, 180), (1.5, 77)], [False, True]):
            values = {"radius": radius, "angle": angle, "steps": 40, "tanh": tanh, "start": [0.9, 0.3]}
            got = call(page, figure, "run", values)
            path, sizes = powers(**values)
            np.testing.assert_allclose(got["path"], path, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(got["gradient"], sizes, rtol=1e-6)


def test_the_gradient_vanishes_and_explodes_under_the_reader_s_keys(shown):
    with shown(figures.MatrixPowers()) as page:
        radius, says = slider(page, "spectral radius"), page.locator(".says")
        press(radius, "Home")
        assert says.inner_text().startswith("The gradient vanishes")
        assert numbers(page, ".says") == pytest.approx([0.5**30])
        press(radius, "End")
        assert says.inner_text().startswith("The gradient explodes")
        assert numbers(page, ".says") == pytest.approx([1.5**30])
        press(page.get_by_role("checkbox"), "Space")
        _, sizes = powers(1.5, 20, 30, True, [0.9, 0.3])
        assert numbers(page, ".says") == pytest.approx([sizes[-1]], rel=1e-6)
        assert sizes[-1] < 1.5**30 / 1000
        press(slider(page, "look at step"), "End")
        path, _ = powers(1.5, 20, 30, True, [0.9, 0.3])
        np.testing.assert_allclose(numbers(page, "p.quiet"), [*path[-1], sizes[-1]], rtol=1e-6)
        assert "from 1 to" in page.get_by_role("img").nth(1).get_attribute("aria-label")
        assert page.problems == []


def test_clipping_agrees_with_the_reference(shown):
    figure = figures.ClipLab()
    with shown(figure) as page:
        for g, limit in (([30, 12], 20), ([-7, 40], 3), ([1, 2], 20), ([0, 0], 5)):
            array = {"g": np.array(g, float)}
            np.testing.assert_allclose(
                call(page, figure, "byValue", g, limit), rnn.clip_by_value(array, limit)["g"], atol=1e-12
            )
            np.testing.assert_allclose(
                call(page, figure, "byNorm", g, limit), rnn.clip_by_norm(array, limit)[0]["g"], atol=1e-12
            )


def test_the_reader_clips_by_keyboard_and_by_pointer(shown):
    with shown(figures.ClipLab()) as page:

        def check(g, limit):
            array = {"g": np.array(g, float)}
            ways = [array["g"], rnn.clip_by_value(array, limit)["g"], rnn.clip_by_norm(array, limit)[0]["g"]]
            table = [x for i in (0, 1) for x in (way[i] for way in ways)] + [np.linalg.norm(way) for way in ways]
            np.testing.assert_allclose(numbers(page, ".seqlab-live table")[:9], table, atol=1e-9)
            cosines = [way @ ways[0] / np.linalg.norm(way) / np.linalg.norm(ways[0]) for way in ways[1:]]
            angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
            np.testing.assert_allclose(numbers(page, ".seqlab-live table")[9:], angles, atol=1e-5)

        check([30, 12], 20)
        assert "direction is kept" in page.locator(".says").inner_text()
        press(page.get_by_role("radio", name="by norm"), "ArrowRight")
        assert "bends the direction by 9.2°" in page.locator(".says").inner_text()
        press(slider(page, "gradient g2"), "ArrowLeft", "ArrowLeft")
        check([30, 10], 20)
        press(slider(page, "threshold"), "End")
        check([30, 10], 40)
        assert "nothing changes" in page.locator(".says").inner_text()
        box = page.get_by_role("img").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
        check([-20, 20], 40)
        assert slider(page, "gradient g1").input_value() == "-20"
        assert page.problems == []


def gradients(s):
    """Gradients of the one-unit network by the book's reference."""
    x, y = (np.array(s[name], float)[None, :, None] for name in ("x", "y"))
    h, cache = rnn.rnn_forward(
        x, np.zeros((1, 1)), np.array([[s["w_ih"]]]), np.array([[s["w_hh"]]]), np.array([s["b"]]), np.zeros(1)
    )
    dh = h - y
    if s["loss"] == "last":
        dh[:, :-1] = 0
    grads = rnn.rnn_backward(dh, cache, truncate=s["truncate"] or None)
    return h.ravel(), {"w_ih": grads["W_ih"].item(), "w_hh": grads["W_hh"].item(), "b": grads["b_ih"].item()}


def test_the_backward_walk_agrees_with_the_reference(shown):
    figure, rng = figures.BackwardGraph(), np.random.default_rng(0)
    with shown(figure) as page:
        for loss, truncate in product(["every", "last"], range(5)):
            x, y = rng.normal(size=(2, 5)).tolist()
            values = {"x": x, "y": y, "w_ih": 0.7, "w_hh": -1.3, "b": 0.2, "loss": loss, "truncate": truncate}
            got = call(page, figure, "backward", values)
            h, total = gradients(values)
            np.testing.assert_allclose(got["h"], h, atol=1e-12)
            for name, value in total.items():
                assert got["total"][name] == pytest.approx(value, abs=1e-12)
                assert sum(step["terms"][name] for step in got["walk"]) == pytest.approx(value, abs=1e-12)


def test_the_reader_walks_back_by_keyboard_and_the_terms_add_up(shown):
    figure = figures.BackwardGraph()
    state = dict(figure.state)
    with shown(figure, width=PHONE) as page:
        back = button(page, "Step back")
        for step in range(1, 6):
            press(back, "Enter")
            rows = np.array(numbers(page, ".seqlab-live .scroll")).reshape(step, 5)
            np.testing.assert_allclose(np.cumsum(rows[:, 3]), rows[:, 4], atol=1e-12)
            np.testing.assert_allclose(rows[1:, 1], state["w_hh"] * rows[:-1, 2], atol=1e-12)
        assert back.is_disabled()
        _, total = gradients(state)
        assert numbers(page, ".says") == pytest.approx([total["w_hh"]], abs=1e-6)
        assert f"gives {total['w_hh']:.4f}".replace("-", "−") in page.locator(".says").inner_text()

        press(page.get_by_label("Cut the way back"), "ArrowDown", "ArrowDown")
        state["truncate"] = 2
        press(page.get_by_label("Gradient of"), "b")
        _, short = gradients(state)
        assert numbers(page, ".says") == pytest.approx([short["b"]], abs=1e-6)
        whole = f"the whole gradient is {gradients(figure.state)[1]['b']:.4f}".replace("-", "−")
        assert whole in page.locator(".says").inner_text()

        press(page.locator("summary"), "Enter")
        page.get_by_label("x at step 2").fill("1.5")
        state["x"] = [1, 1.5, 0.8, 0.3, -1]
        assert numbers(page, ".says") == pytest.approx([gradients(state)[1]["b"]], abs=1e-6)
        press(slider(page, "w_hh"), "Home")
        state["w_hh"] = -1.5
        assert numbers(page, ".says") == pytest.approx([gradients(state)[1]["b"]], abs=1e-6)
        press(button(page, "Undo"), "Enter")
        assert len(numbers(page, ".seqlab-live .scroll")) == 20
        assert page.problems == []


# ---- chapter 1


def test_the_tensor_is_walked_by_arrow_keys(shown):
    figure = figures.SequenceTensor()
    tokens, ids = figure.state["tokens"], figure.state["ids"]
    X = one_hot(np.array(ids), len(tokens)).transpose(2, 0, 1)  # (n_x, m, T_x)
    with shown(figure, width=PHONE) as page:
        page.locator("[role=grid] [tabindex='0']").focus()
        place = [0, 0]
        for key, move in (("ArrowRight", (0, 1)), ("ArrowDown", (1, 0)), ("ArrowDown", (1, 0)), ("ArrowRight", (0, 1))):
            page.keyboard.press(key)
            place = [place[0] + move[0], place[1] + move[1]]
            column = [int(x) for x in page.locator(".onehot b").all_inner_texts()]
            assert column == X[:, place[0], place[1]].tolist()
        assert "“bears” is word" not in page.locator(".says").inner_text()
        assert f"“{figure.state['sentences'][2][2]}”" in page.locator(".says").inner_text()
        assert page.locator("mark").inner_text() == figure.state["sentences"][2][2]
        page.keyboard.press("End")
        assert "padding" in page.locator(".says").inner_text()
        assert page.locator("[role=grid] [tabindex='0']").count() == 1
        assert page.problems == []


def test_a_smaller_vocabulary_turns_words_into_unknown_ones(shown):
    figure = figures.SequenceTensor()
    with shown(figure) as page:
        for _ in range(10):
            press(slider(page, "vocabulary"), "ArrowLeft")
        known = len(figure.state["tokens"]) - 10
        got = page.locator("[role=grid] td.square").all_inner_texts()
        want = [id if id < known else 1 for row in figure.state["ids"] for id in row]
        assert [int(x) for x in got] == want
        assert 1 in want
        page.get_by_role("gridcell", name="<unk>").first.click()
        assert "<unk> stands for it" in page.locator(".says").inner_text()


def test_problems_and_shapes_are_chosen_by_keyboard(shown):
    with shown(figures.ProblemShapes(), width=PHONE) as page:
        drawing, chosen = page.get_by_role("img"), page.get_by_role("combobox", name="Problem")
        for problem in figures.ProblemShapes().state["problems"]:
            chosen.select_option(problem["name"])
            label = drawing.get_attribute("aria-label")
            assert f"in come {', '.join(problem['x'])}; out come {', '.join(problem['y'])}" in label
            assert page.locator("fieldset input:checked").input_value() == problem["shape"]
        press(page.get_by_role("radio", checked=True), "ArrowUp", "ArrowUp")
        assert page.locator("fieldset input:checked").input_value() == "many-to-one"
        assert chosen.input_value() == "Sentiment"
        assert page.problems == []


def test_outputs_stand_where_the_shape_says(shown):
    figure = figures.ProblemShapes()
    with shown(figure) as page:
        for shape, Tx, Ty, outputs, columns in (
            ("one-to-one", 1, 1, [0], 1),
            ("one-to-many", 1, 4, [0, 1, 2, 3], 4),
            ("many-to-one", 5, 1, [4], 5),
            ("many-to-many", 3, 3, [0, 1, 2], 3),
            ("encoder-decoder", 3, 4, [2, 3, 4, 5], 6),
        ):
            got = call(page, figure, "layout", shape, Tx, Ty)
            assert got["outputs"] == outputs
            assert got["columns"] == columns


def test_a_typed_sentence_becomes_one_hot_columns(shown):
    figure = figures.OneHotLab()
    tokens = figure.state["tokens"]
    with shown(figure) as page:
        page.get_by_role("textbox").fill("")
        page.keyboard.type("Hermione Granger found a spell!")
        words = ["Hermione", "Granger", "found", "a", "spell", "!", "<eos>"]
        ids = [tokens.index(word) if word in tokens else tokens.index("<unk>") for word in words]

        def matrix():
            rows = page.locator(".columns tbody tr").all()
            return np.array([[int(x) for x in row.locator("td").all_inner_texts()] for row in rows])

        assert (matrix() == one_hot(np.array(ids), len(tokens)).T).all()
        assert "Not in the vocabulary: found, !." in page.locator(".says").inner_text()
        press(page.get_by_role("checkbox"), "Space")
        assert (matrix() == one_hot(np.array(ids[:-1]), len(tokens)).T).all()
        press(slider(page, "vocabulary"), "Home")
        assert matrix().shape == (2, 6)
        assert matrix()[0].tolist() == [1] * 6
        page.get_by_role("textbox").fill("")
        assert page.locator(".says").inner_text() == "Type a word."
        assert page.problems == []


# ---- plots


def test_a_wide_plot_scrolls_in_its_own_frame(shown):
    import matplotlib.pyplot as plt

    fig, _ = plt.subplots(1, 3, figsize=(10, 3))
    wide = figures.show(fig, "three empty panels")
    fig, ax = plt.subplots()
    ax.plot([1, 2, 3])
    usual = figures.show(fig, "a rising line")
    for dark in (False, True):
        with shown(wide, usual, width=PHONE, live=False, dark=dark) as page:
            assert overflow(page) == 0
            assert axe(page) == []
            assert page.get_by_role("img", name="three empty panels").bounding_box()["width"] > PHONE
            assert page.get_by_role("img", name="a rising line").bounding_box()["width"] <= PHONE
            ink = page.locator("svg text").first.evaluate("(text) => getComputedStyle(text).fill")
            assert ink == ("rgb(206, 214, 221)" if dark else "rgb(34, 40, 50)")
            assert page.problems == []
