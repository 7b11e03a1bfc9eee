import pytest
import torch

from seqlab.ctc import CTCNetwork, ctc_loss
from seqlab.ctc.modules import side_by_side


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def small(**options):
    torch.manual_seed(0)
    return CTCNetwork(3, 4, hidden=5, **options).eval()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("subsample", [1, 2, 3])
def test_frames_come_first_and_hold_log_probabilities(cell, bidirectional, subsample):
    network = small(cell=cell, bidirectional=bidirectional, subsample=subsample, layers=2)
    log_probs, lengths = network(draw(2, 7, 3), torch.tensor([7, 4]))
    assert log_probs.shape == (-(-7 // subsample), 2, 4)
    assert torch.allclose(log_probs.exp().sum(2), torch.ones(log_probs.shape[:2]))
    assert lengths.tolist() == [-(-7 // subsample), -(-4 // subsample)]


@pytest.mark.parametrize("subsample", [1, 2, 3])
def test_padding_does_not_matter(subsample):
    network, x = small(subsample=subsample), draw(2, 9, 3)
    log_probs, lengths = network(x, (5, 9))
    alone, length = network(x[:1, :5])
    assert length[0] == lengths[0]
    assert torch.allclose(log_probs[: lengths[0], :1], alone, atol=1e-6)
    x[0, 5:] = float("nan")
    assert torch.allclose(network(x, (5, 9))[0][: lengths[0], :1], alone, atol=1e-6)


@pytest.mark.parametrize(("bidirectional", "leaks"), [(False, False), (True, True)])
def test_only_a_network_that_reads_both_ways_hears_the_future(bidirectional, leaks):
    network, x = small(bidirectional=bidirectional), draw(1, 6, 3)
    before = network(x)[0]
    x[0, 5] += 1.0
    after = network(x)[0]
    assert (before[:5] != after[:5]).any().item() == leaks
    assert (before[5] != after[5]).any()


def test_frames_lie_side_by_side_in_their_order():
    x = torch.arange(10.0).reshape(1, 5, 2)
    assert side_by_side(x, 2).tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 0]]]
    assert side_by_side(x, 1).tolist() == x.tolist()


def test_dropout_acts_in_training_alone():
    network, x = small(dropout=0.5), draw(2, 6, 3)
    assert torch.equal(network(x)[0], network(x)[0])
    network.train()
    assert not torch.equal(network(x)[0], network(x)[0])


@pytest.mark.slow
def test_it_learns_where_the_labels_are_from_texts_alone():
    """Each label is one lit number for one to three frames, each gap silence: the loss never says when."""
    torch.manual_seed(1)
    x, targets = torch.zeros(8, 16, 3), torch.randint(1, 4, (8, 3))
    for row in range(8):
        t = 1
        for label in targets[row]:
            shown = int(torch.randint(1, 4, ()))
            x[row, t : t + shown, label - 1] = 1.0
            t += shown + 2
    network, lengths = CTCNetwork(3, 4, hidden=12), torch.full((8,), 3)
    descent = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(80):
        descent.zero_grad()
        log_probs, frames = network(x)
        loss = ctc_loss(log_probs, targets, frames, lengths)
        loss.backward()
        descent.step()
    assert loss < 0.1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"inputs": 0}, "inputs is 0; it must be a whole number, at least 1"),
        ({"classes": 1}, "classes is 1; it must be a whole number, at least 2"),
        ({"hidden": 1.5}, "hidden is 1.5"),
        ({"subsample": 0}, "subsample is 0"),
        ({"cell": "rnn"}, "cell is 'rnn'; it must be 'gru' or 'lstm'"),
        ({"dropout": 1.0}, r"dropout is 1.0; it must be a probability"),
    ],
)
def test_a_wrong_size_is_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        CTCNetwork(**({"inputs": 3, "classes": 4} | options))


@pytest.mark.parametrize(
    ("x", "lengths", "sentence"),
    [
        (torch.zeros(2, 5, 4), None, r"x has shape \(2, 5, 4\); it must have shape \(B, T, 3\)"),
        (torch.zeros(2, 5, 3).long(), None, "x holds torch.int64; it must hold floats"),
        (torch.zeros(2, 0, 3), None, "must hold a sequence of one frame or more"),
        (torch.zeros(2, 5, 3), (5, 0), "lengths goes from 0 to 5"),
        ([[1.0]], None, "x is a list"),
    ],
)
def test_a_wrong_input_is_named(x, lengths, sentence):
    with pytest.raises(ValueError, match=sentence):
        small()(x, lengths)
