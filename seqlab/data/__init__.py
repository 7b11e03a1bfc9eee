"""What the book trains on: sequences made by a few rules here, and real corpora fetched with a checksum."""

from seqlab.data.corpora import fetch, wnut17
from seqlab.data.made import copy_task, reviews, visits
from seqlab.data.names import tagged_sentences

__all__ = ["copy_task", "fetch", "reviews", "tagged_sentences", "visits", "wnut17"]
