"""A training run that can be stopped at any moment and goes on to the very same end: place, checkpoint, progress."""

import contextlib
import hashlib
import math
import pickle
import time
from pathlib import Path

import torch
from tqdm import tqdm

from seqlab.files import written_aside
from seqlab.stopping import Stop

SAVE_SECONDS = 60.0  # how often a checkpoint is written inside an epoch
SHOW_SECONDS = 0.2


class Run:
    """Where a run stands. Its tables and its place, (epoch, piece), are all that the rest depends on.

    Parameters
    ----------
    tables : dict from name to the tensors that are trained, where they are.
    settings : dict of numbers and words that another run must share to go on from the checkpoint.
    pieces : how many pieces an epoch has.
    epochs : how many epochs.
    size : what is gone through in an epoch, counted in `unit`.
    unit : "words" or "cells".
    checkpoint : None, or a file.
    progress : True for a bar, False for silence, or a function `progress(done, total, text)`.
    """

    PLACE = ("epoch", "piece", "loss", "terms", "done", "seconds", "history")

    def __init__(self, tables, settings, pieces, epochs, size, unit, checkpoint, progress):
        self.tables, self.settings, self.pieces, self.epochs = tables, settings, pieces, epochs
        self.size, self.unit, self.progress = size, unit, progress
        self.path = None if checkpoint is None else Path(checkpoint)
        self.epoch = self.piece = self.done = 0
        self.loss = self.terms = self.seconds = 0.0
        self.history = {"loss": [], f"{unit}_per_second": [], "seconds": []}
        self._stop = Stop()

    @contextlib.contextmanager
    def started(self):
        """The checkpoint read, the bar shown, Ctrl-C held back until a piece is done."""
        with contextlib.ExitStack() as stack:
            if self.path is not None:
                if not self.path.resolve().parent.is_dir():
                    raise ValueError(f"checkpoint names {self.path}, but its folder does not exist: make it first")
                self._restore()
                stack.enter_context(self._stop.held_back())
            self._report = stack.enter_context(self._bar())
            self._clock = self._saved = time.monotonic()
            self._shown = -math.inf
            yield self

    def after_piece(self, loss, terms, done):
        """Add up the losses of a piece (a tensor, and of how many terms); save and stop when it is time."""
        self.piece, self.done = self.piece + 1, self.done + done
        self.loss, self.terms = self.loss + loss, self.terms + terms
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if now - self._shown > SHOW_SECONDS:
            self._show()
        if self.path is not None and (self._stop.asked or now - self._saved > SAVE_SECONDS):
            self._save()
        self._stop_if_asked(f"piece {self.piece} of {self.pieces} in epoch {self.epoch + 1} of {self.epochs}")

    def close_epoch(self):
        """Write down the epoch's loss; the next begins with the first piece."""
        self._show()
        before = sum(self.history["seconds"])
        self.history["loss"].append(float(self.loss) / max(float(self.terms), 1.0))
        self.history["seconds"].append(self.seconds - before)
        self.history[f"{self.unit}_per_second"].append(self.size / max(self.seconds - before, 1e-9))
        self.epoch, self.piece, self.loss, self.terms = self.epoch + 1, 0, 0.0, 0.0
        if self.path is not None:
            self._save()
        self._stop_if_asked(f"epoch {self.epoch} of {self.epochs}")

    def _stop_if_asked(self, where):
        if self._stop.asked and self.epoch < self.epochs:
            raise KeyboardInterrupt(f"stopped after {where}; {self.path} holds everything: run the same again to go on")

    def _show(self):
        loss, self._shown = float(self.loss) / max(float(self.terms), 1.0), time.monotonic()
        where = f"epoch {min(self.epoch + 1, self.epochs)} of {self.epochs}"
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} in {where}, piece {self.piece}: lower lr or batch")
        speed = self.done / self.seconds if self.seconds else 0.0
        self._report(self.done, self.epochs * self.size, f"{where}, loss {loss:.3f}, {speed:,.0f} {self.unit}/s")

    def _save(self):
        place = {name: getattr(self, name) for name in self.PLACE} | {"loss": float(self.loss)}
        everything = {"settings": self.settings, "tables": self.tables, "place": place | {"terms": float(self.terms)}}
        with written_aside(self.path) as file:
            torch.save(everything, file)
        self._saved = time.monotonic()

    def _restore(self):
        if not self.path.exists():
            return
        device = next(iter(self.tables.values())).device
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
            settings, tables, place = saved["settings"], saved["tables"], saved["place"]
        except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as wrong:
            raise ValueError(f"{self.path} is no checkpoint of word vectors, or it is damaged: move it away") from wrong
        for name in self.settings | settings:
            if settings.get(name) != self.settings.get(name):
                was = f" {settings.get(name)}, not {self.settings.get(name)}" if name != "text" else ""
                raise ValueError(
                    f"{self.path} was made with another {name}{was}: go on as before, or name another file"
                )
        for name, table in self.tables.items():
            table.copy_(tables[name])
        vars(self).update({name: place[name] for name in self.PLACE})

    @contextlib.contextmanager
    def _bar(self):
        """A function (done, total, text) that shows how far it is."""
        if not isinstance(self.progress, bool):
            yield self.progress
            return
        total, unit = self.epochs * self.size, f" {self.unit}"
        form = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
        hide = {"leave": False, "mininterval": 0, "disable": not self.progress, "bar_format": form}
        with tqdm(initial=self.done, total=total, unit=unit, unit_scale=True, **hide) as bar:

            def report(done, total, text):
                bar.set_description(text, refresh=False)
                bar.update(done - bar.n)

            yield report


@contextlib.contextmanager
def one_thread(wanted=True):
    """Let torch use one thread: the products of a block are so small that a second thread waits more than it helps."""
    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def digest(*arrays):
    """The sha256 of what is trained on, so that a checkpoint knows its text."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(array.tobytes())
    return total.hexdigest()
