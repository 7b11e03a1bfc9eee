"""The still pictures of chapter 19 and of the results. Each function returns a picture with its text alternative."""

import textwrap

import matplotlib.pyplot as plt

from seqlab.figures.style import HATCHES, INK, PALETTE, show

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes"))
PARTS = ("needed", "again", "scratch", "torch's functions")
PASSES = {"forward": "", "forward and backward": "with gradients"}
LETTERS = 62  # of a line of text over the whole width of a picture


def traffic_bars(traffic):
    """Draw what computations move: what they must, what they move again, what passes through memory in between.

    Parameters
    ----------
    traffic : dict from a name to its `seqlab.kernels.Traffic`.

    Returns
    -------
    picture : a drawing with its words.

    Raises
    ------
    ValueError
        when there is nothing to draw.
    """
    if not traffic:
        raise ValueError("traffic is empty; traffic_bars draws a dict from names to what seqlab.kernels.count returned")
    bytes_ = {name: (t.needed, t.again, t.scratch, t.torch_moved) for name, t in traffic.items()}
    most = max(sum(parts) for parts in bytes_.values())
    divisor, unit = next(((d, u) for d, u in UNITS if most >= 10 * d), UNITS[-1])
    fig, ax = plt.subplots(figsize=(4.4, 0.42 * len(bytes_) + 1.3))
    said, drawn = [], set()
    for row, (name, parts) in enumerate(bytes_.items()):
        left, told = 0, []
        for part, size, colour, hatch in zip(PARTS, parts, PALETTE, HATCHES, strict=False):
            if not size:
                continue
            label = part if part not in drawn else None
            drawn.add(part)
            ax.barh(row, size / divisor, left=left / divisor, height=0.66, color=colour, hatch=hatch, label=label)
            left += size
            told.append(f"{part} {_short(size / divisor)}")
        ax.text((left + 0.015 * most) / divisor, row, _short(left / divisor), va="center", fontsize=9)
        said.append(f"{name}: {_short(left / divisor)} {unit} ({', '.join(told) or 'nothing'})")
    ax.set_yticks(range(len(bytes_)), list(bytes_))
    ax.set(xlabel=f"moved between memory and chip, {unit}", xlim=(0, 1.14 * max(most, 1) / divisor))
    ax.set_ylim(len(bytes_) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if drawn:
        handles, labels = ax.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda i: PARTS.index(labels[i]))
        ax.legend(
            [handles[i] for i in order], [labels[i] for i in order],
            loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, handlelength=1.4,
        )  # fmt: skip
    return show(fig, f"Bytes moved between memory and chip. {'; '.join(said)}.")


def over_floor(rows):
    """Draw the time of this book's kernels over the floor that no implementation can beat: 1 would be perfect.

    Parameters
    ----------
    rows : rows of reports of `seqlab bench`, with "benchmark" where several are mixed. Of each benchmark, shape and
        pass the fastest of this book's ways is drawn; rows without a time or a floor are left out.

    Returns
    -------
    picture : a drawing with its words; the kernels nearest to their floors stand first.

    Raises
    ------
    ValueError
        when no row has both a time and a floor.
    """
    drawn = []
    for name, case in _cases(rows).items():
        ours = _fastest(case, "ours")
        if ours and ours.get("floor_seconds"):
            drawn.append((ours["seconds"] / ours["floor_seconds"], name, ours.get("bound")))
    if not drawn:
        raise ValueError("no row has a time and a floor; over_floor draws what seqlab bench measured on a GPU it knows")
    drawn.sort()
    looks = {"memory": ("o", PALETTE[0]), "arithmetic": ("s", PALETTE[1]), "steps": ("^", PALETTE[4])}
    marks = [(ratio, name, f"bound by {bound}", *looks[bound]) for ratio, name, bound in drawn]
    fig = _ratios(marks, "time over floor (1: perfect)")
    said = "; ".join(f"{name} {ratio:.2f}, bound by {bound}" for ratio, name, bound in drawn)
    return show(fig, f"Time of this book's kernels over the floor of each; 1 is perfect. {said}.")


def against_peers(rows):
    """Draw how many times as long the fastest peer takes as this book's kernel, what loses as plainly as what wins.

    Parameters
    ----------
    rows : rows of reports of `seqlab bench`, as in `over_floor`. Of each benchmark, shape and pass the fastest way of
        this book is set against the fastest peer.

    Returns
    -------
    picture : a drawing with its words: right of 1 this book's kernel is faster, left of it slower; the slowest
        in comparison stand last.

    Raises
    ------
    ValueError
        when no case has a time for one of this book's ways and for a peer.
    """
    drawn = []
    for name, case in _cases(rows).items():
        ours, peer = _fastest(case, "ours"), _fastest(case, "peer")
        if ours and peer:
            drawn.append((peer["seconds"] / ours["seconds"], name, peer["way"]))
    if not drawn:
        raise ValueError("no case has a time of this book's kernel and of a peer; seqlab bench measures both on a GPU")
    drawn.sort(reverse=True)
    looks = {True: ("faster than the fastest peer", "o", PALETTE[0]), False: ("slower", "v", PALETTE[4])}
    marks = [(ratio, f"{name}, against {peer}", *looks[ratio >= 1]) for ratio, name, peer in drawn]
    fig = _ratios(marks, "time of the fastest peer over ours (1: equal)")
    lost = sum(ratio < 1 for ratio, *_ in drawn)
    said = "; ".join(f"{name} {ratio:.2f} times as fast as {peer}" for ratio, name, peer in drawn)
    return show(
        fig, f"This book's kernels against the fastest peer: {len(drawn) - lost} faster, {lost} slower. {said}."
    )


def _short(x):
    """Three digits, more only before the point: 3.47, 34.7, 3,470."""
    return f"{x:,.0f}" if x >= 99.95 else f"{x:.3g}"


def _cases(rows):
    """The rows by what they compute: dict from the words for a benchmark, shape and pass to its rows."""
    cases = {}
    for row in rows:
        shape = ", ".join(
            str(value) if isinstance(value, str) else f"{name} {value:,}" for name, value in row["shape"].items()
        )
        name = " ".join(filter(None, (row.get("benchmark"), f"({shape})", PASSES.get(row["pass"], row["pass"]))))
        cases.setdefault(name, []).append(row)
    return cases


def _fastest(case, role):
    timed = [row for row in case if row["role"] == role and row["right"] and row["seconds"]]
    return min(timed, key=lambda row: row["seconds"], default=None)


def _ratios(marks, words):
    """Draw ratios on a logarithmic axis, a line from 1 to each, its name above it.

    Parameters
    ----------
    marks : list of (ratio, name, kind, marker, colour), from above.
    words : of the axis.
    """
    names = [textwrap.wrap(name, LETTERS) for _, name, *_ in marks]
    tops = [0]  # in lines of text
    for lines in names:
        tops.append(tops[-1] + len(lines) + 1.6)
    fig, ax = plt.subplots(figsize=(4.4, 0.16 * tops[-1] + 1))
    ratios = [ratio for ratio, *_ in marks]
    low, high = min([1, *ratios]) / 1.15, max([1, *ratios]) * 1.9  # room for the number beside the last
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if low <= t <= high]
    said = set()
    for (ratio, _, kind, marker, colour), lines, top in zip(marks, names, tops, strict=False):
        place = top + len(lines) + 0.6
        for tick in ticks:  # beside the marks alone, so that no line crosses a name
            ax.vlines(tick, place - 0.6, place + 0.6, color=INK, linewidth=0.8, alpha=1 if tick == 1 else 0.15)
        ax.hlines(place, *sorted((1, ratio)), color=colour, linewidth=1.4)
        ax.plot(ratio, place, marker=marker, color=colour, linestyle="none", label=None if kind in said else kind)
        ax.annotate(
            f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}", (max(ratio, 1), place), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
        ax.text(0, top, "\n".join(lines), transform=ax.get_yaxis_transform(), va="top", fontsize=9)
        said.add(kind)
    ax.set_xscale("log")
    ax.set(xlabel=words, xlim=(low, high), ylim=(tops[-1], -0.4), yticks=[])
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, handlelength=1, columnspacing=1)
    return fig
