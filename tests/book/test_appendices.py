"""The appendices say what is true of the package and of the tests."""

import ast
import json
import re

import pytest

from seqlab.notebooks import ROOT, text_of

BOOK = ROOT / "book"
APPENDIX = BOOK / "appendix"
HANGUL, KANA_HAN = re.compile("[\uac00-\ud7af]"), re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def page(name):
    """The text of an appendix."""
    return (APPENDIX / f"{name}.md").read_text(encoding="utf-8")


def labels():
    """The labels of all equations in the chapters."""
    cells = [cell for path in BOOK.glob("*.ipynb") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    text = "\n".join(text_of(cell) for cell in cells if cell["cell_type"] == "markdown")
    return set(re.findall(r"\$\$\s*\(([a-z-]+)\)", text))


def concordance():
    """The rows of the concordance: label, names of seqlab, test's file, test's name."""
    for line in page("concordance").splitlines():
        if found := re.match(r"\| \{eq\}`([a-z-]+)` `([a-z-]+)` \|(.*)\| `(tests/\S+)` `(test_\w+)` \|$", line):
            yield found[1], found[2], re.findall(r"`~(seqlab[\w.]+)`", found[3]), found[4], found[5]


def test_the_concordance_names_tests_that_exist():
    rows = list(concordance())
    assert len(rows) == page("concordance").count("| {eq}`") >= 10
    for label, shown, _, file, test in rows:
        assert label == shown
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (
            f"{file} has no {test}"
        )


def test_the_concordance_names_code_whose_docstring_or_module_names_the_equation():
    import importlib

    rows = list(concordance())
    for label, _, names, *_ in rows:
        docs = []
        for name in names:
            module, _, attribute = name.rpartition(".")
            docs.append(getattr(importlib.import_module(module), attribute).__doc__ or "")
        assert any(f":eq:`{label}`" in doc for doc in docs), f"none of {names} says :eq:`{label}`"


def test_every_equation_of_a_docstring_has_its_row_in_the_concordance():
    rooms = [path for room in ("text", "recurrent") for path in (ROOT / "seqlab" / room).rglob("*.py")]
    named = {label for path in rooms for label in re.findall(r":eq:`([a-z-]+)`", path.read_text(encoding="utf-8"))}
    assert named - {row[0] for row in concordance()} == set()
    assert len(named) >= 10


def test_the_concordance_names_equations_of_the_chapters():
    assert {row[0] for row in concordance()} - labels() == set()


def test_the_code_of_the_cheat_sheet_runs_as_one_program():
    blocks = re.findall(r"```python\n(.*?)```", page("cheat-sheet"), re.S)
    assert len(blocks) >= 3
    exec(compile("\n".join(blocks), "cheat-sheet.md", "exec"), {})


def test_the_cheat_sheet_shows_the_equations_of_the_chapters():
    shown = set(re.findall(r"\{eq\}`([a-z-]+)`", page("cheat-sheet")))
    assert shown - labels() == set()
    assert len(shown) >= 10


def glossary():
    """(term, its text) for each term of the glossary."""
    body = re.search(r"```\{glossary\}\n(.*?)```", page("glossary"), re.S)[1]
    return re.findall(r"^(\S.*)\n((?:  .*\n)+)", body, re.M)


def test_every_term_of_the_glossary_has_korean_japanese_and_a_sentence():
    terms = glossary()
    assert len(terms) >= 40
    for term, text in terms:
        words, _, meaning = " ".join(text.split()).partition(". ")
        korean, _, japanese = words.partition(" · ")
        assert HANGUL.search(korean), term
        assert not KANA_HAN.search(korean), term
        assert KANA_HAN.search(japanese), term
        assert not HANGUL.search(japanese), term
        assert len(meaning.split()) >= 5, term
        assert meaning.endswith((".", ")")), term


def test_the_terms_of_the_glossary_stand_in_the_order_of_the_alphabet():
    terms = [term.lower() for term, _ in glossary()]
    assert terms == sorted(terms)


def chapter_terms():
    """(chapter, English, Korean, Japanese) of every row of the chapters' tables of terms."""
    for path in sorted(BOOK.glob("*.ipynb")):
        text = "\n".join(text_of(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
        for table in re.findall(r"^\| *English *\| *Korean *\| *Japanese *\|.*\n\|[-| :]+\n((?:\|.*\n?)+)", text, re.M):
            for row in table.splitlines():
                yield path.stem, *(cell.strip() for cell in row.strip().strip("|").split("|")[:3])


def test_the_chapters_and_the_glossary_use_the_same_words():
    known = {term.lower(): " ".join(text.split()) for term, text in glossary()}
    differ = [
        (chapter, english, word)
        for chapter, english, *words in chapter_terms()
        for word in words
        if english.lower() in known and re.sub(r" ?\(.*?\)", "", word) not in known[english.lower()]
    ]
    assert differ == []


def commands(text):
    """The seqlab commands of a page's shell blocks, as lists of words."""
    import shlex

    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].endswith("seqlab"):
                yield words[1:]


@pytest.mark.parametrize("words", list(commands(page("instructors-guide"))), ids=" ".join)
def test_every_command_of_the_guide_is_one_that_seqlab_knows(words):
    import typer.main

    from seqlab.cli import app

    command = typer.main.get_command(app).commands[words[0]]
    context = command.make_context(words[0], list(words[1:]), resilient_parsing=False)
    assert context.args == []
