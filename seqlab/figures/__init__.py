"""Every plot and interactive figure of the book. Importing this room sets the book's plot style."""

from seqlab.figures.figure import Figure
from seqlab.figures.recurrent import UnrolledRNN
from seqlab.figures.source import source
from seqlab.figures.style import PALETTE, show, style

__all__ = ["PALETTE", "Figure", "UnrolledRNN", "show", "source", "style"]

style()
