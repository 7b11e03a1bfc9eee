"""The copy task: its sequences, what the shipped machine and LSTM do with them, the command and its errors."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab import cli
from seqlab.attention import TuringMachine, copying, load_turing
from seqlab.attention.copying import bits_wrong, copy_batch, copy_loss, longer, train_turing

SMALL = {"rows": 8, "width": 6, "hidden": 10}


@pytest.fixture
def brief(monkeypatch):
    """Measure a trained model at a few lengths alone."""
    monkeypatch.setattr(copying, "LENGTHS", (1, 2, 3))
    monkeypatch.setattr(copying, "SEQUENCES", 4)


class Oracle(torch.nn.Module):
    """Says what it heard, or the opposite of its first bits."""

    def __init__(self, bits, flipped=0):
        super().__init__()
        self.out, self.flipped = torch.nn.Linear(1, bits), flipped

    def forward(self, x):
        L, bits = x.shape[1] // 2, x.shape[2] - 1
        said = torch.zeros(*x.shape[:2], bits)
        said[:, L + 1 :] = 100 * x[:, :L, :bits]
        said[:, L + 1, : self.flipped] *= -1
        return said


def call(capsys, *arguments):
    """Run `seqlab train turing`: (status, what it printed, what it complained)."""
    status = cli.main(["train", "turing", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_sequence_is_heard_then_the_delimiter_then_silence():
    x, y = copy_batch(np.random.default_rng(0), 5, 4, bits=3)
    assert x.shape == (5, 9, 4)
    assert y.shape == (5, 4, 3)
    assert torch.equal(x[:, :4, :3] > 0, y > 0.5)
    assert torch.equal(x[:, :4, :3].abs(), torch.ones(5, 4, 3))
    assert torch.equal(x[:, 4], torch.tensor([0.0, 0, 0, 1]).expand(5, 4))
    assert (x[:, :4, 3] == 0).all()
    assert (x[:, 5:] == 0).all()
    assert 0.2 < y.mean() < 0.8


def test_the_loss_and_the_wrong_bits_of_one_who_knows():
    batch = copy_batch(np.random.default_rng(0), 4, 6, bits=3)
    assert copy_loss(Oracle(3), batch) < 1e-6
    assert bits_wrong(Oracle(3), 6) == 0
    assert bits_wrong(Oracle(3, flipped=2), 6) == 2
    assert copy_loss(Oracle(3, flipped=2), batch) == pytest.approx(100 * 2 / 18, rel=1e-3)


def test_what_is_said_before_the_silence_does_not_count():
    x, y = copy_batch(np.random.default_rng(0), 2, 5, bits=3)

    def talks(x):
        said = Oracle(3)(x)
        said[:, :6] = 77.0
        return said

    assert copy_loss(talks, (x, y)) < 1e-6


# ---------------------------------------------------------------------------------------- what comes with the package


def test_the_shipped_machine_copies_far_beyond_its_training_and_the_lstm_does_not():
    machine, log = load_turing()
    lstm, other = load_turing("lstm")
    longest, bits = log["training"]["longest"], log["model"]["output_size"]
    assert other["training"]["longest"] == longest
    for length in (1, longest // 2, longest, 2 * longest):
        assert bits_wrong(machine, length, count=8, seed=1) <= 0.5
    assert bits_wrong(lstm, 2 * longest, count=8, seed=1) > 0.2 * bits * 2 * longest


def test_what_is_longer_than_the_memory_is_lost_and_a_longer_memory_holds_it():
    machine, log = load_turing()
    rows, bits = 2 * log["training"]["longest"], log["model"]["output_size"]
    short = longer(machine, rows)
    assert bits_wrong(short, rows - 12, count=8) <= 1
    assert bits_wrong(short, rows + 8, count=8) > 0.2 * bits * (rows + 8)
    assert bits_wrong(longer(short, 2 * rows), rows + 8, count=8) <= 1


@pytest.mark.parametrize("kind", ["turing", "lstm"])
def test_the_log_of_the_shipped_models_tells_the_truth(kind):
    model, log = load_turing(kind)
    assert log["kind"] == kind
    assert log["command"].startswith(f"seqlab train turing --kind {kind} --steps ")
    assert log["history"]["step"][-1] == log["training"]["steps"]
    for copies in log["copies"]:
        tried = model if copies["rows"] is None else longer(model, copies["rows"])
        for place in (3, log["lengths"].index(log["training"]["longest"])):
            length, told = log["lengths"][place], copies["wrong"][place]
            assert bits_wrong(tried, length, log["sequences"]) == pytest.approx(told, abs=0.5 + 0.02 * told)


def test_the_weights_of_a_longer_memory_are_its_own():
    machine = TuringMachine(3, 2, rows=5, width=4, hidden=6).eval()
    other = longer(machine, 9)
    assert (other.rows, other.training) == (9, False)
    with torch.no_grad():
        other.out.bias += 1
    assert not torch.equal(other.out.bias, machine.out.bias)


# ----------------------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize("kind", ["turing", "lstm"])
def test_a_run_writes_weights_and_log_and_the_same_seed_gives_the_same(kind, tmp_path, brief):
    sizes = SMALL if kind == "turing" else {"hidden": 10}
    logs = [
        train_turing(tmp_path / name, kind=kind, steps=6, longest=4, seed=3, progress=False, **sizes)
        for name in ("one.npz", "two.npz")
    ]
    (one, log), (two, _) = (load_turing(kind, tmp_path / name) for name in ("one.npz", "two.npz"))
    assert log == logs[0]
    assert log["copies"] == logs[1]["copies"]
    assert len(log["history"]["loss"]) == 6
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.slow
def test_the_machine_learns_something(tmp_path, brief):
    log = train_turing(tmp_path / "m.npz", steps=240, longest=2, progress=False, **SMALL)
    assert log["history"]["loss"][-1] < 0.65 < np.log(2)  # what guessing pays


def test_the_command_tells_what_it_made(tmp_path, capsys, monkeypatch, brief):
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "m.npz"
    status, said, _ = call(capsys, "--out", out, "--steps", 3, "--longest", 3, "--rows", 8, "--hidden", 8)
    assert status == 0
    assert "bits wrong a sequence with 8 rows: 1 long" in said
    assert "with 16 rows" in said
    model, log = load_turing("turing", out)
    assert model.rows == 8
    assert log["command"].endswith("--longest 3 --seed 0 --rows 8 --hidden 8 --out m.npz")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "m.pt"], "its name must end with .npz"),
        (["--out", "nowhere/m.npz"], "does not exist: make it first"),
        (["--out", "m.npz", "--kind", "lstm", "--rows", "9"], "--rows is of the Turing machine's memory"),
        (["--out", "m.npz", "--kind", "lstm", "--controller", "lstm"], "--controller is of the Turing machine's"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_sentence(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    status, _, complaint = call(capsys, *arguments, "--steps", 2)
    assert status == 2
    assert sentence in complaint
    assert not Path("m.npz").exists()


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="kind is 'gru'; it must be 'turing' or 'lstm'"):
        load_turing("gru")
    with pytest.raises(ValueError, match="kind is 'gru'"):
        train_turing(tmp_path / "m.npz", kind="gru")
    with pytest.raises(ValueError, match="longest is 1; it must be at least 2"):
        train_turing(tmp_path / "m.npz", longest=1)
    with pytest.raises(ValueError, match="length is 0; it must be at least 1"):
        copy_batch(np.random.default_rng(0), 3, 0)
    with pytest.raises(FileNotFoundError):
        load_turing("turing", tmp_path / "none.npz")


def test_a_file_of_the_other_kind_is_refused_with_the_command_that_makes_one(tmp_path, brief):
    train_turing(tmp_path / "l.npz", kind="lstm", steps=1, longest=2, progress=False, hidden=4)
    with pytest.raises(ValueError, match=r"make one with `seqlab train turing --kind turing --out FILE\.npz`"):
        load_turing("turing", tmp_path / "l.npz")
    (tmp_path / "bad.npz").write_bytes(b"none")
    with pytest.raises(ValueError, match="holds no model of this kind"):
        load_turing("lstm", tmp_path / "bad.npz")


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_the_same_line_goes_on_to_the_same_end(tmp_path, brief):
    sizes = ["--steps", "60", "--longest", "4", "--rows", "8", "--hidden", "8"]
    line = [sys.executable, "-m", "seqlab.cli", "train", "turing", *sizes, "--out", tmp_path / "m.npz"]
    beside = tmp_path / "m.npz.checkpoint"
    with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        for _ in range(600):
            if beside.exists() or run.poll() is not None:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, complaint = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "run the same again to go on" in complaint
    log = train_turing(
        tmp_path / "m.npz", steps=60, longest=4, progress=False, rows=8, hidden=8
    )  # from the checkpoint on
    whole = train_turing(tmp_path / "w.npz", steps=60, longest=4, progress=False, rows=8, hidden=8)
    assert log["history"]["loss"] == whole["history"]["loss"]
    assert log["copies"] == whole["copies"]


def test_the_names_of_the_models_are_those_of_the_command():
    assert set(copying.MODELS) == {"turing", "lstm"}
