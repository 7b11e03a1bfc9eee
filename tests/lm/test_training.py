"""Training: what a window is, what a step does, checkpoints that lose nothing, honest measuring."""

import functools
import io
import math
import os
import signal
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.learning import load_checkpoint
from seqlab.lm import LanguageModel, evaluate, perplexity, streams, train, training, windows

V = 7
TEXT = torch.randint(V, (223,), generator=torch.Generator().manual_seed(0))
ONCE = {"epochs": 1, "batch_size": 3, "k": 5, "progress": False}
SGD = torch.optim.SGD


def model_of(seed=0, cell="rnn", **settings):
    torch.manual_seed(seed)
    return LanguageModel(V, 5, 8, cell=cell, **settings)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def text_with_a_rule(length=1500):
    """0 1 2 3 4 5 6 0 1 2 ... with one word in ten replaced by a random one."""
    rng = np.random.default_rng(0)
    return np.where(rng.random(length) < 0.1, rng.integers(V, size=length), np.arange(length) % V)


# ------------------------------------------------------------------------------------------ streams, windows


def test_each_stream_goes_on_where_the_one_above_ends():
    stream = streams(range(11), 3)
    assert stream.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert stream.dtype == torch.int64
    assert torch.equal(streams(np.arange(11), 3), streams(torch.arange(11), 3))


@pytest.mark.parametrize("k", [1, 3, 4, 11, 12, 500])
def test_windows_predict_every_word_but_the_first_once(k):
    stream = streams(TEXT[:36], 3)
    xs, ys = zip(*windows(stream, k), strict=True)
    assert torch.equal(torch.cat(xs, dim=1), stream[:, :-1])
    assert torch.equal(torch.cat(ys, dim=1), stream[:, 1:])
    assert all(x.shape == (3, k) for x in xs[:-1])
    assert all(x.shape == y.shape for x, y in zip(xs, ys, strict=True))


def test_windows_may_start_further_on():
    stream = streams(TEXT, 2)
    all_of_them, later = list(windows(stream, 10)), list(windows(stream, 10, start=4))
    assert len(later) == len(all_of_them) - 4
    for have, want in zip(later, all_of_them[4:], strict=True):
        assert torch.equal(have[0], want[0])
        assert torch.equal(have[1], want[1])


# ------------------------------------------------------------------------------------------ one step, one epoch


@pytest.mark.parametrize("over_steps", ["mean", "sum"])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_an_epoch_is_the_loop_of_the_chapter(over_steps, clip):
    """Written out with torch's own parts: state carried and cut, mean over the batch, clipping, descent."""
    trained, model = model_of(), model_of()
    history = train(trained, TEXT, **ONCE, lr=0.1, optimizer=SGD, clip=clip, over_steps=over_steps)
    rows, state, total = TEXT[: 3 * 74].view(3, 74), None, 0.0
    for a in range(0, 73, 5):
        x, y = rows[:, a : min(a + 5, 73)], rows[:, a + 1 : a + 6]
        logits, state = model(x, state)
        state = state.detach()
        loss = F.cross_entropy(logits.transpose(1, 2), y, reduction="none")
        total += loss.sum().item()
        model.zero_grad()
        (loss.mean() if over_steps == "mean" else loss.sum(1).mean()).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
    torch.testing.assert_close(weights(trained), weights(model), rtol=1e-4, atol=1e-6)
    assert math.isclose(history["train_perplexity"][0], math.exp(total / (3 * 73)), rel_tol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_it_learns_a_rule(cell):
    model, text = model_of(cell=cell), text_with_a_rule()
    history = train(model, text[:1200], epochs=8, batch_size=10, k=12, lr=0.01, valid=text[1200:], progress=False)
    assert {name: len(numbers) for name, numbers in history.items()} == dict.fromkeys(
        ("train_perplexity", "valid_perplexity", "lr", "seconds"), 8
    )
    assert history["train_perplexity"][0] > 3
    assert history["valid_perplexity"][-1] < 2.6  # knowing the rule, it pays about 1.9
    assert history["seconds"] == sorted(history["seconds"])


def test_the_schedule_sees_the_epochs_done_and_sets_the_rate():
    asked, set_to = [], []

    def schedule(done):
        asked.append(done)
        return 1 / (1 + done)

    class Watched(SGD):
        def step(self, closure=None):
            set_to.append(self.param_groups[0]["lr"])
            super().step(closure)

    history = train(model_of(), TEXT, **ONCE | {"epochs": 2, "k": 20}, lr=0.5, optimizer=Watched, schedule=schedule)
    np.testing.assert_allclose(asked, np.arange(8) / 4)
    np.testing.assert_allclose(set_to, 0.5 / (1 + np.arange(8) / 4))
    np.testing.assert_allclose(history["lr"], [set_to[3], set_to[7]])


def test_validation_is_what_evaluate_measures():
    model = model_of()
    history = train(model, TEXT, **ONCE, valid=TEXT[:100])
    assert history["valid_perplexity"] == [perplexity(*evaluate(model, TEXT[:100], 3, 5))]


def test_without_a_validation_text_nothing_is_claimed():
    assert train(model_of(), TEXT, **ONCE)["valid_perplexity"] == []


def test_after_an_epoch_the_caller_sees_model_and_history():
    seen = []
    model = model_of()
    train(model, TEXT, **ONCE | {"epochs": 3}, after_epoch=lambda m, h: seen.append((m, len(h["lr"]))))
    assert seen == [(model, 1), (model, 2), (model, 3)]


def test_the_seed_rules_the_dropout_and_the_generator_outside_is_left_alone():
    def trained(seed):
        model = model_of(dropout=0.5)
        before = torch.get_rng_state()
        train(model, TEXT, **ONCE, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        return weights(model)

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


# ------------------------------------------------------------------------------------------ evaluate


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_window_changes_no_measurement(cell, batch_size):
    model = model_of(cell=cell, dropout=0.5)
    rows = TEXT[: 223 // batch_size * batch_size].view(batch_size, -1)
    with torch.no_grad():
        logits, _ = model.eval()(rows[:, :-1])
    want = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="sum").item()
    model.train()
    for k in (1, 7, 50, 1000):
        nll, tokens = evaluate(model, TEXT, batch_size, k)
        assert tokens == rows[:, 1:].numel()
        assert math.isclose(nll, want, rel_tol=1e-5)
        assert model.training


# ------------------------------------------------------------------------------------------ checkpoints

LONG = {"epochs": 3, "batch_size": 3, "k": 5, "lr": 0.01, "progress": False, "valid": TEXT[:60]}


def stop_at(time, how):
    """A schedule that changes nothing but calls `how` once, after so many epochs."""

    def schedule(done):
        if done >= time and not schedule.stopped:
            schedule.stopped = True
            how()
        return 1.0

    schedule.stopped = False
    return schedule


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class PowerCut(Exception):
    pass


def cut_power():
    raise PowerCut


def same_history(one, other):
    return all(one[name] == other[name] for name in one.keys() - {"seconds"})


@pytest.mark.parametrize("time", [0.0, 0.5, 1.0, 1.4, 2.9])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_after_ctrl_c_the_run_goes_on_to_the_very_same_weights(tmp_path, time, cell):
    straight = model_of(cell=cell, dropout=0.3)
    want = train(straight, TEXT, **LONG)
    model = model_of(cell=cell, dropout=0.3)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after window \d+ of 15 in epoch \d of 3; .*run.pt holds"):
        train(model, TEXT, **LONG, checkpoint=tmp_path / "run.pt", schedule=stop_at(time, press_ctrl_c))
    stranger = model_of(seed=5, cell=cell, dropout=0.3)
    torch.manual_seed(12345)
    history = train(stranger, TEXT, **LONG, checkpoint=tmp_path / "run.pt")
    assert torch.equal(weights(stranger), weights(straight))
    assert same_history(history, want)
    assert len(history["seconds"]) == 3


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_between_two_epochs_or_at_the_very_end_is_not_lost(tmp_path, epoch):
    straight = model_of()
    want = train(straight, TEXT, **LONG)

    def stop(model, history):
        if len(history["lr"]) == epoch:
            press_ctrl_c()

    with pytest.raises(KeyboardInterrupt, match=f"stopped after epoch {epoch} of 3; "):
        train(model_of(), TEXT, **LONG, checkpoint=tmp_path / "run.pt", after_epoch=stop)
    model = model_of(seed=5)
    assert same_history(train(model, TEXT, **LONG, checkpoint=tmp_path / "run.pt"), want)
    assert torch.equal(weights(model), weights(straight))


@pytest.mark.parametrize(("every", "time"), [(0.0, 1.4), (1e9, 1.4), (1e9, 2.0)])
def test_after_a_power_cut_too(tmp_path, monkeypatch, every, time):
    """What was written last counts: the window before, or the end of an epoch."""
    monkeypatch.setattr(training, "SAVE_SECONDS", every)
    straight = model_of(dropout=0.3)
    want = train(straight, TEXT, **LONG, optimizer=functools.partial(SGD, momentum=0.9))
    how = LONG | {"optimizer": functools.partial(SGD, momentum=0.9), "checkpoint": tmp_path / "run.pt"}
    with pytest.raises(PowerCut):
        train(model_of(dropout=0.3), TEXT, **how, schedule=stop_at(time, cut_power))
    place = load_checkpoint(tmp_path / "run.pt")["place"]
    assert (place["epoch"], place["window"]) == ((1, 6) if every == 0 else (int(time), 0))
    model = model_of(seed=5, dropout=0.3)
    assert same_history(train(model, TEXT, **how), want)
    assert torch.equal(weights(model), weights(straight))


def test_a_cut_while_writing_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    straight = model_of()
    train(straight, TEXT, **LONG)
    how = LONG | {"checkpoint": tmp_path / "run.pt"}
    save, times = torch.save, []

    def cut_in_half(everything, file):
        times.append(None)
        if len(times) < 3:
            return save(everything, file)
        whole = io.BytesIO()
        save(everything, whole)
        file.write(whole.getvalue()[: whole.tell() // 2])
        raise PowerCut

    monkeypatch.setattr(torch, "save", cut_in_half)
    with pytest.raises(PowerCut):
        train(model_of(), TEXT, **how)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "run.pt")["place"]["epoch"] == 2
    model = model_of(seed=5)
    train(model, TEXT, **how)
    assert torch.equal(weights(model), weights(straight))
    assert os.listdir(tmp_path) == ["run.pt"]


def test_a_finished_run_gives_its_weights_and_history_back_and_can_be_made_longer(tmp_path):
    first, second, longer, straight = (model_of(seed=seed) for seed in (0, 5, 6, 0))
    how = LONG | {"checkpoint": tmp_path / "folder" / "run.pt"}
    history = train(first, TEXT, **how)
    assert train(second, TEXT, **how) == history
    assert torch.equal(weights(second), weights(first))
    train(longer, TEXT, **how | {"epochs": 4})
    train(straight, TEXT, **LONG | {"epochs": 4})
    assert torch.equal(weights(longer), weights(straight))


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def twice():
        press_ctrl_c()
        press_ctrl_c()
        raise AssertionError("the second one was swallowed")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(model_of(), TEXT, **LONG, checkpoint=tmp_path / "run.pt", schedule=stop_at(0.5, twice))
    assert not (tmp_path / "run.pt").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_checkpoint_ctrl_c_stops_at_once():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            train(model_of(), TEXT, **LONG, schedule=stop_at(0.5, press_ctrl_c))
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_trains_in_a_thread_with_a_checkpoint(tmp_path):
    model, straight, problems = model_of(), model_of(), []

    def work():
        try:
            train(model, TEXT, **LONG, checkpoint=tmp_path / "run.pt")
        except Exception as wrong:
            problems.append(wrong)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    train(straight, TEXT, **LONG)
    assert problems == []
    assert torch.equal(weights(model), weights(straight))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"lr": 0.02}, "with another lr 0.01, not 0.02"),
        ({"k": 6}, "with another k 5, not 6"),
        ({"batch_size": 2}, "with another batch_size 3, not 2"),
        ({"seed": 3}, "with another seed 0, not 3"),
        ({"clip": None}, "with another clip 5.0, not None"),
        ({"over_steps": "sum"}, "with another over_steps mean, not sum"),
        ({"ids": TEXT.flip(0)}, "with another text: go on"),
        ({"model": LanguageModel(V, 5, 9, cell="rnn")}, "is of another model or optimizer"),
        ({"epochs": 2}, "has done 3 epochs, more than 2"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, other, words):
    path = tmp_path / "run.pt"
    train(model_of(), TEXT, **LONG, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        train(**{"model": model_of(), "ids": TEXT, "checkpoint": path} | LONG | other)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half of one"])
def test_a_file_that_is_no_checkpoint_is_told(tmp_path, content):
    (tmp_path / "run.pt").write_bytes(content)
    with pytest.raises(ValueError, match="is no checkpoint of a training run, or it is damaged"):
        train(model_of(), TEXT, **LONG, checkpoint=tmp_path / "run.pt")


# ------------------------------------------------------------------------------------------ progress, wrong use


def test_progress_is_a_bar_silence_or_a_function(capsys, monkeypatch):
    train(model_of(), TEXT, **ONCE)
    assert capsys.readouterr().err == ""
    train(model_of(), TEXT, **ONCE | {"progress": True})
    assert "epoch 1 of 1, perplexity " in capsys.readouterr().err
    heard = []
    train(model_of(), TEXT, **ONCE | {"epochs": 2, "progress": lambda *what: heard.append(what)}, valid=TEXT[:50])
    assert [what[:2] for what in heard if what[0] % 15 == 0] == [(15, 30), (30, 30)]
    assert heard[-1][2].startswith("epoch 2 of 2, perplexity ")
    assert ", valid " in heard[-1][2]


def test_a_loss_that_explodes_is_told_and_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) in epoch \d of 3.*lower lr or clip"):
        train(model_of(), TEXT, **LONG | {"lr": 1e30, "optimizer": SGD, "clip": None}, checkpoint=tmp_path / "run.pt")
    assert not (tmp_path / "run.pt").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"k": 0}, "k is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 200}, "223 ids in 200 pieces leave 1 for each"),
        ({"valid": TEXT[:5]}, "5 ids in 3 pieces leave 1 for each"),
        ({"over_steps": "max"}, "over_steps is 'max'"),
        ({"clip": 0}, "clip is 0"),
        ({"ids": TEXT.float()}, "one row of integers"),
        ({"ids": TEXT.view(1, -1)}, "one row of integers"),
        ({"ids": TEXT + 1}, "ids run from 1 to 7; the vocabulary has ids 0 to 6"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        train(**{"model": model_of(), "ids": TEXT} | ONCE | options)


def test_windows_and_evaluate_refuse_no_step():
    with pytest.raises(ValueError, match="k is 0"):
        windows(streams(TEXT, 2), 0)
    with pytest.raises(ValueError, match="k is 0"):
        evaluate(model_of(), TEXT, 1, 0)
