"""The tiles that move are those that the kernels moved: recorded, counted by hand, and equal to what is shipped."""

import json
import re

import pytest

import seqlab.figures as figures
from seqlab.figures import moving
from seqlab.figures.figure import _read
from seqlab.kernels import has_triton, interpreting

SCORES = 4 * 8 * 4  # bytes of the scores
interpreted = pytest.mark.skipif(not (has_triton() and interpreting()), reason="needs Triton's interpreter")


@interpreted
@pytest.mark.parametrize("kernel", moving.TENSORS)
def test_what_is_shipped_is_what_the_kernel_moves_today(kernel):
    shipped = json.loads(moving.RECORDED.read_text(encoding="utf-8"))
    assert list(shipped) == list(moving.TENSORS)
    assert shipped[kernel] == moving.record(kernel)  # if not: python -m seqlab.figures.moving


@interpreted
@pytest.mark.parametrize("kernel", moving.TENSORS)
def test_the_bytes_are_split_as_the_counter_splits_them(kernel):
    traffic, counts = moving.traffic(kernel), moving.tally(moving.record(kernel))
    for name, size in counts.items():
        assert size == getattr(traffic, name), name
    assert sum(size for name, size in counts.items() if name in ("needed", "again", "scratch")) == traffic.moved


def test_the_bytes_are_those_that_one_counts_by_hand():
    recorded = json.loads(moving.RECORDED.read_text(encoding="utf-8"))
    row, column = SCORES, 4 * 4
    want = {
        "softmax_passes": {"loaded": 4 * row + 2 * column, "stored": 2 * row + 2 * column, "needed": 2 * row},
        "softmax_row": {"loaded": row, "stored": row, "needed": 2 * row, "again": 0, "scratch": 0},
        "softmax_online": {"loaded": 2 * row, "stored": row, "needed": 2 * row, "again": row, "scratch": 0},
        # each of two programs reads two queries and all keys and values, and writes two contexts and their two sums
        "flash": {"loaded": 4 * (4 * 2 + 2 * 2 * 8 * 2), "stored": 4 * (4 * 2 + 2 * 4), "again": 4 * 2 * 8 * 2},
    }
    for kernel, sizes in want.items():
        counts = moving.tally(recorded[kernel])
        assert sizes.items() <= counts.items(), kernel
        assert counts["loaded"] + counts["stored"] == counts["needed"] + counts["again"] + counts["scratch"]


def test_every_number_that_moves_has_a_cell():
    for kernel, recording in json.loads(moving.RECORDED.read_text(encoding="utf-8")).items():
        touched = {name: set() for name, *_ in recording["tensors"]}
        for _, programs, events in recording["launches"]:
            assert {program for program, *_ in events} == set(range(programs))
            for _, kind, number, elements in events:
                assert kind in ("load", "store")
                touched[recording["tensors"][number][0]] |= set(elements)
        for name, rows, columns, _ in recording["tensors"]:
            assert touched[name] == set(range(rows * columns)), (kernel, name)


def test_flash_attention_never_stores_its_scores():
    recording = json.loads(moving.RECORDED.read_text(encoding="utf-8"))["flash"]
    assert max(rows * columns for _, rows, columns, kind in recording["tensors"] if kind != "given") < 4 * 8


def test_without_an_interpreter_the_shipped_recording_is_shown(monkeypatch):
    monkeypatch.setattr("seqlab.kernels.interpreting", lambda: False)
    moving.recordings.cache_clear()
    try:
        figure = figures.MovingTiles("flash")
    finally:
        moving.recordings.cache_clear()
    assert figure.state["kernels"]["flash"]["launches"][0][2]
    assert figure.state == figures.MovingTiles("flash").state


def test_the_still_table_has_the_bytes_of_every_kernel():
    rows = re.findall(r"<tr>(.*?)</tr>", figures.MovingTiles("softmax_row").still())[1:]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert [row[0] for row in found] == list(moving.TITLES.values())
    assert [row[-1] for row in found] == ["832", "256", "384", "352"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kernel": "softmax"}, "kernel is 'softmax'; it must be one of softmax_passes, softmax_row"),
        ({"kernel": "softmax_row", "step": 9}, "step is 9; it must be a whole number from 0 to 8"),
        ({"step": -1}, "step is -1"),
    ],
)
def test_what_does_not_fit_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        figures.MovingTiles(**settings)


def test_the_page_carries_little():
    figure = figures.MovingTiles()
    assert len(json.dumps(figure.state)) + len(_read(figure.module)) < 20_000
