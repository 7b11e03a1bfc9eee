"""All benchmarks by name."""

from seqlab.bench.attention import ADDITIVE, FLASH
from seqlab.bench.cross_entropy import CROSS_ENTROPY, LINEAR_CROSS_ENTROPY
from seqlab.bench.ctc import CTC_BEAM, CTC_GREEDY, CTC_LOSS
from seqlab.bench.decode import BEAM_STEP
from seqlab.bench.embeddings import CBOW, COOCCURRENCE, EMBEDDING, GLOVE_STEP, HIERARCHICAL, SGNS
from seqlab.bench.recurrent import GRU, LSTM, RNN
from seqlab.bench.softmax import SOFTMAX
from seqlab.bench.tsne import ATTRACTION, PERPLEXITY_SEARCH, REPULSION

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        *(RNN, GRU, LSTM, SOFTMAX, CROSS_ENTROPY, LINEAR_CROSS_ENTROPY),
        *(SGNS, CBOW, HIERARCHICAL, GLOVE_STEP, COOCCURRENCE, EMBEDDING),
        *(PERPLEXITY_SEARCH, REPULSION, ATTRACTION),
        *(FLASH, ADDITIVE, BEAM_STEP),
        *(CTC_LOSS, CTC_GREEDY, CTC_BEAM),
    )
}
