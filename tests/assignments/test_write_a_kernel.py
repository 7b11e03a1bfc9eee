"""Assignment 12's kernels against the package and torch, counted and compiled; what is out of form is never run."""

import itertools
import linecache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.grading import form
from seqlab.grading.build import filled, release_notebook
from seqlab.grading.model import Outcome, State
from seqlab.grading.run import grade
from seqlab.grading.source import read_source, read_variants
from seqlab.kernels import count, has_triton
from tests import sm90
from tests.assignments.conftest import FOLDER

TWELFTH = "12_write_a_kernel"
DEMOS = ("fused-demo", "cost-demo", "ctc-demo")

pytestmark = pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")


def played(*demos):
    """The names that the notebook's cells define, each cell with a source that Triton can find."""
    names = {"__name__": "notebook"}
    for cell in read_source(FOLDER / TWELFTH).cells:
        if cell.role in ("provided", "answer") or cell.id in demos:
            file = f"<{TWELFTH} {cell.id}>"
            linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(True), file)
            exec(compile(cell.source, file, "exec"), names)
    return names


@pytest.fixture(scope="module")
def space():
    return played()


def test_the_vector_is_torchs(space):
    x, y = torch.randn(2, 37)
    torch.testing.assert_close(count(space["axpy"], 0.7, x, y, 8).result, 0.7 * x + y)


@pytest.mark.parametrize("V", [1, 5, 63])
def test_both_softmaxes_are_torchs_and_move_what_is_due(space, V):
    z = torch.randn(3, V) * 4 + 100
    z[0, : V - 1] = float("-inf")
    at_once, in_blocks = count(space["softmax"], z), count(space["online_softmax"], z, 8)
    for passes, traffic in ((1, at_once), (2, in_blocks)):
        torch.testing.assert_close(traffic.result, torch.softmax(z, 1), rtol=1e-4, atol=1e-7)
        assert (traffic.loaded, traffic.stored) == (passes * 12 * V, 12 * V)
        assert space["softmax_cost"](3, V, 4, passes)[0] == traffic.moved


def test_the_gru_step_is_torchs_and_loads_each_number_once(space):
    cell = torch.nn.GRUCell(3, 9)
    x, h = torch.randn(2, 3), torch.tanh(torch.randn(2, 9))
    with torch.no_grad():
        gi, gh = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h, cell.weight_hh, cell.bias_hh)
        traffic = count(space["gru_step"], gi, gh, h, 4)
        torch.testing.assert_close(traffic.result, cell(x, h), rtol=1e-5, atol=1e-6)
    assert traffic.again == traffic.scratch == 0
    assert traffic.moved == 32 * 2 * 9


@pytest.mark.parametrize("blank", [0, 3])
def test_frame_after_frame_gives_torchs_loss(space, blank):
    targets, T, C = [[1, 2, 2], [2], []], 7, 4
    rows = torch.log_softmax(torch.randn(T, len(targets), C), dim=2)
    rng = np.random.default_rng(0)
    _, _, states, lengths = space["lattices"](rng, targets, C, blank)
    alpha = torch.full(states.shape, float("-inf"))
    for b, n in enumerate(lengths.tolist()):
        alpha[b, : min(n, 2)] = rows[0, b, states[b, : min(n, 2)].long()]
    for t in range(1, T):
        alpha = count(space["ctc_alpha"], alpha, rows[t], states, lengths, blank).result
    for b, target in enumerate(targets):
        given = torch.tensor(target, dtype=torch.int64), torch.tensor(T), torch.tensor(len(target))
        theirs = F.ctc_loss(rows[:, b], *given, blank=blank, reduction="sum")
        n = int(lengths[b])
        mine = -torch.logsumexp(alpha[b, max(n - 2, 0) : n], dim=0)
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
        assert bool(torch.isneginf(alpha[b, n:]).all())


def test_what_is_due_is_what_the_solution_moves(space):
    rng = np.random.default_rng(1)
    for targets in itertools.product([[], [1], [2, 2], [1, 2, 1]], repeat=2):
        traffic = count(space["ctc_alpha"], *space["lattices"](rng, targets, 3))
        assert (traffic.loaded, traffic.stored) == space["ctc_due"](targets)


def test_the_floor_is_the_larger_time(space):
    moved, operations = space["product_cost"](64, 1024, 4096, 2)
    assert (moved, operations) == (2 * (64 * 1024 + 1024 * 4096 + 64 * 4096), 2 * 64 * 1024 * 4096)
    assert space["floor_of"](moved, operations, 1e9, 1e15) == (moved / 1e9, True)
    assert space["floor_of"](moved, operations, 1e15, 1e9) == (operations / 1e9, False)


def test_less_than_due_is_no_mistake_and_more_is(space, capsys):
    traffic = count(space["double"], torch.ones(8))
    assert space["moved"](traffic, 40, 30) == {"loaded": 40, "stored": 32}
    assert capsys.readouterr().out.splitlines() == ["loaded    32 bytes, due    40", "stored    32 bytes, due    30"]


def test_the_demonstrations_show_what_the_text_says(capsys):
    played(*DEMOS)
    said = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(said) if line.startswith("torch, step by step"))
    apart, row, blocks, costs, loss = said[at : at + 5]
    number = [int(line.split(" bytes")[0].split()[-1]) for line in (apart, row, blocks)]
    assert number[1:] == [2 * 4 * 4 * 64, 3 * 4 * 4 * 64]
    assert number[0] > 2 * number[1]
    assert costs == f"said {number[1:]} counted {number[1:]}"
    assert loss.split()[5].rstrip(",") == loss.split()[-1]


def test_every_declared_answer_is_in_its_form():
    assignment = read_source(FOLDER / TWELFTH)
    answers = {answer.id: answer for answer in assignment.answers}
    assert {answer.form for answer in assignment.answers} == {"triton", "arithmetic"}
    variants = read_variants(FOLDER / TWELFTH, assignment)
    for one in (*variants.wrong, *variants.right):
        assert form.fault(answers[one.answer], one.source) == "", one.name


def test_each_wasteful_kernel_keeps_the_points_of_its_numbers():
    assignment = read_source(FOLDER / TWELFTH)
    traffic = {check.id for check in assignment.checks if "moved(" in check.source}
    wasteful = {}
    for one in read_variants(FOLDER / TWELFTH, assignment).wrong:
        if {name for name, earned in one.earns.items() if not earned} == traffic & set(one.earns):
            wasteful.setdefault(one.answer, []).append(one.hint)
    assert set(wasteful) == {"axpy", "softmax", "online", "gru", "ctc"}
    assert all(hint for hints in wasteful.values() for hint in hints)


CHEATS = {  # answer -> (source, line)
    "softmax": ("from seqlab.lm.kernels import softmax_row as softmax_kernel\n", 1),
    "gru": (
        "@triton.jit\ndef gru_step_kernel(gi_ptr, gh_ptr, h_ptr, out_ptr, H, BLOCK: tl.constexpr):\n"
        '    """A docstring.\n    def gru_step_kernel(gi_ptr, gh_ptr, h_ptr, out_ptr, H, BLOCK): import os  # """\n'
        "    pass\n",
        2,
    ),
    "cost": ("count = lambda f, *given: f(*given)\n", 1),
}


@pytest.mark.slow
@pytest.mark.sandbox
def test_an_answer_out_of_form_is_not_run_and_the_others_keep_their_points():
    assignment = read_source(FOLDER / TWELFTH)
    sources = {answer.id: answer.solution for answer in assignment.answers}
    record = grade(filled(release_notebook(assignment), sources | {k: v[0] for k, v in CHEATS.items()}), assignment)
    assert record.outcome is Outcome.GRADED, record.problems
    for one in record.checks:
        if one.answer in CHEATS:
            assert (one.state, one.earned) == (State.NOT_RUN, 0), one
            assert one.message.startswith(f"line {CHEATS[one.answer][1]} of the answer "), one
        else:
            assert one.earned == one.points, one


@pytest.mark.slow
def test_the_kernels_are_real_ones_and_compile_for_a_gpu(tmp_path):
    rows = sm90.run("tests.assignments.compile_sm90", tmp_path)
    assert set(rows) == {
        "axpy_kernel",
        "softmax_kernel",
        "online_softmax_kernel",
        "gru_step_kernel",
        "ctc_alpha_kernel",
    }
    assert set(rows.values()) == {0}  # spills
