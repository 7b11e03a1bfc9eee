import json

import numpy as np
import pytest
import torch

from seqlab.bench import Benchmark, Case, measure
from seqlab.kernels import Cost
from seqlab.kernels.measured import MEASUREMENTS, fastest

GPU = "NVIDIA H200"


def row(way, seconds, H=512, B=64, dtype="bfloat16", passes="forward and backward", right=True):
    shape = {"B": B, "T": 512, "D": H, "H": H, "dtype": dtype}
    return {"shape": shape, "pass": passes, "way": way, "right": right, "seconds": seconds}


@pytest.fixture
def write(tmp_path):
    """Write one report; give the folder."""

    def one(*rows, benchmark="lstm", name=GPU, date="2026-01-01T00:00:00+00:00", file="a.json"):
        report = {"benchmark": benchmark, "device": {"kind": "cuda", "name": name}, "date": date, "rows": rows}
        (tmp_path / file).write_text(json.dumps(report))
        return tmp_path

    return one


def ask(folder, kernel="lstm", device=GPU, passes="forward and backward", ways=None, **shape):
    return fastest(kernel, device, {"H": 512, "dtype": "bfloat16"} | shape, passes, ways, folder=folder)


def test_the_fastest_right_way_wins(write):
    folder = write(
        row("ours", 2e-3), row("loop", 9e-3), row("wrong", None, right=False), row("lucky", 1e-3, right=False)
    )
    assert ask(folder) == "ours"


def test_a_way_that_was_not_timed_is_no_choice(write):
    assert ask(write(row("interpreted", None))) is None


def test_where_launches_were_timed_too_they_count(write):
    graphed = row("ours", 1e-5) | {"graph": True, "launched_seconds": 9e-5}
    folder = write(graphed, row("loop", 5e-5) | {"graph": False, "launched_seconds": None})
    assert ask(folder) == "loop"


def test_only_what_the_caller_can_run_is_compared(write):
    folder = write(row("ours", 2e-3), row("loop", 9e-3), row("cuDNN", 1e-3))
    assert ask(folder) == "cuDNN"
    assert ask(folder, ways=("ours", "loop")) == "ours"
    assert ask(folder, ways=("other",)) is None


def test_kernel_device_pass_and_data_type_must_be_the_same(write):
    folder = write(row("ours", 2e-3), row("fast forward", 1e-3, passes="forward"))
    assert ask(folder) == "ours"
    assert ask(folder, passes="forward") == "fast forward"
    assert ask(folder, kernel="gru") is None
    assert ask(folder, device="NVIDIA L4") is None
    assert ask(folder, dtype="float32") is None


def test_the_first_size_decides_and_the_next_breaks_ties(write):
    folder = write(row("at 256", 1e-3, H=256), row("at 512, 16", 1e-3, B=16), row("at 512, 128", 1e-3, B=128))
    assert ask(folder, H=300, B=128) == "at 256"
    assert ask(folder, H=500, B=20) == "at 512, 16"
    assert ask(folder, H=500, B=100) == "at 512, 128"


def test_a_shape_that_is_not_alike_does_not_speak(write):
    folder = write(row("at 512", 1e-3), row("at 256", 1e-3, H=256))
    shape = {"H": 512, "dtype": "bfloat16"}
    assert fastest("lstm", GPU, shape, alike=lambda measured: measured["H"] < 300, folder=folder) == "at 256"
    assert fastest("lstm", GPU, shape, alike=lambda measured: False, folder=folder) is None


def test_nothing_is_said_beyond_double_or_half(write):
    folder = write(row("ours", 2e-3))
    assert ask(folder, H=1024) == ask(folder, H=256) == "ours"
    assert ask(folder, H=1025) is None
    assert ask(folder, H=255) is None


def test_a_size_that_was_not_measured_is_no_match(write):
    assert ask(write(row("ours", 2e-3)), V=10) is None


def test_of_two_measurements_of_a_shape_the_later_counts(write):
    write(row("old", 1e-3), date="2026-01-01T00:00:00+00:00", file="b.json")
    folder = write(row("ours", 2e-3), row("loop", 3e-3), date="2026-02-01T00:00:00+00:00", file="a.json")
    assert ask(folder) == "ours"


def test_a_file_that_is_no_report_is_named(write):
    folder = write()
    (folder / "strange.json").write_text("[]")
    with pytest.raises(ValueError, match=r"strange.json is no report of `seqlab bench`; write it with --out"):
        ask(folder)


def test_the_reports_that_come_with_the_package_can_be_read():
    assert MEASUREMENTS.is_dir()
    for path in MEASUREMENTS.glob("*.json"):
        report = json.loads(path.read_text())
        assert report["device"]["kind"] == "cuda", path
        assert any(row["seconds"] for row in report["rows"]), path
    assert fastest("lstm", "no such device", {"H": 512, "dtype": "bfloat16"}) is None


def test_a_report_as_the_command_writes_it_is_read(tmp_path):
    def double():
        return {"y": torch.ones(2) * 2}

    def cases(shape, device):
        return [Case("forward", {"ours": double}, {"peer": double}, double_truth, {"y": 0.0}, Cost(bytes=1, flops=1))]

    def double_truth():
        return {"y": np.full(2, 2.0)}

    report = measure(Benchmark("toy", "doubles", {"small": [{"N": 2}]}, cases), repeat=1)
    (tmp_path / "toy.json").write_text(json.dumps(report))
    assert fastest("toy", report["device"]["name"], {"N": 2}, "forward", folder=tmp_path) in ("ours", "peer")
