"""Write the prose of the book as it is now into the file that `seqlab.data.book_text` reads.

python -m seqlab.data.snapshot
"""

import ast
import json
import re
from pathlib import Path

from seqlab.data.shipped import SNAPSHOT

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


def plain(markdown):
    """Keep the sentences of a page that are nothing but words; give them as paragraphs."""
    markdown = re.sub(r"^(`{3,}).*?^\1\s*$", "", markdown, flags=re.M | re.S)
    markdown = re.sub(r"\$\$.*?\$\$( ?\([\w-]+\))?", "", markdown, flags=re.S)
    paragraphs = []
    for block in re.split(r"\n\s*\n", markdown):
        lines = [line.strip() for line in block.splitlines() if not re.match(r"\s*([|(>#]|:\w+:|:{3}|---)", line)]
        text = re.sub(r"^([-*]|\d+\.) ", "", " ".join(lines))
        text = re.sub(r"[*`]{1,2}([^*`]+)[*`]{1,2}", r"\1", text)
        whole = [s for s in re.split(r"(?<=[.?!:]) ", text) if re.fullmatch(r"[A-Z][\w ,;:.?!'()\"-]*[.?!:]", s, re.A)]
        paragraphs += [" ".join(whole)] if whole else []
    return paragraphs


def prose(path):
    """The paragraphs of a notebook, of a page, or of a module's docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return plain(text)
    if path.suffix == ".py":
        named = ast.Module, ast.FunctionDef, ast.ClassDef
        said = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, named)]
        parts = [re.split(r"\n\w+\n-+\n", words)[0] for words in said]  # without the lists of parameters
    else:
        parts = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return [paragraph for part in parts for paragraph in plain(part)]


def main():
    """Write the snapshot."""
    pages = [
        *sorted(BOOK.glob("0[1-3]-*.ipynb")),
        *sorted(ROOT.glob("assignments/0[12]_*/assignment.ipynb")),
        *sorted(BOOK.glob("**/*.md")),
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("seqlab/**/*.py")),
    ]
    paragraphs = dict.fromkeys(p for page in pages for p in prose(page))  # docstrings repeat each other
    SNAPSHOT.write_text("\n".join(paragraphs) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
