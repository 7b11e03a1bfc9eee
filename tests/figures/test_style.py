"""Plots: a palette everyone can tell apart, ink that follows the page, a text alternative, ids that never clash."""

import re
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import PALETTE, show, style

WHITE, DARK = (255, 255, 255), (0x12, 0x12, 0x12)
# Machado, Oliveira and Fernandes 2009: what a reader with the full deficiency sees, in linear RGB
SEEN_BY = {
    "everyone": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanope": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def linear(colour):
    c = np.array(colour) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    low, high = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


def oklab(light):
    cone = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponent = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponent @ np.cbrt(cone @ np.clip(light, 0, 1))


def lines(n=3):
    fig, ax = plt.subplots()
    for k in range(n):
        ax.plot([0, 1, 2], [k, 1, 2 - k], label=f"line {k}, $h_t$")
    ax.legend()
    ax.set(xlabel="step", ylabel="loss")
    return fig


@pytest.mark.parametrize("colour", PALETTE)
@pytest.mark.parametrize("ground", [WHITE, DARK])
def test_a_colour_stands_out_on_light_and_dark(colour, ground):
    assert contrast(rgb(colour), ground) >= 3


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_any_two_colours_differ_for_every_reader(eyes):
    seen = [oklab(SEEN_BY[eyes] @ linear(rgb(colour))) for colour in PALETTE]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.09  # equal colours: 0; the nearest two of matplotlib's default for a protanope: 0.02


def test_the_contrast_formula_knows_black_on_white():
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21)


def test_the_lines_of_a_plot_differ_by_more_than_colour():
    plt.rcdefaults()
    style()
    dashes = [str(entry["linestyle"]) for entry in plt.rcParams["axes.prop_cycle"]]
    assert len(set(dashes)) == len(PALETTE)


def test_ink_follows_the_page_and_the_ground_is_clear():
    svg = show(lines(), "three lines").svg
    assert "#000000" not in svg
    assert "currentColor" in svg
    assert "#ffffff" not in svg
    assert "font-family" not in svg


def test_text_stays_text():
    svg = show(lines(), "three lines").svg
    assert re.search(r"<text[^>]*>loss</text>", svg)


def test_a_picture_is_an_image_with_a_name():
    svg = show(lines(), 'the "loss" < 3 &\n falls').svg
    assert svg.startswith("<svg ")
    assert 'role="img"' in svg
    assert 'aria-label="the &quot;loss&quot; &lt; 3 &amp; falls"' in svg
    assert '<title>the "loss" &lt; 3 &amp; falls</title>' in svg


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_a_picture_without_a_text_alternative_is_refused(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        show(lines(), alt)


def test_something_else_than_a_plot_is_refused():
    with pytest.raises(ValueError, match="fig is a list"):
        show([1, 2], "a list")


def test_axes_stand_for_their_figure_and_the_figure_is_closed():
    fig = lines()
    assert show(fig.axes[0], "lines").svg
    assert not plt.fignum_exists(fig.number)


def test_no_two_ids_on_a_page_are_equal_and_every_reference_has_its_target():
    page = "".join(show(lines(n), "lines")._repr_html_() for n in (2, 3, 3))
    ids = re.findall(r'\bid="([^"]+)"', page)
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(used) == set(ids)


def test_no_style_of_a_plot_reaches_the_page():
    assert "<style" not in show(lines(), "lines").svg


def test_a_plot_of_the_usual_size_needs_no_scrolling_on_a_phone():
    picture = show(lines(), "lines")
    assert "min-width" not in picture.svg
    assert "tabindex" not in picture._repr_html_()


def test_a_wide_plot_keeps_its_text_readable_and_can_be_scrolled_by_keyboard():
    fig, _ = plt.subplots(1, 3, figsize=(10, 3))
    picture = show(fig, "three panels")
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', picture.svg)[1])
    least = float(re.search(r"min-width:(\d+)px", picture.svg)[1])
    assert 9 * least / width >= 8.9  # the ticks' 9 points are never drawn below 9 pixels
    assert 'tabindex="0"' in picture._repr_html_()


@pytest.mark.slow
def test_two_processes_draw_the_same_page():
    code = """
import hashlib, matplotlib.pyplot as plt
import seqlab.figures as figures
kinds = [kind for kind in vars(figures).values() if isinstance(kind, type) and issubclass(kind, figures.Figure)]
page = "".join(kind()._repr_html_() for kind in kinds if kind is not figures.Figure)
fig, ax = plt.subplots()
ax.plot([1, 2], [3, 4])
page += figures.show(fig, "a line")._repr_html_()
print(len(kinds), hashlib.sha256(page.encode()).hexdigest())
"""
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    assert int(made[0].split()[0]) >= 9
