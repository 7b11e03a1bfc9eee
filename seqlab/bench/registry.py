"""All benchmarks by name."""

from seqlab.bench.cross_entropy import CROSS_ENTROPY, LINEAR_CROSS_ENTROPY
from seqlab.bench.rnn import RNN

BENCHMARKS = {benchmark.name: benchmark for benchmark in (RNN, CROSS_ENTROPY, LINEAR_CROSS_ENTROPY)}
