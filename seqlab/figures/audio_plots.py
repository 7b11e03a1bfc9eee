"""The still pictures of chapter 18. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, PALETTE, show
from seqlab.shapes import check_shape

DEEP = 70  # decibels from the loudest spot to black


def waveform_plot(x, rate, words=()):
    """Draw a sound as its samples over time.

    Parameters
    ----------
    x : (N,) samples.
    rate : samples a second.
    words : list of (text, start, end) in seconds: what is said where.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    N = check_shape("x", np.asarray(x), ("N",))["N"]
    fig, ax = plt.subplots(figsize=(4.4, 2.0))
    # where there are more samples than dots, the highest and the lowest of each dot say it all
    width = max(1, N // 1200)
    parts = np.asarray(x)[: N // width * width].reshape(-1, width)
    t = np.arange(len(parts)) * width / rate
    if width > 1:
        ax.fill_between(t, parts.min(axis=1), parts.max(axis=1), color=PALETTE[0], linewidth=0.6)
    else:
        ax.plot(t, parts[:, 0], linewidth=1)
    _spans(ax, words)
    ax.set(xlabel="seconds", ylabel="sample", xlim=(0, N / rate))
    return show(fig, f"A sound of {N / rate:.2f} s, {N} samples from {np.min(x):.2f} to {np.max(x):.2f}{_said(words)}.")


def framing_plot(x, rate, size, hop, window):
    """Draw how frames are cut from a sound and weighed: each with its window, one below the other.

    Parameters
    ----------
    x : (N,) samples, of which the first four frames are shown.
    rate : samples a second.
    size, hop : samples in a frame, and from one frame's start to the next.
    window : (size,) weights.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    check_shape("window", window, (size,))
    shown = min(4, 1 + (len(x) - size) // hop)
    N = (shown - 1) * hop + size
    ms = 1000 * np.arange(len(x)) / rate
    fig, ax = plt.subplots(figsize=(4.4, 0.62 * (shown + 1) + 0.6))
    high = 1.1 * np.abs(x[:N]).max() or 1
    ax.plot(ms[:N], np.asarray(x[:N]) / high, color=INK, linewidth=0.8)
    for t in range(shown):
        here, down = slice(t * hop, t * hop + size), -2.0 * (t + 1)
        ax.axhline(down, color=INK, linewidth=0.5, alpha=0.3)
        ax.fill_between(ms[here], down - 0.9 * window, down + 0.9 * window, color=PALETTE[1], alpha=0.25)
        ax.plot(
            ms[here], down + 0.9 * np.asarray(x[here]) * window / high, color=PALETTE[0], linestyle="-", linewidth=1
        )
    ax.set_yticks([-2.0 * t for t in range(shown + 1)], ["sound", *(f"frame {t}" for t in range(shown))])
    ax.set(xlabel="milliseconds", xlim=(0, ms[N - 1]))
    ax.grid(visible=False)
    return show(
        fig,
        f"{shown} frames of {1000 * size / rate:.0f} ms, cut every {1000 * hop / rate:.0f} ms from a sound; under the "
        "window each swells and fades.",
    )


def spectrum_plot(spectra, f):
    """Draw spectra over frequency, in decibels below the highest point of each.

    Parameters
    ----------
    spectra : dict from a name to (F,) powers.
    f : (F,) frequencies in Hz.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    F = check_shape("f", f, ("F",))["F"]
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    said = []
    for (name, power), colour, line in zip(spectra.items(), PALETTE, LINES, strict=False):
        check_shape(f"spectra[{name!r}]", power, (F,))
        level = decibels(power)
        ax.plot(f, level, color=colour, linestyle=line, label=name)
        said.append(f"{name} is highest at {f[level.argmax()]:.0f} Hz and {level[-1]:.0f} dB at {f[-1]:.0f} Hz")
    ax.set(xlabel="Hz", ylabel="decibels", xlim=(f[0], f[-1]), ylim=(-110, 5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return show(fig, f"Spectra in decibels: {'; '.join(said)}.")


def spectrogram_plot(power, seconds, rate, words=()):
    """Draw spectrograms, one above the other, bright where it is loud.

    Parameters
    ----------
    power : (T, F) powers, or a dict from names to such arrays; their T and F may differ.
    seconds : how long the sound is.
    rate : samples a second: the highest row is rate / 2.
    words : list of (text, start, end) in seconds.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    power = power if isinstance(power, dict) else {"": power}
    fig, panels = plt.subplots(
        len(power), 1, figsize=(4.4, 0.6 + 1.9 * len(power)), sharex=True, squeeze=False, layout="constrained"
    )
    said = []
    for ax, (name, values) in zip(panels[:, 0], power.items(), strict=True):
        T, F = check_shape(f"power[{name!r}]" if name else "power", values, ("T", "F")).values()
        level = decibels(values)
        bars = ax.imshow(
            level.T, origin="lower", aspect="auto", extent=(0, seconds, 0, rate / 2), vmin=-DEEP, vmax=0, cmap="cividis"
        )
        t, k = np.unravel_index(level.argmax(), level.shape)
        ax.set(title=name, ylabel="Hz")
        ax.grid(visible=False)
        said.append(
            f"{name + ': ' if name else ''}{T} frames, loudest at {(t + 0.5) * seconds / T:.2f} s and "
            f"{k * rate / 2 / max(1, F - 1):.0f} Hz"
        )
    _spans(panels[0, 0], words)
    panels[-1, 0].set(xlabel="seconds")
    fig.colorbar(bars, ax=list(panels[:, 0]), label="decibels", pad=0.02, aspect=30)
    return show(fig, f"Spectrogram, 0 to {rate / 2:.0f} Hz over {seconds:.2f} s. {'; '.join(said)}{_said(words)}.")


def mel_scale_plot(f, mels):
    """Draw formulas of the mel scale over frequency.

    Parameters
    ----------
    f : (K,) frequencies in Hz.
    mels : dict from a name to (K,) pitches in mel.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    K = check_shape("f", f, ("K",))["K"]
    fig, ax = plt.subplots(figsize=(4.4, 2.7))
    for (name, m), colour, line in zip(mels.items(), PALETTE, LINES, strict=False):
        check_shape(f"mels[{name!r}]", m, (K,))
        ax.plot(f, m, color=colour, linestyle=line, label=name)
    ax.set(xlabel="Hz", ylabel="mel", xlim=(f[0], f[-1]))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    half = f[0] + (f[-1] - f[0]) / 2
    said = "; ".join(f"{name}: {np.interp(half, f, m):.0f} of {m[-1]:.0f} mel" for name, m in mels.items())
    return show(fig, f"The mel scale rises fast at first, then ever more slowly. Reached at {half:.0f} Hz: {said}.")


def mel_filters_plot(filters, rate):
    """Draw the triangles of mel filters over frequency.

    Parameters
    ----------
    filters : (M, F) weights.
    rate : samples a second.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    M, F = check_shape("filters", filters, ("M", "F")).values()
    f = np.linspace(0, rate / 2, F)
    fig, ax = plt.subplots(figsize=(4.4, 2.2))
    for m, filter in enumerate(filters):
        ax.plot(f, filter, color=PALETTE[m % 2], linestyle=LINES[m % 2], linewidth=1.2)
    ax.set(xlabel="Hz", ylabel="weight", xlim=(0, rate / 2), ylim=(0, None))
    middles = f[filters.argmax(axis=1)]
    widths = [np.count_nonzero(filter) * rate / 2 / (F - 1) for filter in filters[[0, -1]]]
    return show(
        fig,
        f"{M} triangles over 0 to {rate / 2:.0f} Hz: the first has its top at {middles[0]:.0f} Hz and is "
        f"{widths[0]:.0f} Hz wide, the last at {middles[-1]:.0f} Hz and {widths[1]:.0f} Hz.",
    )


def mel_plot(mel, seconds, words=()):
    """Draw a log-mel spectrogram: a row for each band.

    Parameters
    ----------
    mel : (T, M) as `seqlab.audio.reference.mel` gives it, logarithms.
    seconds : how long the sound is.
    words : list of (text, start, end) in seconds.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    T, M = check_shape("mel", mel, ("T", "M")).values()
    mel = np.asarray(mel)
    fig, ax = plt.subplots(figsize=(4.4, 2.5), layout="constrained")
    bars = ax.imshow(mel.T, origin="lower", aspect="auto", extent=(0, seconds, 0.5, M + 0.5), cmap="cividis")
    _spans(ax, words)
    ax.set(xlabel="seconds", ylabel="mel band")
    ax.grid(visible=False)
    fig.colorbar(bars, ax=ax, label="log power", pad=0.02)
    t, m = np.unravel_index(mel.argmax(), mel.shape)
    return show(
        fig,
        f"Log-mel spectrogram, {T} frames of {M} bands over {seconds:.2f} s, from {mel.min():.1f} to {mel.max():.1f}, "
        f"loudest at {(t + 0.5) * seconds / T:.2f} s in band {m + 1}{_said(words)}.",
    )


def decibels(power):
    """Powers as levels below the loudest, in decibels: 10 log10(power / loudest), at least -120."""
    power = np.asarray(power, float)
    most = max(power.max(), 1e-300)
    return 10 * np.log10(np.maximum(power, 1e-12 * most) / most)


def _spans(ax, words):
    """Write the words above the axes, and mark where they begin and end."""
    for word, start, end in words:
        for edge in (start, end):
            ax.axvline(edge, color=INK, linewidth=0.6, alpha=0.5)
        ax.annotate(
            word,
            ((start + end) / 2, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )


def _said(words):
    told = ", ".join(f"“{word}” from {start:.2f} to {end:.2f} s" for word, start, end in words)
    return f"; {told}" if told else ""
