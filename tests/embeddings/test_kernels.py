"""The training steps against plain float64 loops; here in the interpreter, on a GPU with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab.embeddings import kernels, reference
from seqlab.embeddings.kernels import cbow, common, hierarchical, sgns
from tests.embeddings import launched
from tests.embeddings.launched import DEVICE, ONE_BY_ONE, table, tensor

pytestmark = pytest.mark.usefixtures("poison")
KERNELS = (sgns._sgns, cbow._cbow, hierarchical._skipgram, hierarchical._cbow)
STEPS = ("sgns", "cbow", "skipgram_hierarchical", "cbow_hierarchical")
LR = 0.1


FORMS = pytest.mark.parametrize("rows", [1, 4, 64], indirect=True)


@pytest.fixture(autouse=True)
def rows(request, monkeypatch):
    """Let every kernel hold so many rows at a time; FORMS: one, a few, all."""
    for kernel in KERNELS:
        launched.form(monkeypatch, kernel, getattr(request, "param", 4))


class Problem:
    """Tables and windows of one step; `unique` ids never come twice among all windows."""

    def __init__(self, step, V=20, D=7, W=3, C=4, K=3, unique=False, seed=0):
        rng = np.random.default_rng(seed)
        V = max(V, W * (C + K + 1)) if unique else V
        draw = rng.permutation(V) if unique else rng.integers(V, size=W * (C + K + 1))
        centre, contexts, negatives = np.split(draw[: W * (C + K + 1)], [W, W * (C + 1)])
        contexts = contexts.reshape(W, C).copy()
        contexts[rng.random((W, C)) < 0.3] = -1
        self.step, self.E, self.O = step, table(V, D, seed + 1), table(V, D, seed + 2)
        self.centre, self.contexts, self.negatives = centre.copy(), contexts, negatives.reshape(W, K).copy()
        if "hierarchical" in step:
            tree = reference.huffman(rng.integers(1, 1000, size=V))
            self.O, self.nodes, self.bits = self.O[: V - 1], tree.nodes, tree.bits

    @property
    def ids(self):
        first = [self.contexts, self.centre] if "cbow" in self.step else [self.centre, self.contexts]
        return [*first, *([self.nodes, self.bits] if "hierarchical" in self.step else [self.negatives])]

    def loop(self):
        loss, E, O = getattr(launched, self.step)(self.E, self.O, *self.ids, LR)
        return loss, (E, O)

    def launch(self, dtype=torch.int64, **options):
        tables = tensor(self.E), tensor(self.O)
        before = [t.double().cpu().numpy() for t in tables]
        self.E, self.O = before  # as float32 has them
        loss = getattr(kernels, f"{self.step}_step")(*tables, *(tensor(i, dtype) for i in self.ids), LR, **options)
        return loss, tables

    def check(self, **options):
        loss, tables = self.launch(**options)
        want, wanted = self.loop()
        assert loss.shape == ()
        assert abs(loss.item() - want) <= 1e-5 * max(abs(want), 1e-30)
        assert max(launched.errors(tables, (self.E, self.O), wanted)) <= 1e-4
        return loss, tables


def alike(one, other):
    """Same loss and tables, up to the order in which a row gets two additions of one window."""
    (loss, tables), (another, others) = one, other
    pairs = [(loss, another), *zip(tables, others, strict=True)]
    return all(torch.allclose(a, b, rtol=1e-6, atol=1e-6) for a, b in pairs)


@FORMS
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"D": 1, "W": 1, "C": 1, "K": 1},
        {"D": 63, "W": 3, "C": 5, "K": 2},
        {"D": 300, "W": 1, "C": 10, "K": 5},
        {"D": 64, "W": 2, "C": 3, "K": 20},
    ],
)
def test_a_step_agrees_with_a_loop_over_windows(step, sizes):
    Problem(step, **sizes).check(**ONE_BY_ONE)


@FORMS
@pytest.mark.parametrize("step", STEPS)
def test_words_that_come_again_get_every_addition(step):
    problem = Problem(step, V=3, W=3, C=5, K=6)
    assert max(np.unique(part[part >= 0], return_counts=True)[1].max() for part in problem.ids[:2]) > 2
    problem.check(**ONE_BY_ONE)


@pytest.mark.parametrize("step", ["sgns", "cbow"])
def test_windows_without_a_common_word_need_no_order(step):
    problem = Problem(step, W=6, C=4, K=3, unique=True)
    once = problem.launch()[1]
    problem.check()
    turned = Problem(step, W=6, C=4, K=3, unique=True)
    for name in ("centre", "contexts", "negatives"):
        setattr(turned, name, getattr(turned, name)[::-1].copy())
    assert all(torch.equal(a, b) for a, b in zip(turned.launch()[1], once, strict=True))


def test_a_pair_step_is_the_gradient_of_the_reference_loss():
    p = Problem("sgns", W=1, C=3, K=4)
    p.contexts[0] = [5, 5, 0]  # a context that comes twice
    p.negatives[0] = [0, 7, 7, p.centre[0]]  # a context, a double, the centre itself
    loss, tables = p.launch()
    pairs = [np.repeat(p.centre, 3), p.contexts[0], np.repeat(p.negatives, 3, axis=0)]
    losses, gradients = reference.skipgram_negative_loss(p.E, p.O, *pairs)
    wanted = [p.E - LR * gradients["E"], p.O - LR * gradients["O"]]
    assert abs(loss.item() - losses.sum()) <= 1e-5 * losses.sum()
    assert max(launched.errors(tables, (p.E, p.O), wanted)) <= 1e-4


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_window_is_one_step_along_the_gradient_of_the_reference_loss(step):
    p = Problem(step, W=1, C=4)
    p.contexts[0] = [5, 5, 0, -1]
    p.negatives[0] = [7, 7, p.centre[0]]
    loss, tables = p.launch()
    rest = [reference.HuffmanTree(p.nodes, p.bits, None)] if "hierarchical" in step else [p.negatives]
    words = [np.repeat(p.centre, 3), p.contexts[0, :3]] if "skipgram" in step else [p.contexts, p.centre]
    name = step if "hierarchical" in step else "cbow_negative"
    losses, gradients = getattr(reference, f"{name}_loss")(p.E, p.O, *words, *rest)
    wanted = [p.E - LR * gradients["E"], p.O - LR * gradients["N" if "hierarchical" in step else "O"]]
    assert abs(loss.item() - losses.sum()) <= 1e-5 * losses.sum()
    assert max(launched.errors(tables, (p.E, p.O), wanted)) <= 1e-4


@pytest.mark.parametrize("step", STEPS)
def test_places_without_a_word_do_not_matter(step):
    p = Problem(step, W=4, C=3)
    first = p.launch(**ONE_BY_ONE)
    wider = np.full((4, 7), -1)
    wider[:, [1, 4, 6]] = p.contexts
    p.contexts = wider
    assert alike(p.launch(**ONE_BY_ONE), first)


@pytest.mark.parametrize("step", STEPS)
def test_a_window_without_its_word_changes_nothing(step):
    p = Problem(step, W=3)
    p.centre[1] = -1
    p.check(**ONE_BY_ONE)
    p.centre[:] = -1
    loss, tables = p.launch()
    assert loss.item() == 0
    assert np.array_equal(tables[0].double().cpu().numpy(), p.E)
    assert np.array_equal(tables[1].double().cpu().numpy(), p.O)


@pytest.mark.parametrize("step", STEPS)
def test_a_window_without_contexts_is_no_pair_and_a_mean_of_zero(step):
    p = Problem(step, W=2)
    p.contexts[:] = -1
    loss, tables = p.check(**ONE_BY_ONE)
    assert (loss.item() > 0) == ("cbow" in step)
    assert np.array_equal(tables[1].double().cpu().numpy(), p.O)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("unknown", [-2, 20, 2**40])
def test_an_id_outside_the_table_makes_the_loss_nan_and_is_left_out(step, unknown):
    p = Problem(step, W=3)
    p.contexts[1, 2] = unknown
    loss, tables = p.launch(**ONE_BY_ONE)
    assert loss.isnan()
    p.contexts[1, 2] = -1
    assert max(launched.errors(tables, (p.E, p.O), p.loop()[1])) <= 1e-4


@pytest.mark.parametrize("step", STEPS)
def test_a_centre_or_target_outside_the_table_makes_the_loss_nan_and_is_left_out(step):
    p = Problem(step, W=3)
    p.centre[2] = 20
    loss, tables = p.launch(**ONE_BY_ONE)
    assert loss.isnan()
    p.centre[2] = -1
    assert max(launched.errors(tables, (p.E, p.O), p.loop()[1])) <= 1e-4


@pytest.mark.parametrize("step", STEPS)
def test_no_window_is_no_launch(step):
    loss, tables = (p := Problem(step, W=0)).launch()
    assert loss.item() == 0
    assert np.array_equal(tables[0].double().cpu().numpy(), p.E)


@pytest.mark.parametrize("step", ["sgns", "cbow"])
def test_without_negatives_the_true_words_are_left(step):
    Problem(step, W=3, K=0).check(**ONE_BY_ONE)


def test_a_tree_of_one_word_has_no_turn():
    for step in STEPS[2:]:
        loss, tables = (p := Problem(step, V=1, W=3)).launch()
        assert loss.item() == 0
        assert np.array_equal(tables[0].double().cpu().numpy(), p.E)


@FORMS
@pytest.mark.parametrize("V", [2, 3, 9, 60])
def test_the_busiest_nodes_are_summed_over_a_window_and_nothing_else_changes(V):
    Problem("skipgram_hierarchical", V=V, W=2, C=4).check(**ONE_BY_ONE)


def test_scores_of_any_size_keep_loss_and_slope_finite():
    p = Problem("sgns", W=2, C=2, K=2)
    p.E, p.O = p.E * 30, p.O * 30
    loss, tables = p.check(**ONE_BY_ONE)
    assert loss.isfinite()
    assert all(t.isfinite().all() for t in tables)


def test_the_loss_of_a_sure_pair_keeps_its_digits():
    E, O = tensor(np.array([[3.0]])), tensor(np.array([[5.0]]))
    one = tensor(np.array([0]))
    loss = kernels.sgns_step(E, O, one, one[:, None], one[:, None][:, :0], LR)
    assert abs(loss.item() - np.log1p(np.exp(-15))) <= 1e-6 * np.exp(-15)


@pytest.mark.parametrize("step", STEPS)
def test_ids_may_have_any_integer_type_and_layout(step):
    p = Problem(step, W=2, C=2)
    first = p.launch(**ONE_BY_ONE)
    for dtype in (torch.int32, torch.int16):
        assert alike(p.launch(dtype, **ONE_BY_ONE), first)
    scattered = [torch.stack([tensor(i)] * 2, dim=-1)[..., 0] for i in p.ids]
    assert not any(i.is_contiguous() for i in scattered)
    tables = tensor(p.E), tensor(p.O)
    assert alike((getattr(kernels, f"{step}_step")(*tables, *scattered, LR, **ONE_BY_ONE), tables), first)


@pytest.mark.parametrize("step", ["sgns", "cbow"])
def test_rows_far_into_a_table_are_found(step, tmp_path):
    """More numbers than 32 bits can count; of the file behind them only the pages that are touched exist."""
    D, far = 512, 2**22 + 3  # far * D > 2**31
    p = Problem(step, D=D, W=2, C=2, K=2)
    p.launch()  # so that the loop starts from float32
    want = p.loop()
    if DEVICE == "cuda":
        big = [torch.zeros(far + 20, D, device=DEVICE) for _ in range(2)]
    else:
        files = [str(tmp_path / name) for name in "EO"]
        big = [torch.from_file(f, shared=True, size=(far + 20) * D).view(far + 20, D) for f in files]
    for whole, small in zip(big, (p.E, p.O), strict=True):
        whole[far:] = tensor(small)
    ids = [tensor(np.where(i >= 0, i + far, -1)) for i in p.ids]
    loss = getattr(kernels, f"{step}_step")(*big, *ids, LR, **ONE_BY_ONE)
    assert abs(loss.item() - want[0]) <= 1e-5 * want[0]
    assert max(launched.errors([whole[far:] for whole in big], (p.E, p.O), want[1])) <= 1e-4


@pytest.mark.parametrize("step", STEPS)
def test_the_runs_that_choose_a_form_leave_the_tables_alone(step, monkeypatch):
    p = Problem(step)
    once = p.launch(**ONE_BY_ONE)
    monkeypatch.setattr(common, "interpreting", lambda: False)
    monkeypatch.setattr(common, "_seen", set())
    launches = []
    for kernel in KERNELS:
        monkeypatch.setattr(kernel, "run", lambda *a, run=kernel.run, **k: launches.append(k["lr"]) or run(*a, **k))
    twice = p.launch(**ONE_BY_ONE)
    assert launches == [0.0, LR]
    assert alike(once, twice)
    p.launch(**ONE_BY_ONE)
    assert launches == [0.0, LR, LR]


def test_a_step_tells_torch_that_it_wrote():
    p = Problem("sgns")
    E = tensor(p.E).requires_grad_()
    loss = (E * E).sum()
    kernels.sgns_step(E, tensor(p.O), *(tensor(i) for i in p.ids), LR)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def arguments(step, **changes):
    p = Problem(step, V=10, W=5)
    given = {"E": tensor(p.E), "N" if "hierarchical" in step else "O": tensor(p.O)}
    words = ["contexts", "target"] if "cbow" in step else ["centre", "contexts"]
    names = [*words, *(["nodes", "bits"] if "hierarchical" in step else ["negatives"])]
    given |= dict(zip(names, (tensor(i) for i in p.ids), strict=True)) | {"lr": LR}
    return given | {name: change(given[name]) for name, change in changes.items()}


@pytest.mark.parametrize(
    ("step", "changes", "sentence"),
    [
        ("sgns", {"O": lambda O: O[:, :5]}, "O has shape"),
        ("sgns", {"O": lambda O: O[:9].contiguous()}, r"O has shape \(9, 7\); it must have shape \(10, 7\)"),
        ("sgns", {"E": lambda E: E.double()}, "E holds torch.float64; the kernel takes float32: use backend='torch'"),
        ("cbow", {"E": lambda E: E.T.contiguous().T}, "E is not contiguous, and it is changed in place"),
        ("cbow", {"target": lambda t: t[:3]}, r"target has shape \(3,\); it must have shape \(5,\)"),
        ("cbow", {"negatives": lambda n: n.float()}, "negatives holds torch.float32; ids are integers"),
        ("sgns", {"contexts": lambda c: c[0]}, r"contexts has shape \(4,\); it must have shape \(5, C\)"),
        ("skipgram_hierarchical", {"N": lambda N: N[:4].contiguous()}, r"N has shape \(4, 7\); it must have shape \(9"),
        ("cbow_hierarchical", {"bits": lambda b: b[:, :1]}, "bits has shape"),
        ("cbow_hierarchical", {"nodes": lambda n: n[:4]}, "nodes has shape"),
    ],
)
def test_what_does_not_fit_is_named(step, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        getattr(kernels, f"{step}_step")(**arguments(step, **changes))


def test_a_wrong_number_of_programs_is_named():
    with pytest.raises(ValueError, match="programs is 0; it must be at least 1, or None"):
        kernels.sgns_step(**arguments("sgns"), programs=0)


def test_rows_that_fit_no_program_are_refused():
    wide = torch.zeros(2, common.LARGEST + 1, device=DEVICE)
    ids = torch.zeros(1, 1, dtype=torch.int64, device=DEVICE)
    with pytest.raises(ValueError, match="E has 8193 columns; the kernel takes 1 to 8192: use backend='torch'"):
        kernels.sgns_step(wide, wide.clone(), ids[0], ids, ids, LR)


def test_the_tuner_has_forms_for_every_size(monkeypatch):
    monkeypatch.undo()
    for plan, sizes in ((sgns.plan, (10, 5)), (cbow.plan, (10, 5)), (hierarchical.skipgram_plan, (10, 22))):
        for D in (1, 2, 50, 100, 128, 300, 512, 1000, common.LARGEST):
            constants = plan(*sizes, D)
            forms = common._worth_trying(common.CONFIGS, {}, **constants)
            assert 1 <= len(forms) <= 10, (plan, D)
            assert all(f.kwargs["ROWS"] * constants["COLS"] <= common.MOST * 32 * f.num_warps for f in forms)
