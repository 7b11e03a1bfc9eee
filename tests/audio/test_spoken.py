import datetime
import itertools
import json
from importlib import resources

import numpy as np
import pytest
import torch

from seqlab.audio import SpokenReader, load_spoken, spoken, spoken_strings
from seqlab.audio import spoken_training as training
from seqlab.audio.synthesis import DIGITS
from seqlab.cli import main
from seqlab.ctc import CTCNetwork
from seqlab.data.recordings import Recording
from seqlab.lm import NGram

NUMBER = {word: str(i) for i, word in enumerate(DIGITS)}


def written(text):
    return "".join(NUMBER[word] for word in text.split())


def test_dates_are_dates_and_those_of_the_test_are_not_learnt_from():
    learnt, tested = (spoken.spoken_texts(400, split=split) for split in ("train", "test"))
    days = [datetime.datetime.strptime(written(text), "%Y%m%d").date() for text in learnt + tested]
    assert min(days) >= datetime.date(1920, 1, 1)
    assert max(days) <= datetime.date(2039, 12, 31)
    every = spoken.spoken_texts(8000, split="train")
    assert not set(every) & set(tested)


def test_digits_without_structure_come_in_every_order_and_in_three_to_eight():
    texts = [written(text) for text in spoken.spoken_texts(3000, kind="digits")]
    assert {len(text) for text in texts} == set(range(3, 9))
    pairs = np.zeros((10, 10))
    for text in texts:
        for a, b in itertools.pairwise(text):
            pairs[int(a), int(b)] += 1
    assert np.abs(pairs / pairs.mean() - 1).max() < 0.4


def test_the_sound_says_the_text_and_fewer_strings_are_the_beginning_of_more(monkeypatch):
    monkeypatch.setattr(spoken, "POOL", 3)  # seconds of each background, so that the test is short
    few, more = spoken_strings(2, 5, snr=10.0), spoken_strings(3, 5, snr=10.0)
    for (x, text), (other, same) in zip(few, more, strict=False):
        assert text == same
        assert np.array_equal(x, other)
    assert [text for _, text in more] == spoken.spoken_texts(3, 5)
    assert all(0.2 < len(x) / 8000 / len(text.split()) < 0.8 for x, text in more)
    assert all(np.abs(x).max() <= 1 for x, _ in more)


def test_the_noise_is_as_loud_as_was_asked_for(monkeypatch):
    monkeypatch.setattr(spoken, "POOL", 3)
    (clean, _), (loud, _) = spoken_strings(1, 2)[0], spoken_strings(1, 2, snr=-6.0)[0]
    scale = (clean @ loud) / (clean @ clean)  # made softer as a whole, to fit into -1 to 1
    rest = loud - scale * clean
    measured = 10 * np.log10(np.mean((scale * clean) ** 2) / np.mean(rest**2))
    assert measured == pytest.approx(-6, abs=1.0)


def test_letters_are_encoded_and_decoded_and_the_blank_is_none_of_them():
    for word in DIGITS:
        labels = spoken.encode(word)
        assert 0 not in labels
        assert spoken.decode(labels) == word
    assert spoken.decode([0, *spoken.encode("o n")]) == "_o n"
    with pytest.raises(ValueError, match="text holds 'q'"):
        spoken.encode("quiet")


def test_features_do_not_depend_on_how_loud_somebody_speaks():
    x, _ = spoken_strings(1, 0)[0]
    features = spoken.spoken_features(x)
    assert features.shape == (1 + (len(x) - 200) // 80, 40)
    assert torch.allclose(features.mean(0), torch.zeros(40), atol=1e-4)
    noisy = x + 0.01 * np.random.default_rng(0).standard_normal(len(x))
    assert torch.allclose(spoken.spoken_features(0.5 * noisy), spoken.spoken_features(noisy), atol=1e-2)


def test_the_letter_model_answers_as_the_ngram_does_and_remembers():
    texts = spoken.spoken_texts(50)
    lm, plain = spoken.letter_model(texts, n=4), NGram(4).fit([[*spoken.encode(t), 0] for t in texts], 17)
    for context in ((), (3,), *(tuple(spoken.encode(texts[0])[:k]) for k in (3, 4, 9))):
        for _ in range(2):
            assert np.array_equal(lm.distribution(context), plain.distribution(context))


def certain(path):
    """Log-probabilities of a network that is almost sure of a path."""
    y = torch.full((len(path), len(spoken.ALPHABET)), 1e-4)
    y[range(len(path)), [spoken.ALPHABET.index(letter) for letter in path]] = 1
    return (y / y.sum(1, keepdim=True)).log()


def test_paths_are_read_as_the_notes_collapse_them():
    paths = ["ttt_h_rr_e_ee", "__sii__x_"]
    for width in (1, 4):
        assert spoken.read_log_probs([certain(path) for path in paths], width) == ["three", "six"]


def test_a_language_model_decides_what_the_sound_leaves_open():
    y = certain("seve_n o_ne")
    same = torch.tensor(0.5).log()
    y[1, [spoken.ALPHABET.index(letter) for letter in "ei"]] = same  # "seven", or "siven", which nobody says
    y[1, spoken.ALPHABET.index("i")] += 0.01
    lm = spoken.letter_model(spoken.spoken_texts(200), 6)
    assert spoken.read_log_probs([y], 8) == ["siven one"]
    assert spoken.read_log_probs([y], 8, lm=lm) == ["seven one"]


def test_error_rates_of_letters_and_words():
    rates = training.error_rates(["one too", "six"], ["one two", "six"])
    assert rates == {"letters": pytest.approx(1 / 10), "words": pytest.approx(1 / 3)}


def test_a_batch_holds_strings_of_similar_length_and_every_string_comes():
    strings = spoken_strings(24, 0, kind="digits")
    draw = training.spoken_batches(strings, batch_size=6)
    seen = set()
    for step in range(60):
        batch = draw(step, np.random.default_rng(step))
        assert batch.features.shape[:2] == (6, batch.lengths.max())
        assert batch.lengths.max() < 2 * batch.lengths.min()
        rows = zip(batch.targets.tolist(), batch.target_lengths.tolist(), strict=True)
        seen |= {spoken.decode(row[:n]) for row, n in rows}
    assert seen == {text for _, text in strings}


def test_the_shipped_reader_reads_voices_that_it_has_never_heard():
    reader = load_spoken()
    strings = spoken_strings(6, 99, split="test")
    read = [reader.read(x) for x, _ in strings]
    assert training.error_rates(read, [text for _, text in strings])["words"] < 0.1
    path = reader.path(strings[0][0])
    assert len(path) == len(reader.log_probs(strings[0][0]))
    assert "_" in path


def test_the_log_of_the_shipped_reader_says_that_the_language_model_helps_where_there_is_structure():
    log = load_spoken().log
    words = {(row["kind"], row["snr"], row["reader"]): row["words"] for row in log["errors"]}
    assert log["training"]["source"] == "synthetic"
    assert words["dates", None, "greedy"] < 0.03
    for snr in (5.0, 0.0):
        assert words["dates", snr, "beam and dates"] < 0.8 * words["dates", snr, "beam"]
        assert words["dates", snr, "beam and dates"] < words["dates", snr, "beam and spelling"]
        assert words["digits", snr, "beam and dates"] > words["digits", snr, "beam and spelling"]


def test_recordings_of_one_speaker_are_joined_with_silence(monkeypatch):
    made = [
        Recording(digit, speaker, index, np.full(100, 0.1 * (1 + digit) * sign + 0.01 * (index > 4)), 8000)
        for digit in range(10)
        for speaker, sign in (("ada", 1), ("zoe", -1))
        for index in (0, 7)
    ]
    monkeypatch.setattr(spoken.data, "spoken_digits", lambda: made)
    for x, text in spoken_strings(8, 3, source="recorded", split="test", kind="digits"):
        spoke = x[x != 0]
        assert len(set(np.sign(spoke))) == 1
        assert len(spoke) == 100 * len(text.split())
        digits = np.abs(spoke[::100]) / np.abs(spoke).max() * (1 + int(max(written(text))))
        assert np.round(digits, 6).tolist() == [1 + int(digit) for digit in written(text)]
        assert len(x) - len(spoke) >= 0.01 * 8000 * (len(text.split()) - 1) - 8


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n": -1}, "n is -1; it must be a whole number, at least 0"),
        ({"n": 1, "kind": "names"}, "kind is 'names'; it must be 'dates' or 'digits'"),
        ({"n": 1, "split": "dev"}, "split is 'dev'; it must be 'train' or 'test'"),
        ({"n": 1, "source": "radio"}, "source is 'radio'; it must be 'synthetic' or 'recorded'"),
        ({"n": 1, "source": "recorded", "rate": 16000}, "rate is 16000; the recordings have 8000"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        spoken_strings(**wrong)


def test_another_file_is_no_reader(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="seqlab train spoken --out"):
        load_spoken(tmp_path / "other.npz")


def test_a_reader_without_a_log_reads_what_it_can():
    torch.manual_seed(0)
    reader = SpokenReader(CTCNetwork(spoken.BANDS, len(spoken.ALPHABET), hidden=4, subsample=3).eval())
    x, _ = spoken_strings(1, 0)[0]
    assert reader.log == {}
    assert reader.log_probs(x).exp().sum(1) == pytest.approx(1, abs=1e-5)
    assert isinstance(reader.read(x, 2), str)


@pytest.fixture
def small(monkeypatch):
    for name, number in {"HELD_OUT": 2, "LOOK": 4, "TEXTS": 100, "BEAM_WIDTH": 2}.items():
        monkeypatch.setattr(training, name, number)


@pytest.mark.slow
def test_the_command_trains_measures_and_goes_on_where_it_stopped(small, tmp_path, capsys):
    out, report = tmp_path / "reader.npz", tmp_path / "report.json"
    line = ["train", "spoken", "--out", str(out), "--report", str(report), "--steps", "6", "--strings", "32"]
    line += ["--hidden", "8", "--layers", "1"]
    assert main(line) == 0
    log = load_spoken(out).log
    assert json.loads(report.read_text()) == log
    assert len(log["errors"]) == 2 * 4 * 4
    assert {row["reader"] for row in log["errors"]} == set(training.READERS)
    assert log["command"].startswith("seqlab train spoken --source synthetic --steps 6 --strings 32 --hidden 8")
    assert "of the words wrong" in capsys.readouterr().out
    assert main(line) == 0  # from the checkpoint: nothing is trained again
    assert load_spoken(out).log["history"] == log["history"]
    assert main([*line, "--lr", "1"]) == 2
    assert "was made with another lr" in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_network_learns(small, tmp_path):
    log = training.train_spoken(
        tmp_path / "r.npz", steps=60, strings=64, hidden=32, layers=1, dropout=0.0, lr=0.01, progress=False
    )
    assert log["history"]["loss"][-1] < 0.6 * log["history"]["loss"][0]


def test_a_report_needs_its_folder(tmp_path):
    with pytest.raises(ValueError, match=r"report names .*but the folder"):
        training.train_spoken(tmp_path / "r.npz", report=tmp_path / "none" / "r.json")


def test_real_speech_is_joined_too(real):
    strings = spoken_strings(3, 0, source="recorded", split="test")
    assert all(1.5 < len(x) / 8000 < 8 for x, _ in strings)
    assert all(np.abs(x).max() == pytest.approx(0.5) for x, _ in strings)


def test_the_committed_results_on_recordings_are_those_of_the_command_and_say_what_the_book_says():
    log = json.loads(resources.files("seqlab.audio").joinpath("results", "spoken-recorded.json").read_text())
    assert log["training"]["source"] == "recorded"
    assert log["command"].startswith("seqlab train spoken --source recorded ")
    words = {key: {(r["kind"], r["snr"], r["reader"]): r["words"] for r in log[key]} for key in ("errors", "unheard")}
    assert len(words["errors"]) == len(words["unheard"]) == 2 * 4 * 4
    for snr in training.TEST_SNR:
        assert words["errors"]["dates", snr, "beam and dates"] < 0.5 * words["errors"]["dates", snr, "greedy"]
        assert words["unheard"]["dates", snr, "greedy"] > 0.3 + words["errors"]["dates", snr, "greedy"]
    assert words["errors"]["dates", None, "greedy"] < 0.03
