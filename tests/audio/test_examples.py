"""Making examples: free places, sounds that add, ones after the word, augmentation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.audio import reference as audio


@pytest.mark.parametrize(
    ("segment", "placed", "shared"),
    [
        ((10, 19), [], False),
        ((10, 19), [(0, 9), (20, 30)], False),  # they touch, and share nothing
        ((10, 19), [(0, 10)], True),
        ((10, 19), [(19, 30)], True),
        ((10, 19), [(12, 14)], True),
        ((10, 19), [(0, 100)], True),
        ((5, 5), [(5, 5)], True),
        ((10, 19), [(0, 3), (15, 40)], True),
    ],
)
def test_segments_overlap_when_they_share_a_step(segment, placed, shared):
    assert audio.overlaps(segment, placed) is shared


segments = st.tuples(st.integers(0, 20), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair)))


@given(segments, st.lists(segments, max_size=4))
def test_overlap_is_what_sets_of_steps_say(segment, placed):
    steps = set(range(segment[0], segment[1] + 1))
    taken = {step for start, end in placed for step in range(start, end + 1)}
    assert audio.overlaps(segment, placed) == bool(steps & taken)


def test_a_place_is_free_and_every_free_place_is_drawn():
    placed, rng = [(3, 4), (8, 8)], np.random.default_rng(0)
    drawn = {audio.place(3, 13, placed, rng) for _ in range(300)}
    assert drawn == {(0, 2), (5, 7), (9, 11), (10, 12)}


def test_no_place_is_an_error():
    with pytest.raises(ValueError, match="no free place for 3 of 6 steps"):
        audio.place(3, 6, [(2, 3)], np.random.default_rng(0))
    with pytest.raises(ValueError, match="length is 7; with 6 steps"):
        audio.place(7, 6, [], np.random.default_rng(0))


def test_sounds_add_and_the_background_stays():
    background = np.arange(6.0)
    x = audio.overlay(background, np.array([10.0, 20.0]), 3, gain=0.5)
    assert x.tolist() == [0, 1, 2, 8, 14, 5]
    assert background.tolist() == [0, 1, 2, 3, 4, 5]
    assert audio.overlay(background, np.ones(2), 4)[4:].tolist() == [5, 6]


@pytest.mark.parametrize("start", [-1, 5])
def test_a_clip_must_lie_inside(start):
    with pytest.raises(ValueError, match=f"start is {start}; a clip of 2 samples must lie inside the 6"):
        audio.overlay(np.zeros(6), np.ones(2), start)


def test_ones_follow_the_end_strictly():
    assert audio.labels_after(8, [2], width=3).tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


def test_ones_are_cut_at_the_last_step_and_may_touch():
    assert audio.labels_after(8, [5], width=4).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert audio.labels_after(6, [5], width=4).sum() == 0
    assert audio.labels_after(9, [1, 3], width=3).tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert audio.labels_after(1375, [700]).sum() == 50


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: audio.labels_after(5, [5]), "ends holds 5; with 5 steps it must be from 0 to 4"),
        (lambda: audio.labels_after(5, [-1]), "ends holds -1"),
        (lambda: audio.labels_after(5, [1], width=0), "width is 0"),
        (lambda: audio.overlaps((3, 2), []), "from 3 to 2"),
        (lambda: audio.overlaps((3, 4), [(9, 8)]), "from 9 to 8"),
        (lambda: audio.overlay(np.zeros(6, int), np.ones(2), 0), "background holds int64"),
        (lambda: audio.stretch(np.zeros(6), 0), "speed is 0"),
        (lambda: audio.stretch(np.zeros(6), 100), "nothing is left of 6 samples"),
        (lambda: audio.mask(np.zeros((5, 4)), np.random.default_rng(0)), "steps is 20; with features of shape"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_an_example_is_its_background_its_clips_and_its_labels():
    positives, negatives = [np.full(40, 1.0), np.full(30, 2.0)], [np.full(50, 5.0)]
    seen = set()
    for seed in range(30):
        background = np.random.default_rng(seed).normal(size=1000)
        kept = background.copy()
        rng = np.random.default_rng(seed)
        x, y, events = audio.training_example(background, positives, negatives, rng, Ty=100, width=7)
        assert np.array_equal(background, kept)
        added, said = x - background, np.zeros(1000)
        for start, end, positive in events:
            said[start : end + 1] = {40: 1.0, 30: 2.0}[end + 1 - start] if positive else 5.0
        assert np.allclose(added, said)
        pairs = [event[:2] for event in events]
        assert not any(audio.overlaps(pair, pairs[:i]) for i, pair in enumerate(pairs))
        assert pairs == sorted(pairs)
        ends = [event.end * 100 // 1000 for event in events if event.positive]
        assert np.array_equal(y, audio.labels_after(100, ends, 7))
        seen.add((len(ends), len(events) - len(ends)))
    assert max(p for p, _ in seen) == 4
    assert max(n for _, n in seen) == 2
    assert min(p for p, _ in seen) == 0


def test_the_gain_of_a_clip_is_drawn_between_its_bounds():
    clip, rng = [np.ones(10)], np.random.default_rng(1)
    peaks = []
    while len(peaks) < 50:
        x, _, events = audio.training_example(np.zeros(200), clip, [], rng, Ty=20, most=(1, 0), decibels=(-20, 0))
        peaks += [x.max()] * len(events)
    assert min(peaks) >= 0.1
    assert max(peaks) <= 1
    assert min(peaks) < 0.2
    assert max(peaks) > 0.8


def test_a_silent_example_is_a_copy_of_its_background():
    background = np.zeros(50)
    x, y, events = audio.training_example(background, [], [], np.random.default_rng(0), Ty=5, most=(0, 0))
    assert (y.sum(), events) == (0, [])
    assert x is not background
    with pytest.raises(ValueError, match="positives is empty"):
        audio.training_example(background, [], [], np.random.default_rng(0), Ty=5, most=(1000, 0))


def test_a_clip_without_room_is_left_out_and_one_that_is_too_long_is_an_error():
    for seed in range(9):
        rng = np.random.default_rng(seed)
        x, _, events = audio.training_example(np.zeros(25), [np.ones(13)], [np.ones(20)], rng, Ty=5, most=(4, 4))
        assert len(events) <= 1
        assert x.sum() == sum(event.end + 1 - event.start for event in events)
    with pytest.raises(ValueError, match="length is 26; with 25 steps"):
        audio.training_example(np.zeros(25), [np.ones(26)], [], rng, Ty=5, most=(99, 0))


def test_gain_is_in_decibels():
    assert audio.gain(np.ones(3), 20).tolist() == [10, 10, 10]
    assert np.allclose(audio.gain(np.ones(3), -6.0206), 0.5)


def test_a_shift_leaves_silence():
    x = np.arange(1.0, 6.0)
    assert audio.shift(x, 2).tolist() == [0, 0, 1, 2, 3]
    assert audio.shift(x, -2).tolist() == [3, 4, 5, 0, 0]
    assert audio.shift(x, 0).tolist() == x.tolist()
    assert audio.shift(x, 7).tolist() == audio.shift(x, -5).tolist() == [0] * 5


def test_twice_the_speed_is_half_the_length_and_twice_the_pitch():
    t = np.arange(8000) / 8000
    faster = audio.stretch(np.sin(2 * np.pi * 200 * t), 2)
    assert faster.shape == (4000,)
    assert np.abs(np.fft.rfft(faster)).argmax() * 8000 / 4000 == 400
    assert np.allclose(audio.stretch(t, 1), t)


def test_a_mask_hides_one_stretch_of_time_and_one_of_bands():
    features = np.random.default_rng(0).normal(size=(30, 8))
    widths = set()
    for seed in range(60):
        masked = audio.mask(features, np.random.default_rng(seed), steps=6, bands=3)
        changed = masked != features
        rows, columns = np.flatnonzero(changed.all(1)), np.flatnonzero(changed.all(0))
        widths.add((len(rows), len(columns)))
        assert (np.diff(rows) == 1).all()
        assert (np.diff(columns) == 1).all()
        kept = ~changed.all(1)[:, None] & ~changed.all(0)
        assert np.array_equal(masked[kept], features[kept])
        assert np.allclose(masked[changed], features.mean())
    assert {rows for rows, _ in widths} == set(range(7))
    assert {columns for _, columns in widths} == set(range(4))
