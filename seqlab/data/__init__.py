"""What the book trains on: sequences made by a few rules here, and real corpora fetched with a checksum."""

from seqlab.data.corpora import fetch, first_names, ptb, shakespeare, wnut17
from seqlab.data.made import agreement, copy_task, reviews, visits
from seqlab.data.names import tagged_sentences
from seqlab.data.shipped import book_text, places

__all__ = [
    "agreement",
    "book_text",
    "copy_task",
    "fetch",
    "first_names",
    "places",
    "ptb",
    "reviews",
    "shakespeare",
    "tagged_sentences",
    "visits",
    "wnut17",
]
