"""What the figure of attention lines shows without a browser: the shipped model's own numbers, and scripts in order."""

import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab import data
from seqlab.figures import attending
from seqlab.seq2seq import load_dates

ONE = ("abc to xy", "abc", "xy", [[0.1, 0.7, 0.2], [0.0, 0.5, 0.5]])


def test_the_default_examples_are_one_day_as_the_shipped_model_reads_it():
    state, translator = figures.AttentionLines().state, load_dates(attention=True)
    assert state["meant"] == "1994-09-27"
    assert len(state["examples"]) == len(attending.WRITTEN) >= 3
    for example, (name, *how) in zip(state["examples"], attending.WRITTEN, strict=True):
        text = data.spelled(attending.DAY, *how)
        read, written, weights = translator.attend(text)
        assert example["name"] == name
        assert "".join(example["read"]) == "".join(read) == text
        assert "".join(example["written"]) == "".join(written) == translator.translate(text)
        np.testing.assert_allclose(example["weights"], weights, atol=1e-4)


def test_the_default_examples_have_several_scripts_and_eras():
    texts = {example["name"]: "".join(example["read"]) for example in figures.AttentionLines().state["examples"]}
    for letters in ("septembre", "년", "平成6年", "民國83年", "2537", "سبتمبر"):
        assert sum(letters in text for text in texts.values()) == 1


def test_the_model_looks_at_the_year_where_it_writes_the_year():
    """In French the last two digits of the year are copied: their weights lie on the year."""
    example = figures.AttentionLines().state["examples"][0]
    text, weights = "".join(example["read"]), np.array(example["weights"])
    assert "".join(example["written"]) == "1994-09-27"
    year = range(text.index("1994"), text.index("1994") + 4)
    assert weights[2:4, list(year)].sum(axis=1).min() > 0.5


@pytest.mark.parametrize(
    ("tokens", "want"),
    [
        ("1994년", "01234"),
        ("27 мая", "012345"),
        ("27", "01"),
        ("", ""),
        (["le", "chat"], "01"),
        ("אב", "10"),  # begins on the right
        ("א12", "201"),  # a number runs from the left all the same
        ("٢٧ مايو", "5643210"),
        ("12 א 34", "5643201"),
        ("א1ב", "210"),
    ],
)
def test_tokens_stand_where_a_reader_of_the_script_sees_them(tokens, want):
    assert attending.places(list(tokens)) == [int(place) for place in want]


def test_a_place_is_never_given_twice():
    for text, _ in data.dates(300, seed=1):
        assert sorted(attending.places(list(text))) == list(range(len(text)))


def test_each_token_can_be_seen_alone():
    join = attending.JOIN
    assert attending.faces(list("7 a")) == ["7", "␣", "a"]
    assert attending.faces(list("กัน")) == ["ก", "◌ั", "น"]
    assert attending.faces(["le", "chat"]) == ["le", "chat"]
    # seen, beh and meem join their neighbours; reh joins only the letter before it
    assert attending.faces(list("سبرم")) == ["س" + join, join + "ب" + join, join + "ر", "م"]
    assert attending.faces(list("م٢")) == ["م", "٢"]


def test_the_still_picture_names_what_each_symbol_looked_at_most():
    still = figures.AttentionLines([ONE]).still()
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", still)[1:]]
    assert rows[0] == ["x", "b (2.), 70 %", "c (3.), 20 %"]
    assert rows[1] == ["y", "b (2.), 50 %", "c (3.), 50 %"]
    assert "abc to xy, abc: where" in still
    shown = figures.AttentionLines([ONE, ("words", ["le", "chat"], ["the", "cat"], np.eye(2))], chosen=1).still()
    assert "words, le chat: where" in shown
    assert ">space (2.), 60 %<" in figures.AttentionLines([("made", "a b", "x", [[0.2, 0.6, 0.2]])]).still()


def test_weights_are_kept_to_four_digits():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(20), size=5)
    example = figures.AttentionLines([("made", "a" * 20, "bcdef", weights)]).state["examples"][0]
    np.testing.assert_allclose(example["weights"], weights, atol=5e-5)
    assert figures.AttentionLines([ONE]).state["meant"] is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"examples": []}, "examples holds 0; the figure offers 1 to 12"),
        ({"examples": [ONE] * 13}, "examples holds 13; the figure offers 1 to 12"),
        ({"examples": [("n", "a", "x", [[1.0]])]}, "'n' has 1 tokens read; the figure takes 2 to 60"),
        ({"examples": [("n", "ab", "", np.ones((0, 2)))]}, "'n' has 0 tokens written; the figure takes 1 to 30"),
        ({"examples": [("n", "ab", "x", [[1.0]])]}, r"of 'n' have shape \(1, 1\); they must have shape \(1, 2\)"),
        ({"examples": [("n", "ab", "x", [[0.5, 0.2]])]}, "of 'n' must be 0 or more, and each row must sum to one"),
        ({"examples": [("n", "ab", "x", [[1.5, -0.5]])]}, "of 'n' must be 0 or more, and each row must sum to one"),
        ({"examples": [("n", "ab", "x", [[np.nan, 1]])]}, "of 'n' must be 0 or more, and each row must sum to one"),
        ({"examples": [ONE], "chosen": 1}, "chosen is 1; it must be a whole number from 0 to 0"),
        ({"examples": [ONE], "at": 2}, "at is 2; it must be a whole number from 0 to 1"),
    ],
)
def test_what_cannot_be_shown_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        figures.AttentionLines(**settings)
