"""The copy task: hear a sequence, then say it again; a Turing machine and an LSTM that learned it.

Graves, Wayne and Danihelka (2014), section 4.1. A bit goes in as -1 or 1, so that 0 says that nothing is heard.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab.attention.turing import TuringMachine
from seqlab.files import checkpoint_beside
from seqlab.learning import bar, learn
from seqlab.machine import described
from seqlab.recurrent import LSTM
from seqlab.weights import checked_out, load_weights, save_weights

BITS = 8
BATCH_SIZE = 16
CLIP = 10.0
LENGTHS = (1, 2, 3, 5, 8, 10, 12, 16, 20, 24, 28, 32, 40, 50, 64, 80, 100, 120)  # at which the result is measured
MEMORIES = (1, 2)  # and with a memory so many times as long
SEQUENCES = 32  # measured at each length
MODELS = {
    "turing": {"rows": 64, "width": 12, "heads": 1, "controller": "feedforward", "hidden": 64, "shifts": 1},
    "lstm": {"hidden": 256, "layers": 1},
}
RATES = {"turing": 2e-3, "lstm": 2e-3}


class CopyLSTM(nn.Module):
    """What the machine is compared with: recurrent layers and an output, with no memory but their state.

    Parameters
    ----------
    input_size, output_size : as of the `TuringMachine`.
    hidden, layers : units of each layer, and how many layers.
    """

    def __init__(self, input_size, output_size, *, hidden, layers=1):
        super().__init__()
        self.layers = LSTM(input_size, hidden, num_layers=layers, batch_first=True, forget_bias=1.0)
        self.out = nn.Linear(hidden, output_size)

    def forward(self, x):
        """(B, T, D) input -> (B, T, output_size) scores."""
        return self.out(self.layers(x)[0])


def copy_batch(rng, count, length, bits=BITS):
    """Random sequences for the copy task.

    Parameters
    ----------
    rng : NumPy generator.
    count : B, how many sequences.
    length : L, vectors in each.
    bits : numbers in a vector.

    Returns
    -------
    x : (B, 2 L + 1, bits + 1) float32: L vectors of -1 and 1, then the delimiter, which is a 1 in the last place,
        then L times silence, which is 0.
    y : (B, L, bits) float32, the same vectors as 0 and 1: what must come out during the silence.

    Raises
    ------
    ValueError
        when a size is below 1.
    """
    for name, number in (("count", count), ("length", length), ("bits", bits)):
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    y = rng.integers(0, 2, size=(count, length, bits)).astype(np.float32)
    x = np.zeros((count, 2 * length + 1, bits + 1), np.float32)
    x[:, :length, :bits] = 2 * y - 1
    x[:, length, bits] = 1
    return torch.from_numpy(x), torch.from_numpy(y)


def copy_loss(model, batch):
    """Binary cross-entropy of the recalled bits, a mean over them, in nats; what is said before does not count.

    Parameters
    ----------
    model : from (B, T, bits + 1) to (B, T, bits) scores.
    batch : a pair from `copy_batch`.
    """
    x, y = batch
    return F.binary_cross_entropy_with_logits(model(x)[:, -y.shape[1] :], y)


def bits_wrong(model, length, count=SEQUENCES, seed=0):
    """How many bits of a recalled sequence are wrong, on average; half of them are where the model guesses.

    Parameters
    ----------
    model : as in `copy_loss`, its last layer the `nn.Linear` named `out`; its mode is left as it is.
    length : L, vectors in a sequence.
    count : sequences to try.
    seed : of these sequences. They come from (seed, length), never from the numbers that training draws.

    Returns
    -------
    wrong : bits of a sequence, 0 to L * bits.
    """
    bits = model.out.out_features
    x, y = copy_batch(np.random.default_rng([seed, length, 1]), count, length, bits)
    with torch.no_grad():
        said = model(x)[:, -length:] > 0
    return (said != (y > 0.5)).sum().item() / count


def longer(model, rows):
    """The same machine with another memory: no weight depends on the number of rows.

    Parameters
    ----------
    model : `TuringMachine`.
    rows : of the new memory.

    Returns
    -------
    model : `TuringMachine` with equal weights of its own, in the same mode.
    """
    other = TuringMachine(**model.settings | {"rows": rows})
    other.load_state_dict(model.state_dict())
    return other.train(model.training)


def train_turing(out, *, kind="turing", steps=4000, longest=20, seed=0, progress=True, **sizes):
    """Train on the copy task and keep the weights with a log that says how they copy.

    Adam, 16 sequences a batch, all of one length. The lengths are drawn from 1 to `longest`; over the first half of
    the run the longest grows from 2. The rate falls to 0 in a straight line. Both kinds see the same batches.

    Parameters
    ----------
    out : the .npz file to write. A checkpoint stands beside it, from which a stopped run goes on.
    kind : "turing" or "lstm".
    steps : how many batches.
    longest : vectors in the longest sequence of the training.
    seed : of the first weights and the batches.
    progress : True for a bar, False for silence, or a function `progress(done, steps, text)`.
    sizes : of the model, instead of those of `MODELS`.

    Returns
    -------
    log : dict, which is also inside the file: "kind", "model", "training", "history", "command", and "copies": bits
        wrong a sequence at each of "lengths", of the kept weights, with the memory as it is and with a longer one.

    Raises
    ------
    ValueError
        when the kind is unknown, a number is out of range, the folder of `out` is missing, or the checkpoint beside
        it is of another run.
    """
    out = checked_out(out)
    if kind not in MODELS:
        raise ValueError(f"kind is {kind!r}; it must be 'turing' or 'lstm'")
    if longest < 2:
        raise ValueError(f"longest is {longest}; it must be at least 2")
    settings = {"input_size": BITS + 1, "output_size": BITS} | MODELS[kind] | sizes
    training = {"steps": steps, "longest": longest, "batch_size": BATCH_SIZE, "lr": RATES[kind], "clip": CLIP}
    log = {
        "kind": kind,
        "model": settings,
        "training": training | {"seed": seed},
        "command": f"seqlab train turing --kind {kind} --steps {steps} --longest {longest} --seed {seed}"
        + "".join(f" --{name} {value}" for name, value in sizes.items())
        + f" --out {out.name}",
        **described("cpu"),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _build(log)

    def draw(step, rng):
        top = 2 + int((longest - 2) * min(1.0, 2 * step / steps))
        return copy_batch(rng, BATCH_SIZE, int(rng.integers(1, top + 1)))

    history = learn(
        model,
        copy_loss,
        draw,
        steps=steps,
        lr=RATES[kind],
        schedule=lambda done: 1 - done,
        clip=CLIP,
        evaluate=lambda m: {"wrong": bits_wrong(m, longest), "wrong_twice": bits_wrong(m, 2 * longest)},
        every=max(1, steps // 40),
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
    )
    log |= {"history": history, "seconds": history["seconds"][-1]}
    save_weights(out, model, log)  # and read it again: what is measured is what is kept, in 16 bits
    kept, _ = load_turing(kind, out)
    measured = {"lengths": LENGTHS, "sequences": SEQUENCES, "copies": _copies(kept, progress)}
    save_weights(out, kept, log | measured)
    return load_turing(kind, out)[1]


def load_turing(kind="turing", path=None):
    """Read a model that `seqlab train turing` wrote.

    Parameters
    ----------
    kind : "turing" for the `TuringMachine`, "lstm" for what it is compared with.
    path : the .npz file; None for the one that comes with the package.

    Returns
    -------
    model : `TuringMachine` or `CopyLSTM`, in evaluation mode.
    log : dict of how it was made and how it copies, as `train_turing` returns it.

    Raises
    ------
    FileNotFoundError
        when there is no such file.
    ValueError
        when the kind is unknown, or the file is none of `seqlab train turing` with that kind.
    """
    if kind not in MODELS:
        raise ValueError(f"kind is {kind!r}; it must be 'turing' or 'lstm'")
    path = Path(__file__).with_name(f"{kind}_copy.npz") if path is None else path
    return load_weights(path, _build_a(kind), f"seqlab train turing --kind {kind} --out FILE.npz")


def _build_a(kind):
    def build(log):
        if log["kind"] != kind:
            raise ValueError(f"the file holds a model of kind {log['kind']!r}")
        return _build(log)

    return build


def _build(log):
    return {"turing": TuringMachine, "lstm": CopyLSTM}[log["kind"]](**log["model"])


def _copies(model, progress):
    """A list of {"rows", "wrong"}: bits wrong a sequence at each of `LENGTHS`; None rows where there is no memory."""
    own = isinstance(model, TuringMachine)
    tried = [longer(model, times * model.rows) for times in MEMORIES] if own else [model]
    copies = [{"rows": machine.rows if own else None, "wrong": []} for machine in tried]
    with bar(progress, 0, " sequences") as report:
        for n, length in enumerate(LENGTHS):
            report(n, len(LENGTHS), f"measuring sequences of {length} vectors")
            for machine, found in zip(tried, copies, strict=True):
                found["wrong"].append(bits_wrong(machine, length, SEQUENCES))
    return copies
