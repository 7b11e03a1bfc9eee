"""The grid whose programs share the weights out and meet at each step.

On a GPU the grid has as many slices as its plan says. In the interpreter it has one, or, with `run_together`, several
that run side by side and wait for each other.
"""

import numpy as np
import pytest
import torch

from seqlab.kernels import has_triton, interpreting
from tests.recurrent import launched
from tests.recurrent.launched import arguments, errors, numpy, relative, run

if not has_triton():
    pytest.skip("Triton exists for Linux alone", allow_module_level=True)
from seqlab.recurrent.kernels import grid, sizes
from tests.recurrent.together import run_together

CELLS = ("rnn", "gru", "lstm")
SIZES = [  # B, T, D, H
    (1, 1, 1, 1),
    (17, 2, 2, 33),  # two groups, the second almost empty
    (35, 2, 1, 5),  # in the interpreter two launches
]
interpreted = pytest.mark.skipif(not interpreting(), reason="says what happens in the interpreter")


@pytest.fixture(autouse=True)
def nothing_is_resident(monkeypatch, poison):
    for cell in CELLS:
        monkeypatch.setitem(sizes.RESIDENT, cell, {})


@pytest.fixture
def several(monkeypatch):
    """Four programs side by side, so up to four slices of 16 units."""
    monkeypatch.setattr(sizes, "INTERPRETER", sizes.Chip(4, 4, float("inf"), float("inf")))
    run_together(monkeypatch)


def small(forward, gradients):
    assert max(forward.values()) <= 1e-5, forward
    assert max(gradients.values()) <= 1e-4, gradients


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SIZES)
def test_states_and_gradients_agree_with_the_reference(cell, shape):
    small(*errors(cell, arguments(cell, *shape)))


@pytest.mark.parametrize("cell", CELLS)
def test_sixteen_bits_are_summed_in_float32(cell):
    forward, gradients = errors(cell, arguments(cell, 2, 3, 4, 40, dtype=torch.bfloat16))
    assert max(forward.values()) <= 1e-2, forward
    assert max(gradients.values()) <= 2e-2, gradients


@pytest.mark.parametrize("cell", CELLS)
def test_float64_loses_no_digit(cell):
    forward, gradients = errors(cell, arguments(cell, 3, 3, 2, 7, dtype=torch.float64))
    assert max(forward.values()) <= 1e-14, forward
    assert max(gradients.values()) <= 1e-13, gradients


def test_relu_has_its_own_slope():
    given = arguments("rnn", 2, 3, 2, 5)
    wanted = arguments("rnn", 2, 3, 2, 5)
    for backend, tensors in (("triton", given), ("torch", wanted)):
        run("rnn", tensors, backend, nonlinearity="relu")[0].sum().backward()
    for name, tensor in given.items():
        assert relative(numpy(tensor.grad), numpy(wanted[name].grad)) <= 1e-5


def test_the_gradient_of_the_cells_alone_is_enough():
    given = arguments("lstm", 2, 3, 2, 5)
    small(*errors("lstm", given, (None, torch.randn(2, 3, 5, device=launched.DEVICE))))


@pytest.mark.slow
@interpreted
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("H", [40, 63])
def test_slices_that_meet_at_each_step_agree_with_the_reference(cell, H, several):
    assert sizes.plan(cell, H, torch.float32, 2, sizes.INTERPRETER).slices == -(-H // 16)
    small(*errors(cell, arguments(cell, 2, 3, 2, H)))


@interpreted
def test_groups_do_not_wait_for_each_other(several):
    """Two slices for each of two groups, of which the second is almost empty."""
    share = sizes.plan("lstm", 20, torch.float32, 17, sizes.INTERPRETER)
    assert (share.slices, share.groups, share.launches) == (2, 2, 1)
    small(*errors("lstm", arguments("lstm", 17, 3, 2, 20)))


@interpreted
@pytest.mark.parametrize("cell", CELLS)
def test_without_the_barrier_a_program_that_is_late_spoils_the_numbers(cell, several, monkeypatch):
    monkeypatch.setattr(grid, "wait", lambda count_ptr, arrivals: None)
    run_together(monkeypatch, together=False)
    forward, _ = errors(cell, arguments(cell, 2, 3, 2, 40))
    assert not max(forward.values()) <= 1e-3


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("H", [40, 63, 64])
def test_slices_hold_all_weights_once_and_zeros_around(cell, H):
    G = sizes.GATES[cell]
    share = sizes.share(cell, H, torch.float32, 2, sizes.HOPPER)
    weights = torch.arange(1.0, G * H * H + 1).reshape(G, H, H)
    pieces = grid.cut(weights, share, cell).numpy()  # slice, gate, row, column
    assert pieces.shape == (share.slices, sizes.slots(cell), share.K, share.units)
    together = np.concatenate(list(pieces), axis=2)
    assert np.array_equal(together[:G, :H, :H], weights.numpy())
    assert np.count_nonzero(together) == weights.numel()
