import pytest

from seqlab.kernels import H200, Cost, Device, device_named

TOY = Device("toy", bandwidth=10.0, flops={"float32": 100.0}, step={"in-cta": 0.5, "cross-cta": 2.0})


@pytest.mark.parametrize(
    ("cost", "seconds", "bound"),
    [
        (Cost(bytes=50, flops=100), 5.0, "memory"),
        (Cost(bytes=50, flops=1000), 10.0, "arithmetic"),
        (Cost(bytes=50, flops=100, steps=30), 15.0, "steps"),
        (Cost(bytes=50, flops=100, steps=30, step="cross-cta"), 60.0, "steps"),
    ],
)
def test_the_floor_is_the_largest_of_what_must_be_paid(cost, seconds, bound):
    assert cost.floor(TOY) == pytest.approx(seconds)
    assert cost.bound(TOY) == bound


@pytest.mark.parametrize(("flops", "speed"), [(50, 10.0), (500, 100.0), (5000, 100.0)])
def test_the_roof_rises_with_the_intensity_and_then_is_flat(flops, speed):
    cost = Cost(bytes=50, flops=flops)
    assert TOY.reach(cost.intensity) == pytest.approx(speed)
    assert cost.flops / cost.floor(TOY) == pytest.approx(speed)  # without steps, floor and roof say the same


def test_what_moves_nothing_is_under_the_flat_roof():
    assert Cost(bytes=0, flops=7).intensity == float("inf")
    assert TOY.reach(float("inf")) == 100.0


def test_sixteen_bits_are_cheaper_to_multiply():
    assert Cost(0, 1e12, dtype="bfloat16").floor(H200) < Cost(0, 1e12).floor(H200)


def test_two_costs_add_up_when_they_are_of_a_kind():
    assert Cost(1, 2, 3) + Cost(10, 20, 30) == Cost(11, 22, 33)
    with pytest.raises(ValueError, match="cannot add a cost in bfloat16, in-cta to one in float32, in-cta"):
        Cost(1, 2) + Cost(1, 2, dtype="bfloat16")


def test_a_device_is_found_by_the_name_its_driver_gives():
    assert device_named("NVIDIA H200") is H200
    assert device_named("NVIDIA H200 NVL") is H200
    assert device_named("NVIDIA GH200 480GB") is None  # another memory
    assert device_named("some other device") is None
