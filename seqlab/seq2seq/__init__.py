"""Sequence to sequence: encoder and decoder, with and without attention, their training, and what was trained.

The names below need torch and are imported when they are first used, so that `seqlab.seq2seq.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "captions": ["Captioner", "ShapesCNN", "load_captions"],
        "modules": ["EncoderDecoder"],
        "shipped": ["load_addition", "load_dates", "load_phrasebook"],
        "training": ["exact_match", "pairs_batches", "sequence_loss", "teacher_share"],
        "translator": ["Translator"],
    },
)
