"""All benchmarks by name."""

from seqlab.bench.cross_entropy import CROSS_ENTROPY, LINEAR_CROSS_ENTROPY
from seqlab.bench.recurrent import GRU, LSTM, RNN

BENCHMARKS = {benchmark.name: benchmark for benchmark in (RNN, GRU, LSTM, CROSS_ENTROPY, LINEAR_CROSS_ENTROPY)}
