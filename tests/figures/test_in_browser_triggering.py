"""The figure of the trigger word's threshold in Chromium: it detects and counts exactly as the reference."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.audio import reference
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import call, numbers, press, slider

pytestmark = pytest.mark.site

HOW = {"quiet": 3, "tolerance": 4, "early": 1}


def recordings(count=3, steps=60, seed=0):
    """Noisy probabilities, and ends of words beside some of their peaks."""
    rng = np.random.default_rng(seed)
    p = np.clip(np.cumsum(rng.normal(0, 0.25, (count, steps)), axis=1) % 2 - 0.5, 0, 1).round(3)
    return list(p), [sorted(rng.choice(steps, n, replace=False).tolist()) for n in (3, 1, 0)[:count]]


def found(p, ends, threshold, how):
    detections = reference.detect(p, threshold, how["quiet"])
    return reference.match(detections, ends, how["tolerance"], how["early"])


def tally(page):
    """The numbers of the table, row by row, and of its columns."""
    rows = page.locator(".seqlab-live table tbody tr")
    return {
        row.locator("th").inner_text(): [
            float(x) for x in row.locator("data").evaluate_all("all => all.map((one) => one.value)")
        ]
        for row in rows.all()
    }


def test_detection_and_counting_on_the_page_are_the_reference_s(shown):
    figure = figures.TriggerThreshold()
    with shown(figure) as page:
        for seed in range(2):
            p, ends = recordings(seed=seed)
            for quiet in (0, 3, 20):
                for threshold in (0.01, 0.29, 0.5, 0.93, 1.0):
                    for x, truths in zip(p, ends, strict=True):
                        detections = reference.detect(x, threshold, quiet)
                        assert call(page, figure, "detect", x.tolist(), threshold, quiet) == detections
                        got = call(page, figure, "match", detections, truths, 4, 1)
                        want = reference.match(detections, truths, 4, 1)
                        assert got == {
                            "hits": [list(pair) for pair in want.hits],
                            "misses": want.misses,
                            "alarms": want.false_alarms,
                        }
            how = {"quiet": 3, "tolerance": 4, "early": 1}
            held = [{"p": x.tolist(), "ends": e} for x, e in zip(p, ends, strict=True)]
            got = call(page, figure, "curve", held, how)
            precision, recall = reference.precision_recall(p, ends, np.arange(1, 100) / 100, **how)
            assert [one["precision"] for one in got] == precision.tolist()
            assert [one["recall"] for one in got] == recall.tolist()
        assert page.problems == []


def test_the_reader_moves_the_threshold_and_everything_is_counted_anew(shown):
    p, ends = recordings()
    figure = figures.TriggerThreshold(p, ends, **HOW, word="seven")
    with shown(figure, width=PHONE) as page:
        limit, how = slider(page, "threshold"), dict(HOW)
        seen = set()
        for keys in ((), ("PageUp",), ("PageUp",) * 3, ("Home",), ("End",), ("PageDown",) * 6):
            press(limit, *keys)
            threshold = float(limit.input_value())
            each = [found(x, e, threshold, how) for x, e in zip(p, ends, strict=True)]
            counts = [[len(each[0][k]), sum(len(one[k]) for one in each)] for k in range(3)]
            told = tally(page)
            assert [told[name] for name in ("hits", "misses", "false alarms")] == counts
            P, R = reference.precision_recall(p, ends, [threshold], **how)
            assert told["precision"][-1] == pytest.approx(P[0], abs=1e-9)
            assert told["recall"][-1] == pytest.approx(R[0], abs=1e-9)
            marks = page.locator("g.found").evaluate_all(
                "all => all.map((one) => [+one.dataset.step, +one.dataset.right])"
            )
            right, wrong = [d for _, d in each[0].hits], each[0].false_alarms
            assert sorted(marks) == sorted([[d, 1] for d in right] + [[d, 0] for d in wrong])
            here = page.locator("circle.here")
            place = float(here.get_attribute("cx")), float(here.get_attribute("cy"))
            np.testing.assert_allclose(place, [30 + 112 * R[0], 122 - 112 * P[0]], atol=1e-6)
            seen.add(tuple(map(tuple, counts)))
        assert len(seen) >= 4
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_quiet_silences_what_comes_soon_after(shown):
    p = np.zeros(60)
    p[[10, 14, 18, 40]] = 0.9
    figure = figures.TriggerThreshold(p, [9, 39], 0.1, quiet=0, tolerance=3, early=0)
    with shown(figure, dark=True) as page:
        quiet, says = slider(page, "quiet after it"), page.locator(".says")
        for steps, alarms in ((0, 2), (4, 1), (8, 0), (30, 0)):
            press(quiet, "Home", *["ArrowRight"] * steps)
            assert [tally(page)[name][0] for name in ("hits", "misses", "false alarms")] == [
                2 - (steps == 30),
                0 + (steps == 30),
                alarms,
            ]
            assert f"After each report {steps / 10:.2f}\u00a0s of quiet" in says.inner_text()
            wide = page.locator("rect.hush").first.evaluate("e => +e.getAttribute('width')")
            assert wide == pytest.approx(steps * 330 / 60, abs=1e-6)
        hollow = page.locator("path.end").evaluate_all("all => all.map((one) => one.getAttribute('fill') === 'Canvas')")
        assert hollow == [False, True]
        assert axe(page) == []
        assert page.problems == []


def test_another_recording_is_drawn_and_the_threshold_is_dragged(shown):
    p, ends = recordings()
    figure = figures.TriggerThreshold(p, ends, **HOW, names=["first", "second", "third"])
    with shown(figure) as page:
        page.get_by_role("combobox", name="Recording").select_option("1")
        drawing = page.get_by_role("img").first
        box = drawing.bounding_box()
        unit = box["width"] / 360
        page.mouse.click(box["x"] + 100 * unit, box["y"] + (164 - 0.25 * 140) * unit)
        threshold = float(slider(page, "threshold").input_value())
        assert threshold == pytest.approx(0.25, abs=0.011)
        marks = page.locator("g.found").evaluate_all("all => all.map((one) => +one.dataset.step)")
        assert sorted(marks) == reference.detect(p[1], threshold, HOW["quiet"])
        assert marks
        label = drawing.get_attribute("aria-label")
        assert f"ends at {ends[1][0] * 0.04:.2f} s" in label
        page.get_by_role("combobox", name="Recording").select_option("2")
        assert "There is nothing to miss" in page.locator(".says").inner_text()
        assert page.problems == []


def test_one_recording_needs_no_list(shown):
    p, ends = recordings(1)
    with shown(figures.TriggerThreshold(p[0], ends[0], **HOW)) as page:
        assert page.get_by_role("combobox").count() == 0
        one = found(p[0], ends[0], 0.5, HOW)
        assert tally(page)["hits"] == [len(one.hits)]
        assert len(numbers(page, ".seqlab-live table")) == 5


def test_every_control_changes_something(shown):
    from tests.site.test_reading import idle

    with shown(figures.TriggerThreshold(), figures.TriggerThreshold(np.zeros(50), [7])) as page:
        for figure in page.query_selector_all(".seqlab-figure"):
            seen, still = idle(page, figure)
            assert len(seen) >= 2
            assert not still
        assert page.problems == []
