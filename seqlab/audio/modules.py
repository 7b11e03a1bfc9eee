"""A detector of a trigger word: a strided convolution and a GRU that hear a spectrogram, whole or frame by frame."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from seqlab.recurrent import GRU
from seqlab.shapes import check_shape, check_whole


class StreamState(NamedTuple):
    """What a detector keeps between two calls of `TriggerWordDetector.step`.

    frames (B, M, n), n < kernel, are the last ones, standardised, that the convolution will see again; h (layers, B, H)
    is the state of the GRU.
    """

    frames: torch.Tensor
    h: torch.Tensor


class TriggerWordDetector(nn.Module):
    """For each few frames of a spectrogram, the log-odds that a trigger word has just been said, :eq:`trigger-loss`.

    Every band is standardised by what training has seen; a convolution over `kernel` frames makes one step of `stride`
    of them; a GRU, forward in time only, carries what was heard; a dense layer gives the logit. Output step j has seen
    the frames up to (j + 1) stride - 1, the last of its own, and none after them: the network is causal.

    Parameters
    ----------
    bands : M, of the spectrogram.
    channels : of the convolution.
    hidden : H, units of each layer of the GRU.
    layers : of the GRU.
    stride : frames for each output step.
    kernel : frames that the convolution sees, at least stride.
    dropout : with which numbers are dropped in training, before each layer of the GRU and after the last.
    bidirectional : True lets the GRU read from the end, too. Such a network cannot be used in a stream; it is there to
        be compared.
    backend : of the GRU, "auto", "torch" or "triton".

    Raises
    ------
    ValueError
        when a number is out of range.
    """

    def __init__(
        self,
        bands,
        *,
        channels=64,
        hidden=64,
        layers=2,
        stride=4,
        kernel=15,
        dropout=0.0,
        bidirectional=False,
        backend="auto",
    ):
        super().__init__()
        sizes = {"bands": bands, "channels": channels, "hidden": hidden, "layers": layers, "stride": stride}
        for name, size in sizes.items():
            check_whole(name, size)
        if not isinstance(kernel, int) or kernel < stride:
            raise ValueError(f"kernel is {kernel!r}; it must be a whole number, at least the stride, {stride}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it must be at least 0 and below 1")
        self.settings = sizes | {"kernel": kernel, "dropout": dropout, "bidirectional": bool(bidirectional)}
        self.bands, self.stride, self.kernel = bands, stride, kernel
        self.norm = nn.BatchNorm1d(bands, affine=False)
        self.conv = nn.Conv1d(bands, channels, kernel, stride)
        self.drop = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        options = {"batch_first": True, "dropout": between, "bidirectional": bool(bidirectional), "backend": backend}
        self.gru = GRU(channels, hidden, layers, **options)
        self.dense = nn.Linear(self.gru.num_directions * hidden, 1)

    def forward(self, mel):
        """Hear whole recordings.

        Parameters
        ----------
        mel : (B, T, M) log-mel spectrograms, T >= stride.

        Returns
        -------
        logits : (B, Ty), Ty = T // stride. Frames that do not fill the last step are not heard.

        Raises
        ------
        ValueError
            when the shape does not fit.
        """
        T = check_shape("mel", mel, ("B", "T", self.bands))["T"]
        if T // self.stride < 1:
            raise ValueError(f"mel has {T} frames; one output step needs {self.stride}")
        silence = self.kernel - self.stride  # frames before the first: zeros, the mean of every band
        x = F.pad(self.norm(mel.mT), (silence, 0))
        h, _ = self.gru(self._heard(x))
        return self.dense(self.drop(h))[:, :, 0]

    def step(self, frames, state=None):
        """Hear the next frames of a stream: the same numbers as `forward` on all frames at once.

        Parameters
        ----------
        frames : (B, t, M) the next frames, t >= 1.
        state : `StreamState` that the call before has given; None at the beginning.

        Returns
        -------
        logits : (B, n) of the steps that these frames have completed; n may be 0.
        state : `StreamState` for the next call.

        Raises
        ------
        ValueError
            when a shape does not fit, the network is in training mode, or it also reads from the end.
        """
        if self.training:
            raise ValueError("step hears a stream with a trained network; call .eval() on the detector first")
        if self.gru.bidirectional:
            raise ValueError("this detector also reads from the end, which a stream does not have; take a causal one")
        B = check_shape("frames", frames, ("B", "t", self.bands))["B"]
        state = self._first(B, frames) if state is None else state
        check_shape("state.frames", state.frames, (B, self.bands, "n"))
        x = torch.cat([state.frames, self.norm(frames.mT)], dim=2)
        n = (x.shape[2] - self.kernel) // self.stride + 1
        if n < 1:
            return frames.new_zeros(B, 0), state._replace(frames=x)
        out, h = self.gru(self._heard(x[:, :, : self.kernel + (n - 1) * self.stride]), state.h)
        return self.dense(out)[:, :, 0], StreamState(x[:, :, n * self.stride :], h)

    def _heard(self, x):
        """Standardised frames (B, M, T) -> what the GRU reads, (B, Ty, channels)."""
        return self.drop(F.relu(self.conv(x)).mT)

    def _first(self, B, like):
        """The state before the first frame."""
        frames = like.new_zeros(B, self.bands, self.kernel - self.stride)
        return StreamState(frames, like.new_zeros(self.gru.num_layers, B, self.gru.hidden_size))
