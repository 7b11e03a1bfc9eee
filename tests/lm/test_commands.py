"""`seqlab train`: the paper's settings, runs that can be stopped, what is written, one sentence for what is wrong."""

import hashlib
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

from seqlab import cli, data
from seqlab.lm import LanguageModel, evaluate, letters, load_letters, perplexity, zaremba
from seqlab.lm.training import load_checkpoint

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "that", "dog", "<unk>", "N"]
LETTERS = ["letters", "--hidden", "12", "--embedding", "6", "--out", "m.npz"]


def call(capsys, *arguments):
    """Run `seqlab train`: (status, what it printed, what it complained)."""
    status = cli.main(["train", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def sentences(number, seed):
    """Each goes along WORDS from a random place on, so there is something to learn."""
    rng, ring = np.random.default_rng(seed), WORDS * 2
    starts, lengths = rng.integers(len(WORDS), size=number), rng.integers(3, 9, size=number)
    return [word for a, n in zip(starts, lengths, strict=True) for word in (*ring[a : a + n], "<eos>")]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fresh current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def treebank(here, monkeypatch):
    """A made corpus in the place of the real one, and models of the paper's shapes but tiny."""
    texts = {"train": sentences(300, 0), "valid": sentences(60, 1), "test": sentences(60, 2)}
    monkeypatch.setattr(data, "ptb", lambda split, download=True: texts[split])
    tiny = {"hidden": 16, "batch_size": 5, "k": 7, "epochs": 3, "flat": 1, "init": 0.3, "dropout": 0.1}
    sizes = {name: zaremba.Settings(**vars(settings) | tiny) for name, settings in zaremba.SIZES.items()}
    monkeypatch.setattr(zaremba, "SIZES", sizes)
    return texts


@pytest.fixture
def text(here):
    """A file of text."""
    (here / "text.txt").write_text("It is, as it was: über and over again.\n" * 150, encoding="utf-8")
    return here / "text.txt"


# ---------------------------------------------------------------------------------------------- the paper


def test_the_settings_are_those_of_the_paper():
    """Section 4.1 and table 1: 200 units unregularised, 650 and 1500 with dropout."""
    table = {name: vars(settings) for name, settings in zaremba.SIZES.items()}
    rows = {
        "hidden": (200, 650, 1500),
        "k": (20, 35, 35),
        "init": (0.1, 0.05, 0.04),
        "dropout": (0.0, 0.5, 0.65),
        "flat": (4, 6, 14),
        "decay": (2.0, 1.2, 1.15),
        "clip": (5.0, 5.0, 10.0),
        "epochs": (13, 39, 55),
        "valid": (120.7, 86.2, 82.2),
        "test": (114.5, 82.7, 78.4),
        "layers": (2, 2, 2),
        "batch_size": (20, 20, 20),
        "lr": (1.0, 1.0, 1.0),
    }
    for name, values in rows.items():
        assert tuple(table[size][name] for size in ("small", "medium", "large")) == values, name


def test_the_rate_is_flat_and_then_falls_once_an_epoch():
    small = zaremba.SIZES["small"]
    assert [small.factor(done) for done in (0, 0.5, 3.99, 4, 4.5, 5, 12.9)] == [1, 1, 1, 1 / 2, 1 / 2, 1 / 4, 2**-9]


def test_the_network_is_two_lstm_layers_drawn_from_the_stated_range():
    model = zaremba.network(zaremba.SIZES["small"], 500, seed=0)
    assert model.settings == {
        "size": 500, "embedding": 200, "hidden": 200, "layers": 2, "cell": "lstm", "dropout": 0.0, "tied": False
    }  # fmt: skip
    for name, weight in model.named_parameters():
        assert weight.abs().max() <= 0.1, name
        assert weight.abs().max() > 0.09, name
        assert abs(weight.mean()) < 0.02, name
    again, other = (zaremba.network(zaremba.SIZES["small"], 500, seed=seed) for seed in (0, 1))
    assert torch.equal(again.out.weight, model.out.weight)
    assert not torch.equal(other.out.weight, model.out.weight)


def test_zaremba_writes_settings_perplexities_and_the_published_figure(treebank, here, capsys):
    status, out, err = call(capsys, "zaremba", "--size", "medium", "--out", "medium.json")
    assert (status, err) == (0, "")
    record = json.loads((here / "medium.json").read_text())
    assert f"test perplexity {record['test_perplexity']:.1f} after 3 epochs; published 82.7\n" in out
    assert record["whole"]
    assert record["size"] == "medium"
    assert record["settings"] == vars(zaremba.SIZES["medium"])
    assert record["published"] == {"valid": 86.2, "test": 82.7}
    assert record["corpus"] == {"name": "Penn Treebank", "vocabulary": 13} | {s: len(t) for s, t in treebank.items()}
    history = record["history"]
    assert len(history["train_perplexity"]) == len(history["valid_perplexity"]) == 3
    np.testing.assert_allclose(history["lr"], [1, 1 / 1.2, 1 / 1.44])
    assert history["valid_perplexity"][-1] < 10  # a guess among all words: 13
    assert record["device"]
    assert record["versions"]["torch"] == torch.__version__
    assert record["seconds"] == history["seconds"][-1] > 0
    model = zaremba.network(zaremba.SIZES["medium"], 13, seed=9)
    model.load_state_dict(load_checkpoint(here / "medium.json.checkpoint")["model"])
    ids = zaremba.treebank()[1]["test"]
    assert math.isclose(perplexity(*evaluate(model, ids, 1, 11)), record["test_perplexity"], rel_tol=1e-5)


def test_a_shorter_run_says_so_and_can_be_made_whole(treebank, here, capsys):
    status, out, _ = call(capsys, "zaremba", "--out", "small.json", "--epochs", 1)
    assert status == 0
    assert "after 1 epoch; published 114.5 for a whole run" in out
    assert not json.loads((here / "small.json").read_text())["whole"]
    assert call(capsys, "zaremba", "--out", "small.json")[0] == 0
    longer = json.loads((here / "small.json").read_text())
    assert call(capsys, "zaremba", "--out", "straight.json")[0] == 0
    straight = json.loads((here / "straight.json").read_text())
    assert longer["whole"]
    assert longer["test_perplexity"] == straight["test_perplexity"]
    assert longer["history"]["train_perplexity"] == straight["history"]["train_perplexity"]


def test_the_smoke_run_is_one_epoch_over_a_part(treebank, here, capsys, monkeypatch):
    monkeypatch.setattr(zaremba, "SMOKE_TRAIN", 700)
    monkeypatch.setattr(zaremba, "SMOKE_TEST", 90)
    status, out, _ = call(capsys, "zaremba", "--smoke", "--out", "smoke.json")
    record = json.loads((here / "smoke.json").read_text())
    assert status == 0
    assert "after 1 epoch over a small part of the text" in out
    assert (record["epochs"], record["whole"]) == (1, False)
    assert record["corpus"]["vocabulary"] == 13
    assert [record["corpus"][split] for split in ("train", "valid", "test")] == [700, 90, 90]


@pytest.mark.slow
def test_the_real_treebank_passes_the_smoke_run(here, capsys):
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA names no folder with the Penn Treebank")
    status, _, err = call(capsys, "zaremba", "--smoke", "--no-download", "--out", "smoke.json")
    assert (status, err) == (0, "")
    record = json.loads((here / "smoke.json").read_text())
    assert record["corpus"]["vocabulary"] == 10_000
    assert record["parameters"] == 4_653_200
    assert 300 < record["test_perplexity"] < 2000  # guessing at random: 10,000


# ---------------------------------------------------------------------------------------------- letters


def test_letters_writes_a_model_that_loads_and_speaks(text, here, capsys):
    status, out, err = call(capsys, *LETTERS, "--corpus", text, "--epochs", 12)
    assert (status, err) == (0, "")
    model, vocabulary, log = load_letters(here / "m.npz")
    whole = text.read_text(encoding="utf-8")
    assert not model.training
    assert vocabulary.tokens == sorted(set(whole), key=lambda c: (-whole.count(c), c))
    assert "".join(vocabulary.decode(vocabulary.encode(whole))) == whole
    assert log["corpus"] == {
        "name": "text.txt", "letters": len(whole), "sha256": hashlib.sha256(whole.encode()).hexdigest()
    }  # fmt: skip
    assert log["training"]["epochs"] == len(log["history"]["valid_perplexity"]) == 12
    assert log["best_epoch"] == 1 + int(np.argmin(log["history"]["valid_perplexity"]))
    held_out = vocabulary.encode(whole)[round(len(whole) * 0.95) :]
    assert math.isclose(perplexity(*evaluate(model, held_out)), log["valid_perplexity"], rel_tol=1e-6)
    assert log["valid_perplexity"] < 0.9 * len(vocabulary)  # it has begun to learn
    assert f"perplexity {log['valid_perplexity']:.2f} a letter" in out
    assert str(here) not in json.dumps(log)  # a committed file names no folder of its author


def test_the_file_is_small_and_holds_float16(text, here, capsys):
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 1)
    with np.load(here / "m.npz") as file:
        weights = {name: file[name] for name in file.files if name != "log"}
    model, _, _ = load_letters(here / "m.npz")
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    for name, weight in model.state_dict().items():
        assert weight.dtype == torch.float32
        np.testing.assert_array_equal(weight.numpy(), weights[name].astype(np.float32))


def test_the_logged_command_makes_the_same_weights_again(text, here, capsys):
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 3, "--cell", "gru", "--dropout", 0.2, "--seed", 4)
    first = (here / "m.npz").read_bytes()
    model, _, log = load_letters(here / "m.npz")
    for name in ("m.npz", "m.npz.checkpoint"):
        (here / name).unlink()
    words = log["command"].split()
    assert words[:2] == ["seqlab", "train"]
    assert call(capsys, *words[2:])[0] == 0
    again, _, _ = load_letters(here / "m.npz")
    assert first != (here / "m.npz").read_bytes()  # the seconds differ
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


def test_the_best_weights_are_kept_and_not_the_last(text, here, capsys, monkeypatch):
    """Validation is faked so that the second of four epochs looks best."""
    claimed, kept, honest = iter([4.0, 2.0, 3.0, 3.5]), [], letters.train

    def train(model, ids, *, after_epoch, **how):
        def watched(model, history):
            history["valid_perplexity"][-1] = next(claimed)
            kept.append({name: weight.clone() for name, weight in model.state_dict().items()})
            after_epoch(model, history)

        return honest(model, ids, after_epoch=watched, **how)

    monkeypatch.setattr(letters, "train", train)
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 4)
    model, _, log = load_letters(here / "m.npz")
    assert log["best_epoch"] == 2
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, kept[1][name].half().float())
        assert not torch.equal(weight, kept[3][name].half().float())


@pytest.mark.slow
def test_minutes_become_a_number_of_epochs(text, here, capsys):
    status, _, _ = call(capsys, *LETTERS, "--corpus", text, "--minutes", 0.02)
    log = load_letters(here / "m.npz")[2]
    assert status == 0
    assert log["training"]["epochs"] >= 1
    assert log["history"]["seconds"][-1] < 30  # 1.2 asked for; other work on the machine may stretch it
    ids = torch.randint(log["model"]["size"], (5000,))
    few, many = (letters._epochs_in(minutes, log["model"], ids) for minutes in (0.1, 10))
    assert many > 5 * few  # a hundred times as many on a machine with nothing else to do


def test_the_book_is_the_default_corpus(here):
    assert data.corpus_text("book") == data.book_text()
    log = letters.train_letters("book", here / "m.npz", hidden=4, embedding=4, epochs=1, progress=False)
    assert log["corpus"]["name"] == "book"
    assert log["corpus"]["letters"] == len(data.book_text())


# ---------------------------------------------------------------------------------------------- Ctrl-C


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_loses_nothing(text, here):
    """A real process, a real signal: it says how to go on, and going on gives the weights of a straight run."""
    line = [sys.executable, "-m", "seqlab.cli", "train", *LETTERS, "--corpus", "text.txt", "--epochs", "40"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(line, cwd=here, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    checkpoint = here / "m.npz.checkpoint"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert b"run the same again to go on" in err
    assert b"Traceback" not in err
    place = load_checkpoint(checkpoint)["place"]
    assert place["epoch"] < 40
    how = {"hidden": 12, "embedding": 6, "epochs": 40, "progress": False}
    log = letters.train_letters(text, here / "m.npz", **how)
    assert log["history"]["lr"][: place["epoch"]] == place["history"]["lr"]
    letters.train_letters(text, here / "straight.npz", **how)
    stopped, straight = (load_letters(here / name)[0].state_dict() for name in ("m.npz", "straight.npz"))
    assert all(torch.equal(stopped[name], straight[name]) for name in straight)


def test_a_stopped_run_keeps_the_plan_that_it_had_made(text, here, capsys):
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 5)
    (here / "m.npz").rename(here / "elsewhere.npz")
    (here / "elsewhere.npz").rename(here / "m.npz")
    assert call(capsys, *LETTERS, "--corpus", text, "--minutes", 100)[0] == 0
    assert load_letters(here / "m.npz")[2]["training"]["epochs"] == 5


# ---------------------------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["zaremba"], "Missing option '--out'"),
        (["zaremba", "--size", "huge", "--out", "z.json"], "Invalid value for '--size'"),
        (["zaremba", "--epochs", "0", "--out", "z.json"], "Invalid value for '--epochs'"),
        (["zaremba", "--smoke", "--epochs", "2", "--out", "z.json"], "leave out --epochs"),
        (["zaremba", "--out", "nowhere/z.json"], "does not exist: make it first"),
        (["letters", "--corpus", "book", "--out", "m.npz"], "either minutes or epochs"),
        (["letters", "--epochs", "1", "--minutes", "1", "--out", "m.npz"], "either minutes or epochs"),
        (["letters", "--minutes", "-1", "--out", "m.npz"], "minutes is -1.0"),
        (["letters", "--epochs", "1", "--out", "m.zip"], "its name must end with .npz"),
        (["letters", "--epochs", "1", "--out", "nowhere/m.npz"], "does not exist: make it first"),
        (["letters", "--epochs", "1", "--corpus", "no.txt", "--out", "m.npz"], "corpus is 'no.txt'; it must be 'book'"),
        (
            ["letters", "--epochs", "1", "--corpus", "bytes.txt", "--out", "m.npz"],
            "bytes.txt is no UTF-8 text (byte 2)",
        ),
        (["letters", "--epochs", "1", "--corpus", "short.txt", "--out", "m.npz"], "leave 1 for each"),
        (["letters", "--epochs", "1", "--corpus", "empty.txt", "--out", "m.npz"], "empty.txt is empty"),
        (["nothing"], "No such command 'nothing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_ends_with_one_sentence_and_status_2(here, capsys, arguments, words):
    (here / "bytes.txt").write_bytes(b"ab\xff\xfe")
    (here / "short.txt").write_text("abc" * 14)
    (here / "empty.txt").write_text("")
    status, out, err = call(capsys, *arguments)
    assert status == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert not list(here.glob("m.*"))


@pytest.mark.parametrize(
    "arguments",
    [["zaremba", "--out", "z.json"], ["letters", "--corpus", "shakespeare", "--epochs", "1", "--out", "m.npz"]],
)
def test_an_absent_corpus_is_one_sentence_that_says_where_to_put_it(here, capsys, monkeypatch, arguments):
    monkeypatch.setenv("SEQLAB_DATA", str(here / "empty"))
    status, _, err = call(capsys, *arguments, "--no-download")
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "set SEQLAB_DATA to a folder that holds" in err
    assert list(here.iterdir()) == []


def test_a_checkpoint_of_another_run_is_one_sentence(text, here, capsys):
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 2)
    other = here / "other.txt"
    other.write_text(text.read_text(encoding="utf-8").upper(), encoding="utf-8")
    kept = (here / "m.npz").read_bytes()
    status, _, err = call(capsys, *LETTERS, "--corpus", other, "--epochs", 2)
    assert status == 2
    assert "with another text" in err
    assert (here / "m.npz").read_bytes() == kept


def test_a_lost_file_of_a_finished_run_is_told(text, here, capsys):
    call(capsys, *LETTERS, "--corpus", text, "--epochs", 2)
    (here / "m.npz").unlink()
    status, _, err = call(capsys, *LETTERS, "--corpus", text, "--epochs", 2)
    assert status == 2
    assert "m.npz is gone" in err


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", "an npz of others", "other weights"])
def test_a_file_that_is_no_letters_model_is_told(here, content):
    path = here / "x.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "an npz of others":
        np.savez(path, a=np.zeros(3))
    else:
        log = {"model": LanguageModel(5, 2, 3).settings, "vocabulary": list("abcde")}
        np.savez(path, log=np.frombuffer(json.dumps(log).encode(), dtype=np.uint8), weight=np.zeros(3))
    with pytest.raises(ValueError, match="holds no model of this kind; make one with `seqlab train letters"):
        load_letters(path)
    with pytest.raises(FileNotFoundError):
        load_letters(here / "absent.npz")


@pytest.mark.parametrize("command", ["zaremba", "letters"])
def test_help_names_what_can_be_said(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "160")
    status, out, _ = call(capsys, command, "--help")
    assert status == 0
    assert f"seqlab train {command}" in out
    for word in ("--out", "--epochs", "--seed", "Ctrl-C"):
        assert word in out
