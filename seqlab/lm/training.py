"""Train a language model on a long text, window by window, and measure it."""

import contextlib
import hashlib
import math
import time
from pathlib import Path

import torch

from seqlab.files import written_aside
from seqlab.learning import bar, load_checkpoint
from seqlab.lm.functional import cross_entropy
from seqlab.lm.reference import perplexity
from seqlab.recurrent import clip_by_norm
from seqlab.shapes import check_whole
from seqlab.stopping import Stop

SAVE_SECONDS = 60.0  # how often a checkpoint is written inside an epoch


def streams(ids, batch_size):
    """Cut one long text into pieces of equal length, to be read side by side.

    Parameters
    ----------
    ids : N ids, a list or a one-axis tensor or array.
    batch_size : B, how many pieces. The N mod B ids at the end are left out.

    Returns
    -------
    stream : (B, N // B) int64 tensor. Each row goes on where the row above ends.

    Raises
    ------
    ValueError
        when batch_size is below 1, or a piece would hold fewer than 2 ids: one to read and one to predict.
    """
    ids = torch.as_tensor(ids)
    if ids.dim() != 1 or ids.is_floating_point():
        raise ValueError(f"ids has shape {tuple(ids.shape)} and holds {ids.dtype}; it must be one row of integers")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    N = len(ids) // batch_size
    if N < 2:
        raise ValueError(f"{len(ids)} ids in {batch_size} pieces leave {N} for each; a piece needs at least 2")
    return ids[: N * batch_size].long().view(batch_size, N)


def windows(stream, k, start=0):
    """Walk along the pieces, k steps at a time; the word to predict is the next one.

    Parameters
    ----------
    stream : (B, N) from `streams`.
    k : T, steps of a window, after which the gradient is cut.
    start : how many windows to pass over.

    Yields
    ------
    x, y : (B, k) ids to read and ids to predict: y[:, t] comes after x[:, t]. The last window may be shorter.

    Raises
    ------
    ValueError
        at once, when k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; a window needs at least 1 step")
    last = stream.shape[1] - 1
    cuts = [(begin, min(begin + k, last)) for begin in range(start * k, last, k)]
    return ((stream[:, a:b], stream[:, a + 1 : b + 1]) for a, b in cuts)


def train(
    model,
    ids,
    *,
    epochs,
    batch_size,
    k,
    lr=1e-3,
    optimizer=torch.optim.Adam,
    schedule=None,
    clip=5.0,
    over_steps="mean",
    valid=None,
    checkpoint=None,
    seed=0,
    progress=True,
    after_epoch=None,
):
    """Train by truncated backpropagation through time with teacher forcing, :eq:`cross-entropy`.

    The text is cut into `streams`; the state goes on from window to window, without its gradient, and begins at zero
    in each epoch.

    Parameters
    ----------
    model : `LanguageModel`, or a module with its `forward` and `detach`. It is trained where it is.
    ids : the text, one row of ids.
    epochs : how often to read it.
    batch_size, k : B pieces side by side, k steps a window.
    lr : learning rate.
    optimizer : called as `optimizer(model.parameters(), lr=lr)`, such as `torch.optim.SGD`.
    schedule : None, or a function from the epochs done so far (2.5: half of the third) to a factor of lr.
    clip : the largest norm of a gradient, :eq:`clip-norm`; None clips nothing.
    over_steps : the loss is a mean over the batch, and the "mean" or the "sum" over the steps of a window.
    valid : ids of a text on which to measure after each epoch, in `batch_size` pieces, or None.
    checkpoint : None, or a file that is written after each epoch, each minute, and on Ctrl-C. Where it exists, the
        run goes on from it and ends with the very weights of a run that was never stopped.
    seed : of the dropout. The generators outside are left as they were.
    progress : True for a bar, False for silence, or a function `progress(done, windows, text)`.
    after_epoch : None, or a function `after_epoch(model, history)`, to print a sample or keep the best weights.

    Returns
    -------
    history : dict of lists, one number an epoch: "train_perplexity" (while learning, so with dropout),
        "valid_perplexity" (where there is `valid`), "lr" (at its end), "seconds" (of training so far).

    Raises
    ------
    ValueError
        when an argument is out of range, the checkpoint is of another run, or the loss becomes Inf or NaN.
    KeyboardInterrupt
        on Ctrl-C, after the window was finished and the checkpoint written; a second Ctrl-C does not wait.
    """
    _check(epochs, k, over_steps, clip)
    stream = streams(ids, batch_size).to(next(model.parameters()).device)
    if valid is not None:
        streams(valid, batch_size)  # a text that is too short is told now and not after an epoch
    descent = optimizer(model.parameters(), lr=lr)
    run = Run(model, descent, stream, epochs, checkpoint, k=k, lr=lr, clip=clip, over_steps=over_steps, seed=seed)
    with run.started(progress):
        while run.epoch < epochs:
            model.train()
            for x, y in windows(stream, k, start=run.window):
                if schedule is not None:
                    set_rate(descent, lr * schedule(run.epoch + run.window / run.windows))
                logits, state = model(x, run.state)
                nll = cross_entropy(logits, y, reduction="sum")
                descent.zero_grad()
                (nll / (batch_size if over_steps == "sum" else y.numel())).backward()
                if clip is not None:
                    clip_by_norm(model.parameters(), clip)
                descent.step()
                run.after_window(nll.detach(), y.numel(), model.detach(state))
            run.close_epoch(None if valid is None else evaluate(model, valid, batch_size, k), after_epoch)
    return run.history


def evaluate(model, ids, batch_size=1, k=100):
    """How badly the model guesses a text, its state carried through, without dropout.

    Parameters
    ----------
    model : `LanguageModel`, or a module with its `forward`.
    ids : the text, one row of ids.
    batch_size : pieces read side by side. 1 reads the text as a whole; more is quicker, and every piece begins
        without a past.
    k : steps of a window; it changes nothing but memory and speed.

    Returns
    -------
    nll : summed negative log-likelihood in nats.
    tokens : how many ids were predicted: all but the first of each piece (and but what `streams` leaves out).

    Raises
    ------
    ValueError
        as `streams` and `windows` do.
    """
    stream = streams(ids, batch_size).to(next(model.parameters()).device)
    training, state = model.training, None
    nll = torch.zeros((), dtype=torch.float64, device=stream.device)
    model.eval()
    try:
        with torch.no_grad():
            for x, y in windows(stream, k):
                logits, state = model(x, state)
                nll += cross_entropy(logits, y, reduction="sum")
    finally:
        model.train(training)
    return nll.item(), batch_size * (stream.shape[1] - 1)


def set_rate(optimizer, lr):
    """Give every group of parameters this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def digest(stream):
    """The sha256 of a tensor of ids, so that a checkpoint knows its text."""
    return hashlib.sha256(stream.cpu().numpy().tobytes()).hexdigest()


class Run:
    """Where a training run stands, and its checkpoint.

    Everything that the next step depends on is here: weights, optimizer, random numbers, place in the text, state.
    """

    PLACE = ("epoch", "window", "state", "nll", "tokens", "seconds", "history")

    def __init__(self, model, optimizer, stream, epochs, checkpoint, **settings):
        B, N = stream.shape
        self.model, self.optimizer, self.epochs = model, optimizer, epochs
        self.windows = math.ceil((N - 1) / settings["k"])
        self.settings = {"batch_size": B, **settings, "text": digest(stream)}
        self.path = None if checkpoint is None else Path(checkpoint)
        self.epoch = self.window = self.tokens = 0
        self.nll = self.seconds = 0.0
        self.state, self.history = None, {"train_perplexity": [], "valid_perplexity": [], "lr": [], "seconds": []}
        self._stop = Stop()

    @contextlib.contextmanager
    def started(self, progress):
        """Random numbers of our own, the checkpoint read, Ctrl-C held back until a window is done."""
        device = next(self.model.parameters()).device
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
            torch.manual_seed(self.settings["seed"])
            if self.path is not None:
                self._restore(device)
                stack.enter_context(self._stop.held_back())
            self._report = stack.enter_context(bar(progress, self.epoch * self.windows + self.window, " windows"))
            self._clock = self._saved = self._shown = time.monotonic()
            yield self

    def after_window(self, nll, tokens, state):
        """Move on by one window; write the checkpoint when it is time, and stop when that was asked for."""
        self.nll, self.tokens, self.state = self.nll + nll.double(), self.tokens + tokens, state
        self.window += 1
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if now - self._shown > 0.2 or self._stop.asked:
            self._show()
        if self.path is not None and (self._stop.asked or now - self._saved > SAVE_SECONDS):
            self._save()
        self._stop_if_asked(f"window {self.window} of {self.windows} in epoch {self.epoch + 1} of {self.epochs}")

    def close_epoch(self, measured, after_epoch):
        """Write down the epoch; the next one begins at the first window, without a state."""
        self._show()
        self.history["train_perplexity"].append(perplexity(float(self.nll), self.tokens))
        if measured is not None:
            self.history["valid_perplexity"].append(perplexity(*measured))
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        self.history["lr"].append(self.optimizer.param_groups[0]["lr"])
        self.history["seconds"].append(self.seconds)
        self.epoch, self.window, self.state, self.nll, self.tokens = self.epoch + 1, 0, None, 0.0, 0
        if after_epoch is not None:
            after_epoch(self.model, self.history)
        if self.path is not None:
            self._save()
        self._stop_if_asked(f"epoch {self.epoch} of {self.epochs}")

    def _stop_if_asked(self, where):
        if self._stop.asked:
            raise KeyboardInterrupt(f"stopped after {where}; {self.path} holds everything: run the same again to go on")

    def _show(self):
        nll, self._shown = float(self.nll), time.monotonic()
        where = f"epoch {self.epoch + 1} of {self.epochs}"
        if not math.isfinite(nll):
            raise ValueError(f"the loss is {nll} in {where}, window {self.window}: lower lr or clip")
        valid = f", valid {self.history['valid_perplexity'][-1]:.1f}" if self.history["valid_perplexity"] else ""
        text = f"{where}, perplexity {perplexity(nll, self.tokens):.1f}{valid}"
        self._report(self.epoch * self.windows + self.window, self.epochs * self.windows, text)

    def _save(self):
        device = next(self.model.parameters()).device
        everything = {
            "settings": self.settings,
            "epochs": self.epochs,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "place": {name: getattr(self, name) for name in self.PLACE},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(self.path) as file:
            torch.save(everything, file)
        self._saved = time.monotonic()

    def _restore(self, device):
        if not self.path.exists():
            return
        saved = load_checkpoint(self.path, device)
        for name, value in self.settings.items():
            if saved["settings"].get(name) != value:
                was = "" if name == "text" else f" {saved['settings'].get(name)}, not {value}"
                raise ValueError(
                    f"{self.path} was made with another {name}{was}: go on as before, or name another file"
                )
        if saved["place"]["epoch"] > self.epochs:
            raise ValueError(f"{self.path} has done {saved['place']['epoch']} epochs, more than {self.epochs}")
        try:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError) as wrong:
            raise ValueError(f"{self.path} is of another model or optimizer: name another file") from wrong
        torch.set_rng_state(saved["random"].cpu())
        if saved["random_cuda"] is not None and device.type == "cuda":
            torch.cuda.set_rng_state(saved["random_cuda"].cpu(), device)
        vars(self).update(saved["place"])


def _check(epochs, k, over_steps, clip):
    check_whole("epochs", epochs)
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k!r}; a window needs a whole number of steps, at least 1")
    if over_steps not in ("mean", "sum"):
        raise ValueError(f"over_steps is {over_steps!r}; it must be 'mean' or 'sum'")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0, or None for no clipping")
