"""The figure of chapter 10 in Chromium: the page runs the reference's t-SNE, and shows what a map may not say."""

from functools import cache

import numpy as np
import pytest
from sklearn.decomposition import PCA

import seqlab.figures as figures
from seqlab.figures import tsne
from seqlab.tsne import reference
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site

LAST, EARLY = 1000, 250


def work(page, figure, body, *values):
    """Run a function of the figure's module and more values in the page; arrays of floats come back as lists."""
    return page.evaluate(
        """async ([code, body, values]) => {
            const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
            const plain = (x) => (ArrayBuffer.isView(x) ? [...x] : x);
            const found = await eval(body)(await import(url), ...values);
            return Object.fromEntries(Object.entries(found).map(([name, x]) => [name, plain(x)]));
        }""",
        [figure.code(), body, values],
    )


@cache
def points(name):
    one = tsne.packed(name)
    return tsne.from_bytes(one["points"], one["dims"])


def joint(X, perplexity):
    return reference.joint_probabilities(reference.conditional_probabilities(X, perplexity, tolerance=1e-10))


def spreads(X, labels):
    groups = [X[np.array(labels) == c] for c in range(max(labels) + 1)]
    return [np.sqrt(((g - g.mean(axis=0)) ** 2).sum(axis=1).mean()) for g in groups]


def centres(X, labels):
    return np.array([X[np.array(labels) == c].mean(axis=0) for c in range(max(labels) + 1)])


# ---- the page's arithmetic against the reference


@pytest.mark.parametrize("name", tsne.MADE)
def test_the_probabilities_are_those_of_the_reference(shown, name):
    figure, X = figures.TsneLive(sets=[name]), points(name)
    N = len(X)
    with shown(figure) as page:
        for perplexity in (2, 7.5, N - 2):
            got = work(
                page,
                figure,
                """(m, one, N, perplexity) => {
                    const X = m.unpack(one), d = m.squared(X, N), { P, beta } = m.conditional(d, N, perplexity);
                    return { X, d, P, beta, joint: m.joint(P, N) };
                }""",
                figure.state["sets"][0]["points"],
                N,
                perplexity,
            )
            square = (N, N)
            np.testing.assert_allclose(np.reshape(got["X"], X.shape), X, rtol=1e-12)
            np.testing.assert_allclose(np.reshape(got["d"], square), reference.squared_distances(X), atol=1e-9)
            want = reference.conditional_probabilities(X, perplexity, tolerance=1e-10)
            np.testing.assert_allclose(np.reshape(got["P"], square), want, atol=1e-8)
            np.testing.assert_allclose(
                np.reshape(got["joint"], square), reference.joint_probabilities(want), atol=1e-10
            )
            if perplexity < 3:
                continue  # where two neighbours are equally near, any narrow enough Gaussian gives perplexity 2
            squared = reference.squared_distances(X)
            betas = [reference.search_precision(np.delete(squared[i], i), perplexity, 1e-10) for i in range(N)]
            np.testing.assert_allclose(got["beta"], betas, rtol=1e-5)


def test_the_gradient_and_the_divergence_are_those_of_the_reference(shown):
    figure, rng = figures.TsneLive(sets=["two"]), np.random.default_rng(0)
    with shown(figure) as page:
        for N, size in ((5, 1.0), (40, 1e-4), (40, 30.0)):
            P, Y = joint(rng.normal(size=(N, 3)), 3), size * rng.normal(size=(N, 2))
            body = """(m, P, Y, N, factor) => ({ g: m.gradient(P, Y, N, factor), kl: m.divergence(P, Y, N) })"""
            for factor in (1, 12):
                got = work(page, figure, body, P.ravel().tolist(), Y.ravel().tolist(), N, factor)
                want = reference.kl_gradient(factor * P, Y)
                np.testing.assert_allclose(np.reshape(got["g"], (N, 2)), want, rtol=1e-9, atol=1e-12 * abs(want).max())
                assert got["kl"] == pytest.approx(reference.kl_divergence(P, Y), rel=1e-9)


def test_the_steps_are_those_of_the_reference(shown):
    figure = figures.TsneLive(sets=["words"])
    P, N = joint(points("words"), 10), 32
    start = 1e-2 * np.random.default_rng(0).normal(size=(N, 2))
    body = """(m, P, Y, done, steps) => {
        const run = m.begin(Float64Array.from(P), Float64Array.from(Y));
        run.done = done;
        for (let n = 0; n < steps; n += 1) m.advance(run);
        return { Y: run.Y, velocity: run.velocity, gains: run.gains, rate: run.rate };
    }"""
    with shown(figure) as page:
        for done, steps in ((0, 1), (0, 12), (EARLY - 4, 10), (EARLY, 10)):
            got = work(page, figure, body, P.ravel().tolist(), start.ravel().tolist(), done, steps)
            Y, velocity, gains = start, np.zeros((N, 2)), np.ones((N, 2))
            for step in range(done, done + steps):
                factor, momentum = (12, 0.5) if step < EARLY else (1, 0.8)
                gradient = reference.kl_gradient(factor * P, Y)
                Y, velocity, gains = reference.update(Y, gradient, velocity, gains, 50, momentum)
            assert got["rate"] == 50
            for name, want in (("Y", Y), ("velocity", velocity), ("gains", gains)):
                np.testing.assert_allclose(np.reshape(got[name], (N, 2)), want, rtol=1e-6, atol=1e-6 * abs(want).max())


def test_a_random_start_is_small_and_a_pca_start_is_scikit_learn_s(shown):
    figure, X = figures.TsneLive(sets=["digits"]), points("digits")
    with shown(figure) as page:
        got = work(
            page,
            figure,
            """(m, plane) => ({ a: m.randomStart(500, 1), b: m.randomStart(500, 1), c: m.randomStart(500, 2),
                pca: m.pcaStart(m.unpack(plane)), flat: m.pcaStart(Float64Array.from([1, 0, 2, 0, 3, 0])) })""",
            figure.state["sets"][0]["plane"],
        )
        assert got["a"] == got["b"] != got["c"]
        assert np.std(got["a"]) == pytest.approx(1e-4, rel=0.1)
        assert abs(np.mean(got["a"])) < 2e-5
        start = np.reshape(got["pca"], (-1, 2))
        assert start[:, 0].std() == pytest.approx(1e-4, rel=1e-6)
        want = PCA(2).fit_transform(X)
        want *= 1e-4 / want[:, 0].std()
        for k in range(2):
            sign = np.sign(want[:, k] @ start[:, k])
            np.testing.assert_allclose(sign * start[:, k], want[:, k], atol=4e-6)  # bytes: 1/127 of the widest
        flat = np.reshape(got["flat"], (-1, 2))
        assert (np.diff(flat[:, 0]) > 0).all()
        assert flat[:, 1].all()  # the missing direction starts at random, or it would stay empty


# ---- the reader at work


def replay(page, figure, perplexity, seed=0, steps=LAST):
    """The map that the page must come to, by the functions that the tests above hold against the reference."""
    one = figure.state["sets"][0]
    N = len(tsne.from_bytes(one["points"], one["dims"]))
    body = """(m, one, N, perplexity, seed, steps) => {
        const { P } = m.conditional(m.squared(m.unpack(one), N), N, perplexity);
        const run = m.begin(m.joint(P, N), m.randomStart(N, seed));
        const start = run.Y.slice();
        for (let n = 0; n < steps; n += 1) m.advance(run);
        return { Y: run.Y, start };
    }"""
    got = work(page, figure, body, one["points"], N, perplexity, seed, steps)
    return np.reshape(got["Y"], (N, 2)), np.reshape(got["start"], (N, 2))


def finish(page):
    press(button(page, "Run"), "Enter")
    page.wait_for_function(f"document.querySelector('.status data').value === '{LAST}'", timeout=60_000)


def test_stepping_shows_the_divergence_that_the_reference_finds(shown):
    figure, X = figures.TsneLive(sets=["words"], perplexity=8, seed=3), points("words")
    with shown(figure, width=PHONE) as page:
        _, start = replay(page, figure, 8, seed=3, steps=0)
        _, history = reference.descend(joint(X, 8), start, 12, lr=50)
        for step in range(13):
            got = numbers(page, ".status")
            assert got[0] == step
            assert got[1] == pytest.approx(history[step], rel=1e-6)
            press(button(page, "Step"), "Enter")
        assert "Early exaggeration" in page.locator(".status").inner_text()
        press(button(page, "Start again"), "Enter")
        assert numbers(page, ".status")[:2] == [0, pytest.approx(history[0], rel=1e-6)]
        press(button(page, "Another seed"), "Enter")
        _, other = replay(page, figure, 8, seed=4, steps=0)
        assert numbers(page, ".status")[2] == pytest.approx(np.ptp(other, axis=0).max(), rel=1e-9)
        press(page.get_by_role("combobox", name="Start"), "ArrowDown")
        assert button(page, "Another seed").is_disabled()
        assert page.problems == []


def test_a_run_ends_where_the_module_says_and_its_tables_measure_it(shown):
    figure, X = figures.TsneLive(sets=["three"], perplexity=20), points("three")
    labels = figure.state["sets"][0]["labels"]
    with shown(figure, reduced_motion=True) as page:
        finish(page)
        Y, _ = replay(page, figure, 20)
        assert numbers(page, ".status")[1] == pytest.approx(reference.kl_divergence(joint(X, 20), Y), rel=1e-6)
        a, b = centres(X, labels), centres(Y, labels)
        pairs = [(0, 1), (0, 2), (1, 2)]
        far = [[np.linalg.norm(c[u] - c[v]) for u, v in pairs] for c in (a, b)]
        want = np.array([[*spreads(X, labels), *far[0]], [*spreads(Y, labels), *far[1]]])
        got = np.array(numbers(page, ".apart")).reshape(6, 3)
        np.testing.assert_allclose(got.T, [*want, want[1] / want[0]], rtol=1e-6)

        assert button(page, "Run").is_disabled()
        assert button(page, "Step").is_disabled()
        assert page.problems == []


def test_a_point_s_neighbours_are_those_of_the_data(shown):
    figure, X = figures.TsneLive(sets=["noise"], perplexity=10), points("noise")
    with shown(figure, reduced_motion=True) as page:
        finish(page)
        Y, _ = replay(page, figure, 10)
        press(slider(page, "point"), "ArrowRight", "ArrowRight", "ArrowRight")  # point 3
        d, m = (np.sqrt(reference.squared_distances(Z)) for Z in (X, Y))
        order = np.argsort(d[2])
        ids = [*order[1:6], order[-1]]
        got = np.array(numbers(page, ".near")).reshape(6, 3)
        np.testing.assert_allclose(got[:, :2], np.stack([d[2, ids], m[2, ids]], axis=1), rtol=1e-6)
        assert page.locator(".near tbody th").all_inner_texts() == [f"no. {j + 1}" for j in ids]
        kept = [len(set(np.argsort(d[i])[1:11]) & set(np.argsort(m[i])[1:11])) for i in range(len(X))]
        assert numbers(page, ".says")[0] == pytest.approx(np.mean(kept))
        assert f"and {kept[2]} for no. 3" in page.locator(".says").inner_text()
        every = [np.sqrt(reference.squared_distances(Z)[np.triu_indices(len(Z), 1)]) for Z in (X, Y)]
        low, high = (np.array([end(d) for d in every]) for end in (np.min, np.max))
        np.testing.assert_allclose(numbers(page, ".apart"), [*low, *high, *(high / low)], rtol=1e-6)
        assert page.problems == []


def test_the_map_shows_the_points_where_the_run_put_them(shown):
    figure = figures.TsneLive(sets=["line"], perplexity=30)
    with shown(figure, reduced_motion=True) as page:
        finish(page)
        Y, _ = replay(page, figure, 30)
        at = np.array(
            page.locator("svg.map")
            .first.locator("[transform]")
            .evaluate_all("all => all.map((one) => one.getAttribute('transform').match(/[-\\d.]+/g).map(Number))")
        )
        scale = np.ptp(at, axis=0) / np.ptp(Y, axis=0)
        assert scale[0] == pytest.approx(scale[1], rel=0.01)  # one scale for both axes
        want = (Y - Y[0]) * scale[0] * [1, -1]
        np.testing.assert_allclose(at - at[0], want, atol=0.3)
        assert (at > 0).all()
        assert (at < [340, 300]).all()


def test_it_runs_pauses_and_goes_on(shown):
    with shown(figures.TsneLive(sets=["digits"])) as page:
        done = "+document.querySelector('.status data').value"
        press(button(page, "Run"), "Enter")
        page.wait_for_function(f"{done} > 8")
        press(button(page, "Pause"), "Space")
        paused = numbers(page, ".status")[0]
        assert 8 < paused < LAST
        page.wait_for_timeout(150)
        assert numbers(page, ".status")[0] == paused
        press(button(page, "Step"), "Enter")
        assert numbers(page, ".status")[0] == paused + 1
        press(button(page, "Run"), "Enter")
        page.wait_for_function(f"{done} > {paused + 8}")
        press(slider(page, "perplexity"), "ArrowRight")  # another P: from the beginning
        assert numbers(page, ".status")[0] == 0
        assert button(page, "Run").is_visible()
        assert page.problems == []


def test_who_asks_for_less_motion_sees_the_end_alone(shown):
    watch = """() => {
        window.moves = 0;
        new MutationObserver(() => { window.moves += 1; })
          .observe(document.querySelector("svg.map [transform]"), { attributes: true });
    }"""
    for calm in (True, False):
        with shown(figures.TsneLive(sets=["two"]), reduced_motion=calm) as page:
            page.evaluate(watch)
            finish(page)
            assert (page.evaluate("window.moves") <= 2) == calm


def test_a_perplexity_that_the_points_do_not_allow_is_cut_and_said(shown):
    figure = figures.TsneLive(sets=["words", "two"], perplexity=50)
    with shown(figure, width=PHONE) as page:
        cut = page.locator("output", has_text="neighbours: perplexity")
        assert "A point here has 31 neighbours: perplexity 30 is the most" in cut.inner_text()
        kl = numbers(page, ".status")[1]
        slider(page, "perplexity").fill("30")
        assert not cut.is_visible()
        assert numbers(page, ".status")[1] == kl
        slider(page, "perplexity").fill("29")
        assert numbers(page, ".status")[1] != kl
        slider(page, "perplexity").fill("50")
        page.get_by_role("combobox", name="Points").select_option("1")
        assert not cut.is_visible()
        assert page.problems == []


def test_a_point_is_chosen_by_clicking_it_and_its_neighbours_are_joined(shown):
    figure = figures.TsneLive(sets=["digits"])
    with shown(figure, width=PHONE) as page:
        marks = page.locator("svg.map").first.locator("text.mark")
        box = marks.nth(17).bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        chosen = slider(page, "point").input_value()
        at = [marks.nth(i).bounding_box() for i in (17, int(chosen) - 1)]
        assert abs(at[0]["x"] - at[1]["x"]) + abs(at[0]["y"] - at[1]["y"]) < 6  # it, or one that lies upon it
        assert page.locator("svg.map").first.locator(".link").count() == 5
        assert page.locator("svg.digit").count() == 7
        press(slider(page, "point"), "Home")
        assert page.locator("svg.map .link").count() == 0
        assert not page.locator(".near").is_visible()


def test_two_groups_of_many_are_compared(shown):
    figure, X = figures.TsneLive(sets=["digits"]), points("digits")
    labels = figure.state["sets"][0]["labels"]
    with shown(figure) as page:
        page.get_by_role("combobox", name="Groups").select_option("3")
        page.get_by_role("combobox", name="and").select_option("7")
        heads = page.locator(".apart tbody th").all_inner_texts()
        assert heads == ["spread of digit 3", "spread of digit 7", "digit 3 to digit 7"]
        c, s = centres(X, labels), spreads(X, labels)
        got = np.array(numbers(page, ".apart")).reshape(3, 3)[:, 0]
        np.testing.assert_allclose(got, [s[3], s[7], np.linalg.norm(c[3] - c[7])], rtol=1e-9)
        page.get_by_role("combobox", name="and").select_option("3")
        assert page.locator(".apart tbody tr").count() == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_set_is_clean_and_fits_a_phone(shown, dark):
    figure = figures.TsneLive()
    with shown(figure, width=PHONE, dark=dark, reduced_motion=True) as page:
        for i in range(len(figure.state["sets"])):
            page.get_by_role("combobox", name="Points").select_option(str(i))
            press(slider(page, "point"), "End")
            finish(page)
            assert axe(page) == []
            assert overflow(page) == 0
        assert page.problems == []


# ---- what must not be read off: each sentence under a set is true of what the page shows


def test_two_clusters_of_unlike_width_get_about_the_same_size(shown):
    with shown(figures.TsneLive(sets=["two"], perplexity=20), reduced_motion=True) as page:
        finish(page)
        (data_a, map_a, _), (data_b, map_b, _), _ = np.array(numbers(page, ".apart")).reshape(3, 3)
        assert data_b / data_a > 4
        assert 0.7 < map_b / map_a < 1.4
    with shown(figures.TsneLive(sets=["two"])) as page:
        Y = replay(page, figures.TsneLive(sets=["two"]), 50)[0][:50]
        out = np.linalg.norm(Y - Y.mean(axis=0), axis=1)
        assert out.min() > 0.3 * out.max()  # a ring: nobody in the middle
        Y = replay(page, figures.TsneLive(sets=["two"]), 20)[0][:50]
        out = np.linalg.norm(Y - Y.mean(axis=0), axis=1)
        assert out.min() < 0.3 * out.max()


def test_a_cluster_far_away_seems_near_until_the_perplexity_reaches_a_cluster_s_size(shown):
    figure = figures.TsneLive(sets=["three"])
    labels = figure.state["sets"][0]["labels"]
    with shown(figure) as page:
        seen = {}
        for perplexity in (5, 20, 30, 40):
            A, B, C = centres(replay(page, figure, perplexity)[0], labels)
            seen[perplexity] = np.linalg.norm(C - B) / np.linalg.norm(A - B)
        assert max(seen[p] for p in (5, 20, 30)) < 1.6  # 5 in the data
        assert seen[40] > 2


def test_noise_clumps_at_low_perplexity(shown):
    from scipy.spatial import ConvexHull

    figure = figures.TsneLive(sets=["noise"])

    def evenness(Y):  # Clark and Evans: less for clumps, more for points spread evenly
        near = np.sort(np.sqrt(reference.squared_distances(Y)), axis=1)[:, 1]
        return 2 * near.mean() * np.sqrt(len(Y) / ConvexHull(Y).volume)

    with shown(figure) as page:
        seen = {p: evenness(replay(page, figure, p)[0]) for p in (2, 3, 30)}
    by_chance = evenness(np.random.default_rng(0).random((100, 2)))
    assert max(seen[2], seen[3]) < 0.95 * by_chance
    assert seen[2] < 0.8 * by_chance
    assert seen[30] > by_chance


def test_linked_rings_come_apart_or_are_cut_and_a_line_breaks_at_low_perplexity(shown):
    figure, line = figures.TsneLive(sets=["rings"]), figures.TsneLive(sets=["line"])

    def gaps(Y):  # the longest way between neighbours of each ring, in units of the usual one
        steps = [np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1) for ring in (Y[:50], Y[50:])]
        return max(step.max() / np.median(step) for step in steps)

    with shown(figure, line) as page:
        for perplexity in (5, 10, 20):
            Y, _ = replay(page, figure, perplexity)
            assert gaps(Y) < 3  # whole
            assert np.linalg.norm(Y[:50].mean(axis=0) - Y[50:].mean(axis=0)) > 2 * max(spreads(Y, [0] * 50 + [1] * 50))
        for perplexity in (30, 50):
            assert gaps(replay(page, figure, perplexity)[0]) > 3
        breaks = {p: np.linalg.norm(np.diff(replay(page, line, p)[0], axis=0), axis=1) for p in (2, 3, 5, 30)}
        longest = {p: step.max() / np.median(step) for p, step in breaks.items()}
        assert min(longest[2], longest[3]) > 2 * max(longest[5], longest[30])


def test_which_digits_lie_side_by_side_changes_with_the_seed(shown):
    figure, X = figures.TsneLive(sets=["digits"]), points("digits")
    labels = figure.state["sets"][0]["labels"]

    def beside(Y):  # the nearest other kind of each kind
        d = reference.squared_distances(centres(Y, labels))
        return (d + np.diag([np.inf] * 10)).argmin(axis=1).tolist()

    with shown(figure) as page:
        maps = [replay(page, figure, 20, seed)[0] for seed in range(3)]
    assert len({tuple(beside(Y)) for Y in maps}) == 3
    for Y in maps:  # but a kind stands together: most nearest neighbours are of the same kind
        nearest = np.argsort(reference.squared_distances(Y), axis=1)[:, 1]
        assert (np.array(labels)[nearest] == labels).mean() > 0.85
    assert beside(X) != beside(maps[0])


def test_kings_stand_beside_queens_but_their_arrows_are_not_parallel_steps(shown):
    figure = figures.TsneLive(sets=["words"])
    one = figure.state["sets"][0]
    index = {word: i for i, word in enumerate(one["words"])}
    with shown(figure) as page:
        for perplexity in (5, 10, 15):
            Y, _ = replay(page, figure, perplexity)
            order = np.argsort(reference.squared_distances(Y), axis=1)
            for a, b in (("king", "queen"), ("france", "paris"), ("japan", "tokyo")):
                assert index[b] in order[index[a], 1:4]
            steps = [Y[b] - Y[a] for a, b in one["arrows"][:2]]
            assert np.linalg.norm(steps[0] - steps[1]) > 0.3 * max(np.linalg.norm(step) for step in steps)
        assert call(page, figure, "most", 32) == 30
