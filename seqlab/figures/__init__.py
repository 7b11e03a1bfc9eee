"""Every plot and interactive figure of the book. Importing this room sets the book's plot style."""

from seqlab.figures.aligning import AlignmentEditor
from seqlab.figures.attending import AttentionLines
from seqlab.figures.captioning import CaptionLens
from seqlab.figures.decoding import BeamTree, BleuCounter
from seqlab.figures.deep import BothWays, StackCost
from seqlab.figures.figure import Figure
from seqlab.figures.gated import AdditivePath, GatesLab
from seqlab.figures.gradients import BackwardGraph, ClipLab, MatrixPowers
from seqlab.figures.language import PerplexityDie, TemperatureLab
from seqlab.figures.lattice import CtcLattice
from seqlab.figures.learned import HuffmanSteps, NoiseExponent
from seqlab.figures.moving import MovingTiles
from seqlab.figures.recurrent import SharedWeights, UnrolledRNN
from seqlab.figures.roofline import Roofline
from seqlab.figures.sequences import OneHotLab, ProblemShapes, SequenceTensor
from seqlab.figures.sounding import SpectrogramPlayer
from seqlab.figures.source import source
from seqlab.figures.style import PALETTE, show, style
from seqlab.figures.tiles import FlashTiles
from seqlab.figures.translating import ReadThenWrite
from seqlab.figures.triggering import TriggerThreshold
from seqlab.figures.tsne import TsneLive
from seqlab.figures.turing import TuringHead
from seqlab.figures.words import AnalogyArrow, CooccurrenceWindow, DebiasSteps, WordMap

__all__ = [
    "PALETTE",
    "AdditivePath",
    "AlignmentEditor",
    "AnalogyArrow",
    "AttentionLines",
    "BackwardGraph",
    "BeamTree",
    "BleuCounter",
    "BothWays",
    "CaptionLens",
    "ClipLab",
    "CooccurrenceWindow",
    "CtcLattice",
    "DebiasSteps",
    "Figure",
    "FlashTiles",
    "GatesLab",
    "HuffmanSteps",
    "MatrixPowers",
    "MovingTiles",
    "NoiseExponent",
    "OneHotLab",
    "PerplexityDie",
    "ProblemShapes",
    "ReadThenWrite",
    "Roofline",
    "SequenceTensor",
    "SharedWeights",
    "SpectrogramPlayer",
    "StackCost",
    "TemperatureLab",
    "TriggerThreshold",
    "TsneLive",
    "TuringHead",
    "UnrolledRNN",
    "WordMap",
    "show",
    "source",
    "style",
]

style()
