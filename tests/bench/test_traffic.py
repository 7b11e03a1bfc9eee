"""What is counted of every kernel agrees with its cost, to the byte; the file that the page shows is what is counted.

The unit part counts the smallest size of most kernels; the slow part everything.
"""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from seqlab.attention.cost import additive_passes, attention_passes
from seqlab.bench import BENCHMARKS
from seqlab.ctc.cost import loss_passes
from seqlab.decode.cost import beam_step_passes, eager_passes
from seqlab.kernels import has_triton, interpreting
from seqlab.lm.cost import eager_bytes, softmax_bytes

if not has_triton() or not interpreting():
    pytest.skip("traffic is counted in Triton's interpreter", allow_module_level=True)
from seqlab.bench import traffic
from seqlab.bench.differences import Difference, differences
from seqlab.kernels import count
from seqlab.recurrent.kernels import is_resident

LONG = ("sgns", "cbow", "hierarchical", "glove", "ctc_beam")  # seconds each in the interpreter
QUICK = [name for name in BENCHMARKS if name not in LONG]
KEPT = traffic.read()


def key(row):
    return row["benchmark"], tuple(row["shape"].items()), row["pass"], row["way"]


def hold(rows):
    """Every row agrees, and the file holds it."""
    kept = {key(row): row for row in KEPT}
    for row in rows:
        assert row["agrees"], row
        assert kept[key(row)] == row, "made anew by: python -c 'from seqlab.bench import traffic; traffic.write()'"


@pytest.mark.parametrize("name", QUICK)
def test_what_is_counted_agrees_with_the_cost(name):
    rows = traffic.counted(name, quick=True)
    assert rows
    hold(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_size_and_pass_agrees_and_the_file_holds_nothing_else(name):
    rows = traffic.counted(name)
    hold(rows)
    assert [key(row) for row in rows] == [key(row) for row in KEPT if row["benchmark"] == name]


def test_the_file_holds_every_kernel_at_every_small_size():
    sizes = {(name, tuple(shape.items())) for name, b in BENCHMARKS.items() for shape in b.shapes["small"]}
    assert sizes <= {key(row)[:2] for row in KEPT}
    assert len({key(row) for row in KEPT}) == len(KEPT)
    launched = {kernel for row in KEPT for kernel in row["kernels"]}
    assert launched == _kernels()


def _kernels():
    """Names of the kernels of all rooms: functions of Triton that ask which program they are, and no other calls."""
    asking, called = set(), set()
    package = Path(traffic.__file__).parents[1]
    for path in (path for path in package.rglob("*.py") if path.parent != package / "bench"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef) or "triton.jit" not in map(ast.unparse, node.decorator_list):
                continue
            calls = {ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
            called |= calls
            if "tl.program_id" in calls:
                asking.add(node.name)
    return {name.lstrip("_") for name in asking - called}


def test_every_kernel_is_beside_a_way_out_of_torch_s_functions():
    assert set(traffic.EAGER) == set(BENCHMARKS)
    for row in KEPT:
        assert row["peer"] in traffic.EAGER[row["benchmark"]]
        assert row["peer_moved"] > 0


def test_the_recurrences_are_counted_with_weights_that_stay_and_with_weights_that_are_shared_out():
    for cell in ("rnn", "gru", "lstm"):
        shapes = [row["shape"] for row in KEPT if row["benchmark"] == cell]
        assert {is_resident(shape["H"], torch.float32, cell) for shape in shapes} == {True, False}


def test_every_difference_says_why_in_a_sentence_with_a_number():
    for row in KEPT:
        assert row["agrees"]
        assert row["explained"] == row["cost_bytes"] - row["needed"] == sum(p["bytes"] for p in row["differences"])
        assert bool(row["differences"]) == bool(row["explained"])
        for part in row["differences"]:
            assert part["bytes"]
            assert part["reason"][0].isupper() or part["reason"].startswith("cost()")
            assert part["reason"].endswith(".")
            assert f"{part['reason'].rstrip('.')} ({part['bytes']:,} bytes)." in row["reason"]


@pytest.fixture
def dearer(monkeypatch):
    """Let the cost of a benchmark be so many bytes more."""

    def change(name, more):
        right = BENCHMARKS[name]

        def cases(shape, device):
            found = right.cases(shape, device)
            return [replace(case, cost=replace(case.cost, bytes=case.cost.bytes + more)) for case in found]

        monkeypatch.setitem(traffic.BENCHMARKS, name, replace(right, cases=cases))

    return change


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("name", ["softmax", "embedding", "rnn"])
def test_a_cost_that_is_a_byte_off_is_found_out(name, more, dearer, capsys):
    dearer(name, more)
    rows = traffic.counted(name, quick=True)
    assert not any(row["agrees"] for row in rows)
    with pytest.raises(ValueError, match=f"{len(rows)} of {len(rows)} counts do not agree with cost\\(\\): {name}"):
        traffic.table(rows)
    assert f"{rows[0]['cost_bytes']:,}" in capsys.readouterr().out


def test_torch_cannot_be_said_to_move_what_it_does_not(monkeypatch):
    """What the kernel reads itself is not explained by torch."""
    shape = BENCHMARKS["softmax"].shapes["small"][0]
    bytes = 2 * shape["B"] * shape["V"] * 4
    wrong = (Difference("Torch reads the scores.", 0), Difference("Torch does all.", bytes, by_torch=True))
    monkeypatch.setattr(traffic, "differences", lambda *given: wrong)
    row = traffic.counted("softmax", quick=True)[0]
    assert not traffic.agree(row)
    assert not traffic.agree(row | {"needed": 0})
    assert traffic.agree(row | {"needed": 0, "torch_moved": bytes})


def test_labels_that_come_twice_are_read_once(monkeypatch):
    """With one class beside the blank all labels are the same."""
    shape = {"T": 5, "B": 2, "C": 2, "L": 3, "dtype": "float32"}
    right = BENCHMARKS["ctc_loss"]
    monkeypatch.setitem(traffic.BENCHMARKS, "ctc_loss", replace(right, shapes={"small": [shape]}))
    (row,) = traffic.counted("ctc_loss", quick=True)
    assert row["agrees"]
    assert row["explained"] == 5 * 2 * (3 - 1) * 4


def test_a_size_that_needs_no_explanation_has_none():
    assert differences("perplexity_search", {"N": 40, "k": 30, "perplexity": 10, "dtype": "float32"}, "forward") == ()


def test_the_table_holds_every_row_and_the_reasons(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = [row for row in KEPT if row["benchmark"] in ("gru", "flash")]
    traffic.table(rows, out=tmp_path / "rows.json")
    text = capsys.readouterr().out
    for row in rows:
        for number in ("cost_bytes", "needed", "explained"):
            assert f"{row[number]:,}" in text
    assert " ".join(rows[0]["differences"][0]["reason"].split()) in " ".join(text.split())
    assert f"All {len(rows)} counts agree" in text
    assert traffic.read(tmp_path / "rows.json") == rows


def test_where_kernels_are_compiled_the_counts_of_the_package_are_shown(capsys, monkeypatch):
    monkeypatch.setattr(traffic, "interpreting", lambda: False)
    traffic.table()
    text = capsys.readouterr().out
    assert text.startswith("No kernel is interpreted in this process: these counts came with the package.")
    assert f"All {len(KEPT)} counts agree" in text


def test_wrong_names_and_files_are_told(tmp_path):
    with pytest.raises(ValueError, match="there is no benchmark 'sofmax'; there is rnn, "):
        traffic.counted("sofmax")
    (tmp_path / "old.json").write_text("[]")
    with pytest.raises(ValueError, match="is no count of format 1: make it anew"):
        traffic.read(tmp_path / "old.json")


def test_the_passes_that_the_book_lists_are_those_that_torch_makes():
    z, y = torch.randn(8, 1000, requires_grad=True), torch.arange(8)
    eager = count(lambda: torch.autograd.grad(F.cross_entropy(z, y), z)).torch_moved
    assert sum(eager_bytes(8, 1000, 4).values()) == pytest.approx(eager, rel=2e-3)  # ids, and a number a row
    scores, totals = torch.randn(3, 4, 500), torch.randn(3, 4)
    eager = count(lambda: (scores.log_softmax(-1) + totals[..., None]).flatten(1).topk(5)).torch_moved
    assert sum(eager_passes(3, 4, 500, 4).values()) == pytest.approx(eager, rel=3e-3)  # the totals, and what is kept
    q, k, v = (torch.randn(2, 1, 63, 16) for _ in range(3))
    eager = count(lambda: (q @ k.mT).softmax(-1) @ v).torch_moved
    assert sum(attention_passes(2, 1, 63, 63, 16, 4).values()) == eager
    q, k, value, w = *(torch.randn(2, 17, 24) for _ in range(3)), torch.randn(24)
    eager = count(lambda: (torch.tanh(q[:, :, None] + k[:, None]) @ w).softmax(-1) @ value).torch_moved
    arguments = (3 * 2 * 17 * 24 + 24) * 4 + 2 * 17 * 24 * 4  # and the context, which the list leaves out as small
    assert sum(additive_passes(2, 17, 17, 24, 4).values()) + arguments == eager


def test_the_passes_that_the_book_lists_are_those_that_the_kernels_make():
    from seqlab.ctc.kernels import ctc_loss
    from seqlab.decode import kernels
    from seqlab.lm.kernels import softmax

    B, K, V, width = 3, 4, 512, 5  # whole groups: of one that sticks out, less is looked at again
    group = kernels.group_size(V, width)
    assert V % group == 0
    moved = count(kernels.beam_step, torch.randn(B, K, V), torch.randn(B, K), width).moved
    assert sum(beam_step_passes(B, K, V, width, 4, group).values()) == moved
    T, B, C, L = 6, 1, 63, 3
    log_probs, targets = torch.randn(T, B, C).log_softmax(2), torch.tensor([[5, 9, 2]])
    lengths = torch.tensor([T]), torch.tensor([L])
    lattice, gradient = (part.by_argument for part in count(ctc_loss, log_probs, targets, *lengths).launches)
    large = [*(lattice[name] for name in ("lp", "m", "e")), *(gradient[name] for name in ("m", "e", "lp", "out"))]
    twice = 2 * T * B * (L + 1) * 4  # the places of blank and labels
    assert sum(loss_passes(T, B, C, L, 4).values()) == sum(map(sum, large)) - twice
    z = torch.randn(3, 500)
    for way, kernel in (("row", softmax.softmax_row), ("online", softmax.softmax_online)):
        assert sum(softmax_bytes(3, 500, 4, way).values()) == count(kernel, z).moved
    assert sum(softmax_bytes(3, 500, 4, "passes").values()) == count(softmax.softmax_passes, z).moved
