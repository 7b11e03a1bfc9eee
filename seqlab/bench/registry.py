"""All benchmarks by name."""

from seqlab.bench.rnn import RNN

BENCHMARKS = {benchmark.name: benchmark for benchmark in (RNN,)}
