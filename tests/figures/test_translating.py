"""ReadThenWrite shows what the model computes, and nothing else."""

import re

import pytest
import torch

from seqlab.figures import ReadThenWrite, translating
from seqlab.seq2seq import EncoderDecoder, Translator, load_addition
from seqlab.seq2seq.translator import vocabularies


def made(seed=0, **form):
    both = vocabularies([("12+34", "56"), ("70+89", "159")], "characters")
    torch.manual_seed(seed)
    model = EncoderDecoder(len(both[0]), len(both[1]), **({"embedding": 4, "hidden": 32} | form))
    for weight in model.parameters():
        weight.data *= 3
    return Translator(model.eval(), *both, "characters")


@pytest.mark.parametrize("form", [{}, {"reverse": True}, {"reverse": True, "peek": True, "cell": "gru"}])
def test_a_run_is_what_the_model_computes_step_by_step(form):
    t = made(**form)
    run = translating.run(t, "12+34")
    turned = form.get("reverse", False)
    assert run["read"] == (list("43+21") if turned else list("12+34"))
    assert run["peek"] == form.get("peek", False)
    assert run["size"] == 32
    assert len(run["encoder"]) == 5
    assert len(run["encoder"][0]) == translating.UNITS
    plain = EncoderDecoder(**(t.model.settings | {"reverse": False})).eval()
    plain.load_state_dict(t.model.state_dict())
    ids = torch.tensor([t.source_vocabulary.encode(run["read"])])
    with torch.no_grad():
        for n, units in enumerate(run["encoder"], start=1):  # the state after the first n symbols that were read
            want = plain.encode(ids, torch.tensor([n]))["cell"][0][0, -1, : translating.UNITS]
            torch.testing.assert_close(torch.tensor(units), want, atol=0.005001, rtol=0)
        given = torch.tensor([[t.bos, *t.target_vocabulary.encode(run["written"][:-1])]])
        p = plain(ids, torch.tensor([5]), given)[0].softmax(1)
    assert run["heard"] == ["<bos>", *run["written"][:-1]]
    for step, symbol, row in zip(run["p"], run["written"], p, strict=True):
        assert step[0][0] == symbol
        assert [share for _, share in step] == sorted((share for _, share in step), reverse=True)
        for name, share in step:
            assert share == pytest.approx(row[t.target_vocabulary.ids[name]].item(), abs=1e-4)
    assert run["written"][-1] == "<eos>" or len(run["written"]) == 8


def test_the_shipped_models_stand_side_by_side():
    figure = ReadThenWrite()
    state = figure.state
    assert [name for name, _ in state["kinds"]] == ["plain", "reversed", "peeking"]
    assert state["truths"][:2] == ["91", "1000"]
    for kind, runs in state["runs"].items():
        answers = load_addition(kind).answers(state["questions"])
        assert ["".join(run["written"]).replace("<eos>", "") for run in runs] == answers
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    assert len(rows) == 3 * len(state["questions"])
    assert 'scope="row">16+75' in rows[0]
    assert len(figure._repr_html_()) < 150_000


def test_other_models_and_questions_can_be_shown():
    figure = ReadThenWrite({"mine": made()}, ["7+8", "12"])
    assert figure.state["kinds"] == [["mine", "mine"]]
    assert figure.state["truths"] == ["15", ""]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({}, ["1+1"]), "translators is empty"),
        ((None, []), "questions holds 0 texts"),
        ((None, ["1234+56789"]), "10 symbols long; 1 to 9 fit the drawing"),
    ],
)
def test_a_mistake_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        ReadThenWrite(*arguments)
