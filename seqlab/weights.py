"""Small models kept beside the book: their weights as float16 and the log of their training, in one file."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch

from seqlab.files import checkpoint_beside, written_aside


def save_weights(out, model, log):
    """Write a model and the log of its training, whole or not at all.

    Parameters
    ----------
    out : the .npz file.
    model : `nn.Module`; its state_dict is kept as float16.
    log : dict that JSON can hold: what the model is made of, the command, the history.
    """
    arrays = {name: weight.cpu().numpy().astype(np.float16) for name, weight in model.state_dict().items()}
    whole = io.BytesIO()
    np.savez_compressed(whole, log=np.frombuffer(json.dumps(log).encode(), dtype=np.uint8), **arrays)
    with written_aside(out) as file:
        file.write(whole.getvalue())


def load_weights(path, build, made_by):
    """Read what `save_weights` wrote.

    Parameters
    ----------
    path : the .npz file.
    build : function from the log to a model of the right form.
    made_by : the command that makes such a file, for the error's sentence.

    Returns
    -------
    model : what `build` made, with the weights in float32, on the CPU, in evaluation mode.
    log : dict.

    Raises
    ------
    FileNotFoundError
        when there is no such file.
    ValueError
        when the file is something else.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        log = json.loads(arrays.pop("log").tobytes())
        model = build(log)
        model.load_state_dict({name: torch.from_numpy(a.astype(np.float32)) for name, a in arrays.items()})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile) as wrong:
        raise ValueError(f"{path} holds no model of this kind; make one with `{made_by}`") from wrong
    return model.eval(), log


def checked_out(out):
    """The file that a training command will write, refused before the training where it could not be written.

    Raises
    ------
    ValueError
        when its name does not end with .npz, or its folder is missing.
    """
    out = Path(out)
    if out.suffix != ".npz":
        raise ValueError(f"out is {out}; its name must end with .npz")
    if not out.resolve().parent.is_dir():
        raise ValueError(f"out names {out}, but the folder {out.resolve().parent} does not exist: make it first")
    return out


def check_result(out):
    """Ask for the result of a finished run, which the checkpoint beside it would not make again.

    Raises
    ------
    ValueError
        when somebody has removed it.
    """
    if not Path(out).exists():
        raise ValueError(
            f"{out} is gone, and {checkpoint_beside(out)} is of a finished run: delete that and train again"
        )
