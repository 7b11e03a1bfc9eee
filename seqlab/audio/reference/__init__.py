"""Sound in NumPy, float64: the equations of the chapter, one function each. No torch."""

from seqlab.audio.reference.detection import (
    Matches,
    average_precision,
    detect,
    match,
    precision_recall,
    trigger_loss,
)
from seqlab.audio.reference.examples import (
    Event,
    gain,
    labels_after,
    mask,
    overlaps,
    overlay,
    place,
    shift,
    stretch,
    training_example,
)

__all__ = [
    "Event",
    "Matches",
    "average_precision",
    "detect",
    "gain",
    "labels_after",
    "mask",
    "match",
    "overlaps",
    "overlay",
    "place",
    "precision_recall",
    "shift",
    "stretch",
    "training_example",
    "trigger_loss",
]
