"""What the figure of a trigger word's threshold shows without a browser, and where its numbers come from."""

import json
import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.audio.reference import detect, match, precision_recall
from seqlab.figures import triggering

P = np.array([0.0, 0.1, 0.6, 0.7, 0.2, 0.1, 0.9, 0.95, 0.3, 0.55, 0.1, 0.0])


def cells(figure):
    """The cells of the still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_one_recording_or_many_are_held_as_they_are_given():
    one = figures.TriggerThreshold(P, [6], 0.05)
    assert one.state["recordings"] == [{"name": "recording 1", "p": P.tolist(), "ends": [6], "words": []}]
    many = figures.TriggerThreshold(
        [P, P[::-1]], [[6, 2], []], words=[[(1, 2, True)], [(0, 3, False)]], names=["there", "back"], word="seven"
    )
    assert [one["name"] for one in many.state["recordings"]] == ["there", "back"]
    assert many.state["recordings"][0]["ends"] == [2, 6]
    assert many.state["recordings"][1]["words"] == [[0, 3, False]]
    assert many.state["word"] == "seven"
    assert figures.TriggerThreshold([P], [[6]]).state["recordings"] == one.state["recordings"]


def test_the_still_picture_counts_as_the_reference_does():
    rng = np.random.default_rng(0)
    p, ends = rng.random((3, 60)).round(3), [[5, 30, 50], [], [12]]
    how = {"quiet": 4, "tolerance": 6, "early": 2}
    figure = figures.TriggerThreshold(p, ends, **how, threshold=0.62)
    rows = cells(figure)
    assert [float(row[0]) for row in rows] == [0.1, 0.3, 0.5, 0.62, 0.7, 0.9]
    precision, recall = precision_recall(list(p), ends, [float(row[0]) for row in rows], **how)
    for row, P, R in zip(rows, precision, recall, strict=True):
        found = [match(detect(x, float(row[0]), 4), e, 6, 2) for x, e in zip(p, ends, strict=True)]
        assert [int(cell) for cell in row[1:4]] == [sum(len(one[k]) for one in found) for k in range(3)]
        assert row[4:] == [f"{P:.2f}", f"{R:.2f}"]
    assert len({tuple(row[1:4]) for row in rows}) > 3


def test_the_drawing_on_paper_says_where_the_word_ends():
    still = figures.TriggerThreshold(P, [6, 9], 0.05, threshold=0.4).still()
    assert "over 0.6 seconds, up to 0.95, and a line at 0.40; the word ends at 0.30, 0.45 s" in still
    assert still.count("l4 8h-8Z") == 2
    assert figures.TriggerThreshold(P, [12]).still().count("l4 8h-8Z") == 1  # said while the recording ended
    assert "no time" in figures.TriggerThreshold([P, P], [[], [3]]).still()


def test_the_file_beside_the_figure_is_what_the_figure_shows():
    figure, made = figures.TriggerThreshold(), triggering.heard()
    assert figure.state["recordings"] == made["recordings"]
    for name in (*triggering.USUAL, "step", "word", "note"):
        assert figure.state[name] == made[name]
    again = triggering.check_recordings(
        *([one[key] for one in made["recordings"]] for key in ("p", "ends", "words", "name"))
    )
    assert again == made["recordings"]
    assert json.loads(triggering.HEARD.read_text(encoding="utf-8")) == made


@pytest.mark.slow
def test_the_file_is_what_the_shipped_detector_says():
    made, again = triggering.heard(), triggering.make()  # remade by: python -m seqlab.figures.triggering
    for old, new in zip(made.pop("recordings"), again.pop("recordings"), strict=True):
        np.testing.assert_allclose(old.pop("p"), new.pop("p"), atol=0.01)  # another machine rounds otherwise
        assert old == new
    assert made == again


def test_the_reader_finds_misses_and_false_alarms_at_some_threshold():
    made = triggering.heard()
    how = {name: made[name] for name in ("quiet", "tolerance", "early")}
    p, ends = ([one[key] for one in made["recordings"]] for key in ("p", "ends"))
    precision, recall = precision_recall(p, ends, np.arange(1, 100) / 100, **how)
    assert precision.min() < 1
    assert recall.min() < 1
    assert len({*zip(precision.tolist(), recall.tolist(), strict=True)}) >= 4  # a curve, not a point


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.TriggerThreshold(P), "probabilities and truths come together"),
        (lambda: figures.TriggerThreshold(step=0.1), "step came without probabilities"),
        (lambda: figures.TriggerThreshold(names=["a"]), "names came without probabilities"),
        (lambda: figures.TriggerThreshold([P, P], [[3]]), "truths has 1 entries; with 2 recordings it must have 2"),
        (lambda: figures.TriggerThreshold([P], [[3]], names=["a", "b"]), "names has 2 entries; with 1 recordings"),
        (lambda: figures.TriggerThreshold(P, []), "truths hold no word at all"),
        (lambda: figures.TriggerThreshold(P, [13]), "an end of a word in recording 1 is 13; it must be a whole number"),
        (
            lambda: figures.TriggerThreshold(P + 0.1, [3]),
            "probabilities of recording 1 must be 2 or more numbers from 0",
        ),
        (lambda: figures.TriggerThreshold(P * np.nan, [3]), "must be 2 or more numbers from 0 to 1"),
        (lambda: figures.TriggerThreshold([P[None]], [[3]]), r"has shape \(1, 12\); it must have shape \(Ty,\)"),
        (
            lambda: figures.TriggerThreshold(P, [3], words=[(5, 13, True)]),
            "goes from step 5 to 13; it must lie in 0 to 12",
        ),
        (lambda: figures.TriggerThreshold([P] * 25, [[3]] * 25), "the number of recordings is 25"),
        (lambda: figures.TriggerThreshold(np.zeros(3001), [3]), "the number of steps in all recordings is 3001"),
        (lambda: figures.TriggerThreshold(P, [3], 0), "step is 0; it must be a number from 0.001 to 10"),
        (
            lambda: figures.TriggerThreshold(P, [3], threshold=1),
            "threshold is 1; it must be a number from 0.01 to 0.99",
        ),
        (lambda: figures.TriggerThreshold(P, [3], quiet=76), "quiet is 76; it must be a whole number from 0 to 75"),
        (lambda: figures.TriggerThreshold(P, [3], tolerance=-1), "tolerance is -1; it must be a whole number from 0"),
    ],
)
def test_what_cannot_be_shown_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
