"""The training loop of the commands: steps on batches that are drawn afresh, stopped and gone on with bit for bit."""

import contextlib
import math
import pickle
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab.files import written_aside
from seqlab.recurrent.clipping import clip_by_norm
from seqlab.shapes import check_whole
from seqlab.stopping import Stop

SAVE_SECONDS = 60.0  # how often a checkpoint is written
SHOW_SECONDS = 0.2


def learn(
    model,
    loss,
    draw,
    *,
    steps,
    lr=1e-3,
    optimizer=torch.optim.Adam,
    schedule=None,
    clip=5.0,
    evaluate=None,
    every=None,
    checkpoint=None,
    seed=0,
    progress=True,
    after=None,
):
    """Train a model on batches that are drawn step by step.

    Every random number of a step comes from (seed, step) alone. So a run that was stopped goes on to the very same
    end, and a checkpoint is no more than the weights, the optimizer and the number of the step.

    Parameters
    ----------
    model : `nn.Module`. It is trained where it is.
    loss : function `loss(model, batch)` to a tensor without dimensions.
    draw : function `draw(step, rng)` to a batch, of whatever kind `loss` takes; `rng` is a NumPy generator.
    steps : how many batches.
    lr : learning rate.
    optimizer : called as `optimizer(model.parameters(), lr=lr)`.
    schedule : None, or a function from the part of the run that is done, 0 to 1, to a factor of lr.
    clip : the largest norm of a gradient, :eq:`clip-norm`; None clips nothing.
    evaluate : None, or a function from the model, in evaluation mode, to a dict from names to numbers.
    every : evaluate after so many steps, and at the end; None: at the end only.
    checkpoint : None, or a file that is written each minute, after each evaluation, and on Ctrl-C. Where it exists,
        the run goes on from it.
    seed : of the batches and of what is random inside the model. The generators outside are left as they were.
    progress : True for a bar, False for silence, or a function `progress(done, steps, text)`.
    after : None, or a function `after(model, history)`, called after each evaluation, to keep the best weights.

    Returns
    -------
    history : dict of lists with a number for each evaluation: "step", "loss" (mean of the steps since the last),
        "seconds" (of training so far), and what `evaluate` named.

    Raises
    ------
    ValueError
        when an argument is out of range, the checkpoint is of another run, or the loss becomes Inf or NaN.
    KeyboardInterrupt
        on Ctrl-C, after the step was finished and the checkpoint written; a second Ctrl-C does not wait.
    """
    _check(steps, every, clip)
    every = steps if every is None else every
    descent = optimizer(model.parameters(), lr=lr)
    run = _Run(
        model, descent, steps, checkpoint, {"steps": steps, "lr": lr, "clip": clip, "seed": seed, "every": every}
    )
    with run.started(progress):
        while run.step < steps:
            torch.manual_seed(int(np.random.SeedSequence([seed, run.step]).generate_state(1)[0]))
            batch = draw(run.step, np.random.default_rng([seed, run.step]))
            for group in descent.param_groups:
                group["lr"] = lr * (1.0 if schedule is None else schedule(run.step / steps))
            model.train()
            descent.zero_grad()
            price = loss(model, batch)
            price.backward()
            if clip is not None:
                clip_by_norm(model.parameters(), clip)
            descent.step()
            run.after_step(price.detach())
            if run.step % every == 0 or run.step == steps:
                run.write_down(_measured(model, evaluate), after)
            run.stop_if_asked()
    return run.history


class _Run:
    """Where a run stands, and its checkpoint."""

    PLACE = ("step", "seconds", "history", "since", "total")

    def __init__(self, model, optimizer, steps, checkpoint, settings):
        self.model, self.optimizer, self.steps, self.settings = model, optimizer, steps, settings
        self.path = None if checkpoint is None else Path(checkpoint)
        self.step, self.since = 0, 0
        self.seconds = self.total = 0.0
        self.history = {"step": [], "loss": [], "seconds": []}
        self._stop = Stop()

    @contextlib.contextmanager
    def started(self, progress):
        """Random numbers of our own, the checkpoint read, the bar shown, Ctrl-C held back until a step is done."""
        device = next(self.model.parameters()).device
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
            if self.path is not None:
                if not self.path.resolve().parent.is_dir():
                    raise ValueError(f"checkpoint names {self.path}, but its folder does not exist: make it first")
                self._restore(device)
                stack.enter_context(self._stop.held_back())
            self._report = stack.enter_context(bar(progress, self.step, " steps"))
            self._clock = self._saved = self._shown = time.monotonic()
            yield

    def after_step(self, price):
        """Move on by a step; show and save when it is time."""
        self.step, self.since, self.total = self.step + 1, self.since + 1, self.total + price.double()
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if now - self._shown > SHOW_SECONDS:
            self._show()
        if now - self._saved > SAVE_SECONDS:
            self._save()

    def write_down(self, measured, after):
        """Add a line to the history."""
        mean = self._show()
        self._clock = time.monotonic()  # measuring is not training
        line = {"step": self.step, "loss": mean, "seconds": self.seconds, **measured}
        for name, number in line.items():
            self.history.setdefault(name, []).append(number)
        self.since, self.total = 0, 0.0
        if after is not None:
            after(self.model, self.history)
        self._save()

    def stop_if_asked(self):
        """Where Ctrl-C was pressed: write the checkpoint and say how to go on."""
        if not self._stop.asked or self.step == self.steps:
            return
        self._save()
        raise KeyboardInterrupt(
            f"stopped after step {self.step} of {self.steps}; {self.path} holds everything: run the same again to go on"
        )

    def _show(self):
        """The mean loss since the last line; an error where it is no number."""
        mean, self._shown = float(self.total) / max(self.since, 1), time.monotonic()
        if not math.isfinite(mean):
            raise ValueError(f"the loss is {mean} at step {self.step} of {self.steps}: lower lr or clip")
        known = [name for name in self.history if name not in ("step", "loss", "seconds")]
        said = "".join(f", {name} {self.history[name][-1]:.3f}" for name in known)
        self._report(self.step, self.steps, f"loss {mean:.3f}{said}")
        return mean

    def _save(self):
        if self.path is None:
            return
        everything = {
            "settings": self.settings,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "place": {name: getattr(self, name) for name in self.PLACE} | {"total": float(self.total)},
        }
        with written_aside(self.path) as file:
            torch.save(everything, file)
        self._saved = time.monotonic()

    def _restore(self, device):
        if not self.path.exists():
            return
        saved = load_checkpoint(self.path, device)
        for name, value in self.settings.items():
            was = saved["settings"].get(name)
            if was != value:
                changed = f"{name} {was}, not {value}"
                raise ValueError(f"{self.path} was made with another {changed}: go on as before, or name another file")
        try:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError) as wrong:
            raise ValueError(f"{self.path} is of another model or optimizer: name another file") from wrong
        vars(self).update(saved["place"])


def load_checkpoint(path, device="cpu"):
    """Read what a training run wrote beside its result.

    Parameters
    ----------
    path : the checkpoint.
    device : where its tensors go.

    Returns
    -------
    saved : dict with settings, model, optimizer and place.

    Raises
    ------
    ValueError
        when the file is no checkpoint, or damaged.
    """
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        if "place" not in saved:
            raise KeyError("place")
    except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as wrong:
        raise ValueError(f"{path} is no checkpoint of a training run, or it is damaged: move it away") from wrong
    return saved


@contextlib.contextmanager
def bar(progress, done, unit):
    """A function (done, total, text) that shows how far a run is.

    Parameters
    ----------
    progress : True for a bar, False for silence, or such a function, which is then used.
    done : what an earlier run has done.
    unit : what is counted, such as " steps".
    """
    if not isinstance(progress, bool):
        yield progress
        return
    with tqdm(initial=done, unit=unit, leave=False, mininterval=0, disable=not progress) as shown:

        def report(done, total, text):
            shown.total = total
            shown.set_description(text, refresh=False)
            shown.update(done - shown.n)

        yield report


def _measured(model, evaluate):
    if evaluate is None:
        return {}
    model.eval()
    with torch.no_grad():
        return evaluate(model)


def _check(steps, every, clip):
    for name, value in (("steps", steps), ("every", 1 if every is None else every)):
        check_whole(name, value)
    if clip is not None and not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0, or None for no clipping")
