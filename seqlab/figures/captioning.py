"""The interactive figure of chapter 16: a picture described word by word, and where the model looks for each word."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

SEEN, UNSEEN = (2, 3, 3, 1), (1, 2)  # how many shapes each offered picture holds
NEXT = 4  # of the likeliest words that are shown
DIGITS = 4  # of what the page holds


class CaptionLens(Figure):
    """A picture described word by word; the map shows where the model looks for each word, :eq:`visual-attention`.

    For each picture the page holds two captions: what the model writes, and a right one that begins with another shape
    (or, for one shape, mentions its size). The second is fed to the model word by word. The weights, the gate and the
    likeliest words before each word are the model's own.

    Parameters
    ----------
    scenes : 1 to 12 scenes, as `seqlab.data.shapes_scenes` makes them; None takes pictures that the shipped model has
        not seen, the last two with a pair of colour and kind that it was never shown.
    describer : `seqlab.seq2seq.captions.Describer` with attention; None takes the one that is shipped.
    word : the place of the word at which the figure starts, from 0 on; None for the first that names a shape.

    Raises
    ------
    ValueError
        when there are too few or too many scenes, the model has no attention, or the place is out of range.
    """

    module = "caption_lens.js"
    label = "Where a captioner looks, word by word"
    how = "Choose a picture and step through its caption: where does the model look before it writes each word?"

    def __init__(self, scenes=None, describer=None, word=None):
        own = scenes is not None
        scenes = tuple(scenes) if own else offered()
        if not 1 <= len(scenes) <= 12:
            raise ValueError(f"scenes holds {len(scenes)} pictures; the figure shows 1 to 12")
        described = shipped(scenes) if describer is None else told(scenes, describer)
        pictures = [dict(one) for one in described]
        if not own:
            for one in pictures[-len(UNSEEN) :]:
                one["unseen"] = True
        words = pictures[0]["captions"][0]["words"]
        if word is None:
            word = next((t for t, one in enumerate(words) if one["shape"] is not None), 0)
        check_number("word", word, 0, len(words) - 1, whole=True)
        super().__init__(pictures=pictures, picture=0, caption=0, word=word, veil=True)

    def still(self):
        picture = self.state["pictures"][0]
        caption = picture["captions"][0]
        rows = []
        for one in caption["words"]:
            shape = None if one["shape"] is None else picture["shapes"][one["shape"]]
            there = "" if shape is None else f"{100 * one['share']:.0f} % ({100 * shape['chance']:.0f} %)"
            likely = ", ".join(f"{word} {100 * p:.0f} %" for word, p in one["next"][:2])
            rows.append((one["word"], f"{100 * one['gate']:.0f} %", there, likely))
        head = ("word", "gate", "looks at the named shape (by chance)", "likeliest words")
        text = " ".join(one["word"] for one in caption["words"])
        return table(head, rows, f"“{text}”, word by word")


def offered():
    """The pictures of the figure: none of them was seen in training."""
    from seqlab import data

    found = []
    for pairs, numbers in (("seen", SEEN), ("unseen", UNSEEN)):
        scenes = data.shapes_scenes(60, 2_000_001, pairs)
        for many in numbers:
            found.append(next(s for s in scenes if len(s) == many and s not in found))
    return tuple(found)


@lru_cache(maxsize=4)
def shipped(scenes):
    """The scenes as the shipped model describes them."""
    from seqlab.seq2seq import load_captions

    return told(scenes, load_captions(attention=True))


def told(scenes, describer):
    """Each scene as plain values: its pixels, its shapes, and its two captions with all that the model did."""
    from seqlab import data

    size = describer.model.cnn.size
    images, masks = data.shapes_images(scenes, size), data.shapes_masks(scenes, size)
    written = describer.write(images)
    others = [other_caption(scene, words) for scene, words in zip(scenes, written, strict=True)]
    steps = [followed(describer, images, captions, scenes) for captions in (written, others)]
    pictures = []
    for i, scene in enumerate(scenes):
        right = data.shapes_captions(scene)
        captions = [
            {"words": some[i], "right": words[i] in right} for some, words in zip(steps, (written, others), strict=True)
        ]
        pictures.append(
            {
                "pixels": [
                    f"{r:02x}{g:02x}{b:02x}" for r, g, b in np.round(255 * images[i]).astype(int).reshape(-1, 3)
                ],
                "size": size,
                "side": describer.model.cnn.side,
                "shapes": [
                    {"name": f"{s.size} {s.colour} {s.kind}", "chance": round(float(mask.mean()), DIGITS)}
                    for s, mask in zip(scene, places(masks[i], describer.model.cnn.side), strict=False)
                ],
                "captions": captions,
            }
        )
    return tuple(pictures)


def other_caption(scene, words):
    """A right caption that begins with another shape than this one; of a single shape, one that says its size."""
    from seqlab import data

    said = [word for word in words if word not in ("there", "is", "a")][:2]
    for caption in data.shapes_captions(scene):
        if len(scene) == 1 and caption[1] == scene[0].size and caption != words:
            return caption
        if len(scene) > 1 and caption[0] == "a" and caption[1:3] != said:
            return caption
    return data.shapes_captions(scene)[0]


def followed(describer, images, captions, scenes):
    """For each caption the words with the map, the gate, the likeliest words and the shape that is named."""
    import torch

    from seqlab.seq2seq.caption_training import looks

    _, maps, gates = describer.attend(images, captions)
    found = [[] for _ in captions]
    for look in looks(scenes, captions, maps):
        found[look.picture].append({"word": look.word, "shape": look.shape, "share": round(look.share, DIGITS)})
    with torch.no_grad():
        for i, words in enumerate(captions):
            ids = torch.tensor([[describer.bos, *describer.vocabulary.encode(words)]])
            scores = describer.model(torch.from_numpy(images[i : i + 1]), ids[:, :-1])[0]
            for t, row in enumerate(scores.softmax(-1)):
                best = row.topk(NEXT)
                found[i][t]["next"] = [
                    [describer.vocabulary.tokens[k], round(p, DIGITS)]
                    for p, k in zip(best.values.tolist(), best.indices.tolist(), strict=True)
                ]
                found[i][t]["map"] = [round(float(w), DIGITS) for w in maps[i][t].ravel()]
                found[i][t]["gate"] = round(float(gates[i][t]), DIGITS)
    return found


def places(masks, side):
    """Which places (3, side, side) each shape touches."""
    from seqlab.seq2seq.caption_training import touched

    return touched(masks, side)
