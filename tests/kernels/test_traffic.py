"""Traffic that a hand can count: each number below is written out from the kernel above it."""

import doctest
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from triton.runtime.interpreter import GridExecutor, interpreter_builder

from seqlab.kernels import Traffic, count, interpreting
from seqlab.lm.cost import cost, eager_bytes
from seqlab.lm.functional import cross_entropy

pytestmark = pytest.mark.skipif(not interpreting(), reason="traffic is counted in the interpreter")
F32, I64 = 4, 8  # bytes


@triton.jit
def _add(x_ptr, y_ptr, sum_ptr, N, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.load(x_ptr + i, mask=i < N) + tl.load(y_ptr + i, mask=i < N)
    tl.store(sum_ptr + i, total, mask=i < N)


@triton.jit
def _copy(x_ptr, out_ptr, N, times, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    for _ in range(times):
        tl.store(out_ptr + i, tl.load(x_ptr + i, mask=i < N), mask=i < N)


@triton.jit
def _scatter(ids_ptr, count_ptr, N: tl.constexpr):
    word = tl.load(ids_ptr + tl.arange(0, N))
    tl.atomic_add(count_ptr + word, 1.0, mask=word >= 0)


@triton.jit
def _claim(lock_ptr):
    tl.atomic_cas(lock_ptr + tl.program_id(0), 0, 1)


@triton.jit
def _row_times_column(row_ptr, column_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    row = tl.load(row_ptr + i[None, :] + tl.zeros([N, N], tl.int32))
    column = tl.load(column_ptr + i[:, None] + tl.zeros([N, N], tl.int32))
    tl.store(out_ptr + i[:, None] * N + i[None, :], row * column)


@triton.jit
def _read(x_ptr, i):
    return tl.load(x_ptr + i)


@triton.jit
def _through_helper(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, _read(x_ptr, i) + _read(x_ptr, 0))


@triton.jit
def _too_far(x_ptr, out_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    tl.store(out_ptr + i, tl.load(x_ptr + i))


@triton.jit
def _either(a_ptr, b_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(tl.where(i % 2 == 0, a_ptr + i, b_ptr + i)))


@triton.jit
def _sum_of_tile(tile, out_ptr, N: tl.constexpr):
    x = tile.load([0, 0])
    tl.store(out_ptr + tl.arange(0, N), tl.sum(x, axis=1))


@triton.jit
def _byte(flag_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(flag_ptr + i).to(tl.float32))


@triton.jit
def _between(bytes_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    words = (bytes_ptr + 1).to(tl.pointer_type(tl.int32))  # a byte behind where numbers of four bytes start
    tl.store(out_ptr + i, tl.load(words + 2 * i))


@triton.jit
def _exchange(x_ptr, from_ptr, to_ptr, N: tl.constexpr, M: tl.constexpr, mask_ptr):
    i, j = tl.arange(0, N)[:, None], tl.arange(0, M)[None, :]
    inside = tl.load(mask_ptr + i * M + j) > 0
    x = tl.load(x_ptr + tl.load(from_ptr + i * M + j), mask=inside)
    tl.store(x_ptr + tl.load(to_ptr + i * M + j), x, mask=inside)


@triton.jit
def _fails(x_ptr):
    tl.static_assert(tl.load(x_ptr) is None, "as it should")


def add(x, y, out=None, BLOCK=32):
    out = torch.empty_like(x) if out is None else out
    _add[(triton.cdiv(x.numel(), BLOCK),)](x, y, out, x.numel(), BLOCK=BLOCK)
    return out


def copy(x, out, times=1):
    _copy[(triton.cdiv(x.numel(), 16),)](x, out, x.numel(), times, BLOCK=16)
    return out


def parts(traffic):
    return traffic.needed, traffic.scratch, traffic.again


# One kernel


def test_a_sum_of_odd_size_loads_two_and_stores_one_number_for_each_lane_inside():
    x, y = torch.randn(75), torch.randn(75)
    traffic = count(add, x, y)
    assert torch.equal(traffic.result, x + y)
    (launch,) = traffic.launches
    assert (launch.name, launch.kind, launch.grid, traffic.programs) == ("add", "kernel", (3, 1, 1), 3)
    assert launch.by_argument == {"x": (75 * F32, 0), "y": (75 * F32, 0), "sum": (0, 75 * F32)}
    assert (traffic.loaded, traffic.stored, traffic.moved) == (2 * 75 * F32, 75 * F32, 3 * 75 * F32)
    assert parts(traffic) == (3 * 75 * F32, 0, 0)
    assert launch.per_program.tolist() == [[256, 128], [256, 128], [88, 44]]  # 32, 32 and 11 lanes


def test_the_second_time_a_number_is_loaded_or_stored_is_again():
    traffic = count(copy, torch.randn(20), torch.empty(20), times=3)
    assert parts(traffic) == (2 * 20 * F32, 0, 2 * 2 * 20 * F32)


def test_lanes_that_name_the_same_address_share_one_load():
    row, column = torch.randn(8), torch.randn(8)
    out = torch.empty(8, 8)
    traffic = count(_row_times_column[(1,)], row, column, out, N=8, events=True)
    assert torch.equal(out, column[:, None] * row)
    assert traffic.launches[0].by_argument == {"row": (32, 0), "column": (32, 0), "out": (0, 256)}
    first = traffic.launches[0].events[0]
    assert (first.kind, first.argument, first.elements.tolist()) == ("load", "row", list(range(8)))


def test_an_atomic_loads_and_stores_for_each_lane_even_where_lanes_meet():
    ids, counts = torch.tensor([2, 0, 2, -1, 2, 0, 1, -1]), torch.zeros(4)
    traffic = count(_scatter[(1,)], ids, counts, N=8, events=True)
    assert counts.tolist() == [2, 1, 3, 0]
    launch = traffic.launches[0]
    assert launch.by_argument == {"ids": (8 * I64, 0), "count": (6 * F32, 6 * F32)}
    assert traffic.needed == 8 * I64 + 2 * 3 * F32  # three counters, read and written
    assert traffic.again == 2 * 3 * F32
    assert launch.events[1].kind == "atomic"
    assert launch.events[1].elements.tolist() == [2, 0, 2, 2, 0, 1]


def test_compare_and_swap_counts_as_a_load_and_a_store():
    lock = torch.zeros(3, dtype=torch.int32)
    traffic = count(_claim[(3,)], lock)
    assert lock.tolist() == [1, 1, 1]
    assert traffic.launches[0].per_program.tolist() == [[4, 4]] * 3


def test_the_loads_of_a_helper_are_the_kernels():
    x, out = torch.randn(16), torch.empty(16)
    traffic = count(_through_helper[(1,)], x, out, N=16)
    (launch,) = traffic.launches
    assert launch.name == "through_helper"
    assert launch.by_argument["x"] == (16 * F32 + F32, 0)
    assert traffic.again == F32


def test_a_pointer_may_come_from_a_choice_between_two_tensors():
    a, b, out = torch.zeros(8), torch.ones(8), torch.empty(8)
    traffic = count(_either[(1,)], a, b, out, N=8)
    assert out.tolist() == [0, 1] * 4
    assert traffic.launches[0].by_argument == {"a": (16, 0), "b": (16, 0), "out": (0, 32)}


def test_a_tensor_descriptor_counts_what_lies_inside():
    from triton.tools.tensor_descriptor import TensorDescriptor

    x, out = torch.randn(5, 12), torch.empty(8)
    tile = TensorDescriptor(x, [5, 12], [12, 1], [8, 16])
    traffic = count(_sum_of_tile[(1,)], tile, out, N=8)
    assert torch.allclose(out[:5], x.sum(1), atol=1e-6)
    assert traffic.launches[0].by_argument == {"tile": (5 * 12 * F32, 0), "out": (0, 32)}


@pytest.mark.parametrize(("dtype", "size"), [(torch.bool, 1), (torch.int16, 2), (torch.bfloat16, 2), (torch.int64, 8)])
def test_bytes_follow_the_data_type(dtype, size):
    x, out = torch.ones(16, dtype=dtype), torch.empty(16)
    traffic = count(_byte[(1,)], x, out, N=16)
    assert traffic.launches[0].by_argument == {"flag": (16 * size, 0), "out": (0, 64)}
    assert parts(traffic) == (16 * size + 64, 0, 0)


def test_numbers_that_lie_between_the_usual_addresses_are_followed():
    x, out = torch.arange(64, dtype=torch.uint8), torch.empty(8, dtype=torch.int32)
    traffic = count(_between[(1,)], x, out, N=8, events=True)
    assert out[1].item() == int.from_bytes(bytes([9, 10, 11, 12]), "little")
    assert parts(traffic) == (2 * 8 * 4, 0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_any_pattern_is_counted_as_sets_count_it(seed):
    """Programs that load and store the same tensor at random places, against Python's sets."""
    rng = np.random.default_rng(seed)
    N, M, size = 4, 8, 40
    x = torch.randn(size, dtype=[torch.float32, torch.float16][seed % 2])
    source, target = (torch.tensor(rng.integers(size, size=(N, M))) for _ in range(2))
    mask = torch.tensor(rng.random((N, M)) < [0.0, 0.5, 1.0][seed % 3], dtype=torch.int32)
    loads = {int(i) for i in source[mask > 0]}
    stores = {int(i) for i in target[mask > 0]}
    traffic = count(lambda: [_exchange[(1,)](x, source, target, N, M, mask) for _ in range(2)])
    item = x.element_size()
    fixed = N * M * (4 + 8 + 8)
    assert traffic.launches[0].by_argument["x"] == (len(loads) * item, len(stores) * item)
    assert traffic.moved == 2 * (fixed + (len(loads) + len(stores)) * item)
    assert traffic.needed == fixed + (len(loads) + len(stores)) * item
    assert traffic.scratch == 0


def test_events_say_who_touched_which_elements_of_which_tensor():
    whole = torch.randn(100)
    x, y, out = whole[10:50], whole[60:], torch.empty(40)
    events = count(add, x, y, out, events=True).launches[0].events
    assert [(e.program, e.kind, e.argument) for e in events] == [
        *((0, "load", "x"), (0, "load", "y"), (0, "store", "sum")),
        *((1, "load", "x"), (1, "load", "y"), (1, "store", "sum")),
    ]
    assert [e.elements.tolist() for e in events] == [list(range(32))] * 3 + [list(range(32, 40))] * 3
    assert count(add, x, y, out).launches[0].events == ()


def test_a_tensor_passed_as_another_dtype_is_followed():
    x, out = torch.ones(16), torch.empty(16)
    traffic = count(_byte[(1,)], triton.reinterpret(x, tl.int32), out, N=16)
    assert traffic.launches[0].by_argument["flag"] == (64, 0)


def test_views_that_overlap_count_their_shared_numbers_once():
    x, out = torch.randn(40), torch.empty(32)
    traffic = count(add, x[:32], x[8:], out)
    assert traffic.launches[0].by_argument == {"x": (128, 0), "y": (128, 0), "sum": (0, 128)}
    assert parts(traffic) == (40 * F32 + 32 * F32, 0, 24 * F32)


def test_a_strided_argument_is_counted_number_by_number():
    x = torch.randn(16, 3)
    out = torch.empty(16, 3)

    def launch():
        _strided[(1,)](x[:, 1], out[:, 2], 3, N=16)

    traffic = count(launch)
    assert torch.equal(out[:, 2], x[:, 1])
    assert parts(traffic) == (2 * 16 * F32, 0, 0)


@triton.jit
def _strided(x_ptr, out_ptr, stride, N: tl.constexpr):
    i = tl.arange(0, N) * stride
    tl.store(out_ptr + i, tl.load(x_ptr + i))


# Several kernels


def test_what_goes_through_memory_between_two_kernels_is_scratch():
    x, y = torch.randn(64), torch.randn(64)
    traffic = count(lambda: add(add(x, y), y))
    assert [launch.name for launch in traffic.launches] == ["add", "add"]
    assert traffic.moved == 6 * 64 * F32
    assert traffic.needed == 3 * 64 * F32  # x, y, the result
    assert traffic.scratch == 2 * 64 * F32  # the sum, stored and loaded
    assert traffic.again == 64 * F32  # y


def test_reading_back_a_result_is_again_whoever_made_the_tensor():
    x, y = torch.randn(64), torch.randn(64)
    given = torch.empty(64)

    def both(out):
        first = add(x, y, out)
        return first, add(first, y)

    for out in (given, None):  # in a tensor that was given, in one that is made inside and returned
        assert parts(count(both, out)) == (4 * 64 * F32, 0, 2 * 64 * F32)


def test_memory_that_is_freed_and_used_again_is_not_taken_for_one_tensor():
    x = torch.randn(512)

    def chain():
        y = x
        for _ in range(6):
            y = copy(y, torch.empty_like(y))  # the one before it is freed here
        return y

    traffic = count(chain)
    assert parts(traffic) == (2 * 512 * F32, 10 * 512 * F32, 0)


def test_what_is_made_inside_and_wants_a_gradient_is_no_result():
    x = torch.randn(64)

    def chain():
        middle = copy(x, torch.empty_like(x)).requires_grad_()
        return copy(middle[:], torch.empty_like(x))  # torch sees the leaf when it is sliced

    assert parts(count(chain)) == (2 * 64 * F32, 2 * 64 * F32, 0)


def test_a_gradient_left_on_a_given_tensor_is_a_result():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return add(x, x)

        @staticmethod
        def backward(ctx, g):
            return add(g, g)

    x = torch.randn(64, requires_grad=True)
    traffic = count(lambda: Double.apply(x).backward(torch.ones(64)))
    assert torch.equal(x.grad, torch.full((64,), 2.0))
    names = [(launch.name, launch.moved) for launch in traffic.launches if launch.kind == "kernel"]
    assert names == [("add", 3 * 64 * F32)] * 2
    assert traffic.needed == 2 * 64 * F32  # x and its gradient; the result itself was thrown away
    assert traffic.scratch == 3 * 64 * F32  # that result stored, the ones loaded twice


# torch's functions


def moved(fn, *args):
    """What each call moved, as {argument: (read, written)}."""
    return [(launch.name, launch.by_argument) for launch in count(fn, *args).launches]


def test_softmax_in_steps_moves_what_a_hand_counts():
    B, V = 7, 33
    z = torch.randn(B, V)

    def softmax(z):
        z = z - z.amax(1, keepdim=True)
        e = z.exp()
        return e / e.sum(1, keepdim=True)

    traffic = count(softmax, z)
    assert [launch.name for launch in traffic.launches] == ["aten.amax", "aten.sub", "aten.exp", "aten.sum", "aten.div"]
    assert [(launch.loaded, launch.stored) for launch in traffic.launches] == [
        (B * V * F32, B * F32),
        (B * V * F32 + B * F32, B * V * F32),
        (B * V * F32, B * V * F32),
        (B * V * F32, B * F32),
        (B * V * F32 + B * F32, B * V * F32),
    ]
    assert traffic.torch_moved == traffic.total == 8 * B * V * F32 + 4 * B * F32
    assert (traffic.moved, traffic.programs, parts(traffic)) == (0, 0, (0, 0, 0))


def test_views_and_empty_move_nothing():
    x = torch.randn(6, 4)

    def views():
        torch.empty(5), torch.empty_like(x), x.new_empty(3), torch.empty_strided((2, 2), (2, 1))
        x.t().detach()[1:, ::2].expand(1, 3, 3).unsqueeze(0), x.view(3, 8), x.reshape(24), x.split(2), x.squeeze_()

    assert count(views).launches == ()


def test_what_each_kind_of_call_reads_and_writes():
    x, y = torch.randn(6, 4), torch.randn(6, 4)
    n = 24 * F32
    assert moved(torch.zeros, 6) == [("aten.zeros", {"out": (0, 24)})]
    assert moved(torch.zeros_like, x) == [("aten.zeros_like", {"out": (0, n)})]
    assert moved(torch.clone, x) == [("aten.clone", {"self": (n, 0), "out": (0, n)})]
    assert moved(x.copy_, y) == [("aten.copy_", {"self": (0, n), "src": (n, 0)})]
    assert moved(x.add_, y) == [("aten.add_", {"self": (n, n), "other": (n, 0)})]
    assert moved(x.fill_, 1.0) == [("aten.fill_", {"self": (0, n)})]
    assert moved(x.t().contiguous) == [("aten.clone", {"self": (n, 0), "out": (0, n)})]
    assert moved(lambda: torch.exp(x, out=y)) == [("aten.exp", {"self": (n, 0), "out": (0, n)})]
    assert moved(lambda: x * x) == [("aten.mul", {"self": (n, 0), "out": (0, n)})]  # the same numbers
    assert moved(lambda: x[1:] * x[:-1]) == [("aten.mul", {"self": (80, 0), "other": (16, 0), "out": (0, 80)})]
    assert moved(lambda: torch.cat([x, y])) == [("aten.cat", {"tensors": (2 * n, 0), "out": (0, 2 * n)})]
    assert moved(lambda: torch._foreach_add_([x, y], 1)) == [("aten._foreach_add_", {"self": (2 * n, 2 * n)})]
    assert moved(lambda: torch.tensor([1.0, 2.0])) == [("aten.lift_fresh", {"out": (0, 8)})]
    assert moved(lambda: x.max(1)) == [("aten.max", {"self": (n, 0), "out[0]": (0, 24), "out[1]": (0, 48)})]
    assert moved(lambda: x[0, 0].item()) == [("aten._local_scalar_dense", {"self": (4, 0)})]


def test_a_broadcast_input_counts_its_distinct_numbers():
    row = torch.randn(5)
    assert moved(row.expand(7, 5).clone)[0][1] == {"self": (20, 0), "out": (0, 140)}
    windows = row.unfold(0, 3, 1)  # (3, 3), five numbers
    assert moved(windows.clone)[0][1] == {"self": (20, 0), "out": (0, 36)}


def test_picking_reads_what_it_picks_and_scattering_touches_what_it_is_given():
    table, ids = torch.randn(100, 8), torch.tensor([3, 50, 3])
    given = {"indices": (24, 0), "out": (0, 96)}
    assert moved(F.embedding, ids, table)[0][1] == {"weight": (96, 0), **given}
    assert moved(lambda: table[ids])[0][1] == {"self": (96, 0), **given}
    values = torch.ones(3, 8)
    assert moved(lambda: table.index_add_(0, ids, values))[0][1] == {
        "self": (96, 96),
        "index": (24, 0),
        "source": (96, 0),
    }
    (put,) = (
        a for name, a in moved(lambda: table.__setitem__((slice(None), ids % 8), torch.ones(100, 3))) if "put" in name
    )
    assert put["self"] == (0, 1200)  # three columns of a hundred


def test_eager_cross_entropy_moves_the_passes_of_its_cost_and_a_few_numbers_a_row():
    B, V = 5, 67
    z, y = torch.randn(B, V, requires_grad=True), torch.randint(V, (B,))

    def both():
        return torch.autograd.grad(F.cross_entropy(z, y), z)

    traffic = count(both)
    assert traffic.torch_moved == sum(eager_bytes(B, V, F32).values()) + (
        (B * F32 + B * I64 + 2 * F32)  # the loss reads B log-probabilities and ids; writes itself and the weight
        + F32  # where the gradient starts: a one
        + (F32 + B * I64 + F32)  # the loss's gradient reads that one, the ids, the weight
    )


# Kernels of the book


def test_the_cross_entropy_kernel_needs_what_its_cost_says():
    from seqlab.lm.kernels.cross_entropy import losses

    B, V = 5, 67
    z, y = torch.randn(B, V), torch.randint(V, (B,))
    traffic = count(losses, z, y, -100)
    assert traffic.needed == cost(B, V, F32).bytes
    assert parts(traffic)[1:] == (0, B * F32)  # the true word's score, which lies in the row, is loaded alone
    out, scale = torch.empty_like(z), torch.ones(1)
    with_gradient = count(losses, z, y, -100, scale, out)
    assert with_gradient.needed == cost(B, V, F32).bytes + cost(B, V, F32, backward=True).bytes + F32  # the scale


def test_cross_entropy_with_its_gradient_moves_less_than_torch():
    B, V = 8, 500
    z, y = torch.randn(B, V, requires_grad=True), torch.randint(V, (B,))

    def both(backend):
        return torch.autograd.grad(cross_entropy(z, y, backend=backend), z)

    fused, eager = count(both, "triton"), count(both, "torch")
    assert torch.allclose(fused.result[0], eager.result[0], atol=1e-6)
    assert fused.needed < 0.34 * eager.total  # two passes over the scores against six
    assert fused.moved < 0.51 * eager.total  # the interpreter's form of the kernel reads a row twice


def test_the_example_of_the_docstring_runs():
    (example,) = doctest.DocTestFinder(recurse=False).find(count, "count")
    runner = doctest.DocTestRunner()
    runner.run(example)
    assert (runner.tries, runner.failures) == (4, 0)


# Errors, and what stays behind


def wrapped():
    here = [name for name in vars(interpreter_builder) if callable(getattr(interpreter_builder, name))]
    return here, GridExecutor.__call__


def test_an_error_passes_through_and_nothing_stays_behind():
    before = wrapped()
    assert before[0] == []

    def stumbles(x):
        add(x, x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        count(stumbles, torch.ones(4))
    with pytest.raises(Exception, match="as it should"):
        count(_fails[(1,)], torch.ones(4))
    assert wrapped() == before
    assert count(add, torch.ones(4), torch.ones(4)).moved == 48


def test_a_kernel_that_reaches_outside_its_tensors_is_stopped_and_named():
    x, out = torch.randn(12), torch.full((16,), 7.0)
    with pytest.raises(
        Exception, match=r"program 0 of the kernel too_far has a load outside its tensors: .* element 12"
    ):
        count(_too_far[(1,)], x, out, BLOCK=16)
    assert out.tolist() == [7.0] * 16


def test_a_count_inside_a_count_is_refused():
    x = torch.ones(4)
    with pytest.raises(RuntimeError, match="count is running already"):
        count(lambda: count(add, x, x))
    assert count(add, x, x).moved == 48


def test_a_launch_from_another_thread_is_refused_and_not_counted():
    x = torch.ones(4)
    said = []

    def elsewhere():
        try:
            add(x, x)
        except RuntimeError as error:
            said.append(str(error))

    def run():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return add(x, x)

    traffic = count(run)
    assert len(said) == 1
    assert "another thread counts" in said[0]
    assert traffic.programs == 1


@pytest.mark.slow
def test_without_the_interpreter_one_sentence_says_what_to_do():
    program = """
import os
os.environ["TRITON_INTERPRET"] = "0"
import torch
from seqlab.kernels import count
try:
    count(torch.exp, torch.ones(3))
except RuntimeError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.count("\n") == 1
    assert "set TRITON_INTERPRET=1" in said


def test_a_result_in_the_place_of_the_function_is_named():
    with pytest.raises(ValueError, match=r"fn is of type Tensor .* count\(f, x\) and not count\(f\(x\)\)"):
        count(add(torch.ones(4), torch.ones(4)))


def test_an_empty_grid_and_an_empty_tensor_move_nothing():
    traffic = count(add, torch.empty(0), torch.empty(0))
    (launch,) = traffic.launches
    assert str(traffic).splitlines()[2].split() == ["add", "0", "0"]
    assert (launch.moved, launch.programs, launch.per_program.shape) == (0, 0, (0, 2))


# Tables


def test_the_table_has_a_row_for_each_launch_and_a_total():
    x = torch.randn(64)
    traffic = count(lambda: add(add(x, x), x.exp(), BLOCK=16))
    assert str(traffic) == str(traffic.table())
    assert str(traffic).splitlines() == [
        "launch    programs  loaded  stored",
        "--------  --------  ------  ------",
        "add              2     512     256",
        "aten.exp               256     256",
        "add              4     512     256",
        "--------  --------  ------  ------",
        "total            6   1,280     768",
        "2,048 bytes moved: needed 512, scratch 768, again 256, torch 512",
    ]
    html = traffic._repr_html_()
    assert html.count("<tr>") == 5
    assert html.count('scope="row"') == 4
    assert "needed 512, scratch 768, again 256" in html
    assert "x &lt; y" in Traffic(None, (_named("x < y"),), 0, 0)._repr_html_()


def _named(name):
    from seqlab.kernels.traffic import Launch

    return Launch(name, "kernel", (1, 1, 1), 1, 2, {}, np.array([[1, 2]]))


def test_equal_launches_that_follow_each_other_share_a_row():
    x = torch.randn(64)
    lines = str(count(lambda: [add(x, x) for _ in range(50)])).splitlines()
    assert len(lines) == 6
    assert lines[2].split() == ["50", "×", "add", "100", "25,600", "12,800"]


def test_a_long_table_ends_with_how_much_more_there_is():
    traffic = Traffic(None, tuple(_named(f"k{i}") for i in range(100)), 0, 0)
    rows = traffic.table().rows()
    assert len(rows) == 42
    assert rows[40] == ("60 more", "60", "60", "120")
    assert rows[41] == ("total", "100", "100", "200")
