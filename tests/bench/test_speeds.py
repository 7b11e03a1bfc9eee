"""What a device can do: empty recurrences that are right, slopes that leave the start out, floors from them."""

import pytest
import torch

from seqlab.bench import speeds
from seqlab.kernels import H200, Cost, has_triton, interpreting
from tests import sm90

triton = pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")
interpreted = pytest.mark.skipif(not interpreting(), reason="says what happens in the interpreter")
DEVICE = "cpu" if interpreting() or not has_triton() else "cuda"
MEASURED = {
    "bandwidth": 3e12,
    "flops": {"float32": 50e12, "bfloat16": 700e12, "float16": 600e12},
    "step": {"in-cta": 40e-9, "cross-cta": 2e-6},
}


@triton
@pytest.mark.parametrize("T", [0, 1, 5])
def test_numbers_move_one_place_a_step_from_thread_to_thread(T):
    state = torch.randint(1000, (speeds.WIDE,), dtype=torch.int32, device=DEVICE)
    assert torch.equal(speeds.in_cta(state, T), state.roll(-T))


@triton
@pytest.mark.parametrize("T", [0, 1, 5])
def test_a_program_alone_meets_itself_at_every_step(T):
    state = torch.tensor([7], dtype=torch.int32, device=DEVICE)
    assert torch.equal(speeds.cross_cta(state, T), state)


@interpreted
def test_the_interpreter_s_speed_is_never_reported():
    assert speeds.speeds_here() is None


class Clock:
    """A device on which a launch takes `start` and each step `step`; it counts what is run."""

    def __init__(self, start=1e-4, step=3e-8):
        self.start, self.step, self.asked = start, step, []

    def __call__(self, T):
        self.asked.append(T)
        return self.start + T * self.step


def test_the_slope_leaves_the_start_out():
    clock = Clock(start=5.0, step=3e-8)
    assert speeds.slope(clock, steps=1000, samples=3) == pytest.approx(3e-8, rel=1e-6)
    assert clock.asked[:2] == [1000, 2000]  # compiled before anything counts
    assert clock.asked[2:] == [2000, 1000] * 3


def test_a_first_call_that_compiles_does_not_count():
    clock = Clock()
    slow = iter([9.0, 9.0])
    assert speeds.slope(lambda T: next(slow, 0) + clock(T), steps=1000) == pytest.approx(3e-8, rel=1e-6)


def test_a_clock_that_times_something_else_is_refused():
    with pytest.raises(ValueError, match="200 steps took no longer than 100: this clock does not time them"):
        speeds.slope(lambda T: 1.0, steps=100)


class Stopwatch:
    """Says that every call takes as long as it is told, and runs it."""

    def __init__(self, *seconds):
        self.left = list(seconds)
        self.calls = 0

    def seconds(self, way, calls):
        self.calls += calls
        for _ in range(calls):
            way()
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def test_a_copy_reads_and_writes_each_byte_and_its_first_calls_do_not_count():
    watch = Stopwatch(9, 9, 9, 0.5)
    assert speeds.bandwidth(watch, device="cpu", size=1000, samples=3) == 2 * 1000 / 0.5
    assert watch.calls == 6


@pytest.mark.parametrize("dtype", speeds.DTYPES)
def test_a_product_of_matrices_counts_two_operations_for_each_of_its_terms(dtype):
    torch.set_float32_matmul_precision("medium")
    try:
        assert speeds.matmul_flops(Stopwatch(0.25), dtype, device="cpu", n=16) == 2 * 16**3 / 0.25
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_product_in_float32_keeps_all_its_digits():
    seen = []

    class Watch(Stopwatch):
        def seconds(self, way, calls):
            seen.append(torch.get_float32_matmul_precision())
            return super().seconds(way, calls)

    torch.set_float32_matmul_precision("medium")
    try:
        speeds.matmul_flops(Watch(1.0), "float32", device="cpu", n=16)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert set(seen) == {"highest"}


def test_a_known_device_keeps_its_speeds_and_takes_measured_steps():
    device = speeds.floor_device("NVIDIA H200", MEASURED)
    assert (device.bandwidth, device.flops) == (H200.bandwidth, H200.flops)
    assert device.step == MEASURED["step"] != H200.step


def test_every_other_gpu_has_a_floor_too():
    device = speeds.floor_device("Some GPU 9000", MEASURED)
    assert Cost(bytes=3e12, flops=1).floor(device) == pytest.approx(1)
    assert Cost(bytes=1, flops=700e12, dtype="bfloat16").floor(device) == pytest.approx(1)
    assert Cost(bytes=1, flops=1, steps=500, step="cross-cta").floor(device) == pytest.approx(1e-3)


def test_where_there_is_no_triton_steps_are_as_assumed_or_free():
    assert speeds.floor_device("NVIDIA H200", MEASURED | {"step": None}).step == H200.step
    other = speeds.floor_device("Some GPU 9000", MEASURED | {"step": None})
    assert Cost(bytes=3e12, flops=1, steps=10**9).floor(other) == pytest.approx(1)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return sm90.run("tests.bench.compile_speeds_sm90", tmp_path_factory.mktemp("triton"))


@triton
@pytest.mark.sm90
def test_a_step_is_a_meeting_of_all_threads_and_nothing_else(compiled):
    for used in compiled.values():
        assert used["spills"] == 0
    inside = compiled["in-cta"]["instructions"]
    at = inside.index("st.shared.b32")
    assert inside[at - 1 : at + 3] == ["bar.sync", "st.shared.b32", "bar.sync", "ld.shared.b32"]
    assert compiled["in-cta"]["shared"] == 4 * speeds.WIDE
    assert not any("shfl" in one for one in inside)


@triton
@pytest.mark.sm90
def test_programs_meet_through_memory_that_all_can_see(compiled):
    inside = compiled["cross-cta"]["instructions"]
    assert "ld.global.cg.b32" in inside
    assert any(one.startswith("atom.global.gpu.release") for one in inside)
    assert any("acquire" in one for one in inside)


@pytest.mark.skipif(not torch.cuda.is_available() or interpreting(), reason="needs a GPU")
def test_on_a_gpu_everything_is_measured():
    found = speeds.speeds_here()
    assert found["bandwidth"] > 1e10
    assert all(speed > 1e10 for speed in found["flops"].values())
    assert 1e-9 < found["step"]["in-cta"] < found["step"]["cross-cta"] < 1e-3
