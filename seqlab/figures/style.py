"""How the book's pictures look: one palette, ink that follows the page, one way to show a plot."""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections import Counter
from html import escape

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure as Plot
from matplotlib.text import Text

from seqlab.shapes import check_shape

COLOURS = {
    "blue": "#2a66d9",
    "orange": "#d97a00",
    "plum": "#904884",
    "sky": "#6c90f0",
    "brick": "#b43c18",
    "rose": "#a88490",
}
#: Six colours that differ for colour-blind readers too, each with a contrast of 3 or more on white and on #121212.
PALETTE = tuple(COLOURS.values())

# What tells things apart beside their colour, in the same order.
MARKERS = "os^vD*"
LINES = ("-", "--", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1)))
HATCHES = ("", "///", "...", "xx", "")

INK = "#000000"  # matplotlib's black; `show` turns it into the colour of the page's text
PHONE = 328  # CSS pixels that a phone 360 wide leaves for a picture
SMALLEST = 9  # CSS pixels: text smaller than this is not readable on a phone
LARGEST = 1.6  # how far a picture may grow on a wide page

# The theme puts a pale panel behind every HTML output of a dark page. Ours follow the page's ink and need none.
FRAME = (
    "<style>html[data-theme=dark] .bd-content div.cell_output .text_html:has(div.seqlab.seqlab)"
    "{background:none;color:inherit;padding:0}</style>"
)

_shown = Counter()  # how often each picture was shown by this process: equal pictures get different ids


def style():
    """Set matplotlib's defaults to the book's: palette, thin frame, ink that `show` can follow. Safe to call again."""
    plt.rcParams.update(
        {
            "figure.figsize": (4.4, 2.8),
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
            "font.size": 10,
            "font.family": "sans-serif",
            "mathtext.fontset": "dejavusans",
            "text.color": INK,
            "axes.facecolor": "none",
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.8,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": cycler(color=PALETTE)
            + cycler(linestyle=["-", "--", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1))]),
            "grid.color": INK,
            "grid.alpha": 0.15,
            "grid.linewidth": 0.8,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "patch.linewidth": 0,
            "image.cmap": "cividis",
            "image.interpolation": "none",
        }
    )


class Picture:
    """A plot as inline SVG: it takes the page's ink, shrinks to a phone, and carries its text alternative.

    Attributes
    ----------
    svg : the `<svg>` element.
    alt : the text alternative.
    """

    def __init__(self, svg, alt, wide):
        self.svg, self.alt, self._wide = svg, alt, wide

    def _repr_html_(self):
        # a plot too wide for a phone scrolls in its own frame, which the keyboard must be able to reach
        reach = f' tabindex="0" role="group" aria-label="{escape(self.alt)}"' if self._wide else ""
        scroll = ";overflow-x:auto" if self._wide else ""
        return f'{FRAME}<div class="seqlab seqlab-plot" style="margin:.5rem 0{scroll}"{reach}>{self.svg}</div>'

    def __repr__(self):
        return f"Picture: {self.alt}"


def show(fig, alt):
    """Turn a matplotlib figure into a picture for page and notebook, and close the figure.

    Parameters
    ----------
    fig : matplotlib figure, or axes in it. Black becomes the colour of the page's text.
    alt : one or two sentences that say what the picture shows to a reader who cannot see it.

    Returns
    -------
    picture : `Picture`; leave it as the last line of a cell.

    Raises
    ------
    ValueError
        when `fig` is no matplotlib figure or `alt` says nothing.
    """
    plot = getattr(fig, "figure", fig)
    if not isinstance(plot, Plot):
        raise ValueError(f"fig is a {type(fig).__name__}; show takes the figure that plt.subplots() returned")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the picture shows, for readers who cannot see it")
    alt = " ".join(alt.split())
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seqlab"}):
        plot.savefig(file, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.03, metadata=nothing)
    plt.close(plot)
    sizes = [text.get_fontsize() for text in plot.findobj(Text) if text.get_text().strip() and text.get_visible()]
    svg, wide = _inline(file.getvalue(), alt, min(sizes, default=SMALLEST))
    return Picture(svg, alt, wide)


def bands(ax, x, spread):
    """Draw, for each name, a line with the space around it shaded: a middle value between a low and a high one.

    Parameters
    ----------
    ax : matplotlib's axes.
    x : (K,) where the values belong.
    spread : dict from a name to (K, 3): low, middle and high value.

    Returns
    -------
    spread : the same as arrays.

    Raises
    ------
    ValueError
        when a name does not have three numbers for each x.
    """
    spread = {name: np.asarray(values, dtype=float) for name, values in spread.items()}
    for (name, values), colour, line, hatch in zip(spread.items(), PALETTE, LINES, HATCHES, strict=False):
        check_shape(f"bands[{name!r}]", values, (len(x), 3))
        low, middle, high = values.T
        ax.fill_between(x, low, high, facecolor=colour, alpha=0.25, hatch=hatch, edgecolor=colour, linewidth=0)
        ax.plot(x, middle, color=colour, linestyle=line, label=name)
    return spread


def _inline(source, alt, smallest):
    """Matplotlib's SVG file -> an element that can stand in a page beside others, and whether a phone scrolls it."""
    root = ET.fromstring(source)
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
        for name in [name for name in element.attrib if name.startswith("{")]:
            element.set(name.split("}")[-1], element.attrib.pop(name))
        if "style" in element.attrib:
            element.set("style", _follow_the_page(element.get("style")))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style"):  # matplotlib's style rule would reach the whole page
                parent.remove(child)
    _, _, width, height = map(float, root.get("viewBox").split())
    least = width * SMALLEST / smallest
    wide = least > PHONE
    root.attrib.clear()
    root.attrib |= {
        "viewBox": f"0 0 {width:g} {height:g}",
        "role": "img",
        "aria-label": alt,
        "fill": "currentColor",
        "stroke-linejoin": "round",
        "style": f"display:block;width:100%;height:auto;max-width:{LARGEST * width:.0f}px"
        + (f";min-width:{least:.0f}px" if wide else ""),
    }
    title = ET.Element("title")
    title.text = alt
    root.insert(0, title)
    _rename_ids(root)
    return ET.tostring(root, encoding="unicode"), wide


def _follow_the_page(css):
    """Black becomes the page's ink, and text takes the page's typeface."""
    kept = []
    for rule in css.replace(INK, "currentColor").split(";"):
        name, _, value = rule.strip().partition(":")
        if name == "font-family":
            value = "monospace" if "Mono" in value.split(",")[0] else ""
        if value:
            kept.append(f"{name}:{value.strip()}")
    return ";".join(kept)


def _rename_ids(root):
    """Keep the ids that something refers to, under names that no other picture on the page has."""
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    _shown[digest] += 1
    prefix = f"p{digest}-{_shown[digest]}-"
    new = {name: f"{prefix}{number}" for number, name in enumerate(sorted(used))}
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                if value in new:
                    element.set("id", new[value])
                else:
                    del element.attrib["id"]
            elif name == "href" and value.startswith("#"):
                element.set(name, "#" + new[value[1:]])
            elif "url(#" in value:
                element.set(name, re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{new[match[1]]})", value))
