"""The roof of a device: what stands under it are the costs that the benchmarks use."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

import seqlab.figures as figures
from seqlab.bench import BENCHMARKS
from seqlab.figures import roofline
from seqlab.figures.figure import _read
from seqlab.kernels import H200, Cost

REPORTED = {"bytes": 100, "flops": 50, "steps": 0, "dtype": "float32", "step": "in-cta"}


def rows(figure):
    """The cells of the still picture's table, row by row, without the head."""
    found = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found]


@pytest.mark.parametrize("kernel", roofline.book_kernels(), ids=lambda kernel: kernel.title)
def test_a_kernel_is_one_that_the_benchmarks_measure_at_that_size(kernel):
    assert kernel.shape in BENCHMARKS[kernel.name].shapes["full"]
    assert kernel.shape[kernel.letter] in kernel.values
    assert list(kernel.values) == sorted(set(kernel.values))


def test_every_benchmark_of_a_kernel_has_its_point():
    assert {kernel.name for kernel in roofline.book_kernels()} == set(BENCHMARKS)


def test_the_still_table_says_floor_and_what_binds_it():
    layer = Cost(4.3e9, 67e9, 2000, "float32", "cross-cta")
    figure = figures.Roofline(
        kernels={"a layer": layer, "a copy": Cost(4.3e12, 1e6), "a product": Cost(1e3, 790e12, 0, "bfloat16")}
    )
    table = rows(figure)
    assert [row[-1] for row in table] == ["steps", "memory", "arithmetic"]
    assert [row[-2] for row in table] == ["0.002 s", "1 s", "1 s"]
    assert table[0][1:5] == ["4.3e+09", "6.7e+10", "15.6", "2000"]


def test_what_computes_nothing_is_told_and_has_no_speed():
    table = rows(figures.Roofline(kernels={"look up": Cost(1e9, 0), "think": Cost(0, 1e9)}))
    assert table[0][3] == "0"
    assert table[1][3] == "no byte"


def report(**changed):
    row = {"shape": {"B": 16384, "V": 32768, "dtype": "bfloat16"}, "pass": "forward", "way": "seqlab Triton"}
    row |= {"right": True, "seconds": 0.002, "cost": REPORTED} | changed
    return {"benchmark": "softmax", "date": "2026-01-01", "device": {"name": "NVIDIA H200"}, "rows": [row]}


def test_a_measured_time_stands_at_its_size_and_the_latest_counts(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(report() | {"date": "2026-02-01"}))
    (tmp_path / "b.json").write_text(json.dumps(report(seconds=0.5)))
    (tmp_path / "c.json").write_text(
        json.dumps({"quick": True, "reports": [report(seconds=9) | {"device": {"name": "other"}}]})
    )
    figure = figures.Roofline(folder=tmp_path, chosen="Softmax")
    marks = {entry["title"]: entry["measured"] for entry in figure.state["kernels"] if "measured" in entry}
    assert marks == {"Softmax": {"2": [100, 50, 0.002]}}
    assert figure.state["kernels"][figure.state["chosen"]]["values"][2] == 32768


@pytest.mark.parametrize("changed", [{"right": False}, {"seconds": None}, {"way": "torch"}, {"pass": "backward"}])
def test_what_is_wrong_or_untimed_or_another_way_is_no_mark(tmp_path, changed):
    (tmp_path / "a.json").write_text(json.dumps(report(**changed)))
    assert not any("measured" in entry for entry in figures.Roofline(folder=tmp_path).state["kernels"])


def test_a_file_that_is_no_report_is_named(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"a\.json is no report of `seqlab bench`"):
        figures.Roofline(folder=tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"device": "H200"}, "device is a str; it must be a seqlab.kernels.Device"),
        ({"device": dataclasses.replace(H200, bandwidth=0)}, "device.bandwidth is 0; it must be a positive number"),
        ({"kernels": {}}, "there are 0 kernels; the figure shows 1 to 40"),
        ({"kernels": [Cost(1, 1)]}, "kernels holds a Cost"),
        ({"kernels": {"a": Cost(1, 1, dtype="int8")}}, "the cost of 'a' is"),
        ({"chosen": "tea"}, "chosen is 'tea'; it must be one of RNN layer, with gradients, "),
        ({"machine": {"bandwidth": 1e10, "flops": 1e11}}, "it must be a dict with bandwidth, flops and name"),
        ({"machine": {"bandwidth": 1e10, "flops": -1, "name": "mine"}}, r"machine\['flops'\] is -1"),
    ],
)
def test_what_does_not_fit_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        figures.Roofline(**settings)


def test_the_page_carries_little():
    figure = figures.Roofline(machine={"bandwidth": 2e10, "flops": 1e11, "name": "this computer"})
    assert len(json.dumps(figure.state)) + len(_read(figure.module)) < 25_000


def test_the_room_of_figures_needs_no_torch_until_a_figure_does():
    code = "import sys, seqlab.figures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
