"""The lattice of CTC in Chromium: every number is the reference's, and the reader walks through it by keys."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.ctc import reference
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def drawn(rng, T, C, zero=False):
    """Rows of probabilities; one of them may hold a zero."""
    y = rng.dirichlet(np.ones(C), size=T)
    if zero:
        y[T // 2, 1] = 0
        y /= y.sum(axis=1, keepdims=True)
    return y


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_all_numbers_are_those_of_the_reference(shown):
    rng, figure = np.random.default_rng(0), figures.CtcLattice()
    cases = [(1, []), (1, [1]), (3, [1, 1]), (2, [1, 1]), (8, [1, 2, 2]), (8, []), (6, [2, 1, 2, 1]), (7, [3, 3, 3])]
    with shown(figure) as page:
        for n, (T, target) in enumerate(cases):
            y = drawn(rng, T, 4, zero=n % 3 == 2)
            log_y = np.log(y)
            alpha = reference.ctc_forward(log_y, target)
            p = np.exp(reference.log_likelihood(alpha))
            for includes in (False, True):
                got = call(page, figure, "lattice", y.tolist(), target, includes)
                beta = reference.ctc_backward(log_y, target, includes=includes)
                assert got["states"] == reference.extend(target).tolist()
                np.testing.assert_allclose(got["alpha"], np.exp(alpha), rtol=1e-9)
                np.testing.assert_allclose(got["beta"], np.exp(beta), rtol=1e-9)
                assert got["p"] == pytest.approx(p, rel=1e-9)
                assert got["paths"] == sum(1 for _ in reference.paths_of(target, T))
                if p > 0:
                    gamma = reference.occupancies(log_y, target)[0]
                    np.testing.assert_allclose(got["gamma"], gamma, rtol=1e-9)
                    for row, want in zip(got["arcs"][1:], gamma[1:], strict=True):
                        inward = [sum(share for _, share in arcs) for arcs in row]
                        np.testing.assert_allclose(inward, want, rtol=1e-9)
                else:
                    assert np.all(np.array(got["gamma"]) == 0)
        assert page.problems == []


def test_arcs_are_those_of_the_paths(shown):
    figure = figures.CtcLattice()
    with shown(figure) as page:
        for target in ([1, 2, 2], [1], []):
            states = reference.extend(target)
            used = set()
            for path in reference.paths_of(target, 7):
                s = int(path[0] != 0)
                for k in path[1:]:
                    came = s
                    s = next(to for to in (s, s + 1, s + 2) if to < len(states) and states[to] == k)
                    used.add((came, s))
            got = call(page, figure, "lattice", [[0.4, 0.3, 0.3]] * 7, target, False)
            assert {(a, b) for b, into in enumerate(got["into"]) for a in into} == used
        assert page.problems == []


def test_the_reader_goes_forward_backward_and_through_the_product(shown):
    figure = figures.CtcLattice()
    T, see = figure.state["frames"], figure.state["targets"][0]
    log_y = np.log(np.array(figure.state["probabilities"])[:T])
    log_alpha = reference.ctc_forward(log_y, see)
    alpha, p = np.exp(log_alpha), np.exp(reference.log_likelihood(log_alpha))
    beta = np.exp(reference.ctc_backward(log_y, see, includes=False))
    gamma, _ = reference.occupancies(log_y, see)
    walk = [(alpha, t) for t in range(T)] + [(beta, t) for t in reversed(range(T))] + [(gamma, t) for t in range(T)]
    with shown(figure, width=PHONE) as page:
        says, forth = page.locator(".says"), button(page, "Next frame")
        assert button(page, "Back").is_disabled()
        for n, (rows, t) in enumerate(walk):
            told = says.inner_text()
            s = int(told.split("state ")[1].split(",")[0]) - 1
            assert told.startswith(f"Frame {t + 1}, state {s + 1}")
            assert rows[t, s] == pytest.approx(rows[t].max(), rel=1e-9)
            assert np.isclose(numbers(page, ".says"), rows[t, s], rtol=1e-9).any()
            known = page.locator("g.known").count()
            assert known == 7 * (T - t if n // T == 1 else t + 1)
            if (n // T, t) in ((0, T - 1), (1, 0)):
                assert numbers(page, ".says")[-2:] == pytest.approx([p, -np.log(p)], rel=1e-9)
            if n < len(walk) - 1:
                press(forth, "Enter")
        assert forth.is_disabled()
        assert button(page, "To the end of the pass").is_disabled()
        assert overflow(page) == 0
        assert axe(page) == []
        press(button(page, "Back"), "Space")
        assert f"Frame {T - 1}, state" in says.inner_text()
        press(button(page, "Start again"), "Enter")
        assert "A path may start here" in says.inner_text()
        for frame in (T, 1):
            press(button(page, "To the end of the pass"), "Enter")
            assert f"Frame {frame}, state" in says.inner_text()
            press(forth, "Enter")
        assert "γ1(" in says.inner_text()
        assert page.problems == []


def test_the_terms_of_the_sum_stand_on_the_arcs(shown):
    figure = figures.CtcLattice()
    y, see = np.array(figure.state["probabilities"]), figure.state["targets"][0]
    alpha = np.exp(reference.ctc_forward(np.log(y[:7]), see))
    with shown(figure) as page:
        cells = page.get_by_role("gridcell")
        cells.nth(3 * 7 + 2).click()  # state 4, the first e, in frame 3
        want = y[2, 2] * alpha[1, [3, 2, 1]]
        terms = numbers(page, ".says")[6:9]
        np.testing.assert_allclose(terms, want, rtol=1e-9)
        assert numbers(page, ".says")[9] == pytest.approx(want.sum(), rel=1e-9)
        on = page.locator(".arc.on").evaluate_all("all => all.map((one) => one.dataset.arc)")
        assert sorted(on) == ["2 1 3", "2 2 3", "2 3 3"]
        assert page.locator(".missing").count() == 0
        assert page.locator("text.term").count() == 3
        press(cells.nth(3 * 7 + 2), "ArrowDown", "ArrowDown", "ArrowRight")  # the second e, in frame 4
        press(cells.nth(5 * 7 + 2), "ArrowRight")
        assert page.locator(".missing").count() == 1
        assert "No arc skips the blank between the two e" in page.locator(".says").inner_text()
        assert page.locator(".arc.on").count() == 2
        assert page.problems == []


def test_logarithms_and_the_other_beta(shown):
    figure = figures.CtcLattice()
    y, see = np.array(figure.state["probabilities"])[:7], figure.state["targets"][0]
    with shown(figure, width=PHONE, dark=True) as page:
        own, logs = page.get_by_role("checkbox", name="its own frame"), page.get_by_role("checkbox", name="logarithms")
        assert own.is_disabled()
        press(button(page, "To the end of the pass"), "Enter")
        press(button(page, "Next frame"), "Enter", "Enter", "Enter")
        logs.check()
        for includes in (False, True):
            own.set_checked(includes)
            beta = reference.ctc_backward(np.log(y), see, includes=includes)
            s = int(page.locator(".says").inner_text().split("state ")[1].split(",")[0]) - 1
            assert numbers(page, ".says")[-1] == pytest.approx(beta[4, s], rel=1e-9)
        assert "Graves et al., 2006" in page.locator("output.quiet").inner_text()
        press(button(page, "To the end of the pass"), "Enter")
        log_p = reference.log_likelihood(reference.ctc_forward(np.log(y), see))
        assert numbers(page, ".says")[-2:] == pytest.approx([log_p, -log_p], rel=1e-9)
        assert overflow(page) == 0
        assert axe(page) == []
        press(button(page, "Next frame"), "Enter", "Enter")
        gamma, _ = reference.occupancies(np.log(y), see)
        s = int(page.locator(".says").inner_text().split("state ")[1].split(",")[0]) - 1
        assert numbers(page, ".says")[-1] == pytest.approx(np.log(gamma[1, s]), rel=1e-9)
        assert page.problems == []


def test_other_texts_and_too_few_frames(shown):
    figure = figures.CtcLattice()
    y = np.array(figure.state["probabilities"])
    with shown(figure, width=PHONE) as page:
        says, quiet = page.locator(".says"), page.locator("output.quiet")
        press(slider(page, "frames"), "Home", "ArrowRight", "ArrowRight")
        assert "0 paths of 3 frames collapse to “see”: it needs 4 frames at the least" in quiet.inner_text()
        press(button(page, "To the end of the pass"), "Enter")
        assert numbers(page, ".says")[-2:] == [0, np.inf]
        for _ in range(4):
            press(button(page, "Next frame"), "Enter")
        assert "There is no path" in says.inner_text()
        page.get_by_role("combobox", name="Text").select_option("3")
        assert page.get_by_role("gridcell").count() == 3
        assert "1 path of 3 frames collapses to nothing" in quiet.inner_text()
        press(button(page, "To the end of the pass"), "Enter")
        assert numbers(page, ".says")[-1] == pytest.approx(-np.log(y[:3, 0]).sum(), rel=1e-9)
        press(slider(page, "frames"), "Home")
        assert numbers(page, ".says")[-1] == pytest.approx(-np.log(y[0, 0]), rel=1e-9)
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_it_plays_and_pauses(shown):
    figure = figures.CtcLattice(targets=("s",), frames=1)
    with shown(figure) as page:
        press(button(page, "Play"), "Enter")  # the next step at once
        assert "β1(" in page.locator(".says").inner_text()
        press(button(page, "Pause"), "Enter")
        press(button(page, "Play"), "Enter")
        assert "γ1(" in page.locator(".says").inner_text()
        assert button(page, "Play").is_visible()  # it stopped by itself
        press(button(page, "Play"), "Enter")
        assert "A path may start here" in page.locator(".says").inner_text()
        assert page.problems == []


def test_no_control_is_idle(shown):
    from tests.site.test_reading import idle

    with shown(figures.CtcLattice()) as page:
        seen, still = idle(page, page.query_selector(".seqlab-figure"))
        assert len(seen) >= 8
        assert not still
