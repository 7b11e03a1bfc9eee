"""Train captioners on rendered shapes, and measure what they write and where they look."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab import data
from seqlab.files import checkpoint_beside
from seqlab.learning import learn
from seqlab.lm.functional import cross_entropy
from seqlab.machine import described
from seqlab.seq2seq.captions import Captioner, Describer, load_captions
from seqlab.shapes import check_whole
from seqlab.text import Vocabulary, pad
from seqlab.weights import check_result, checked_out, save_weights

BATCH_SIZE = 64
HELD_OUT = 600  # pictures of each kind, at the end of a run
LOOK = 150  # pictures of each kind, at each look during it
IGNORED = -100  # what stands in target_out where there is no word


class CaptionBatch(NamedTuple):
    """Pictures and one right caption of each: images (B, S, S, 3), target_in and target_out (B, Ty) ids.

    target_in begins with <bos>; target_out, one step ahead, ends with <eos> and holds -100 where nothing is left to
    predict.
    """

    images: torch.Tensor
    target_in: torch.Tensor
    target_out: torch.Tensor


def caption_vocabulary():
    """Every word that a right caption can hold: `Vocabulary` with <pad>, <bos> and <eos> in front."""
    words = {"there", "is", "a", "and", *data.SHAPE_COLOURS, *data.SHAPE_KINDS}
    scenes = data.shapes_scenes(64, objects=2)
    words |= {word for scene in scenes for caption in data.shapes_captions(scene) for word in caption}
    return Vocabulary("", specials=["<pad>", "<bos>", "<eos>", *sorted(words)])


def caption_batches(scenes, vocabulary, batch_size=BATCH_SIZE, size=32, mixed=True):
    """Make the function that `seqlab.learning.learn` asks for its batches.

    Every time that a picture comes, one of its right captions is drawn.

    Parameters
    ----------
    scenes : list of scenes, as `seqlab.data.shapes_scenes` makes them.
    vocabulary : of `caption_vocabulary`.
    batch_size : B.
    size : S, pixels of a side.
    mixed : False fills a batch with pictures of the same number of shapes, so that its captions are of similar length
        and less is padded. Not for a network with batch normalisation: it would learn from batches that are unlike the
        pictures it meets later.

    Returns
    -------
    draw : function `draw(step, rng) -> CaptionBatch`.

    Raises
    ------
    ValueError
        when there is no scene, or batch_size is below 1.
    """
    if not scenes:
        raise ValueError("there are no pictures to learn from")
    check_whole("batch_size", batch_size)
    numbers = np.array([0 if mixed else len(scene) for scene in scenes])
    groups = {many: np.flatnonzero(numbers == many) for many in np.unique(numbers).tolist()}
    bos, eos = vocabulary.encode(["<bos>", "<eos>"])

    def draw(step, rng):
        group = groups[list(groups)[rng.integers(len(groups))]]
        some = [scenes[i] for i in rng.choice(group, size=batch_size)]
        return batch_of(some, [one_caption(scene, rng) for scene in some])

    def batch_of(some, captions):
        ids = [vocabulary.encode(words) for words in captions]
        target_in, _ = pad([[bos, *row] for row in ids])
        target_out, _ = pad([[*row, eos] for row in ids], value=IGNORED)
        return CaptionBatch(*map(torch.from_numpy, (data.shapes_images(some, size), target_in, target_out)))

    return draw


def one_caption(scene, rng):
    """One of the right captions of a picture, each as likely as the others."""
    captions = data.shapes_captions(scene)
    return captions[rng.integers(len(captions))]


def caption_loss(model, batch):
    """Mean loss of the words of the captions, <eos> among them, given the picture, :eq:`caption-model`.

    Parameters
    ----------
    model : `Captioner`.
    batch : `CaptionBatch`.

    Returns
    -------
    loss : number in nats a word; padding does not count.
    """
    return cross_entropy(model(batch.images, batch.target_in), batch.target_out, ignore_index=IGNORED)


def caption_scores(captions, scenes):
    """Hold captions against all right ones.

    Parameters
    ----------
    captions : list of n lists of words.
    scenes : list of n scenes.

    Returns
    -------
    scores : dict. "bleu": of the corpus, 0 to 1, with every right caption as a reference, :eq:`bleu`. "right": the
        share of captions that are one of the right ones. "named": the share that name the right shapes, every colour
        with its kind, whatever is said of their places. "right_of": the share of right ones for each number of shapes.
    """
    from seqlab.decode import bleu

    references = [data.shapes_captions(scene) for scene in scenes]
    right = np.array([words in some for words, some in zip(captions, references, strict=True)])
    named = [names(words) == names_in(scene) for words, scene in zip(captions, scenes, strict=True)]
    many = np.array([len(scene) for scene in scenes])
    return {
        "bleu": bleu(captions, references).score,
        "right": float(right.mean()),
        "named": float(np.mean(named)),
        "right_of": {str(n): float(right[many == n].mean()) for n in np.unique(many).tolist()},
    }


def names(words):
    """The pairs of colour and kind in a caption, sorted."""
    return sorted(pair for pair in pairwise(words) if pair[0] in data.SHAPE_COLOURS and pair[1] in data.SHAPE_KINDS)


def names_in(scene):
    """The pairs of colour and kind in a picture, sorted."""
    return sorted((shape.colour, shape.kind) for shape in scene)


class Look(NamedTuple):
    """Where a model looked before one word; `looks` makes them.

    The word stands at `place` of the caption of `picture`. Its `part` is "size", "colour", "kind" or "other"; `shape`
    says which shape of the scene it names, or is None: for another word, or where no such shape is in the picture.
    `share` of the weights lay on the places that the named shape touches (with no shape named, on those of any shape);
    the same weight everywhere would have put `chance` there.
    """

    picture: int
    place: int
    word: str
    part: str
    shape: int | None
    share: float
    chance: float


def looks(scenes, captions, maps, size=32):
    """Hold the maps of attention against what each word names.

    Parameters
    ----------
    scenes : list of n scenes.
    captions, maps : as `Describer.attend` gives them.
    size : S, pixels of a side.

    Returns
    -------
    looks : list of `Look`, one for each word of all captions.
    """
    found = []
    masks = data.shapes_masks(scenes, size)
    for i, (scene, words, some) in enumerate(zip(scenes, captions, maps, strict=True)):
        shown = touched(masks[i], some.shape[-1])
        for t, (word, (part, shape)) in enumerate(zip(words, named_shapes(words, scene), strict=True)):
            there = shown.any(0) if shape is None else shown[shape]
            found.append(Look(i, t, word, part, shape, float(some[t][there].sum()), float(there.mean())))
    return found


def touched(masks, side, least=0.05):
    """Which places of the grid, (3, side, side) bool, each shape covers by a twentieth or more; masks (3, S, S)."""
    k = masks.shape[-1] // side
    return masks.reshape(len(masks), side, k, side, k).mean(axis=(2, 4)) > least


def named_shapes(words, scene):
    """For each word its part, and the shape of the scene that it names, or None."""
    shapes = {(shape.colour, shape.kind): j for j, shape in enumerate(scene)}
    found = [("other", None)] * len(words)
    for t, pair in enumerate(pairwise(words)):
        if pair[0] not in data.SHAPE_COLOURS or pair[1] not in data.SHAPE_KINDS:
            continue
        shape = shapes.get(pair)
        found[t : t + 2] = [("colour", shape), ("kind", shape)]
        if t and words[t - 1] in ("small", "large"):
            found[t - 1] = ("size", shape)
    return found


def held_out(n=HELD_OUT, seed=0):
    """Pictures that no captioner of that seed has seen.

    Returns
    -------
    scenes : dict. "seen": new pictures of pairs of colour and kind that were learnt. "unseen": each with at least one
        pair that never was.
    """
    return {pairs: data.shapes_scenes(n, 1_000_000 + seed, pairs) for pairs in ("seen", "unseen")}


def train_captions(
    out,
    attention=True,
    *,
    steps=5000,
    pictures=20_000,
    embedding=32,
    hidden=128,
    lr=2e-3,
    seed=0,
    progress=True,
):
    """Train a captioner and write it with its log.

    Adam with a rate that falls from `lr` to 0 in a straight line, 64 pictures at a time, gradients clipped at a norm
    of 5. The four ``seqlab.data.UNSEEN_PAIRS`` of colour and kind are never shown.

    Parameters
    ----------
    out : the .npz file to write, after every tenth of the run. A checkpoint stands beside it, from which a stopped run
        goes on.
    attention : True or False.
    steps : batches.
    pictures : how many to learn from; each with all its right captions.
    embedding, hidden : as in `Captioner`.
    lr : the first learning rate.
    seed : of the pictures, the first weights and the drawing.
    progress : as in `seqlab.learning.learn`.

    Returns
    -------
    log : dict, which is also inside the file: settings, history, `caption_scores` of the "seen" and the "unseen"
        held-out pictures, and the command that makes the same again.

    Raises
    ------
    ValueError
        when an argument is out of range, the folder of `out` is missing, or the checkpoint is of another run.
    """
    out = checked_out(out)
    for name, number in {"steps": steps, "pictures": pictures}.items():
        check_whole(name, number)
    vocabulary = caption_vocabulary()
    model = _model({"words": len(vocabulary), "attention": attention, "embedding": embedding, "hidden": hidden}, seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    describer = Describer(model.to(device), vocabulary)
    options = {"attention": bool(attention), "steps": steps, "pictures": pictures, "embedding": embedding}
    options |= {"hidden": hidden, "lr": lr, "seed": seed}
    log = {
        "task": "captions",
        "model": model.settings,
        "vocabulary": vocabulary.tokens,
        "training": {**options, "batch_size": BATCH_SIZE, "unseen": data.UNSEEN_PAIRS},
        "command": _command(options, out),
        **described(device),
    }
    draw = caption_batches(data.shapes_scenes(pictures, seed, "seen"), vocabulary, mixed=not attention)
    trials = held_out(LOOK, seed)

    def look(model):
        scores = {pairs: measured(describer, scenes) for pairs, scenes in trials.items()}
        return {f"{pairs}_right": score["right"] for pairs, score in scores.items()}

    history = learn(
        model,
        caption_loss,
        lambda step, rng: CaptionBatch(*(part.to(device) for part in draw(step, rng))),
        steps=steps,
        lr=lr,
        schedule=lambda done: 1 - done,
        evaluate=look,
        every=max(1, steps // 10),
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
        after=lambda model, history: save_weights(out, model, log | {"history": history}),
    )
    check_result(out)
    kept = load_captions(path=out)  # what is measured is what was rounded to 16 bits
    log |= {"history": history, "seconds": history["seconds"][-1]}
    log |= {pairs: measured(kept, scenes) for pairs, scenes in held_out(HELD_OUT, seed).items()}
    save_weights(out, kept.model, log)
    return log


def measured(describer, scenes):
    """`caption_scores` of what the model writes about these scenes, greedily."""
    return caption_scores(describer.write(data.shapes_images(scenes, describer.model.cnn.size)), scenes)


def _model(settings, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Captioner(**settings)


def _command(options, out):
    """The line that makes the same file again."""
    words = ["seqlab", "train", "captions"]
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{name}")
        else:
            words += [f"--{name}", str(value)]
    return " ".join([*words, "--out", out.name])
