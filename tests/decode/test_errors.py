"""Error analysis: who is blamed, by which number, and what is said about it."""

import numpy as np
import pytest

from seqlab.decode import beam_search, error_analysis
from tests.decode.tiny import BOS, EOS, Recurrent, in_torch

RIGHT, LONG = [[2, EOS]], [[2, 2, 2, EOS]]


def distribution(prefix):
    """Greedy begins with 1; the best output is (2, end), with probability 0.36; (1, end) has 0.24."""
    if prefix == ():
        return np.array([0.0, 0.6, 0.4])
    return np.array([0.4, 0.3, 0.3]) if prefix[0] == 1 else np.array([0.9, 0.05, 0.05])


def analysis(references, hypotheses, *rest, **options):
    return error_analysis(*in_torch(distribution, len(references)), references, hypotheses, BOS, EOS, *rest, **options)


def test_the_search_is_blamed_when_the_model_prefers_the_right_one():
    model = in_torch(distribution)
    narrow = analysis(RIGHT, beam_search(*model, BOS, EOS, 1, 4))
    v = narrow.verdicts[0]
    assert np.exp([v.star.log_prob, v.hat.log_prob]) == pytest.approx([0.36, 0.24])
    assert v.blame == "search"
    assert "make the beam wider" in narrow.advice
    wide = analysis(RIGHT, beam_search(*model, BOS, EOS, 2, 4))
    assert wide.verdicts[0].blame is None
    assert "nothing to repair" in wide.advice


def test_the_model_is_blamed_when_it_prefers_the_wrong_one():
    found = analysis([[1, 1, EOS]], beam_search(*in_torch(distribution), BOS, EOS, 2, 4))
    assert found.verdicts[0].blame == "model"
    assert "a wider beam will not help" in found.advice


def test_with_a_length_penalty_the_normalised_scores_are_compared():
    """log P prefers the short output and log P / n the long one: the same pair, another fault."""

    def flat(prefix):
        return np.array([0.3, 0.05, 0.65]) if len(prefix) < 3 else np.array([0.9, 0.05, 0.05])

    model = in_torch(flat)
    plain = error_analysis(*model, LONG, [[EOS]], BOS, EOS)
    normalised = error_analysis(*model, LONG, [[EOS]], BOS, EOS, 1.0)
    assert plain.verdicts[0].blame == "model"
    assert normalised.verdicts[0].blame == "search"
    v = normalised.verdicts[0]
    assert v.objective_star == pytest.approx(v.star.log_prob / 4)
    assert v.star.log_prob < v.hat.log_prob
    gnmt = error_analysis(*model, LONG, [[2, EOS]], BOS, EOS, 1.0, penalty="gnmt").verdicts[0]
    assert gnmt.objective_hat == pytest.approx(np.log(0.65 * 0.3) / (7 / 6))


def test_of_several_right_translations_any_that_the_model_prefers_blames_the_search():
    hat = [[1, EOS]]
    assert analysis([[[1, 1, EOS], [2, EOS]]], hat).verdicts[0].blame == "search"
    assert analysis([[[1, 1, EOS], [1, 2, EOS]]], hat).verdicts[0].blame == "model"
    assert analysis([[[1, 1, EOS], [1, EOS]]], hat).verdicts[0].blame is None


def test_what_has_not_ended_is_the_fault_of_the_search():
    """The beginning (1,) is likelier than any output, and it is no output."""
    found = analysis([[1, 1, EOS]], [[1]])
    assert found.verdicts[0].hat.log_prob > found.verdicts[0].star.log_prob
    assert found.verdicts[0].objective_hat == -np.inf
    assert found.verdicts[0].blame == "search"


def test_the_table_counts_what_it_lists():
    found = analysis([[2, EOS], [1, 1, EOS], [2, EOS], [2, EOS]], [[1, EOS], [1, EOS], [2, EOS], [2, 2, EOS]])
    assert [v.blame for v in found.verdicts] == ["search", "model", None, "search"]
    assert found.counts == {"right": 1, "search": 2, "model": 1}
    assert found.shares == {"search": pytest.approx(2 / 3), "model": pytest.approx(1 / 3)}
    lines = str(found).splitlines()
    assert len(lines) == 7
    assert lines[1].split() == ["0", "-1.022", "-1.427", "-1.02", ">", "-1.43", "search"]
    assert lines[-2:] == ["right 1, search 2, model 1", found.advice]


def test_each_sentence_is_judged_by_its_own_source():
    model = Recurrent()
    sources = [[1, 2, 3], [4], [5, 6, 7, 8, 1]]
    references = [[[1, EOS], [2, 2, EOS]], [3, EOS], [[4, 1, EOS]]]
    narrow = beam_search(model.step, model.start(sources), BOS, EOS, 1, 6, 0.6, coverage=0.2)
    together = error_analysis(
        model.step, model.start(sources), references, narrow, BOS, EOS, 0.6, coverage=0.2
    ).verdicts
    for source, reference, hat, v in zip(sources, references, narrow, together, strict=True):
        alone = error_analysis(model.step, model.start([source]), [reference], [hat], BOS, EOS, 0.6, coverage=0.2)
        assert v.blame == alone.verdicts[0].blame
        assert v.objective_star == pytest.approx(alone.verdicts[0].objective_star)
        assert v.hat.score == pytest.approx(hat[0].score)


@pytest.mark.parametrize(
    ("references", "hypotheses", "message"),
    [
        ([[2, EOS]], [[EOS], [EOS]], "hypotheses has 2 entries and state has 1 sentences"),
        ([[2, 1]], [[EOS]], "a reference of sentence 0 does not end with <eos>, 0: add it"),
        ([[]], [[EOS]], "a sentence has no reference"),
    ],
)
def test_what_cannot_be_compared_is_refused(references, hypotheses, message):
    with pytest.raises(ValueError, match=message):
        analysis(references, hypotheses)
