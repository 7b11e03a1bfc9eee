"""Models kept in a file beside the log of their training."""

import numpy as np
import pytest
import torch

from seqlab.weights import check_result, checked_out, load_weights, save_weights


def build(log):
    return torch.nn.Linear(log["inputs"], 2)


def test_a_model_comes_back_with_its_log_in_half_precision(tmp_path):
    model, path = build({"inputs": 3}), tmp_path / "line.npz"
    save_weights(path, model, {"inputs": 3, "command": "seqlab train line"})
    again, log = load_weights(path, build, "seqlab train line")
    assert log == {"inputs": 3, "command": "seqlab train line"}
    assert not again.training
    assert again.weight.dtype == torch.float32
    assert torch.equal(again.weight, model.weight.half().float())


@pytest.mark.parametrize("spoil", ["text", "log", "shape", "cut"])
def test_another_file_is_refused_with_the_command_that_makes_a_right_one(tmp_path, spoil):
    path = tmp_path / "line.npz"
    save_weights(path, build({"inputs": 3}), {"inputs": 4 if spoil == "shape" else 3})
    if spoil == "text":
        path.write_text("hello")
    elif spoil == "log":
        np.savez(path, weight=np.ones(3))
    elif spoil == "cut":
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="holds no model of this kind; make one with `seqlab train line`"):
        load_weights(path, build, "seqlab train line")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "none.npz", build, "seqlab train line")


def test_a_result_that_could_not_be_written_is_refused_before_the_training(tmp_path):
    assert checked_out(tmp_path / "a.npz") == tmp_path / "a.npz"
    with pytest.raises(ValueError, match=r"its name must end with \.npz"):
        checked_out(tmp_path / "a.bin")
    with pytest.raises(ValueError, match="does not exist: make it first"):
        checked_out(tmp_path / "no" / "a.npz")


def test_a_result_that_was_removed_is_missed(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"")
    check_result(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"b\.npz is gone, and .*checkpoint is of a finished run"):
        check_result(tmp_path / "b.npz")
