"""Which kernel a size gets, here and on GPUs that need not be there."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.kernels import has_triton, interpreting, measured

if not has_triton():
    pytest.skip("Triton exists for Linux alone", allow_module_level=True)
from seqlab.recurrent import kernels
from seqlab.recurrent.kernels import sizes

SMALL_GPU = sizes.Chip(processors=40, slices=40, shared=100 * 1024, columns=64)
NARROW = st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64])


@given(
    st.sampled_from(sorted(sizes.GATES)),
    st.integers(1, 3000),
    NARROW,
    st.integers(1, 700),
    st.sampled_from([sizes.HOPPER, SMALL_GPU]),
)
def test_a_share_owns_each_unit_once_and_fits_the_chip(cell, H, dtype, B, chip):
    share = sizes.share(cell, H, dtype, B, chip)
    if share is None:
        return
    assert (share.slices - 1) * share.units < H <= share.slices * share.units <= share.K
    assert share.slices * share.groups <= chip.processors
    assert (share.launches - 1) * share.groups * sizes.ROWS < B <= share.launches * share.groups * sizes.ROWS
    columns = sizes.slots(cell) * share.units
    assert columns <= chip.columns
    assert sizes.shared_memory(share.K, columns, dtype) <= chip.shared
    assert share.K % (share.split * 16) == 0


@pytest.mark.parametrize(
    ("cell", "H", "dtype", "B", "units", "slices", "groups", "launches"),
    [
        ("lstm", 512, torch.bfloat16, 64, 16, 32, 4, 1),
        ("lstm", 512, torch.bfloat16, 128, 16, 32, 4, 2),  # twice as many sequences: twice
        ("lstm", 768, torch.float16, 16, 16, 48, 1, 1),
        ("lstm", 500, torch.float32, 64, 8, 63, 2, 2),
        ("rnn", 512, torch.bfloat16, 64, 16, 32, 4, 1),
        ("rnn", 512, torch.bfloat16, 128, 32, 16, 8, 1),  # fewer, larger slices do as well
    ],
)
def test_shares_on_hopper(cell, H, dtype, B, units, slices, groups, launches):
    share = sizes.plan(cell, H, dtype, B, sizes.HOPPER)
    assert (share.units, share.slices, share.groups, share.launches) == (units, slices, groups, launches)


def test_the_interpreter_runs_one_slice_since_nobody_can_wait_there():
    for cell in sizes.GATES:
        share = sizes.share(cell, 500, torch.float32, 64, sizes.INTERPRETER)
        assert (share.slices, share.units) == (1, 512)
    if interpreting():
        assert sizes.chip_of("cpu") is sizes.INTERPRETER


def test_small_weights_stay_on_one_multiprocessor():
    assert kernels.is_resident(128, torch.float32)
    assert not kernels.is_resident(129, torch.float32)
    assert kernels.is_resident(128, torch.bfloat16, "lstm")
    assert not kernels.is_resident(129, torch.bfloat16, cell="gru")
    assert not kernels.is_resident(4, torch.int32)
    assert sizes.plan("gru", 128, torch.bfloat16, 4, sizes.HOPPER) is None


def test_a_small_gpu_shares_out_what_hopper_holds_on_one_multiprocessor():
    assert sizes.plan("lstm", 128, torch.bfloat16, 4, sizes.HOPPER) is None
    assert sizes.plan("lstm", 128, torch.bfloat16, 4, SMALL_GPU).slices == 8


def test_weights_that_fit_no_gpu_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"the weights of 5000 units in torch.float32 do not fit the multiprocessors"):
        sizes.plan("lstm", 5000, torch.float32, 16, sizes.HOPPER)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A made-up machine with a Hopper; write(cell, H, ours, loop) adds a measurement."""
    monkeypatch.setattr(sizes, "chip_of", lambda device: sizes.HOPPER)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "NVIDIA H200")
    monkeypatch.setattr(measured, "MEASUREMENTS", tmp_path)
    sizes._choose.cache_clear()

    def write(cell, H, ours, loop, dtype="bfloat16", cudnn=1e-9):
        shape = {"B": 64, "T": 512, "D": H, "H": H, "dtype": dtype}
        times = {"seqlab Triton": ours, "loop in torch": loop, f"torch.nn.{cell.upper()}": cudnn}
        rows = [
            {"shape": shape, "pass": "forward and backward", "way": way, "right": True, "seconds": seconds}
            for way, seconds in times.items()
        ]
        device = {"kind": "cuda", "name": "NVIDIA H200"}
        report = {"benchmark": cell, "device": device, "date": "2026-01-01", "rows": rows}
        (tmp_path / f"{cell}-{H}.json").write_text(json.dumps(report))

    yield write
    sizes._choose.cache_clear()


def choose(cell, H, dtype=torch.bfloat16, device="cuda"):
    return kernels.choose(cell, (64, 512), H, dtype, torch.device(device))


def test_auto_takes_torch_on_the_cpu():
    assert choose("lstm", 16, device="cpu") == "torch"


def test_where_nothing_was_measured_a_kernel_without_a_barrier_is_taken(gpu):
    assert choose("lstm", 128) == choose("gru", 128) == choose("rnn", 256) == "triton"
    assert choose("lstm", 129) == choose("gru", 129) == choose("rnn", 257) == "torch"
    assert choose("lstm", 16, torch.float64) == "torch"


def test_where_it_was_measured_the_faster_is_taken(gpu):
    gpu("lstm", 512, ours=1e-3, loop=2e-3)
    gpu("gru", 512, ours=3e-3, loop=2e-3)
    gpu("rnn", 128, ours=3e-3, loop=2e-3)
    assert choose("lstm", 500) == "triton"
    assert choose("gru", 500) == "torch"
    assert choose("rnn", 100) == "torch"
    assert choose("rnn", 100, torch.float16) == "triton"  # not measured in this data type


def test_a_measurement_of_one_kernel_says_nothing_about_the_other(gpu):
    gpu("lstm", 128, ours=1e-3, loop=2e-3)
    assert choose("lstm", 200) == "torch"


def test_what_fits_no_gpu_is_left_to_torch_whatever_was_measured(gpu):
    gpu("lstm", 1024, ours=1e-3, loop=2e-3, dtype="float32")
    assert choose("lstm", 1500, torch.float32) == "torch"
