"""The benchmarks of the GRU and the LSTM; that of the RNN is driven through the command in test_bench.py."""

import pytest

from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import has_triton, interpreting
from seqlab.recurrent.cost import cost

CELLS = ("gru", "lstm")


@pytest.fixture(scope="module", params=CELLS)
def report(request):
    return measure(BENCHMARKS[request.param], "small", repeat=1)


def test_every_way_is_right_and_what_can_be_timed_is(report):
    twin = {"gru": "torch.nn.GRU", "lstm": "torch.nn.LSTM"}[report["benchmark"]]
    ways = {twin, f"{twin}, packed", "loop in torch"} | ({"seqlab Triton"} if has_triton() else set())
    assert {row["way"] for row in report["rows"]} == ways
    for row in report["rows"]:
        assert row["right"], row
        untimed = row["way"] == "seqlab Triton" and interpreting()
        assert (row["seconds"] is None) == untimed


def test_the_gradients_of_all_arguments_are_checked(report):
    names = {"x", "h0", "W_ih", "W_hh", "b_ih", "b_hh"} | ({"c0"} if report["benchmark"] == "lstm" else set())
    for row in report["rows"]:
        assert set(row["errors"]) == ({"h"} if row["pass"] == "forward" else {"h"} | names)


def test_the_cost_is_that_of_the_cell(report):
    row = next(row for row in report["rows"] if row["pass"] == "forward and backward")
    shape = {name: row["shape"][name] for name in "BTDH"}
    cell = report["benchmark"]
    whole = cost(**shape, itemsize=4, cell=cell) + cost(**shape, itemsize=4, backward=True, cell=cell)
    assert row["cost"]["flops"] == whole.flops
    assert row["cost"]["bytes"] == whole.bytes


@pytest.mark.parametrize("cell", ["rnn", *CELLS])
def test_the_sizes_for_a_gpu_hold_those_that_torch_does_fast_and_those_it_does_not(cell):
    shapes = BENCHMARKS[cell].shapes["full"]
    for wanted in (
        {"B": 64, "T": 512, "H": 128, "dtype": "bfloat16"},
        {"B": 64, "T": 512, "H": 512, "dtype": "bfloat16"},
        {"B": 16, "T": 1024, "H": 768, "dtype": "float16"},
    ):
        assert any(wanted.items() <= shape.items() for shape in shapes)
    assert any(shape["H"] % 16 for shape in shapes)
