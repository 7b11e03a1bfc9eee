"""Cross-entropy alone and behind a linear layer, both backends against torch in float64; and the memory they need."""

import gc
import json

import pytest
import torch
import torch.nn.functional as F

from seqlab.kernels import has_triton, interpreting, measured
from seqlab.lm import cost, cross_entropy, functional, linear_cross_entropy

WAYS = ["torch", pytest.param("triton", marks=pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone"))]
DEVICE = "cuda" if has_triton() and not interpreting() else "cpu"
FORWARD = {torch.float64: 1e-13, torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 1e-3}
GRADIENT = {torch.float64: 1e-13, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 4e-3}

ways = pytest.mark.parametrize("way", WAYS)
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def relative(have, want):
    return ((have.double() - want.double()).norm() / want.double().norm().clamp(min=1e-3)).item()


def ids(shape, V, seed=1, ignored=()):
    y = torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))
    y.view(-1)[list(ignored)] = -100
    return y.to(DEVICE)


def normal(*shape, dtype=torch.float32, scale=1.0, seed=0):
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale
    return numbers.to(DEVICE, dtype).requires_grad_()


def layer(*shape, D=7, V=63, dtype=torch.float32):
    return normal(*shape, D, dtype=dtype), normal(V, D, dtype=dtype, seed=1), normal(V, dtype=dtype, seed=2)


def torchs(z, y, reduction):
    """What torch says in float64, with the words' axis where it wants it."""
    loss = F.cross_entropy(z.double().reshape(-1, z.shape[-1]), y.reshape(-1), reduction=reduction)
    return loss.reshape(y.shape) if reduction == "none" else loss


def gradients(loss, *leaves, upstream):
    return torch.autograd.grad(loss, leaves, upstream.to(loss.dtype), retain_graph=True)


@ways
@reductions
@pytest.mark.parametrize("dtype", FORWARD)
@pytest.mark.parametrize(("shape", "V"), [((3,), 1), ((2, 3), 63), ((4,), 1000), ((), 5), ((2, 1, 2), 500)])
def test_loss_and_gradient_agree_with_torch_in_float64(shape, V, dtype, reduction, way):
    z, y = normal(*shape, V, dtype=dtype, scale=4), ids(shape, V, ignored=[1] if shape else [])
    loss, want = cross_entropy(z, y, reduction, backend=way), torchs(z, y, reduction)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert loss.shape == want.shape
    assert relative(loss, want) <= FORWARD[dtype]
    upstream = normal(*want.shape, seed=5).detach()
    (dz,), (want_dz,) = gradients(loss, z, upstream=upstream), gradients(want, z, upstream=upstream)
    assert dz.dtype == dtype
    assert relative(dz, want_dz) <= GRADIENT[dtype]


@ways
@reductions
@pytest.mark.parametrize("dtype", FORWARD)
@pytest.mark.parametrize("biased", [True, False])
def test_the_linear_layer_agrees_with_torch_in_float64(biased, dtype, reduction, way):
    h, W, b = layer(2, 5, dtype=dtype)
    leaves = [h, W, b] if biased else [h, W]
    y = ids((2, 5), 63, ignored=[0, 6])
    loss = linear_cross_entropy(h, W, y, *leaves[2:], reduction=reduction, chunk=3, backend=way)
    want = torchs(F.linear(*(t.double() for t in leaves)), y, reduction)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert loss.shape == want.shape
    assert relative(loss, want) <= FORWARD[dtype]
    upstream = normal(*want.shape, seed=5).detach()
    have, want = (gradients(value, *leaves, upstream=upstream) for value in (loss, want))
    for a, b, leaf in zip(have, want, leaves, strict=True):
        assert a.dtype == dtype
        assert a.shape == leaf.shape
        assert relative(a, b) <= GRADIENT[dtype]


@ways
@reductions
@pytest.mark.parametrize("chunk", [1, 4, 5, 6, 11, 100, None])
def test_the_size_of_the_chunks_changes_nothing(chunk, reduction, way):
    h, W, b = layer(11, dtype=torch.float64)
    y = ids((11,), 63, ignored=[4])
    upstream = normal(11, seed=5).detach() if reduction == "none" else torch.tensor(3.0, device=DEVICE)
    have, want = (
        gradients(loss, h, W, b, upstream=upstream)
        for loss in (
            linear_cross_entropy(h, W, y, b, reduction, chunk=chunk, backend=way),
            torchs(F.linear(h, W, b), y, reduction),
        )
    )
    for a, b in zip(have, want, strict=True):
        torch.testing.assert_close(a, b)


@ways
@reductions
def test_gradients_pass_a_gradcheck_in_float64(reduction, way):
    z, y = normal(3, 3, dtype=torch.float64), ids((3,), 3, ignored=[1])
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, y, reduction, backend=way), z)
    leaves = layer(3, D=1, V=3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda h, W, b: linear_cross_entropy(h, W, y, b, reduction, -100, 2, way), leaves)


@ways
@pytest.mark.parametrize("needed", [(0,), (1,), (2,), (0, 2)])
def test_only_the_gradients_that_are_needed_are_made(needed, way):
    leaves = layer(5)
    y = ids((5,), 63)
    want = torch.autograd.grad(F.cross_entropy(F.linear(*leaves), y), leaves)
    h, W, b = (t.detach().requires_grad_(i in needed) for i, t in enumerate(leaves))
    linear_cross_entropy(h, W, y, b, chunk=2, backend=way).backward()
    for i, leaf in enumerate((h, W, b)):
        assert (leaf.grad is not None) == (i in needed)
        if i in needed:
            torch.testing.assert_close(leaf.grad, want[i])


@ways
def test_without_a_gradient_there_is_none_and_the_scores_stay(way):
    z, y = normal(3, 20), ids((3,), 20)
    before = z.detach().clone()
    for overwrite in (False, True):
        with torch.no_grad():
            loss = cross_entropy(z, y, backend=way, overwrite=overwrite)
        assert not loss.requires_grad
    assert not cross_entropy(z.detach(), y, backend=way, overwrite=True).requires_grad
    assert torch.equal(z, before)
    with torch.no_grad():
        assert not linear_cross_entropy(*layer(3)[:2], ids((3,), 63), backend=way).requires_grad


@ways
@pytest.mark.parametrize("linear", [False, True])
def test_when_no_row_counts_the_mean_is_nan_as_in_torch_and_the_gradient_zero(linear, way):
    y = ids((3,), 63, ignored=[0, 1, 2])
    h, W, b = layer(3)

    def loss(reduction):
        if linear:
            return linear_cross_entropy(h, W, y, b, reduction, backend=way)
        return cross_entropy(h @ W.T + b, y, reduction, backend=way)

    assert F.cross_entropy(F.linear(h, W, b), y).isnan()
    assert loss("mean").isnan()
    assert loss("sum") == 0
    assert loss("none").tolist() == [0, 0, 0]
    for reduction in ("mean", "sum"):
        for gradient in torch.autograd.grad(loss(reduction), (h, W, b)):
            assert torch.all(gradient == 0)


@ways
@pytest.mark.parametrize("linear", [False, True])
def test_no_row_at_all_is_as_in_torch(linear, way):
    y = ids((0,), 63)
    h, W, b = layer(0)

    def loss(reduction):
        if linear:
            return linear_cross_entropy(h, W, y, b, reduction, backend=way)
        return cross_entropy(F.linear(h, W, b), y, reduction, backend=way)

    assert loss("mean").isnan()
    assert loss("sum") == 0
    assert loss("none").shape == (0,)
    for gradient in torch.autograd.grad(loss("sum"), (h, W, b)):
        assert torch.all(gradient == 0)


@ways
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_graph_that_is_kept_gives_the_same_gradient_again(reduction, way):
    h, W, b = layer(4)
    y = ids((4,), 63)
    for loss in (
        cross_entropy(F.linear(h, W, b), y, reduction, backend=way),
        cross_entropy(F.linear(h, W, b), y, reduction, backend=way, overwrite=True),
        linear_cross_entropy(h, W, y, b, reduction, backend=way),
    ):
        total = (loss * 3).sum()
        first, second = (torch.autograd.grad(total, (h, W, b), retain_graph=True) for _ in range(2))
        last = torch.autograd.grad(total, (h, W, b))
        for a, b_, c in zip(first, second, last, strict=True):
            assert torch.equal(a, b_)
            torch.testing.assert_close(a, c)
        with pytest.raises(RuntimeError, match="second time"):
            total.backward()


@ways
def test_a_second_derivative_is_refused_or_right(way):
    h, W, b = layer(2)
    y = ids((2,), 63)
    for reduction in ("mean", "none"):
        total = linear_cross_entropy(h, W, y, b, reduction, backend=way).sum()
        with pytest.raises(
            RuntimeError, match="cannot be differentiated again: use cross_entropy with backend='torch'"
        ):
            torch.autograd.grad(total, h, create_graph=True)
        total = cross_entropy(F.linear(h, W, b), y, reduction, backend=way).sum()
        if way == "triton":
            with pytest.raises(RuntimeError, match="cannot be differentiated again"):
                torch.autograd.grad(total, h, create_graph=True)
    if way == "torch":
        z = normal(2, 3, dtype=torch.float64)
        assert torch.autograd.gradgradcheck(lambda z: cross_entropy(z, y % 3, backend="torch"), z)


@pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone")
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_gradient_takes_the_place_of_the_scores_where_it_may(reduction):
    h, W, b = layer(4)
    y = ids((4,), 63)
    want = torch.autograd.grad(F.cross_entropy(F.linear(h, W, b), y, reduction=reduction).sum(), (h, W, b))
    z = F.linear(h, W, b)
    before = z.detach().clone()
    seen = []
    z.register_hook(lambda dz: seen.append(dz.data_ptr()))
    have = torch.autograd.grad(cross_entropy(z, y, reduction, backend="triton", overwrite=True).sum(), (h, W, b))
    assert seen == [z.data_ptr()]
    assert not torch.equal(z, before)
    for a, b in zip(have, want, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone")
def test_whoever_still_needs_the_scores_is_heard():
    z = normal(3, 20).exp()  # whose gradient is the result itself
    loss = cross_entropy(z, ids((3,), 20), backend="triton", overwrite=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with pytest.raises(ValueError, match="z, which is a leaf: its values would be lost"):
        cross_entropy(normal(3, 20), ids((3,), 20), overwrite=True)


@ways
@pytest.mark.parametrize("linear", [False, True])
def test_a_loss_scale_saves_gradients_that_float16_could_not_hold(linear, way):
    """p / n is about 1e-9, far below 6e-8, the smallest number of float16; 2**20 times as much is not."""
    factor, rows = 2.0**20, 40
    h, W, b = layer(rows, D=1, V=20, dtype=torch.float16)
    with torch.no_grad():
        h.fill_(1), W.zero_(), b.fill_(-16)
        b[0] = 0
    y = torch.zeros(rows, dtype=torch.int64, device=DEVICE)
    if linear:
        loss = linear_cross_entropy(h, W, y, b, chunk=16, backend=way)
    else:
        loss = cross_entropy(F.linear(h, W, b), y, backend=way)
    (db,) = torch.autograd.grad(loss * factor, b)
    p = torch.softmax(b.double(), 0)
    torch.testing.assert_close(db[1:].double(), p[1:] * factor, rtol=1e-2, atol=0)


def test_the_linear_layer_agrees_with_torch_s_own():
    h, W, b = layer(10)
    y = ids((10,), 63, ignored=[3])
    for reduction in ("mean", "sum", "none"):
        have = linear_cross_entropy(h, W, y, b, reduction, chunk=4)
        torch.testing.assert_close(have, F.linear_cross_entropy(h, W, y, linear_bias=b, reduction=reduction))


def test_rounding_once_a_chunk_costs_at_most_three_times_torch_s_error():
    M, D, V = 2048, 32, 400
    h, W = normal(M, D, dtype=torch.bfloat16), normal(V, D, dtype=torch.bfloat16, scale=D**-0.5, seed=1)
    y = ids((M,), V)
    exact = [t.detach().double().requires_grad_() for t in (h, W)]
    want = torch.autograd.grad(F.cross_entropy(F.linear(*exact), y), exact)
    eager = torch.autograd.grad(F.cross_entropy(F.linear(h, W), y), (h, W))
    chunk = cost.chunk_rows(M, D, V, on_gpu=False)
    assert M // chunk >= 8
    have = torch.autograd.grad(linear_cross_entropy(h, W, y, chunk=chunk, backend="torch"), (h, W))
    for a, e, w in zip(have, eager, want, strict=True):
        assert relative(a, w) <= min(2e-2, 3 * relative(e, w))


def test_autocast_converts_as_it_does_for_torch():
    h, W, b = layer(6)
    y = ids((6,), 63)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        loss = linear_cross_entropy(h, W, y, b, chunk=4)
        want = F.cross_entropy(F.linear(h, W, b), y)
    assert loss.dtype == torch.float32
    assert relative(loss, want) <= 1e-2
    for have, other in zip(*(torch.autograd.grad(value, (h, W, b)) for value in (loss, want)), strict=True):
        assert have.dtype == torch.float32
        assert relative(have, other) <= 2e-2


def peak(compute):
    """Most bytes that were allocated at the same time while `compute` ran, beyond what was there before."""
    gc.collect()  # or what others left would be counted as given back
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        compute()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = largest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        largest = max(largest, live)
    return largest


def forget_at_once(monkeypatch):
    """Triton's interpreter holds what a kernel was given in a cycle; here the collector follows every launch."""
    from seqlab.lm import kernels

    def followed(run):
        def launch(*arguments):
            result = run(*arguments)
            gc.collect(1)
            return result

        return launch

    monkeypatch.setattr(kernels, "losses", followed(kernels.losses))
    monkeypatch.setattr(kernels, "rescale", followed(kernels.rescale))


@pytest.mark.slow
@pytest.mark.skipif(DEVICE == "cuda", reason="counts what the CPU allocates; the benchmark reports a GPU's memory")
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    ("sizes", "dtype", "way", "chunk"),
    [
        ((1024, 16, 2048), torch.float32, "torch", None),
        ((1024, 16, 2048), torch.bfloat16, "torch", None),
        pytest.param((64, 8, 2048), torch.float32, "triton", 8, marks=WAYS[1].marks),
    ],
)
def test_the_peak_is_at_most_an_eighth_of_eager_s_and_as_predicted(sizes, dtype, way, chunk, reduction, monkeypatch):
    if way == "triton":
        forget_at_once(monkeypatch)
    M, D, V = sizes
    h, W, b = layer(M, D=D, V=V, dtype=dtype)
    y = ids((M,), V)

    def eager():
        return torch.autograd.grad(F.cross_entropy(F.linear(h, W, b), y, reduction=reduction).sum(), (h, W, b))

    def ours():
        loss = linear_cross_entropy(h, W, y, b, reduction, chunk=chunk, backend=way)
        return torch.autograd.grad(loss.sum(), (h, W, b))

    copies = 3 if way == "torch" and dtype.itemsize == 2 else 1
    chunk_used = chunk or cost.chunk_rows(*sizes, on_gpu=False, copies=copies)
    eager_peak, peak_here = peak(eager), peak(ours)
    assert peak_here <= eager_peak / 8
    assert eager_peak == pytest.approx(cost.linear_memory(*sizes, dtype.itemsize), rel=0.02)
    assert peak_here == pytest.approx(cost.linear_memory(*sizes, dtype.itemsize, chunk_used, copies), rel=0.1)


@pytest.mark.skipif(DEVICE == "cuda" or not has_triton(), reason="counts what the CPU allocates")
@pytest.mark.parametrize(
    ("reduction", "overwrite", "copies"), [("mean", False, 1), ("mean", True, 0), ("none", False, 1)]
)
def test_the_kernel_needs_no_more_memory_than_the_gradient(reduction, overwrite, copies, monkeypatch):
    forget_at_once(monkeypatch)
    z, y = normal(8, 3000), ids((8,), 3000)
    size = z.numel() * z.element_size()

    scores = z * 2 if overwrite else z

    def ours():
        loss = cross_entropy(scores, y, reduction, backend="triton", overwrite=overwrite).sum()
        return torch.autograd.grad(loss, scores) if overwrite else loss.backward()

    assert peak(ours) == pytest.approx(copies * size, abs=size / 10)
    z.grad = None
    assert peak(lambda: F.cross_entropy(z, y).backward()) == pytest.approx(3 * size, abs=size / 10)


def test_the_rule_for_chunks_keeps_to_an_eighth_where_the_rows_are_many():
    for M, D, V in ((8192, 2048, 32768), (16384, 512, 50257), (4096, 256, 100_000)):
        chunk = cost.chunk_rows(M, D, V, on_gpu=True)
        assert 384 <= chunk <= M // 8
        assert cost.linear_memory(M, D, V, 2, chunk) <= cost.linear_memory(M, D, V, 2) / 8
    assert cost.chunk_rows(8192, 2048, 32768, on_gpu=True) == 448
    assert [cost.chunk_rows(M, 8, 100, on_gpu=False) for M in (0, 1, 63, 65)] == [1, 1, 63, 64]
    assert cost.chunk_rows(700, 5000, 1000, on_gpu=True) == 384  # gradients that are larger than the scores


def test_auto_takes_what_was_measured_to_be_fastest(monkeypatch, tmp_path):
    def row(passes, way, seconds):
        shape = {"B": 1024, "V": 50, "dtype": "float32"}
        return {"shape": shape, "pass": passes, "way": way, "right": True, "seconds": seconds}

    rows = [row("forward", "seqlab Triton", 1.0), row("forward", "F.cross_entropy", 2.0)]
    rows += [row("forward and backward", "seqlab Triton", 3.0), row("forward and backward", "F.cross_entropy", 2.0)]
    rows += [row("forward and backward", "torch.compile", 1.0)]  # no backend of ours
    report = {"benchmark": "cross_entropy", "device": {"name": "a GPU"}, "date": "2026-01-01", "rows": rows}
    (tmp_path / "measured.json").write_text(json.dumps(report))
    monkeypatch.setattr(measured, "MEASUREMENTS", tmp_path)
    monkeypatch.setattr(functional, "pick_backend", lambda backend, *t: "triton" if backend == "auto" else backend)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    measured._remembered.cache_clear()

    def way(V, backend="auto", wanted=True, benchmark="cross_entropy"):
        return functional._way(benchmark, backend, {"V": V, "B": 1000}, wanted, torch.zeros(1))

    assert (way(50), way(50, wanted=False)) == ("torch", "triton")
    assert way(50, backend="triton") == "triton"
    assert way(5000) == "triton"  # nothing near was measured
    assert way(50, benchmark="linear_cross_entropy") == "triton"


def test_the_ways_that_auto_knows_are_those_of_the_benchmarks():
    from seqlab.bench import BENCHMARKS

    for name, ways in functional.WAYS.items():
        case = BENCHMARKS[name].cases(BENCHMARKS[name].shapes["small"][0], DEVICE)[0]
        absent = set() if has_triton() else {"seqlab Triton"}
        assert set(ways) - absent <= {*case.ours, *case.peers}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"z": [1.0]}, "z is a list; it must be a torch tensor"),
        (
            {"z": torch.zeros(2, 5, dtype=torch.int64)},
            "z holds torch.int64; it must hold float32, bfloat16, float16 or",
        ),
        ({"z": torch.zeros(2, 0)}, r"z has shape \(2, 0\); it must have shape \(..., V\), with at least one word"),
        ({"y": [1, 2]}, "y is a list; it must be a torch tensor"),
        ({"y": torch.zeros(2)}, r"y holds torch.float32; it must hold ids, y.long\(\)"),
        (
            {"y": torch.zeros(3, dtype=torch.int64)},
            r"y has shape \(3,\); it must have shape \(2,\), an id for each row",
        ),
        (
            {"y": torch.tensor([0, 9])},
            "y holds ids from 0 to 9; the vocabulary has ids 0 to 4, and -100 marks what does",
        ),
        ({"y": torch.tensor([-1, 3])}, "y holds ids from -1 to 3; the vocabulary has ids 0 to 4"),
        (
            {"y": torch.tensor([-100, 3]), "ignore_index": 0},
            "y holds ids from -100 to 3; .*, and 0 marks what does not",
        ),
        ({"reduction": "average"}, "reduction is 'average'; it must be 'mean', 'sum' or 'none'"),
        ({"backend": "cuda"}, "backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"),
    ],
)
def test_a_wrong_argument_is_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        cross_entropy(**{"z": torch.zeros(2, 5), "y": torch.tensor([0, 4])} | arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"h": torch.zeros(2, 4)}, r"h has shape \(2, 4\); it must have shape \(..., 3\)"),
        ({"W": torch.zeros(3)}, r"W has shape \(3,\); it must have shape \(V, D\)"),
        ({"W": torch.zeros(0, 3)}, r"W has shape \(0, 3\); it must have shape \(V, D\), with at least one word"),
        ({"W": torch.zeros(5, 3).double()}, "W holds torch.float64 and h holds torch.float32; convert one of them"),
        ({"b": torch.zeros(4)}, r"b has shape \(4,\); it must have shape \(5,\)"),
        ({"y": torch.tensor([0, 5])}, "y holds ids from 0 to 5; the vocabulary has ids 0 to 4"),
        ({"chunk": 0}, "chunk is 0; it must be a whole number of rows, at least 1, or None"),
        ({"chunk": 2.5}, "chunk is 2.5; it must be a whole number of rows"),
    ],
)
def test_a_wrong_argument_of_the_layer_is_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        linear_cross_entropy(**{"h": torch.zeros(2, 3), "W": torch.zeros(5, 3), "y": torch.tensor([0, 4])} | arguments)


def test_the_cost_counts_what_the_equations_say():
    B, V = 3, 7
    loss, gradient = cost.cost(B, V, 2), cost.cost(B, V, 2, backward=True)
    assert loss.bytes == 2 * B * V + 8 * B + 4 * B
    assert gradient.bytes == 2 * B * V
    assert sum(cost.eager_bytes(B, V, 2).values()) == 6 * gradient.bytes
    M, D = 5, 11
    forward, backward = cost.linear_cost(M, D, V, 2), cost.linear_cost(M, D, V, 2, backward=True)
    assert forward.flops == 2 * M * D * V + 4 * M * V
    assert backward.flops == 2 * (2 * M * D * V + M * V)
    assert backward.bytes == 2 * (2 * (M * D + V * D))
    for back in (False, True):
        with_bias = cost.linear_cost(M, D, V, 2, backward=back, bias=True)
        assert with_bias.bytes - (backward if back else forward).bytes == (1 + back) * 2 * V
    assert (forward.dtype, cost.linear_cost(M, D, V, 4).dtype) == ("bfloat16", "float32")


@pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone")
def test_the_table_of_what_moves_is_what_the_cost_counts():
    from seqlab.kernels import H200, Cost
    from seqlab.lm.kernels import cross_entropy as kernels

    sizes = 16384, 32768, 2
    eager = Cost(sum(cost.eager_bytes(*sizes).values()), 0)
    here = cost.cost(*sizes) + cost.cost(*sizes, backward=True)
    for way, paid in (("torch's eager way, six passes", eager), ("this kernel, one read, one write", here)):
        row = next(line.removeprefix(way).split() for line in kernels.__doc__.splitlines() if line.startswith(way))
        assert row == [f"{paid.bytes / 1e9:.2f}", f"{paid.floor(H200) * 1e3:.2f}e-3"]
