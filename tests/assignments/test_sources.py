"""The assignments as their authors wrote them: whole, in normal form, honest about points and closed books."""

import ast
import re

import numpy as np
import pytest
import torch

from seqlab import notebooks
from seqlab.grading.build import release_notebook
from seqlab.grading.source import read_source, read_variants
from seqlab.recurrent import reference
from tests.assignments.conftest import FOLDER, NAMES

FIRST, SECOND = "01_recurrent_step_by_step", "02_backpropagation_through_time"


@pytest.fixture(scope="module", params=NAMES)
def assignment(request):
    return read_source(FOLDER / request.param)


def solved(name, *others):
    """The names that the solutions and the provided cells of an assignment define."""
    space = {"__name__": "notebook"}
    for cell in read_source(FOLDER / name).cells:
        if cell.role == "answer" or cell.id in others or cell.id == "setup":
            exec(compile(cell.source, cell.id, "exec"), space)
    return space


def test_the_assignments_are_there():
    assert {FIRST, SECOND} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_in_normal_form(name):
    assert notebooks.untidy(FOLDER / name / "assignment.ipynb") is None


def test_each_heading_says_the_points_of_its_answer(assignment):
    text = "\n".join(cell.source for cell in assignment.cells if cell.role == "text")
    said = [int(points) for points in re.findall(r"^## \d+\. .*\((\d+) points\)$", text, re.MULTILINE)]
    assert said == [sum(c.points for c in assignment.checks if c.answer == a.id) for a in assignment.answers]


def test_each_written_question_says_its_points(assignment):
    asked = {cell.id: cell.source for cell in assignment.cells if cell.role == "manual"}
    for one in assignment.manuals:
        assert re.match(rf"## \d+\. .*\({one.points:g} points\)$", asked[one.id], re.MULTILINE), one.id


def test_each_answer_has_a_visible_and_a_hidden_check_and_each_check_a_hint(assignment):
    for answer in assignment.answers:
        assert {check.visible for check in assignment.checks if check.answer == answer.id} == {True, False}, answer.id
    assert [check.id for check in assignment.checks if not check.hint] == []


def test_the_text_names_every_closed_module(assignment):
    text = next(cell.source for cell in assignment.cells if cell.id == "how-it-works")
    for answer in assignment.answers:
        assert answer.closed, answer.id
        assert [module for module in answer.closed if f"`{module}`" not in text] == []


def test_each_answer_has_a_declared_wrong_one_and_some_an_unusual_right_one(assignment):
    variants = read_variants(FOLDER / assignment.name, assignment)
    assert {one.answer for one in variants.wrong} == {answer.id for answer in assignment.answers}
    assert len(variants.wrong) >= 5
    assert len(variants.right) >= 1


def test_released_code_fits_a_phone(assignment):
    cells = [cell for cell in release_notebook(assignment)["cells"] if cell["cell_type"] == "code"]
    lines = [(cell["id"], line) for cell in cells for line in notebooks.text_of(cell).splitlines()]
    assert [(name, line) for name, line in lines if len(line) > 79] == []


def test_each_answer_says_what_goes_in_and_what_comes_out(assignment):
    for answer in assignment.answers:
        for node in ast.parse(answer.stub).body:
            if isinstance(node, ast.FunctionDef):
                assert ast.get_docstring(node), node.name


@pytest.fixture(params=["tanh", "relu"])
def network(request):
    """Random arrays of a network, its states by the package, and the same network in torch."""
    rng, (B, T, D, H) = np.random.default_rng(7), (3, 6, 4, 5)
    shapes = {"x": (B, T, D), "h0": (B, H), "W_ih": (H, D), "W_hh": (H, H), "b_ih": (H,), "b_hh": (H,)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    h, cache = reference.rnn_forward(**arrays, nonlinearity=request.param)
    twin = torch.nn.RNN(D, H, nonlinearity=request.param, batch_first=True, dtype=torch.float64)
    twin.load_state_dict(
        {
            "weight_ih_l0": torch.tensor(arrays["W_ih"]),
            "weight_hh_l0": torch.tensor(arrays["W_hh"]),
            "bias_ih_l0": torch.tensor(arrays["b_ih"]),
            "bias_hh_l0": torch.tensor(arrays["b_hh"]),
        }
    )
    return request.param, arrays, h, cache, twin, rng.normal(size=h.shape)


def test_the_forward_solution_agrees_with_the_package_and_torch(network):
    nonlinearity, arrays, h, _, twin, _ = network
    space, weights = solved(FIRST), [arrays[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")]
    mine = space["rnn_forward"](lambda x, h: space["rnn_step"](x, h, *weights, nonlinearity), arrays["x"], arrays["h0"])
    theirs, _ = twin(torch.tensor(arrays["x"]), torch.tensor(arrays["h0"][None]))
    np.testing.assert_allclose(mine, h, rtol=1e-12)
    np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-10)


def test_the_loss_solution_agrees_with_torch():
    rng = np.random.default_rng(3)
    z, y, real = rng.normal(size=(4, 7)), rng.integers(2, size=(4, 7)), rng.random((4, 7)) < 0.7
    space = solved(FIRST)
    losses, total = space["sequence_loss"](space["sigmoid"](z), y, real)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(z), torch.tensor(y, dtype=torch.float64), weight=torch.tensor(real), reduction="none"
    )
    np.testing.assert_allclose(losses, theirs.numpy(), rtol=1e-10)
    assert total == pytest.approx(theirs.sum().item())


def step_of(space, arrays, nonlinearity):
    def step_back(dh, x, h_prev, h):
        return space["step_backward"](dh, x, h_prev, h, arrays["W_ih"], arrays["W_hh"], nonlinearity)

    return step_back


def test_the_backward_solution_agrees_with_autograd(network):
    nonlinearity, arrays, h, _, twin, dh = network
    space = solved(SECOND)
    mine = space["sequence_backward"](step_of(space, arrays, nonlinearity), dh, arrays["x"], arrays["h0"], h)
    x, h0 = (torch.tensor(arrays[name], requires_grad=True) for name in ("x", "h0"))
    twin(x, h0[None])[0].backward(torch.tensor(dh))
    theirs = {"x": x.grad, "h0": h0.grad, "W_ih": twin.weight_ih_l0.grad, "W_hh": twin.weight_hh_l0.grad}
    theirs["b"] = twin.bias_ih_l0.grad
    assert mine.keys() == theirs.keys()
    for name, gradient in theirs.items():
        np.testing.assert_allclose(mine[name], gradient.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [1, 2, 4, 6, 9])
def test_the_truncated_solution_agrees_with_the_package(network, k):
    nonlinearity, arrays, h, cache, _, dh = network
    space = solved(SECOND)
    mine = space["truncated_backward"](step_of(space, arrays, nonlinearity), dh, arrays["x"], arrays["h0"], h, k)
    theirs = reference.rnn_backward(dh, cache, truncate=k)
    for name in ("x", "h0", "W_ih", "W_hh"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(mine["b"], theirs["b_ih"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", ["tanh"], indirect=True)
def test_the_vanishing_solution_agrees_with_automatic_jacobians(network):
    _, arrays, h, _, twin, _ = network
    x = torch.tensor(arrays["x"][:1])
    jacobians = torch.autograd.functional.jacobian(
        lambda h0: twin(x, h0[None, None])[0][0], torch.tensor(arrays["h0"][0])
    )
    norms = solved(SECOND)["jacobian_norms"](h[0], arrays["W_hh"])
    np.testing.assert_allclose(norms, jacobians.flatten(1).norm(dim=1).numpy(), rtol=1e-9)


def test_clipping_agrees_with_the_package_where_numbers_are_finite():
    rng, space = np.random.default_rng(5), solved(SECOND)
    gradients = {"W": rng.normal(size=(3, 4)) * 9, "b": rng.normal(size=3)}
    for limit in (0.1, 4.0, 1e3):
        mine, norm = space["clip_by_norm"](gradients, limit)
        theirs, their_norm = reference.clip_by_norm(gradients, limit)
        assert norm == pytest.approx(their_norm)
        values = space["clip_by_value"](gradients, limit), reference.clip_by_value(gradients, limit)
        for name in gradients:
            np.testing.assert_allclose(mine[name], theirs[name])
            np.testing.assert_array_equal(values[0][name], values[1][name])


def test_the_networks_made_by_hand_do_what_the_text_says(capsys):
    solved(FIRST, "tagger-weights", "tagger-demo", "hello-demo")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "[Harry] [Potter] and [Hermione] [Granger] invented a new spell",
        "[Ron] [Weasley] invented a spell",
        "a Potter invented [Ron]",
        "hello",
    ]


def test_the_network_that_is_trained_learns_to_spell(capsys):
    solved(SECOND, "forward-pass", "small-network", "three-ways", "hello-demo")
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "says" in line][-1].endswith("says hello")
    errors = [float(line.split()[-1]) for line in said if "against" in line]
    assert len(errors) == 7
    assert max(errors) < 1e-5
