"""The kernel against the float64 reference; here in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch
import triton

from seqlab.lm import reference
from seqlab.lm.kernels import cross_entropy as kernels

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if kernels.interpreting() else "cuda"
NAN = float("nan")


@pytest.fixture(params=["whole rows", "walking", "parts"], autouse=True)
def form(request, monkeypatch):
    """All forms of the kernel: two programs that walk through the rows; parts so small that rows have many."""
    whole = request.param != "parts"
    stages = 3 if request.param == "walking" else 1
    monkeypatch.setattr(kernels, "multiprocessors", lambda z: 2)

    def launch(z, *rest):
        block = max(32, triton.next_power_of_2(z.shape[1])) if whole else 64
        config = triton.Config({"BLOCK": block, "WHOLE": whole, "STAGES": stages})
        monkeypatch.setattr(kernels._cross_entropy, "configs", [config])
        return kernels.losses(z, *rest)

    return launch


def scores(B, V, dtype=torch.float32, spread=5.0, seed=0):
    rng = np.random.default_rng(seed)
    z = torch.tensor(rng.normal(size=(B, V)) * spread, device=DEVICE).to(dtype)
    return z, torch.tensor(rng.integers(V, size=B), device=DEVICE)


def one(dtype=torch.float32):
    return torch.ones(1, dtype=dtype, device=DEVICE)


def relative(have, want):
    return np.linalg.norm(have.double().cpu().numpy() - want) / max(1, np.linalg.norm(want))


def truth(z, y):
    return reference.cross_entropy(z.double().cpu().numpy(), y.cpu().numpy())


@pytest.mark.parametrize(
    ("dtype", "loss_error", "gradient_error"),
    [
        (torch.float32, 1e-5, 1e-4),
        (torch.float64, 1e-14, 1e-14),
        (torch.bfloat16, 1e-5, 1e-2),
        (torch.float16, 1e-5, 1e-3),
    ],
)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 63), (2, 500), (2, 1000)])
def test_loss_and_gradient_agree_with_the_reference(sizes, dtype, loss_error, gradient_error, form):
    z, y = scores(*sizes, dtype)
    dz = torch.empty_like(z)
    loss = form(z, y, -100, one(), dz)
    want, want_dz = truth(z, y)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert relative(loss, want) <= loss_error
    assert relative(dz, want_dz) <= gradient_error
    assert torch.equal(form(z, y, -100), loss)


def test_every_row_is_multiplied_with_its_own_scale(form):
    z, y = scores(5, 70)
    scale = torch.tensor([0.0, 1.0, -2.0, 1e-3, 7.0], device=DEVICE)
    dz = torch.empty_like(z)
    form(z, y, -100, scale, dz)
    assert relative(dz, truth(z, y)[1] * scale.cpu().numpy()[:, None]) <= 1e-6


def test_the_gradient_may_take_the_place_of_the_scores(form):
    z, y = scores(4, 300)
    dz = torch.empty_like(z)
    loss = form(z, y, -100, one(), dz)
    assert torch.equal(form(z, y, -100, one(), z), loss)
    assert torch.equal(z, dz)


def test_a_constant_added_to_a_row_changes_nothing(form):
    z, y = scores(3, 500)
    z = (z * 64).round() / 64  # so that adding 1e4 loses no digit
    shifted, dz, dz_shifted = z + 1e4, torch.empty_like(z), torch.empty_like(z)
    assert torch.equal(form(shifted, y, -100, one(), dz_shifted), form(z, y, -100, one(), dz))
    assert torch.equal(dz_shifted, dz)


def test_what_lies_outside_a_row_adds_nothing_to_it(form):
    z, y = scores(2, 65)
    loss = form(z - 500, y, -100)  # an exp(0) from outside would be all that counts
    assert relative(loss, truth(z - 500, y)[0]) <= 1e-5


def test_the_gradient_of_a_row_sums_to_zero(form):
    z, y = scores(3, 777)
    dz = torch.empty_like(z)
    form(z, y, -100, one(), dz)
    assert dz.double().sum(1).abs().max() <= 1e-6


def test_words_ruled_out_with_minus_infinity_get_nothing(form):
    z, y = scores(2, 200)
    z[:, :130] = -torch.inf  # with parts, nothing but -Inf to begin with
    y[:] = 150
    dz = torch.empty_like(z)
    loss = form(z, y, -100, one(), dz)
    want = torch.nn.functional.cross_entropy(z.double(), y, reduction="none")
    assert relative(loss, want.cpu().numpy()) <= 1e-5
    assert torch.all(dz[:, :130] == 0)
    assert dz.isfinite().all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_a_score_that_is_no_number_is_not_hidden(bad, form):
    z, y = scores(3, 200)
    z[1, 77] = bad
    dz = torch.empty_like(z)
    loss = form(z, y, -100, one(), dz)
    assert loss.isnan().tolist() == [False, True, False]
    assert dz.isnan().any(1).tolist() == [False, True, False]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("ignore", [-100, 0, 3])
def test_a_row_that_does_not_count_has_loss_and_gradient_zero_whatever_its_scores(ignore, form):
    z, y = scores(4, 130)
    y[:] = 5
    y[1] = y[3] = ignore
    z[1], z[3] = NAN, torch.inf
    dz = torch.empty_like(z)
    loss = form(z, y, ignore, one(), dz)
    assert torch.all(loss[[1, 3]] == 0)
    assert torch.all(dz[[1, 3]] == 0)
    want, want_dz = truth(z[[0, 2]], y[[0, 2]])
    assert relative(loss[[0, 2]], want) <= 1e-5
    assert relative(dz[[0, 2]], want_dz) <= 1e-5


def test_no_row_that_counts_leaves_no_trace_of_the_division_by_their_number(form):
    z, y = scores(2, 40)
    dz = torch.empty_like(z)
    form(z, torch.full_like(y, -100), -100, 1 / torch.zeros(1, device=DEVICE), dz)
    assert torch.all(dz == 0)


@pytest.mark.parametrize("unknown", [-1, 130, 2**40])
def test_a_word_outside_the_vocabulary_makes_its_row_nan_and_reads_nothing(unknown, form):
    z, y = scores(3, 130)
    y[1] = unknown
    dz = torch.empty_like(z)
    loss = form(z, y, -100, one(), dz)
    assert loss.isnan().tolist() == [False, True, False]
    assert dz.isnan().all(1).tolist() == [False, True, False]
    assert not dz[[0, 2]].isnan().any()


def test_no_row_is_no_launch(form):
    z = torch.zeros(0, 5, device=DEVICE)
    assert form(z, torch.zeros(0, dtype=torch.int64, device=DEVICE), -100, one(), z).shape == (0,)


@pytest.mark.parametrize("N", [1, 1000, 5000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_gradient_is_rescaled_in_place(N, dtype, monkeypatch):
    monkeypatch.setattr(kernels, "RESCALE_PROGRAMS", 2)  # which then work several rounds
    x = torch.arange(N, device=DEVICE).to(dtype)
    want = x.double() * -0.5
    kernels.rescale(x, torch.tensor(-0.5, dtype=torch.float32, device=DEVICE))
    assert torch.equal(x.double(), want)
    kernels.rescale(x, torch.tensor(1.0, device=DEVICE))
    assert torch.equal(x.double(), want)
    kernels.rescale(x[:0], torch.tensor(2.0, device=DEVICE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_tuner_has_forms_for_every_vocabulary(dtype):
    for V in (1, 2, 16, 17, 50, 1000, 4097, 16385, 32768, 32769, 50257, 300_000):
        constants = kernels.plan(V, dtype)
        forms = kernels._worth_trying(kernels.CONFIGS, {"z_ptr": torch.empty(0, dtype=dtype)}, **constants)
        assert 1 <= len(forms) <= 6
        assert all(form.kwargs["BLOCK"] >= V for form in forms if form.kwargs["WHOLE"])
        assert all(form.kwargs["BLOCK"] < constants["COLS"] for form in forms if not form.kwargs["WHOLE"])
