"""The character model that comes with the package."""

import os
from pathlib import Path

import pytest

from seqlab import data
from seqlab.data.corpora import SOURCES
from seqlab.lm import evaluate, load_letters, perplexity, sample

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_model_says_what_it_read_and_how_it_was_made():
    model, letters, log = load_letters()
    assert log["corpus"]["sha256"] == SOURCES["tiny_shakespeare/input.txt"].sha256
    assert len(letters) == model.size == 65
    assert log["command"].startswith("seqlab train letters --corpus shakespeare ")
    assert log["history"]["valid_perplexity"][-1] < log["history"]["valid_perplexity"][0]


def test_the_shipped_model_writes_words():
    model, letters, _ = load_letters()
    text = "".join(letters.decode(sample(model, letters.encode("KING"), rng=0, temperature=0.5, limit=400)))
    common = {"the", "and", "of", "to", "my", "you", "that", "in", "is", "a", "not", "with", "I", "for", "be", "your"}
    assert sum(word in common for word in text.split()) > 10


@pytest.mark.slow
def test_the_log_of_the_shipped_model_tells_the_truth(monkeypatch):
    place = Path(os.environ.get("SEQLAB_DATA") or ROOT.parent / "shared" / "data")
    if not (place / "tiny_shakespeare" / "input.txt").is_file():
        pytest.skip("no Shakespeare here: set SEQLAB_DATA to a folder that holds tiny_shakespeare/")
    monkeypatch.setenv("SEQLAB_DATA", str(place))
    model, letters, log = load_letters()
    ids = letters.encode(data.shakespeare(download=False))
    held_out = ids[round(len(ids) * (1 - log["training"]["held_out"])) :]
    assert perplexity(*evaluate(model, held_out)) == pytest.approx(log["valid_perplexity"], rel=1e-4)
