"""Interactive figures that need no kernel: one small ES module each, inlined in the page with its data.

A module has anywidget's form, `export default { render({ model, el }) }`, and may use every name of `common.js`.
"""

import hashlib
import json
import re
from collections import Counter
from html import escape
from importlib.resources import files

from seqlab.figures.style import COLOURS, FRAME

_shown = Counter()  # how often each figure was shown by this process: equal figures get different ids

# Gives the module a model like anywidget's, draws, and only then hides the still picture.
MOUNT = """
const [id, state, code, css] = %s;
if (!document.getElementById("seqlab-figure-css")) {
  document.head.append(Object.assign(document.createElement("style"), { id: "seqlab-figure-css", textContent: css }));
}
const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
const { default: figure } = await import(url);
URL.revokeObjectURL(url);
for (const box of document.querySelectorAll(`[id="${id}"]:not([data-live])`)) {
  const values = structuredClone(state), heard = {};
  const emit = (event) => [...(heard[event] ?? [])].forEach((listen) => listen());
  const model = {
    get: (name) => values[name],
    set(name, value) {
      if (JSON.stringify(values[name]) === JSON.stringify(value)) return;
      values[name] = value;
      emit(`change:${name}`);
      emit("change");
    },
    on: (events, listen) => events.split(" ").forEach((event) => (heard[event] ??= new Set()).add(listen)),
    off: (events, listen) => events.split(" ").forEach((event) => heard[event]?.delete(listen)),
    save_changes() {},
  };
  box.dataset.live = "";
  try {
    await figure.render({ model, el: box.querySelector(".seqlab-live") });
  } catch (error) {
    delete box.dataset.live;
    throw error;
  }
}
"""


def _read(name):
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _script(value):
    """JSON that can stand inside a script element: no `<` can close it or open a comment."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


class Figure:
    """An interactive figure. A subclass names its module and its sentences, and passes its state to `__init__`.

    Attributes
    ----------
    module : name of the ES module beside this file.
    label : what the figure is, for a screen reader.
    how : one sentence that tells the reader what to do.
    state : dict from the names that the module reads to plain values (numbers, strings, lists, dicts).

    Raises
    ------
    ValueError
        when the state cannot be written as JSON (an array, NaN).
    """

    module = ""
    label = ""
    how = ""

    def __init__(self, **state):
        try:
            json.dumps(state, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the state of {type(self).__name__} must be plain numbers, text, lists and dicts: {error}"
            ) from error
        self.state = state

    def still(self):
        """The figure as HTML that stands still: for print, for readers without scripts, before the script has run."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it looks on paper")

    def code(self):
        """The module with the shared helpers before it."""
        return _read("common.js") + "\n" + _read(self.module)

    @staticmethod
    def css():
        """The sheet that all figures share, with the palette as variables; without the spaces that only people need."""
        palette = "".join(f"--{name}:{colour};" for name, colour in COLOURS.items())
        sheet = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", _read("figure.css"), flags=re.DOTALL))
        return f".seqlab-figure{{{palette}}}\n" + re.sub(r" ?([{};]) ?", r"\1", sheet)

    def _repr_html_(self):
        name = hashlib.sha256((self.code() + json.dumps(self.state, sort_keys=True)).encode()).hexdigest()[:10]
        _shown[name] += 1
        name = f"f{name}-{_shown[name]}"
        script = MOUNT.strip() % _script([name, self.state, self.code(), self.css()])
        return (
            f'{FRAME}<div class="seqlab seqlab-figure tex2jax_ignore mathjax_ignore" id="{name}" role="group"'
            f' aria-label="{escape(self.label)}">'
            f'<p class="seqlab-how">{escape(self.how)}</p>'
            f'<div class="seqlab-live"></div><div class="seqlab-still">{self.still()}</div>'
            f'<script type="module">{script}</script></div>'
        )

    def __repr__(self):
        return f"{type(self).__name__}: {self.label}"

    def widget(self):
        """The same figure as an anywidget, whose state Python can read and set in a live notebook.

        Raises
        ------
        ImportError
            when the package anywidget is not installed; the book does not need it.
        """
        try:
            import anywidget
        except ImportError as error:
            raise ImportError("widget() needs the package anywidget: pip install anywidget") from error
        import traitlets

        traits = {name: traitlets.Any(value).tag(sync=True) for name, value in self.state.items()}
        parts = {"_esm": self.code(), "_css": self.css()}
        return type(type(self).__name__, (anywidget.AnyWidget,), parts | traits)()


def table(head, rows, caption=""):
    """A plain HTML table for `still`.

    Parameters
    ----------
    head : texts of the head row.
    rows : list of rows; the first cell of each names its row.
    caption : what the table shows.
    """
    cells = "".join(f'<th scope="col">{escape(str(cell))}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="{escape(caption or head[0])}">'
        f"<table>{title}<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )
