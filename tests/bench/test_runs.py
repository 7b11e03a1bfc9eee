"""All benchmarks at once: quickly on a CPU, and in full, going on where it was stopped."""

import json

import numpy as np
import pytest
import torch

from seqlab.bench import BENCHMARKS, Benchmark, Case, made_on, measure, runs
from seqlab.kernels import Cost
from seqlab.kernels.measured import fastest

RAN = []


@pytest.fixture(autouse=True)
def ran():
    RAN.clear()
    return RAN


def toy(name, sizes=1, wrong=0.0, breaks=False):
    """A benchmark that notes its sizes when they are run; it may be wrong, or break before it can be measured."""

    def cases(shape, device):
        RAN.append((name, shape["N"]))
        if breaks:
            raise MemoryError("no room for\nthe numbers")
        way = {"ours": lambda: {"y": torch.full((2,), 1 + wrong)}}
        peer = {"peer": lambda: {"y": torch.ones(2)}}
        return [Case("forward", way, peer, lambda: {"y": np.ones(2)}, {"y": 1e-6}, Cost(bytes=1, flops=1))]

    shapes = [{"N": 10 * n, "dtype": "float32"} for n in range(sizes, 0, -1)]
    return Benchmark(name, "toy", {"small": shapes, "full": shapes}, cases)


def test_quick_takes_the_smallest_size_of_each():
    seen = []
    report = runs.quick([toy("a", 3), toy("b")], repeat=1, on_step=lambda *step: seen.append(step))
    assert RAN == [("a", 10), ("b", 10)]
    assert (report["format"], report["quick"], report["failed"]) == (2, True, {})
    assert [one["benchmark"] for one in report["reports"]] == ["a", "b"]
    assert seen == [("a", 0, 2), ("b", 1, 2), ("done", 2, 2)]
    json.dumps(report, allow_nan=False)


def test_quick_goes_on_after_a_benchmark_that_breaks():
    report = runs.quick([toy("a", breaks=True), toy("b")], repeat=1)
    assert report["failed"] == {"a": "MemoryError: no room for the numbers"}
    assert [one["benchmark"] for one in report["reports"]] == ["b"]


def test_every_benchmark_of_the_book_has_a_smallest_size():
    for benchmark in BENCHMARKS.values():
        assert runs.smallest(benchmark) in benchmark.shapes["small"]
    assert runs.smallest(BENCHMARKS["flash"]) == BENCHMARKS["flash"].shapes["small"][0]


@pytest.fixture
def every(monkeypatch, tmp_path):
    """Run all of some toys; the full sizes of a toy need no GPU."""

    def small(benchmark, shapes, repeat, on_step=lambda *step: None):
        assert shapes == "full"
        return measure(benchmark, "small", repeat, on_step) | {"shapes": "full"}

    monkeypatch.setattr(runs, "measure", small)
    return lambda *benchmarks, **options: list(runs.every(list(benchmarks), tmp_path, 1, **options))


def outcomes(found):
    return [(name, report is not None, why) for name, report, why in found]


def test_what_has_the_fewest_sizes_comes_first_and_each_has_a_file(every, tmp_path):
    found = every(toy("long", 3), toy("short", 1))
    assert outcomes(found) == [("short", True, ""), ("long", True, "")]
    assert {path.name for path in tmp_path.iterdir()} == {runs.file_name("short"), runs.file_name("long")}
    written = json.loads((tmp_path / runs.file_name("long")).read_text())
    assert [row["shape"]["N"] for row in written["rows"]] == [30, 30, 20, 20, 10, 10]


def test_a_run_goes_on_where_it_was_stopped(every, tmp_path):
    every(toy("a"))
    RAN.clear()
    assert outcomes(every(toy("a"), toy("b", 2))) == [("a", True, "there already"), ("b", True, "")]
    assert {name for name, _ in RAN} == {"b"}
    RAN.clear()
    assert outcomes(every(toy("a"), again=True)) == [("a", True, "")]
    assert RAN == [("a", 10)]


@pytest.mark.parametrize(
    "change",
    [
        {"source": "another"},
        {"versions": {}},
        {"repeat": 2},
        {"shapes": "small"},
        {"format": 1},
        {"device": {"name": "another"}},
    ],
)
def test_what_was_made_otherwise_is_made_again(every, tmp_path, change):
    every(toy("a"))
    path = tmp_path / runs.file_name("a")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert outcomes(every(toy("a"))) == [("a", True, "")]
    assert json.loads(path.read_text())["source"] == made_on.source()


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_file_that_is_no_report_is_replaced(every, tmp_path, text):
    (tmp_path / runs.file_name("a")).write_text(text)
    assert outcomes(every(toy("a"))) == [("a", True, "")]


def test_one_that_breaks_stops_no_other_and_leaves_no_file(every, tmp_path):
    found = every(toy("a", breaks=True), toy("b", 2))
    assert outcomes(found) == [("a", False, "MemoryError: no room for the numbers"), ("b", True, "")]
    assert [path.name for path in tmp_path.iterdir()] == [runs.file_name("b")]


def test_the_bar_reaches_its_end_whatever_is_left(every):
    every(toy("a", 2))
    seen = []
    every(toy("a", 2), toy("b", 3), on_step=lambda *step: seen.append(step))
    assert seen[0] == ("a", 2, 5)
    assert seen[-1] == ("b", 5, 5)
    assert {total for _, _, total in seen} == {5}
    assert any(text.startswith("b: N=30") for text, _, _ in seen)


def test_within_a_benchmark_the_bar_moves_too(every):
    seen = []
    every(toy("b", 3), on_step=lambda text, done, total: seen.append(done))
    assert len(set(seen)) > 2
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H200", "lstm-h200.json"),
        ("NVIDIA GeForce RTX 4090", "lstm-rtx-4090.json"),
        ("Tesla V100-SXM2-16GB", "lstm-tesla-v100-sxm2-16gb.json"),
    ],
)
def test_a_file_is_named_after_benchmark_and_device(device, name):
    assert runs.file_name("lstm", device) == name


def test_a_quick_report_among_the_measurements_is_read_like_any_other(tmp_path):
    report = runs.quick([toy("a")], repeat=1)
    (tmp_path / "quick.json").write_text(json.dumps(report))
    assert fastest("a", made_on.device_name(), {"N": 10}, "forward", folder=tmp_path) in ("ours", "peer")


def test_the_source_s_hash_changes_with_what_a_benchmark_runs_and_with_nothing_else(tmp_path):
    for name, text in (("lm/kernels.py", "1"), ("figures/plot.py", "1"), ("notes.md", "1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def changed(name, text):
        (tmp_path / name).write_text(text)
        made_on.source.cache_clear()
        return made_on.source(tmp_path)

    first = changed("notes.md", "1")
    assert changed("notes.md", "2") == first
    assert changed("figures/plot.py", "2") == first
    assert changed("lm/kernels.py", "2") != first


def test_what_the_driver_says_of_itself_is_read():
    said = made_on.said("580.12, 1980, 3201, 1980")
    assert said == {"driver": "580.12", "clocks": {"sm": 1980, "memory": 3201, "sm most": 1980}}
    assert made_on.said("580.12, [N/A], 3201, [N/A]")["clocks"] == {"memory": 3201}
    assert made_on.said("") == {"driver": None, "clocks": None}
