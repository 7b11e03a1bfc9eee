"""Every plot and interactive figure of the book. Importing this room sets the book's plot style."""

from seqlab.figures.figure import Figure
from seqlab.figures.gradients import BackwardGraph, ClipLab, MatrixPowers
from seqlab.figures.recurrent import SharedWeights, UnrolledRNN
from seqlab.figures.sequences import OneHotLab, ProblemShapes, SequenceTensor
from seqlab.figures.source import source
from seqlab.figures.style import PALETTE, show, style

__all__ = [
    "PALETTE",
    "BackwardGraph",
    "ClipLab",
    "Figure",
    "MatrixPowers",
    "OneHotLab",
    "ProblemShapes",
    "SequenceTensor",
    "SharedWeights",
    "UnrolledRNN",
    "show",
    "source",
    "style",
]

style()
