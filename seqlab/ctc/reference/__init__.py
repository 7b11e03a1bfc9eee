"""CTC in NumPy, float64, for one sequence: the equations of the chapter, one function each. No torch."""

from seqlab.ctc.reference.decoding import CTCHypothesis, beam_decode, greedy_decode
from seqlab.ctc.reference.errors import edit_distance, edits, label_error_rate
from seqlab.ctc.reference.lattice import (
    brute_force,
    collapse,
    ctc_backward,
    ctc_forward,
    ctc_loss,
    extend,
    frames_needed,
    log_likelihood,
    occupancies,
    path_log_prob,
    paths_of,
    spans,
    viterbi,
)

__all__ = [
    "CTCHypothesis",
    "beam_decode",
    "brute_force",
    "collapse",
    "ctc_backward",
    "ctc_forward",
    "ctc_loss",
    "edit_distance",
    "edits",
    "extend",
    "frames_needed",
    "greedy_decode",
    "label_error_rate",
    "log_likelihood",
    "occupancies",
    "path_log_prob",
    "paths_of",
    "spans",
    "viterbi",
]
