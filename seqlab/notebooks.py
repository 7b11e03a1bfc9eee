"""How notebooks are kept in git: no outputs, readable ids, sorted keys, so that a change reads as a change.

python -m seqlab.notebooks tidy [FOLDER ...]          normalise the notebooks in place
python -m seqlab.notebooks check [FOLDER ...]         name those that are not normalised
python -m seqlab.notebooks pack SCRIPT NOTEBOOK       from a `# %% cell-id [markdown]` script
python -m seqlab.notebooks unpack NOTEBOOK SCRIPT     and back, for editing
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("book", "assignments")
CELL_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
GENERATED_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-?[0-9a-f]{12})?")
KEPT_CELL_METADATA = ("mystnb", "seqlab", "tags")
INSTALL = """\
# Nothing happens here where seqlab is installed.
# Elsewhere (on Colab, say) this cell installs it.
import importlib.util
import subprocess
import sys

project = {project}
if importlib.util.find_spec("seqlab") is None:
    pip = [sys.executable, "-m", "pip", "install", "-q"]
    subprocess.run([*pip, project], check=True)"""


def source_of_seqlab(config=ROOT / "_config.yml"):
    """What `pip install` needs: the repository's address where one is set, else the folder above the notebook."""
    address = re.search(r"^  url:\s*[\"']?(https?://[^\s\"']+)", config.read_text() if config.exists() else "", re.M)
    return f"seqlab @ git+{address[1]}" if address else ".."


def text_of(cell):
    """A cell's source as one string (nbformat allows a list of lines)."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def normalise(notebook):
    """Bring a notebook to the one form in which it is committed.

    Parameters
    ----------
    notebook : dict in nbformat 4.

    Returns
    -------
    notebook : a new dict without outputs and execution counts, with minimal metadata.

    Raises
    ------
    ValueError
        when a cell's id is missing, generated, not made of lower-case words, or used twice.
    """
    cells, seen = [], set()
    for number, cell in enumerate(notebook["cells"], start=1):
        name = cell.get("id", "")
        if not CELL_ID.fullmatch(name) or GENERATED_ID.fullmatch(name):
            raise ValueError(f"cell {number} has the id {name!r}; give it a readable one, such as 'forward-step'")
        if name in seen:
            raise ValueError(f"two cells have the id {name!r}; ids must differ")
        seen.add(name)
        source = (
            INSTALL.format(project=json.dumps(source_of_seqlab())) if name == "install" else text_of(cell).strip("\n")
        )
        kept = {key: cell["metadata"][key] for key in KEPT_CELL_METADATA if cell.get("metadata", {}).get(key)}
        clean = {"id": name, "cell_type": cell["cell_type"], "metadata": kept, "source": source.splitlines(True)}
        if cell["cell_type"] == "code":
            clean |= {"execution_count": None, "outputs": []}
        cells.append(clean)
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if "seqlab" in notebook.get("metadata", {}):
        metadata["seqlab"] = notebook["metadata"]["seqlab"]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def dumps(notebook):
    """Write a notebook as text: sorted keys, one space of indent, letters of every script as they are."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def pack(script):
    """Read a percent script (`# %% cell-id [markdown] tags=["hide-input"]`) as a normalised notebook."""
    import jupytext

    notebook = jupytext.reads(script, fmt="py:percent")
    for cell in notebook["cells"]:
        cell["id"] = cell["metadata"].pop("title", "")
    return normalise(notebook)


def unpack(notebook):
    """Write a notebook as a percent script that `pack` reads back unchanged."""
    import jupytext
    import nbformat

    notebook = nbformat.from_dict(normalise(notebook))
    for cell in notebook["cells"]:
        cell["source"], cell["metadata"]["title"] = text_of(cell), cell["id"]
    notebook["metadata"]["jupytext"] = {"notebook_metadata_filter": "seqlab"}
    return jupytext.writes(notebook, fmt="py:percent")


def committed_notebooks(folders=FOLDERS):
    """Every notebook below the folders, leaving out what is built or hidden."""
    paths = (p for folder in folders for p in (ROOT / folder).rglob("*.ipynb"))
    return sorted(p for p in paths if not any(part[0] in "._" for part in p.relative_to(ROOT).parts))


def untidy(path):
    """Say in one sentence what is not normalised in this notebook, or return None."""
    text = path.read_text()
    try:
        tidy = dumps(normalise(json.loads(text)))
    except ValueError as wrong:
        return f"{path.relative_to(ROOT)}: {wrong}"
    return None if text == tidy else f"{path.relative_to(ROOT)}: not normalised; run `make tidy`"


def main(arguments):
    """The command line described at the top of this file."""
    command, *paths = arguments or ["help"]
    if command == "pack" and len(paths) == 2:
        Path(paths[1]).write_text(dumps(pack(Path(paths[0]).read_text())))
        return 0
    if command == "unpack" and len(paths) == 2:
        Path(paths[1]).write_text(unpack(json.loads(Path(paths[0]).read_text())))
        return 0
    if command == "check":
        complaints = [line for line in map(untidy, committed_notebooks(paths or FOLDERS)) if line]
        print("\n".join(complaints) or "Every notebook is normalised.")
        return 1 if complaints else 0
    if command == "tidy":
        for path in committed_notebooks(paths or FOLDERS):
            path.write_text(dumps(normalise(json.loads(path.read_text()))))
        return 0
    print(__doc__)
    return 0 if command == "help" else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
