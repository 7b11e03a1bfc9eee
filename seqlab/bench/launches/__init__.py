"""Every kernel as the benchmarks launch it: benchmark -> function of a shape that gives its launches.

What is compiled without a GPU is read from here: the page of resources and the compile tests of every room. Needs a
process that compiles, TRITON_INTERPRET=0.
"""

from functools import partial

from seqlab.bench.launches import attention, ctc, decode, embeddings, lm, recurrent, tsne
from seqlab.bench.launches.model import KINDS, Launch

LAUNCHES = {
    **{cell: partial(recurrent.layer, cell) for cell in ("rnn", "gru", "lstm")},
    "softmax": lm.softmax,
    "cross_entropy": lm.cross_entropy,
    "linear_cross_entropy": lm.linear_cross_entropy,
    "sgns": embeddings.sgns,
    "cbow": embeddings.cbow,
    "hierarchical": embeddings.hierarchical,
    "glove": embeddings.glove,
    "cooccurrence": embeddings.cooccurrence,
    "embedding": embeddings.embedding,
    "perplexity_search": tsne.search,
    "repulsion": tsne.repulsion,
    "attraction": tsne.attraction,
    "flash": attention.flash,
    "additive": attention.additive,
    "beam_step": decode.beam_step,
    "ctc_loss": ctc.loss,
    "ctc_greedy": ctc.greedy,
    "ctc_beam": ctc.beam,
}

__all__ = ["KINDS", "LAUNCHES", "Launch"]
