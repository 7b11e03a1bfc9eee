"""Experiments that need no GPU: what we expected, why, and what the compiler or the counter then said.

A prediction is written down, and committed, before its outcome is measured, and stays as it was: that is what makes
a wrong one worth reading. An outcome is a number out of the compiler (for sm_90, which need not be there) or out of the
traffic counter (in Triton's interpreter). `python -m seqlab.bench.experiments --out FILE` measures all of them again.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "measurements" / "experiments.json"
BY = {"compiler": "compiled for sm_90, no GPU needed", "counter": "counted in Triton's interpreter"}


@dataclass(frozen=True)
class Experiment:
    """A prediction about our own kernels, and how far off it may be.

    Attributes
    ----------
    name : of the function in `seqlab.bench.experiments.compiled` or `.counted` that measures the outcome.
    title : what is tried.
    by : "compiler" or "counter", what measures.
    change : what differs between the two things that are compared.
    quantity : what the number is.
    predicted : the number that we wrote down first.
    reason : how we came to it.
    within : relative error up to which the prediction counts as right; where 0 is predicted, only 0 is.
    learned : what the outcome taught us, written after it; a wrong prediction always has one.
    """

    name: str
    title: str
    by: str
    change: str
    quantity: str
    predicted: float
    reason: str
    within: float = 0.1
    learned: str = ""

    def right(self, outcome):
        """Say whether an outcome is what was predicted."""
        return abs(outcome - self.predicted) <= self.within * abs(self.predicted)


EXPERIMENTS = (
    Experiment(
        name="root_for_division",
        title="t-SNE: an inverse square root in place of a division",
        by="compiler",
        change="w = 1 / (1 + d^2) of a pair as r = rsqrt(1 + d^2) and w = r r, or as a division",
        quantity="instructions a pair that the division costs more",
        predicted=6,
        reason="A check more than a guess: we had read the code of a division in float32. To be right at the edges "
        "of its range it brings two comparisons, a choice and three products beside the reciprocal; the root is one "
        "instruction and one product.",
    ),
    Experiment(
        name="lstm_with_four_warps",
        title="LSTM on a grid, H = 512: four warps in place of eight",
        by="compiler",
        change="B = 64, H = 512 in bfloat16; the product's sum is shared by 4 warps and not by 8",
        quantity="bytes of stack a thread that forward and backward spill with 4 warps",
        predicted=0,
        reason="In our first prototype a program owned all 64 sequences, and 4 warps spilled hundreds of bytes. Now it "
        "owns 16 sequences, so a thread holds a quarter of those sums: they should fit.",
    ),
    Experiment(
        name="softmax_whole_row",
        title="Softmax of 32,768 scores: the whole row on the chip, or in parts",
        by="compiler",
        change="the kernel that owns a whole row, or that of a running maximum, each in the first form of its plan",
        quantity="registers a thread of the first over those of the second",
        predicted=2,
        reason="The whole row leaves a thread some 64 scores to hold, with addresses about 80 registers. In parts it "
        "holds 16 to 32 and needs about 40.",
        within=0.25,
        learned="The row takes twice the registers that its scores fill: scores and exponentials seem to live side by "
        "side. With 128 registers a thread only one program of 16 warps fits a multiprocessor.",
    ),
    Experiment(
        name="one_word_less",
        title="Cross-entropy: a vocabulary of 32,767 in place of 32,768",
        by="compiler",
        change="scores in bfloat16, the same form of the kernel; V is or is not a multiple of 16",
        quantity="load instructions a thread of the odd vocabulary over those of the even one",
        predicted=6,
        reason="Where V is a multiple of 16, a thread loads 8 scores at a time, elsewhere one. Of 64 scores that is "
        "8 loads against 64, and both need about 3 more for the true word and the scale.",
        within=0.15,
    ),
    Experiment(
        name="fused_cross_entropy",
        title="Cross-entropy with its gradient: one kernel in place of torch's functions",
        by="counter",
        change="loss and gradient of the same scores by torch's functions one after the other, or by one kernel",
        quantity="bytes that torch's functions move over those of the kernel",
        predicted=4,
        reason="log_softmax reads and writes the scores; nll_loss reads them, its gradient reads and writes; the "
        "gradient of log_softmax reads two arrays and writes one: 8 passes, since the counter charges a function for "
        "all of its inputs. The kernel reads once and writes once.",
        learned="Two mistakes. The counter knows that nll_loss picks one number a row, so torch moves 6 passes, as "
        "the cost model says. And the first form of our tuner, which the interpreter takes, reads a row in parts, "
        "twice: 3 passes. The form that holds a row moves 2.",
    ),
    Experiment(
        name="softmax_in_passes",
        title="Softmax: four kernels in place of one",
        by="counter",
        change="maximum, exponentials, sum and quotient as kernels that go through memory, or one kernel for a row",
        quantity="bytes that the four move over those of the one",
        predicted=2.5,
        reason="We counted 5 passes in place of 2: one for the maximum, two for the exponentials, one for the sum, one "
        "for the quotient.",
        learned="The quotient reads as well as writes: 6 passes. Count on paper both ways of every kernel.",
    ),
    Experiment(
        name="softmax_online",
        title="Softmax: a row in parts in place of a row held whole",
        by="counter",
        change="a running maximum and sum in one pass and a second pass that writes, or the whole row at once",
        quantity="bytes of the first over those of the second",
        predicted=1.5,
        reason="In parts the row is read twice and written once, whole it is read once and written once.",
    ),
    Experiment(
        name="flash_tile",
        title="Attention in tiles: 32 queries a tile in place of 64",
        by="counter",
        change="128 queries and keys of 16 numbers, all pairs; a program owns 32 or 64 queries",
        quantity="bytes that the forward pass moves with 32 over those with 64",
        predicted=1.65,
        reason="Keys and values are read once for each tile of queries: 4 times or twice 4,096 numbers. Queries, "
        "context and two sums a query are 4,352 numbers both times: 20,736 over 12,544.",
        within=0.02,
    ),
    Experiment(
        name="shared_negatives",
        title="Skip-gram: negatives that a window shares, or of each pair's own",
        by="counter",
        change="windows of 8 contexts with 5 negatives; or 8 windows of one context, each with 5 negatives",
        quantity="bytes of the second over those of the first",
        predicted=4,
        reason="A shared window touches 1 + 8 + 5 = 14 rows. Pair by pair it is 8 times 1 + 1 + 5 = 7, which is 56.",
        within=0.05,
    ),
    Experiment(
        name="ctc_states",
        title="CTC: what the loss alone stores",
        by="counter",
        change="the loss without its gradient, whose states stay in registers from frame to frame",
        quantity="bytes that the loss stores a sequence, however many frames there are",
        predicted=4,
        reason="No state leaves the chip: the loss of a sequence is one number in float32.",
        learned="No state leaves the chip, but the probability of the whole sequence does: as mantissa and exponent "
        "beside the loss, whether or not a gradient will ask for them.",
    ),
    Experiment(
        name="ctc_states_kept",
        title="CTC: what the loss stores for its gradient",
        by="counter",
        change="the same, with the states of both directions kept for the gradient",
        quantity="bytes stored a frame, label and sequence, for targets of 31 labels",
        predicted=32,
        reason="A label and its blank, a mantissa and an exponent each, in two directions: 2 x 2 x 2 x 4 bytes. The "
        "blank that a target has more than labels adds a few percent.",
    ),
    Experiment(
        name="keeping_activations",
        title="LSTM: keeping what the gradient needs",
        by="counter",
        change="the forward kernel with and without a gradient wanted",
        quantity="bytes that it stores with, over without",
        predicted=3,
        reason="Without, it stores the states h and c of every step. With, the four gates of every step, too: 6 arrays "
        "over 2.",
    ),
    Experiment(
        name="computing_again",
        title="Attention's gradient: weights computed again in place of kept",
        by="counter",
        change="128 queries and keys of 16 numbers, forward and backward: torch's functions keep the weights, the "
        "kernels compute them again",
        quantity="bytes that torch's functions move over those of the kernels",
        predicted=4.4,
        reason="Of arrays of all pairs the forward pass writes 2 and reads 2, the backward pass writes 2 and reads 5: "
        "11 times 16,384 numbers, and some 25,000 more. In tiles of 64 the three kernels move about 46,000.",
        within=0.15,
    ),
)


def print_outcomes(by, functions):
    """Measure the experiments that one measurer decides, and print a line of JSON for each."""
    for experiment in EXPERIMENTS:
        if experiment.by == by:
            outcome, parts = functions[experiment.name]()
            print(json.dumps({"name": experiment.name, "outcome": outcome, "parts": parts}), flush=True)


def run(by=tuple(BY), on_step=lambda text: None):
    """Measure everything again, each measurer in a process of its own.

    Parameters
    ----------
    by : "compiler", "counter", or both.
    on_step : called with the name of every experiment that is done.

    Returns
    -------
    report : dict that fits into JSON: versions, and "outcomes", name -> {"outcome": number, "parts": its parts}.

    Raises
    ------
    RuntimeError
        when an experiment fails.
    """
    from seqlab.machine import versions

    outcomes = {}
    for one in by:
        module, interpret = {"compiler": ("compiled", "0"), "counter": ("counted", "1")}[one]
        command = [sys.executable, "-m", f"{__name__}.{module}"]
        environment = os.environ | {"TRITON_INTERPRET": interpret}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        with subprocess.Popen(command, **pipes) as child:
            for line in child.stdout:
                found = json.loads(line)
                outcomes[found.pop("name")] = found
                on_step(list(outcomes)[-1])
            complaint = child.stderr.read().strip().splitlines()
        if child.returncode:
            raise RuntimeError(f"an experiment of the {one} failed: {complaint[-1] if complaint else child.returncode}")
    return {"format": 1, "versions": versions(), "outcomes": outcomes}


def read(path=FILE):
    """Read what `run` found: name -> {"outcome", "parts"}; empty where there is no file.

    Raises
    ------
    ValueError
        naming the file, when it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        outcomes = json.loads(path.read_text(encoding="utf-8"))["outcomes"]
        return {name: {"outcome": float(one["outcome"]), "parts": dict(one["parts"])} for name, one in outcomes.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path.name} holds no outcomes of experiments; write it with "
            f"`python -m {__name__} --out {path.name}` ({error!r})"
        ) from error
