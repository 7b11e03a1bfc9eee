"""Measure what computes the same thing side by side: first whether it is right, then how long it takes."""

from seqlab.bench.measure import measure
from seqlab.bench.model import Benchmark, Case
from seqlab.bench.registry import BENCHMARKS

__all__ = ["BENCHMARKS", "Benchmark", "Case", "measure"]
