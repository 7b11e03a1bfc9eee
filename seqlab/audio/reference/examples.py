"""Examples for a trigger-word detector, made by laying clips over background, in NumPy: the book's equations."""

from typing import NamedTuple

import numpy as np

from seqlab.arrays import check_floats

TRIES = 1000  # draws of a place before it is said that there is none


class NoRoom(ValueError):
    """No free place was found."""


class Event(NamedTuple):
    """A word that was laid over the background: first and last sample, both inside it, and whether to react to it."""

    start: int
    end: int
    positive: bool


def overlaps(segment, placed):
    """Whether a segment shares a step with any of those placed before, :eq:`overlay`.

    Parameters
    ----------
    segment : pair (start, end) of steps, both inside the segment.
    placed : list of such pairs.

    Returns
    -------
    shared : True or False. Segments that only touch, one beginning at the step after the other's end, do not overlap.

    Raises
    ------
    ValueError
        when a segment ends before it starts.
    """
    for start, end in (segment, *placed):
        if end < start:
            raise ValueError(f"a segment goes from {start} to {end}; its end must not lie before its start")
    first, last = segment
    return any(first <= end and last >= start for start, end in placed)


def place(length, steps, placed, rng):
    """Draw a segment that overlaps none of those placed before, every free place as likely as the others.

    Parameters
    ----------
    length : of the segment, in steps.
    steps : how many there are in all, N.
    placed : list of pairs (start, end), both inside.
    rng : NumPy generator.

    Returns
    -------
    segment : pair (start, end), both inside.

    Raises
    ------
    ValueError
        when the segment is longer than N; `NoRoom`, which is one, when no free place was found in 1000 draws.
    """
    if not 1 <= length <= steps:
        raise ValueError(f"length is {length}; with {steps} steps it must be from 1 to {steps}")
    for _ in range(TRIES):
        start = int(rng.integers(steps - length + 1))
        segment = start, start + length - 1
        if not overlaps(segment, placed):
            return segment
    raise NoRoom(f"no free place for {length} of {steps} steps in {TRIES} draws: place fewer or shorter segments")


def overlay(background, clip, start, gain=1.0):
    """Add a clip to a background, as sounds add in the air, :eq:`overlay`.

    Parameters
    ----------
    background : (N,) samples.
    clip : (n,) samples, n <= N.
    start : the sample of the background where the clip begins, 0 <= start <= N - n.
    gain : what the clip is multiplied by.

    Returns
    -------
    x : (N,) a new array; the background stays as it was.

    Raises
    ------
    ValueError
        when an array is not one row of floats, or the clip does not lie inside the background.
    """
    N, n = check_floats("background", background, ("N",))["N"], check_floats("clip", clip, ("n",))["n"]
    if not 0 <= start <= N - n:
        raise ValueError(f"start is {start}; a clip of {n} samples must lie inside the {N} of the background")
    x = background.copy()
    x[start : start + n] += gain * clip
    return x


def labels_after(Ty, ends, width=50):
    """Ones for some steps after the end of each trigger word, zeros elsewhere, :eq:`trigger-labels`.

    Parameters
    ----------
    Ty : number of output steps.
    ends : list of the steps in which a trigger word ends.
    width : how many ones follow each end. The first stands at the step after the end; what would go beyond the last
        step is cut.

    Returns
    -------
    y : (Ty,) zeros and ones, float.

    Raises
    ------
    ValueError
        when an end is outside the steps, or the width is below 1.
    """
    if width < 1:
        raise ValueError(f"width is {width}; it must be at least 1")
    y = np.zeros(Ty)
    for end in ends:
        if not 0 <= end < Ty:
            raise ValueError(f"ends holds {end}; with {Ty} steps it must be from 0 to {Ty - 1}")
        y[end + 1 : end + 1 + width] = 1
    return y


def training_example(background, positives, negatives, rng, *, Ty, width=50, most=(4, 2), decibels=(0.0, 0.0)):
    """Lay some trigger words and some other words over a background, none over another, :eq:`overlay`.

    Parameters
    ----------
    background : (N,) samples.
    positives : list of clips of the trigger word, (n,) samples each.
    negatives : list of clips of other words; may be empty.
    rng : NumPy generator.
    Ty : number of output steps; step t stands for the samples from t N / Ty on.
    width : ones after each trigger word, :eq:`trigger-labels`.
    most : the largest number of trigger words and of other words; how many there are is drawn from 0 to that. A clip
        for which there is no room any more is left out.
    decibels : lowest and highest gain of a clip; each clip's is drawn between.

    Returns
    -------
    x : (N,) samples.
    y : (Ty,) labels, zeros and ones.
    events : list of `Event`, in the order of time.

    Raises
    ------
    ValueError
        when a clip is longer than the background, or there are trigger words to place and no clip.
    """
    N = check_floats("background", background, ("N",))["N"]
    x, events = background, []
    for clips, largest, positive in ((positives, most[0], True), (negatives, most[1], False)):
        for _ in range(rng.integers(largest + 1) if clips or positive else 0):
            if not clips:
                raise ValueError("positives is empty; give clips of the trigger word, or most=(0, ...)")
            clip = clips[rng.integers(len(clips))]
            try:
                start, end = place(len(clip), N, [event[:2] for event in events], rng)
            except NoRoom:
                continue
            x = overlay(x, clip, start, 10 ** (rng.uniform(*decibels) / 20))
            events.append(Event(start, end, positive))
    y = labels_after(Ty, [event.end * Ty // N for event in events if event.positive], width)
    return x.copy() if x is background else x, y, sorted(events)


def gain(x, decibels):
    """Make a sound louder or softer.

    Parameters
    ----------
    x : (N,) samples.
    decibels : +6 doubles the amplitude, nearly; -20 is a tenth of it.

    Returns
    -------
    louder : (N,) samples.
    """
    return x * 10 ** (decibels / 20)


def shift(x, samples):
    """Let a sound begin later, or earlier, with silence where nothing is left.

    Parameters
    ----------
    x : (N,) samples.
    samples : how much later; below 0 it is earlier.

    Returns
    -------
    shifted : (N,) samples.
    """
    shifted = np.zeros_like(x)
    N = len(x)
    if abs(samples) < N:
        shifted[max(samples, 0) : N + min(samples, 0)] = x[max(-samples, 0) : N - max(samples, 0)]
    return shifted


def stretch(x, speed):
    """Play a sound faster or slower, as a tape would: the pitch moves with the speed.

    Parameters
    ----------
    x : (N,) samples.
    speed : 2 takes half the time, 0.5 twice the time.

    Returns
    -------
    played : (round(N / speed),) samples, interpolated in straight lines.

    Raises
    ------
    ValueError
        when the speed is not above 0, or nothing would be left.
    """
    if not speed > 0:
        raise ValueError(f"speed is {speed}; it must be above 0")
    length = round(len(x) / speed)
    if length < 1:
        raise ValueError(f"at speed {speed} nothing is left of {len(x)} samples")
    return np.interp(np.arange(length) * speed, np.arange(len(x)), x)


def mask(features, rng, *, steps=20, bands=5):
    """Hide a stretch of time and a stretch of bands, so that a network does not rely on one place (SpecAugment).

    Parameters
    ----------
    features : (T, M) such as a mel spectrogram.
    rng : NumPy generator.
    steps, bands : the largest numbers that are hidden; how many, from 0 on, and where, is drawn.

    Returns
    -------
    masked : (T, M) a new array; what is hidden holds the mean of the features.

    Raises
    ------
    ValueError
        when features is not a table of floats, or has fewer steps or bands than could be hidden.
    """
    sizes = check_floats("features", features, ("T", "M"))
    masked = features.copy()
    for axis, (letter, name, most) in enumerate((("T", "steps", steps), ("M", "bands", bands))):
        size = sizes[letter]
        if not 0 <= most <= size:
            raise ValueError(f"{name} is {most}; with features of shape {features.shape} it must be from 0 to {size}")
        hidden = int(rng.integers(most + 1))
        first = int(rng.integers(size - hidden + 1))
        where = [slice(None), slice(None)]
        where[axis] = slice(first, first + hidden)
        masked[tuple(where)] = features.mean()
    return masked
