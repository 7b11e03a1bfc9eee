"""What the book trains on: sequences made by a few rules here, and real corpora fetched with a checksum."""

from seqlab.data.addition import addition
from seqlab.data.corpora import fetch, first_names, ptb, shakespeare, wikitext2, wnut17
from seqlab.data.dates import dates, spelled
from seqlab.data.kingdom import (
    KINGDOM_OCCUPATIONS,
    kingdom,
    kingdom_analogies,
    kingdom_sentences,
    kingdom_words,
)
from seqlab.data.made import agreement, copy_task, reviews, visits
from seqlab.data.named import corpus_text
from seqlab.data.names import tagged_sentences
from seqlab.data.phrasebook import phrasebook, phrasebook_references, phrasebook_sources
from seqlab.data.recordings import Recording, spoken_digits
from seqlab.data.shapes import (
    SHAPE_COLOURS,
    SHAPE_KINDS,
    UNSEEN_PAIRS,
    shapes,
    shapes_captions,
    shapes_images,
    shapes_masks,
    shapes_relation,
    shapes_scenes,
)
from seqlab.data.shipped import book_text, places
from seqlab.data.strips import digit_strips
from seqlab.data.translations import tatoeba
from seqlab.data.wordlists import debias_lists, glove_subset, google_analogies, wordsim353

__all__ = [
    "KINGDOM_OCCUPATIONS",
    "SHAPE_COLOURS",
    "SHAPE_KINDS",
    "UNSEEN_PAIRS",
    "Recording",
    "addition",
    "agreement",
    "book_text",
    "copy_task",
    "corpus_text",
    "dates",
    "debias_lists",
    "digit_strips",
    "fetch",
    "first_names",
    "glove_subset",
    "google_analogies",
    "kingdom",
    "kingdom_analogies",
    "kingdom_sentences",
    "kingdom_words",
    "phrasebook",
    "phrasebook_references",
    "phrasebook_sources",
    "places",
    "ptb",
    "reviews",
    "shakespeare",
    "shapes",
    "shapes_captions",
    "shapes_images",
    "shapes_masks",
    "shapes_relation",
    "shapes_scenes",
    "spelled",
    "spoken_digits",
    "tagged_sentences",
    "tatoeba",
    "visits",
    "wikitext2",
    "wnut17",
    "wordsim353",
]
