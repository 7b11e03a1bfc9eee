import numpy as np
import pytest
import torch

from seqlab import data
from seqlab.decode import beam_search, greedy
from seqlab.seq2seq import Captioner, ShapesCNN, load_captions, vision
from seqlab.seq2seq.caption_training import (
    caption_batches,
    caption_loss,
    caption_scores,
    caption_vocabulary,
    held_out,
    looks,
    names,
    touched,
    train_captions,
)
from seqlab.seq2seq.captions import Describer

SMALL = {"channels": (2, 3, 4), "vector": 6, "embedding": 5, "hidden": 7, "looking": 6}


def tiny(attention, seed=0):
    torch.manual_seed(seed)
    vocabulary = caption_vocabulary()
    return Describer(Captioner(len(vocabulary), attention=attention, **SMALL).eval(), vocabulary)


def pictures(n, seed=0):
    return torch.from_numpy(data.shapes(n, seed)[0])


@pytest.mark.parametrize("vector", [None, 6])
def test_the_network_computes_what_the_numpy_reference_computes(vector):
    torch.manual_seed(0)
    cnn = ShapesCNN(16, (2, 3, 4), vector).double()
    images = torch.from_numpy(data.shapes(3, size=16)[0]).double()
    x = 2 * images.permute(0, 3, 1, 2).numpy() - 1
    for number, layer in enumerate(cnn.layers):
        x = vision.max_pool(x) if number else x
        x = np.maximum(vision.convolution(x, layer.weight.detach().numpy(), layer.bias.detach().numpy()), 0)
    grid, pooled = cnn(images)
    want = x.reshape(3, 4, 16).swapaxes(1, 2)
    assert np.allclose(grid.detach().numpy(), want, atol=1e-12)
    if vector is None:
        assert np.allclose(pooled.detach().numpy(), want.mean(axis=1), atol=1e-12)
        return
    flat = vision.max_pool(x).reshape(3, -1)
    dense = flat @ cnn.dense.weight.detach().numpy().T + cnn.dense.bias.detach().numpy()
    centred = (dense - dense.mean(axis=0)) / np.sqrt(dense.var(axis=0) + cnn.norm.eps)
    assert np.allclose(pooled.detach().numpy(), centred, atol=1e-9)


@pytest.mark.parametrize("attention", [False, True])
def test_step_by_step_gives_the_scores_of_forward(attention):
    model = tiny(attention).model
    images, ids = pictures(4), torch.randint(3, model.words, (4, 9))
    want, state = model(images, ids), model.encode(images)
    for t in range(9):
        scores, state = model.step(ids[:, t], state)
        assert torch.allclose(scores, want[:, t], atol=1e-5)


@pytest.mark.parametrize("attention", [False, True])
def test_a_word_depends_on_the_words_before_it_and_on_no_later_one(attention):
    model = tiny(attention).model
    images, ids = pictures(2), torch.randint(3, model.words, (2, 8))
    other = ids.clone()
    other[:, 5] = (ids[:, 5] + 1) % model.words
    one, two = model(images, ids), model(images, other)
    assert torch.equal(one[:, :5], two[:, :5])
    assert not torch.allclose(one[:, 5:], two[:, 5:])


@pytest.mark.parametrize("attention", [False, True])
def test_every_parameter_is_used(attention):
    describer = tiny(attention)
    draw = caption_batches(data.shapes_scenes(30), describer.vocabulary, batch_size=8)
    caption_loss(describer.model, draw(0, np.random.default_rng(0))).backward()
    for name, parameter in describer.model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_picture_makes_the_caption():
    model = tiny(True).model
    ids = torch.randint(3, model.words, (2, 6))
    images = pictures(2)
    assert not torch.allclose(model(images, ids), model(images.flip(0), ids), atol=1e-4)


def test_the_weights_of_every_word_sum_to_one_and_the_gate_is_a_share():
    model = tiny(True).model
    state = model.encode(pictures(3))
    assert state["weights"].shape == (3, 64)
    for word in (1, 4, 5):
        _, state = model.step(torch.full((3,), word), state)
        assert torch.allclose(state["weights"].sum(1), torch.ones(3))
        assert torch.all((state["gate"] > 0) & (state["gate"] < 1))


def test_attention_sees_where_a_place_is():
    """Without the vectors of the places, a decoder could not tell left from right by its weights alone."""
    model = tiny(True).model
    grid, _ = model.cnn(pictures(1))
    state = model.encode(pictures(1))
    assert torch.allclose(state["grid"] - grid, model.place.expand_as(grid), atol=1e-6)


def test_the_mean_of_the_grid_does_not_know_where_things_are():
    torch.manual_seed(0)
    cnn = ShapesCNN(channels=(2, 3, 4))
    grid, vector = cnn(pictures(2))
    shuffled = grid[:, torch.randperm(64)]
    assert torch.allclose(shuffled.mean(1), vector, atol=1e-6)


def test_a_describer_decodes_what_seqlab_decode_decodes():
    describer = load_captions(attention=True)
    images = data.shapes(6, seed=5)[0]
    found = greedy(describer.step, describer.start(images), describer.bos, describer.eos, 30)
    assert describer.write(images) == [describer.words(hypothesis.tokens) for hypothesis in found]
    best = beam_search(describer.step, describer.start(images), describer.bos, describer.eos, 3, 30)
    assert describer.write(images, beam_width=3) == [describer.words(some[0].tokens) for some in best]


def test_attend_gives_the_maps_of_the_words_it_was_asked_for():
    describer = tiny(True)
    images = pictures(2)
    words = [["a", "red", "circle"], ["there", "is", "a", "blue", "square"]]
    captions, maps, gates = describer.attend(images, words)
    assert captions == words
    assert [m.shape for m in maps] == [(3, 8, 8), (5, 8, 8)]
    assert [g.shape for g in gates] == [(3,), (5,)]
    alone = describer.attend(images[:1], words[:1])
    assert np.allclose(alone[1][0], maps[0], atol=1e-6)
    state = describer.start(images[:1])
    for token in describer.vocabulary.encode(["<bos>", "a"]):
        _, state = describer.step(torch.tensor([token]), state)
    assert np.allclose(state["weights"].view(8, 8).detach().numpy(), maps[0][1], atol=1e-6)


def test_attend_needs_attention():
    with pytest.raises(ValueError, match="no attention; load_captions"):
        tiny(False).attend(pictures(1))


def test_a_batch_holds_right_captions_shifted_by_one():
    vocabulary = caption_vocabulary()
    scenes = data.shapes_scenes(40)
    draw = caption_batches(scenes, vocabulary, batch_size=10)
    every = {tuple(words) for scene in scenes for words in data.shapes_captions(scene)}
    drawn = set()
    for step in range(12):
        batch = draw(step, np.random.default_rng([0, step]))
        for image, given, wanted in zip(*batch, strict=True):
            wanted = [i for i in wanted.tolist() if i >= 0]
            assert given.tolist()[: len(wanted)] == [1, *wanted[:-1]]
            words = tuple(vocabulary.decode(wanted[:-1]))
            scene = next(s for s in scenes if np.array_equal(data.shapes_images([s])[0], image.numpy()))
            assert list(words) in data.shapes_captions(scene)
            drawn.add((len(scene), "large" in words or "small" in words, words[0]))
        again = draw(step, np.random.default_rng([0, step]))
        assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
    assert drawn == {(n, sized, first) for n in (1, 2, 3) for sized in (True, False) for first in ("a", "there")}
    assert every


def test_a_batch_is_mixed_or_of_one_number_of_shapes():
    vocabulary, scenes = caption_vocabulary(), data.shapes_scenes(200)
    articles = vocabulary.encode(["a"])[0]
    for mixed in (True, False):
        draw = caption_batches(scenes, vocabulary, batch_size=20, mixed=mixed)
        found = [
            set((draw(step, np.random.default_rng(step)).target_in == articles).sum(1).tolist()) for step in range(20)
        ]
        assert set().union(*found) == {1, 2, 3}
        assert all(len(numbers) == (3 if mixed else 1) for numbers in found)


def test_the_vocabulary_has_exactly_the_words_of_the_captions():
    words = {w for scene in data.shapes_scenes(300) for caption in data.shapes_captions(scene) for w in caption}
    assert set(caption_vocabulary().tokens) == words | {"<pad>", "<bos>", "<eos>"}


def test_scores_of_captions_by_hand():
    one = data.shapes_scenes(1, objects=1)[0]
    two = data.shapes_scenes(1, objects=2)[0]
    right = [data.shapes_captions(one)[-1], data.shapes_captions(two)[-1]]
    scores = caption_scores(right, [one, two])
    assert scores == {"bleu": 1.0, "right": 1.0, "named": 1.0, "right_of": {"1": 1.0, "2": 1.0}}
    first, second = two
    relation = {"left": "right of", "right": "left of", "above": "below", "below": "above"}
    wrong = f"a {first.colour} {first.kind} {relation[data.shapes_relation(first, second)]} "
    wrong = (wrong + f"a {second.colour} {second.kind}").split()
    scores = caption_scores([right[0], wrong], [one, two])
    assert scores["named"] == 1
    assert scores["right"] == 0.5
    assert scores["right_of"] == {"1": 1.0, "2": 0.0}
    assert scores["bleu"] < 1
    said = ["there", "is", "a", "small", "red", "circle", "left", "of", "a", "blue", "cross"]
    assert names(said) == [("blue", "cross"), ("red", "circle")]
    assert caption_scores([["a", "red", "circle"]], [(one[0]._replace(colour="blue"),)])["named"] == 0


def test_held_out_pictures_are_not_among_the_learnt():
    kept = held_out(50)
    learnt = set(data.shapes_scenes(500, 0, "seen"))
    for scenes in kept.values():
        assert len(scenes) == 50
        assert not learnt & set(scenes)


@pytest.mark.parametrize("attention", [False, True])
def test_training_writes_a_file_that_says_how_it_was_made_and_makes_it_again(tmp_path, attention, monkeypatch):
    from seqlab.seq2seq import caption_training

    monkeypatch.setattr(caption_training, "HELD_OUT", 5)
    monkeypatch.setattr(caption_training, "LOOK", 3)
    options = {"steps": 3, "pictures": 30, "embedding": 4, "hidden": 8, "progress": False}
    log = train_captions(tmp_path / "one.npz", attention, **options)
    assert log["history"]["loss"][-1] < 5
    assert log["command"] == (
        f"seqlab train captions --{'' if attention else 'no-'}attention --steps 3 --pictures 30 --embedding 4 "
        "--hidden 8 --lr 0.002 --seed 0 --out one.npz"
    )
    train_captions(tmp_path / "two.npz", attention, **options)
    one, two = (load_captions(path=tmp_path / name) for name in ("one.npz", "two.npz"))
    assert one.log["model"]["attention"] is attention
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(a, b)
    (tmp_path / "one.npz").unlink()
    with pytest.raises(ValueError, match=r"one\.npz is gone"):
        train_captions(tmp_path / "one.npz", attention, **options)


def test_the_command_trains_and_shows_captions(tmp_path, monkeypatch, capsys):
    from seqlab import cli
    from seqlab.seq2seq import caption_training

    monkeypatch.setattr(caption_training, "HELD_OUT", 4)
    monkeypatch.setattr(caption_training, "LOOK", 2)
    out = tmp_path / "small.npz"
    options = ["--steps", "2", "--pictures", "20", "--embedding", "4", "--hidden", "8", "--no-attention"]
    assert cli.main(["train", "captions", *options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "new pictures: 0.0% right, BLEU" in said
    assert "a pair of colour and kind never learnt" in said
    assert load_captions(path=out).log["training"]["steps"] == 2
    assert cli.main(["train", "captions", "--out", str(tmp_path / "none" / "x.npz")]) == 2
    assert "does not exist: make it first" in capsys.readouterr().err


@pytest.mark.parametrize("attention", [False, True])
def test_the_shipped_models_do_what_their_log_says(attention):
    describer = load_captions(attention)
    assert describer.log["model"]["attention"] is attention
    scenes = held_out(100)
    for pairs in ("seen", "unseen"):
        measured = caption_scores(describer.write(data.shapes_images(scenes[pairs])), scenes[pairs])
        for name in ("right", "named", "bleu"):
            assert abs(measured[name] - describer.log[pairs][name]) < 0.15, (pairs, name)


def test_the_shipped_model_looks_at_what_it_names():
    describer, scenes = load_captions(attention=True), data.shapes_scenes(60, 9, "seen")
    captions, maps, _ = describer.attend(data.shapes_images(scenes))
    found = [look for look in looks(scenes, captions, maps) if look.part == "kind" and look.shape is not None]
    assert len(found) > 80
    assert np.mean([look.share for look in found]) > 4 * np.mean([look.chance for look in found])


def test_looks_by_hand():
    one = data.shapes_scenes(1, objects=1)[0][0]._replace(x=0.25, y=0.25, radius=0.1, colour="red", kind="square")
    other = one._replace(x=0.75, y=0.75, colour="blue", kind="circle")
    words = ["a", "large", "red", "square", "above", "a", "red", "circle"]
    maps = np.zeros((8, 4, 4))
    maps[:, 0, 0] = 1
    found = looks([(one, other)], [words], [maps])
    assert [look.part for look in found] == ["other", "size", "colour", "kind", "other", "other", "colour", "kind"]
    assert [look.shape for look in found] == [None, 0, 0, 0, None, None, None, None]
    assert all(look.share == 1 for look in found)
    places = touched(data.shapes_masks([(one, other)])[0], 4)
    assert found[2].chance == places[0].mean()
    assert found[0].chance == (places[0] | places[1]).mean() > found[2].chance


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ShapesCNN(size=20), "size is 20; it must be a multiple of 8"),
        (lambda: ShapesCNN(channels=(4, 4)), "channels is"),
        (lambda: ShapesCNN()(torch.zeros(1, 3, 32, 32)), "images has shape"),
        (lambda: Captioner(0), "words is 0"),
        (lambda: Captioner(9, **SMALL)(torch.zeros(2, 32, 32, 3), torch.zeros(3, 4, dtype=torch.int64)), "target_in"),
        (lambda: caption_batches([], caption_vocabulary()), "no pictures to learn from"),
        (lambda: caption_batches(data.shapes_scenes(2), caption_vocabulary(), 0), "batch_size is 0"),
        (lambda: train_captions("x.txt"), "must end with .npz"),
        (lambda: train_captions("x.npz", steps=0), "steps is 0"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_file_of_another_kind_is_refused(tmp_path):
    from seqlab.weights import save_weights

    path = tmp_path / "other.npz"
    save_weights(path, torch.nn.Linear(1, 1), {"task": "dates", "model": {}})
    with pytest.raises(ValueError, match="seqlab train captions"):
        load_captions(path=path)
