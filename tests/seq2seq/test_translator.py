"""Text in, text out: the same answer one at a time and side by side, scores that can be computed again."""

import numpy as np
import pytest
import torch

from seqlab.seq2seq import EncoderDecoder, Translator
from seqlab.seq2seq.translator import tokens, vocabularies
from seqlab.text import Vocabulary

PAIRS = [("le chat dort", "the cat sleeps"), ("le chien mange", "the dog eats"), ("la nuit", "the night")]
TEXTS = ["le chat", "le chien dort la nuit", "nuit"]


def made(split="words", seed=0, **form):
    both = vocabularies(PAIRS, split)
    torch.manual_seed(seed)
    model = EncoderDecoder(len(both[0]), len(both[1]), **({"embedding": 5, "hidden": 8} | form))
    for weight in model.parameters():
        weight.data *= 3  # a model that has opinions
    return Translator(model.eval(), *both, split)


def test_a_text_is_cut_into_words_or_characters():
    assert tokens("ab c", "characters") == ["a", "b", " ", "c"]
    assert tokens(" ab  c ", "words") == ["ab", "c"]
    assert tokens(("ab", "c"), "characters") == ["ab", "c"]
    with pytest.raises(ValueError, match="split is 'letters'; it must be 'characters' or 'words'"):
        tokens("ab", "letters")


def test_the_vocabularies_hold_what_begins_and_ends_a_target():
    source, target = vocabularies(PAIRS, "words")
    assert source.tokens[:2] == ["<pad>", "<unk>"]
    assert target.tokens[:4] == ["<pad>", "<unk>", "<bos>", "<eos>"]
    assert set(source.tokens[2:]) == {"le", "la", "chat", "chien", "dort", "mange", "nuit"}
    assert set(vocabularies(PAIRS, "words", min_freq=2)[0].tokens[2:]) == {"le"}
    t = made()
    assert t.target_vocabulary.decode([t.bos, t.eos]) == ["<bos>", "<eos>"]
    with pytest.raises(ValueError, match="there are no pairs"):
        vocabularies([], "words")


@pytest.mark.parametrize("attention", [None, "additive"])
@pytest.mark.parametrize("split", ["words", "characters"])
def test_alone_or_side_by_side_the_answer_is_the_same(split, attention):
    t = made(split, attention=attention)
    alone = [t.translate(text, max_len=9) for text in TEXTS]
    assert t.answers(TEXTS, max_len=9) == alone
    assert t.answers(TEXTS, batch_size=2, max_len=9) == alone
    assert t.answers([tokens(text, split) for text in TEXTS], max_len=9) == alone
    assert len(set(alone)) > 1
    assert t.answers([]) == []


def test_n_best_gives_hypotheses_whose_scores_can_be_computed_again():
    t = made()
    found = t.translate("le chien", beam_width=4, n_best=3, max_len=5)
    assert len(found) == 3
    assert t.translate("le chien", beam_width=4, max_len=5) == found[0][0]
    for answer, hypothesis in found:
        assert answer == " ".join(t.target_vocabulary.decode(hypothesis.words))
        ids = torch.tensor([t.source_vocabulary.encode(["le", "chien"])])
        with torch.no_grad():
            given = torch.tensor([[t.bos, *hypothesis.tokens[:-1]]])
            log_p = t.model(ids, torch.tensor([2]), given)[0].log_softmax(1)
        each = log_p[torch.arange(hypothesis.length), list(hypothesis.tokens)]
        np.testing.assert_allclose(each, hypothesis.log_probs, atol=1e-5)
    scores = [hypothesis.score for _, hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    long = t.translate("le chien", beam_width=4, alpha=1.0, n_best=1, max_len=5)[0][1]
    assert np.isclose(long.score, long.log_prob / long.length)


def test_attend_gives_one_row_of_weights_for_each_word_that_was_written():
    t = made(attention="additive", bidirectional=True)
    source, target, weights = t.attend("le chien mange")
    assert source == ["le", "chien", "mange"]
    assert " ".join(target) == t.translate("le chien mange")
    assert weights.shape == (len(target), 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    state = t.start(["le chien mange"])
    _, state = t.step(torch.tensor([t.bos]), state)
    np.testing.assert_allclose(weights[0], state["weights"][0], atol=1e-6)


def test_attend_gives_no_row_where_nothing_was_written():
    t = made(attention="dot")
    with torch.no_grad():
        t.model.out.bias[t.eos] = 1e4
    assert t.attend("la nuit")[1] == []
    assert t.attend("la nuit")[2].shape == (0, 2)


def test_a_symbol_that_was_never_seen_is_read_as_unknown():
    t = made()
    assert torch.equal(t.start(["le loup"])["cell"][0], t.start(["le <unk>"])["cell"][0])


def test_what_is_wrong_is_told_in_a_sentence():
    t = made()
    with pytest.raises(ValueError, match="texts is the string 'le chat'; give a list of texts"):
        t.start("le chat")
    with pytest.raises(ValueError, match="text 1 is empty; there is nothing to read"):
        t.start(["le chat", " "])
    with pytest.raises(ValueError, match="this model has no attention"):
        t.attend("le chat")
    with pytest.raises(ValueError, match="the target vocabulary has no '<bos>'"):
        Translator(t.model, t.source_vocabulary, Vocabulary("ab"), "words")
    with pytest.raises(ValueError, match="beam_width is 0"):
        t.translate("le chat", beam_width=0)


def test_it_says_what_it_is():
    t = made()
    assert repr(t).startswith("Translator of words: 9 symbols to 10, ")
    assert t.log == {}
