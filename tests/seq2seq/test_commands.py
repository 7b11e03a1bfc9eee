"""`seqlab train addition | dates | phrasebook`: runs that can be stopped, files, one sentence for a mistake."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from seqlab import cli
from seqlab.learning import load_checkpoint
from seqlab.seq2seq import exact_match, load_addition, load_dates, load_phrasebook, shipped

SMALL = ["--out", "m.npz", "--hidden", "12", "--embedding", "6", "--epochs", "2", "--pairs", "300"]
LOAD = {"addition": load_addition, "dates": load_dates, "phrasebook": load_phrasebook}


def call(capsys, *arguments):
    """Run `seqlab train`: (status, what it printed, what it complained)."""
    status = cli.main(["train", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fresh current folder, and few pairs to measure on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(shipped, "HELD_OUT", {"addition": 40, "dates": 40, "phrasebook": 40})
    return tmp_path


@pytest.mark.parametrize("task", LOAD)
def test_it_writes_a_model_that_loads_and_says_what_it_measured(here, capsys, task):
    status, out, err = call(capsys, task, *SMALL)
    assert (status, err) == (0, "")
    t = LOAD[task](path=here / "m.npz")
    log = t.log
    assert not t.model.training
    assert (t.model.settings["hidden"], t.model.settings["embedding"]) == (12, 6)
    assert len(t.source_vocabulary) == t.model.settings["source_size"]
    learnt, held_out = getattr(shipped, f"{task}_pairs")(300)
    assert (log["training"]["learnt"], log["training"]["held_out"]) == (len(learnt), len(held_out))
    name = "right" if task == "phrasebook" else "exact"
    measure = shipped.right_share if task == "phrasebook" else exact_match
    assert log[name] == measure(t, held_out)
    assert f"{log[name]:.1%} of {len(held_out)} held-out" in out
    steps = 2 * (len(learnt) // shipped.BATCH_SIZE)
    assert log["history"]["step"] == [steps // 2, steps]
    assert len(log["history"]["valid_loss"]) == 2
    assert log["history"]["loss"][-1] < math.log(len(t.target_vocabulary))
    assert log["seconds"] > 0
    assert str(here) not in json.dumps(log)  # a committed file names no folder of its author
    if task != "phrasebook":
        assert sum(row["n"] for row in log["by_length"]) == len(held_out)
        right = sum(row["n"] * row["exact"] for row in log["by_length"])
        assert math.isclose(right, log["exact"] * len(held_out), abs_tol=1e-9)
    else:
        assert 0 < log["floor"] < log["history"]["valid_loss"][-1]


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["addition", "--kind", "plain"], {"reverse": False, "peek": False, "attention": None}),
        (["addition", "--kind", "reversed"], {"reverse": True, "peek": False}),
        (["addition", "--kind", "peeking"], {"reverse": True, "peek": True}),
        (["dates"], {"attention": "additive", "bidirectional": True}),
        (["dates", "--no-attention"], {"attention": None, "bidirectional": True}),
        (["phrasebook"], {"attention": "additive", "bidirectional": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_logged_command_makes_the_same_weights_again(here, capsys, arguments, form):
    assert call(capsys, *arguments, *SMALL, "--seed", 4)[0] == 0
    first = LOAD[arguments[0]](path=here / "m.npz")
    assert {name: first.model.settings[name] for name in form} == form
    for name in ("m.npz", "m.npz.checkpoint"):
        (here / name).unlink()
    words = first.log["command"].split()
    assert words[:2] == ["seqlab", "train"]
    assert call(capsys, *words[2:])[0] == 0
    again = LOAD[arguments[0]](path=here / "m.npz")
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
    assert again.log["history"]["loss"] == first.log["history"]["loss"]


def test_the_file_holds_float16(here, capsys):
    call(capsys, "addition", *SMALL)
    with np.load(here / "m.npz") as file:
        assert {file[name].dtype for name in file.files if name != "log"} == {np.dtype(np.float16)}


def test_the_held_out_pairs_are_not_learnt():
    learnt, held_out = shipped.addition_pairs(900, digits=2)
    assert len(held_out) == 101
    assert not {frozenset(q.split("+")) for q, _ in learnt} & {frozenset(q.split("+")) for q, _ in held_out}
    learnt, held_out = shipped.dates_pairs(900)
    assert not {text for text, _ in learnt} & {text for text, _ in held_out}
    learnt, held_out = shipped.phrasebook_pairs(4000)
    aside = {tuple(words) for words, _ in held_out}
    assert len(aside) == len(held_out) == 1000
    assert not aside & {tuple(words) for words, _ in learnt}
    assert held_out == shipped.phrasebook_pairs(10, seed=7)[1]


def test_the_grammar_s_loss_is_that_of_its_own_probabilities():
    from seqlab.data import phrasebook_references

    source = ["jane", "visite", "l'", "afrique", "en", "septembre"]
    references = phrasebook_references(source)
    pairs = [(source, words) for words, _ in references[:3]]
    nll = -sum(math.log(share) for _, share in references[:3])
    assert math.isclose(shipped.grammar_loss(pairs), nll / sum(len(words) + 1 for words, _ in references[:3]))


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_loses_nothing(tmp_path):
    """A real process, a real signal: it says how to go on, and going on gives the weights of a straight run."""
    line = ["addition", "--out", "m.npz", "--hidden", "12", "--embedding", "6", "--epochs", "30", "--pairs", "1500"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole = [sys.executable, "-m", "seqlab.cli", "train", *line]
    process = subprocess.Popen(whole, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    checkpoint = tmp_path / "m.npz.checkpoint"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert b"run the same again to go on" in err
    assert b"Traceback" not in err
    place = load_checkpoint(checkpoint)["place"]
    assert place["step"] < 30 * 11
    how = {"hidden": 12, "embedding": 6, "epochs": 30, "pairs": 1500, "progress": False}
    shipped.train_addition(tmp_path / "m.npz", **how)
    shipped.train_addition(tmp_path / "straight.npz", **how)
    stopped, straight = (load_addition(path=tmp_path / name).model.state_dict() for name in ("m.npz", "straight.npz"))
    assert all(torch.equal(stopped[name], straight[name]) for name in straight)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["addition"], "Missing option '--out'"),
        (["addition", "--kind", "peeky", "--out", "m.npz"], "Invalid value for '--kind'"),
        (["addition", "--digits", "0", "--out", "m.npz"], "Invalid value for '--digits'"),
        (["addition", "--digits", "1", "--out", "m.npz"], "with 1 digits there are 55 different sums"),
        (["addition", "--out", "m.zip"], "its name must end with .npz"),
        (["dates", "--out", "nowhere/m.npz"], "does not exist: make it first"),
        (["dates", "--hidden", "7", "--pairs", "20", "--out", "m.npz"], "two directions need an even number"),
        (["phrasebook", "--epochs", "0", "--out", "m.npz"], "Invalid value for '--epochs'"),
        (["phrasebook", "--seed", "-1", "--out", "m.npz"], "Invalid value for '--seed'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_ends_with_one_sentence_and_status_2(here, capsys, arguments, words):
    status, out, err = call(capsys, *arguments)
    assert status == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert not list(here.glob("m.*"))


def test_a_checkpoint_of_another_run_is_one_sentence(here, capsys):
    call(capsys, "addition", *SMALL)
    kept = (here / "m.npz").read_bytes()
    status, _, err = call(capsys, "addition", *SMALL, "--seed", 1)
    assert status == 2
    assert "with another seed 0, not 1" in err
    status, _, err = call(capsys, "addition", *SMALL, "--kind", "plain")
    assert status == 2
    assert "with another kind peeking, not plain" in err
    status, _, err = call(capsys, "dates", *SMALL)
    assert status == 2
    assert "with another task addition, not dates" in err
    assert (here / "m.npz").read_bytes() == kept


def test_a_lost_file_of_a_finished_run_is_told(here, capsys):
    call(capsys, "addition", *SMALL)
    (here / "m.npz").unlink()
    status, _, err = call(capsys, "addition", *SMALL)
    assert status == 2
    assert "m.npz is gone" in err


@pytest.mark.parametrize("task", LOAD)
def test_a_file_that_is_no_such_model_is_told(here, capsys, task):
    (here / "x.npz").write_bytes(b"text")
    other = next(name for name in LOAD if name != task)
    call(capsys, other, *SMALL)
    for name in ("x.npz", "m.npz"):
        with pytest.raises(ValueError, match=f"holds no model of this kind; make one with `seqlab train {task}"):
            LOAD[task](path=here / name)
    with pytest.raises(FileNotFoundError):
        LOAD[task](path=here / "absent.npz")


def test_a_kind_that_does_not_exist_is_told():
    with pytest.raises(ValueError, match="kind is 'peeky'; it must be 'plain', 'reversed' or 'peeking'"):
        load_addition("peeky")


@pytest.mark.parametrize("task", LOAD)
def test_help_names_what_can_be_said(capsys, monkeypatch, task):
    monkeypatch.setenv("COLUMNS", "160")
    status, out, _ = call(capsys, task, "--help")
    assert status == 0
    assert f"seqlab train {task}" in out
    for word in ("--out", "--epochs", "--pairs", "--seed", "Ctrl-C", f"seqlab.seq2seq.load_{task}"):
        assert word in out
