"""The figures of chapter 8 in Chromium: the noise and the tree are the package's, and the reader works both by keys."""

from itertools import pairwise

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.embeddings.reference import huffman, huffman_steps, noise_distribution
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def test_the_noise_agrees_with_the_reference_at_every_exponent(shown):
    figure, rng = figures.NoiseExponent(), np.random.default_rng(0)
    counts = np.array(figure.state["counts"])
    with shown(figure) as page:
        for power in (0, 0.3, 0.75, 1):
            for n in (counts, rng.integers(1, 10**6, size=50)):
                got = call(page, figure, "noise", n.tolist(), power)
                np.testing.assert_allclose(got, noise_distribution(n, power), rtol=1e-12)
        rows = figure.state["rows"]
        power = slider(page, "exponent")
        f = counts / counts.sum()
        for key, want in (("Home", 0), ("ArrowRight", 0.05), ("End", 1), ("ArrowLeft", 0.95)):
            press(power, key)
            p = noise_distribution(counts, want)
            table = np.array(numbers(page, ".heat tbody")).reshape(len(rows), 3)
            np.testing.assert_allclose(table, np.stack([f, p, p / f], axis=1)[rows], rtol=1e-9)
            first, rare = counts.argmax(), len(counts) - 1
            said = [x for i in (first, rare) for x in (f[i], p[i], p[i] / f[i])]
            np.testing.assert_allclose(numbers(page, ".says"), said, rtol=1e-9)
        press(button(page, "0.75: word2vec"), "Enter")
        assert power.input_value() == "0.75"
        assert button(page, "0.75: word2vec").is_disabled()
        assert page.problems == []


def test_draws_follow_the_noise_and_the_true_neighbour_is_drawn_again(shown):
    figure = figures.NoiseExponent()
    with shown(figure) as page:
        p = noise_distribution(np.array([50, 30, 15, 5]), 0.75)
        got = call(page, figure, "negatives", p.tolist(), 20, 1000, [], 7)
        spread = np.sqrt(20000 * p * (1 - p))
        assert (abs(np.array(got["counts"]) - 20000 * p) <= 4 * spread).all()
        assert got["again"] == 0
        assert len(got["last"]) == 20
        got = call(page, figure, "negatives", p.tolist(), 20, 1000, [0], 7)
        assert got["counts"][0] == 0
        assert got["again"] > 0
        rest = np.where(np.arange(4) > 0, p, 0) / p[1:].sum()
        assert (abs(np.array(got["counts"]) - 20000 * rest) <= 4 * np.sqrt(20000 * rest * (1 - rest)) + 1e-9).all()
        one, other = (call(page, figure, "negatives", p.tolist(), 5, 3, [], seed)["last"] for seed in (1, 2))
        assert one != other
        assert call(page, figure, "negatives", [1, 0], 3, 1, [0], 0)["counts"] == [3, 0]  # nothing else to draw


def test_the_reader_draws_negatives_for_the_pairs_of_a_window(shown):
    figure = figures.NoiseExponent()
    words, p = figure.state["words"], noise_distribution(figure.state["counts"])
    targets = [words.index(word) for word in ("the", "queen", "a", "crown")]
    with shown(figure, width=PHONE) as page:
        chips, told = page.locator(".chips li"), page.locator("output.quiet")

        def check(k, rounds, seed=0):
            got = call(page, figure, "negatives", p.tolist(), k, rounds, targets, seed)
            want = [words[id] + (f" ×{got['last'].count(id)}" if got["last"].count(id) > 1 else "")
                    for id in dict.fromkeys(got["last"])]  # fmt: skip
            assert chips.all_inner_texts() == want
            drawn = [got["counts"][id] for id in figure.state["rows"]]
            np.testing.assert_array_equal(np.array(numbers(page, ".heat tbody")).reshape(-1, 4)[:, 3], drawn)
            assert f"{k * rounds:,} drawn with seed {seed}" in told.inner_text()

        assert page.locator("b.true").inner_text() == "the"
        assert "Nothing drawn yet" in told.inner_text()
        press(button(page, "Draw 5 negatives"), "Enter", "Space")
        check(5, 2)
        assert page.locator("b.true").inner_text() == "queen"
        assert "wears → queen" in told.inner_text()
        press(button(page, "For 1,000 more pairs"), "Enter")
        check(5, 1002)
        assert "drawn again" in told.inner_text()
        press(slider(page, "negatives k"), "End")
        assert "Nothing drawn yet" in told.inner_text()
        press(button(page, "Draw 20 negatives"), "Enter")
        check(20, 1)
        assert "counts twice" in told.inner_text()
        page.get_by_label("seed").fill("3")
        assert "Nothing drawn yet" in told.inner_text()
        press(button(page, "Draw 20 negatives"), "Enter")
        check(20, 1, seed=3)
        press(button(page, "Empty"), "Enter")
        assert button(page, "Empty").is_disabled()
        assert page.problems == []


def test_a_reader_s_own_words_need_no_window(shown):
    with shown(figures.NoiseExponent("ab", [3, 1], power=1), width=PHONE, dark=True) as page:
        press(button(page, "Draw 5 negatives"), "Enter")
        assert page.locator(".spoken").count() == 0
        assert "1,000 times more" in page.get_by_role("button").all_inner_texts()
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


def test_the_tree_is_that_of_the_reference_ties_and_all(shown):
    figure, rng = figures.HuffmanSteps(), np.random.default_rng(0)
    with shown(figure) as page:
        cases = [[1, 1], [1] * 7, [2, 1, 1, 2, 4, 4], [1, 1, 2, 3, 5, 8, 13, 21]]
        cases += [rng.integers(1, high, size=16).tolist() for high in (2, 4, 10, 1000)]
        for counts in [*cases, figure.state["counts"]]:
            got = call(page, figure, "merges", counts)
            want = [tuple(step) for step in huffman_steps(np.array(counts))]
            assert [(step["id"], step["left"], step["right"], step["count"]) for step in got] == want
            tree, codes = huffman(np.array(counts)), call(page, figure, "codes", counts)
            assert codes["nodes"] == [row[:n].tolist() for row, n in zip(tree.nodes, tree.lengths, strict=True)]
            assert codes["bits"] == [row[:n].tolist() for row, n in zip(tree.bits, tree.lengths, strict=True)]
            p = np.array(counts) / sum(counts)
            cost = call(page, figure, "costs", counts)
            want = [p @ tree.lengths, -(p @ np.log2(p)), np.log2(len(counts))]
            np.testing.assert_allclose([cost["mean"], cost["entropy"], cost["flat"]], want, atol=1e-12)


def test_the_reader_builds_the_tree_and_follows_a_path(shown):
    figure = figures.HuffmanSteps()
    words, counts = figure.state["words"], np.array(figure.state["counts"])
    steps, tree, V = huffman_steps(counts), huffman(counts), len(words)
    with shown(figure, width=PHONE) as page:
        says, merge = page.locator(".says"), slider(page, "merges done")
        lit = page.locator("[data-node][stroke='var(--orange)']")
        for done, step in enumerate(steps):
            assert set(lit.evaluate_all("all => all.map((one) => +one.dataset.node)")) == {step.zero, step.one}
            assert page.locator("[data-edge]").count() == 2 * done
            assert f"{V - done} trees stand" in says.inner_text()
            press(button(page, "Next merge"), "Enter")
            assert f"= {step.count:g}." in says.inner_text()
        assert button(page, "Next merge").is_disabled()
        assert page.locator("[data-edge]").count() == 2 * V - 2

        for i, word in enumerate(words):
            page.get_by_role("combobox", name="Word").select_option(word)
            bits = tree.bits[i, : tree.lengths[i]].tolist()
            assert says.locator(".code").inner_text() == "".join(map(str, bits))
            assert page.locator("svg .bit").all_text_contents() == [
                str(bit) for bit in reversed(bits)
            ]  # from the leaf up
            way = [*(tree.nodes[i, : tree.lengths[i]] + V).tolist(), i]
            edges = page.locator("[data-edge][stroke='var(--orange)']").evaluate_all(
                "all => all.map((one) => one.dataset.edge)"
            )
            assert set(edges) == {f"{a}-{b}" for a, b in pairwise(way)}
        p = counts / counts.sum()
        want = [p @ tree.lengths, -(p @ np.log2(p)), np.log2(V)]
        np.testing.assert_allclose(numbers(page, "output.quiet"), want, atol=1e-9)

        press(button(page, "Back"), "Enter")
        assert merge.input_value() == str(V - 2)
        assert not page.locator("output.quiet").is_visible()
        press(merge, "Home")
        assert page.locator("[data-edge]").count() == 0
        assert button(page, "Back").is_disabled()
        assert page.problems == []


def test_left_is_zero_and_right_is_one_in_the_drawing(shown):
    figure = figures.HuffmanSteps("abcdef", [5, 9, 12, 13, 16, 45])
    with shown(figure) as page:
        press(slider(page, "merges done"), "End")
        at = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("[data-node]")].map((one) => {
            const box = one.getBoundingClientRect();
            return [one.dataset.node, [box.x + box.width / 2, box.y + box.height / 2]];
        }))""")
        for node, zero, one, _ in huffman_steps(np.array(figure.state["counts"])):
            assert at[str(zero)][0] < at[str(node)][0] < at[str(one)][0]
            assert at[str(node)][1] < min(at[str(zero)][1], at[str(one)][1])


def test_the_reader_changes_a_count_and_the_tree_follows(shown):
    with shown(figures.HuffmanSteps("abcd", [1, 1, 1, 1])) as page:
        press(slider(page, "merges done"), "End")
        codes = "[aria-label='All codes'] tbody td:nth-child(3)"
        assert page.locator(codes).all_inner_texts() == ["00", "01", "10", "11"]
        press(page.locator("summary"), "Enter")
        press(page.get_by_role("slider", name="d", exact=True), "End")
        want = huffman(np.array([1, 1, 1, 50]))
        assert sorted(map(len, page.locator(codes).all_inner_texts())) == sorted(want.lengths)
        assert page.locator(codes).first.inner_text() == str(want.bits[3, 0])
        assert axe(page) == []
        assert page.problems == []


def test_the_tree_plays_and_pauses(shown):
    with shown(figures.HuffmanSteps("abcd", [1, 2, 3, 4])) as page:
        merge = slider(page, "merges done")
        press(button(page, "Play"), "Enter")  # the first merge at once
        press(button(page, "Pause"), "Enter")
        assert merge.input_value() == "1"
        press(button(page, "Play"), "Enter")
        page.wait_for_function("document.querySelector('input[type=range]').value === '3'", timeout=5000)
        assert button(page, "Play").is_visible()  # it stopped by itself
        press(button(page, "Play"), "Enter")  # from the beginning again
        assert merge.input_value() == "0"
        assert page.problems == []
