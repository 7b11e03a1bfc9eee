"""The appendices say what is true of the package and of the tests."""

import ast
import importlib
import json
import re

import pytest

from seqlab.notebooks import ROOT, text_of

BOOK = ROOT / "book"
APPENDIX = BOOK / "appendix"
ROOMS = (
    "text",
    "recurrent",
    "lm",
    "embeddings",
    "tsne",
    "decode",
    "attention",
    "seq2seq",
    "ctc",
    "audio",
    "kernels",
)  # whose equations the chapters written so far derive
HANGUL, KANA_HAN = re.compile("[\uac00-\ud7af]"), re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def page(name):
    """The text of an appendix."""
    return (APPENDIX / f"{name}.md").read_text(encoding="utf-8")


def cells():
    """Every cell of every chapter as (chapter, id, kind, source)."""
    for path in sorted(BOOK.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield path.stem, cell["id"], cell["cell_type"], text_of(cell)


def labels():
    """The labels of all equations in the chapters."""
    text = "\n".join(source for *_, kind, source in cells() if kind == "markdown")
    return set(re.findall(r"\$\$\s*\(([a-z-]+)\)", text))


def concordance():
    """The rows with code: label, names of seqlab, test's file, test's name."""
    for line in page("concordance").splitlines():
        if found := re.match(r"\| \{eq\}`([a-z-]+)` `([a-z-]+)` \|(.*)\| `(tests/\S+)` `(test_\w+)` \|$", line):
            assert found[1] == found[2]
            yield found[1], re.findall(r"`~(seqlab[\w.]+)`", found[3]), found[4], found[5]


def checked_in_a_chapter():
    """The rows with a cell: label, chapter, id of the cell."""
    for line in page("concordance").splitlines():
        if found := re.match(r"\| \{eq\}`([a-z-]+)` `([a-z-]+)` \| \{doc\}`/([\w-]+)` \| `([a-z-]+)` \|$", line):
            assert found[1] == found[2]
            yield found[1], found[3], found[4]


def test_every_equation_of_the_chapters_has_one_row_in_the_concordance():
    rows = [row[0] for row in (*concordance(), *checked_in_a_chapter())]
    assert len(rows) == page("concordance").count("| {eq}`")
    assert sorted(rows) == sorted(labels())


def test_the_concordance_names_tests_that_exist():
    for _, _, file, test in concordance():
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}: {test}"


def test_the_concordance_names_code_whose_docstring_names_the_equation():
    for label, names, *_ in concordance():
        docs = []
        for name in names:
            module, _, attribute = name.rpartition(".")
            docs.append(getattr(importlib.import_module(module), attribute).__doc__ or "")
        assert any(f":eq:`{label}`" in doc for doc in docs), f"none of {names} says :eq:`{label}`"


def test_a_cell_named_in_the_concordance_asserts_and_stands_after_its_equation():
    order = list(cells())
    for label, chapter, cell in checked_in_a_chapter():
        place = next(i for i, (*_, source) in enumerate(order) if re.search(rf"\$\$\s*\({label}\)", source))
        check = next((i for i, (name, one, *_) in enumerate(order) if (name, one) == (chapter, cell)), -1)
        assert check > place, f"{chapter} has no cell {cell} after the equation {label}"
        assert "assert " in order[check][3], f"{chapter}, {cell} asserts nothing"


def test_every_equation_of_a_docstring_has_its_row_in_the_concordance():
    rooms = [path for room in ROOMS for path in (ROOT / "seqlab" / room).rglob("*.py")]
    named = {label for path in rooms for label in re.findall(r":eq:`([a-z-]+)`", path.read_text(encoding="utf-8"))}
    assert named - {row[0] for row in concordance()} == set()
    assert len(named) >= 10


def test_the_code_of_the_cheat_sheet_runs_as_one_program():
    blocks = re.findall(r"```python\n(.*?)```", page("cheat-sheet"), re.S)
    assert len(blocks) >= 3
    exec(compile("\n".join(blocks), "cheat-sheet.md", "exec"), {})


def test_the_cheat_sheet_shows_the_equations_of_the_chapters():
    shown = set(re.findall(r"\{eq\}`([a-z-]+)`", page("cheat-sheet")))
    assert shown - labels() == set()
    assert len(shown) >= 10


def glossary():
    """(term, its Korean and Japanese words, its meaning) for each term of the glossary."""
    body = re.search(r"```\{glossary\}\n(.*?)```", page("glossary"), re.S)[1]
    found = re.findall(r"^(\S.*)\n  (.*)\n\n((?:  .*\n)+)", body, re.M)
    return [(term, words, " ".join(meaning.split())) for term, words, meaning in found]


def test_every_term_of_the_glossary_has_korean_japanese_and_a_sentence():
    terms = glossary()
    assert len(terms) >= 40
    for term, words, meaning in terms:
        korean, _, japanese = words.partition(" · ")
        assert HANGUL.search(korean), term
        assert not KANA_HAN.search(korean), term
        assert KANA_HAN.search(japanese), term
        assert not HANGUL.search(japanese), term
        assert len(meaning.split()) >= 5, term
        assert meaning.endswith((".", ")")), term


def test_the_terms_of_the_glossary_stand_in_the_order_of_the_alphabet():
    terms = [term.lower() for term, *_ in glossary()]
    assert terms == sorted(terms)


def chapter_terms():
    """(chapter, English, Korean, Japanese) of every row of the chapters' tables of terms."""
    table = r"^\| *English *\| *(?:Korean|한국어) *\| *(?:Japanese|日本語) *\|\n\|[-| :]+\n((?:\|.*\n?)+)"
    for chapter, *_, source in cells():
        for rows in re.findall(table, source, re.M):
            for row in rows.splitlines():
                columns = [re.split(r", |、", cell.strip()) for cell in row.strip("|").split("|")]
                yield from ((chapter, *words) for words in zip(*columns, strict=True))


def test_every_term_of_a_chapter_stands_in_the_glossary_with_the_same_words():
    known = {term.lower(): words for term, words, _ in glossary()}
    terms = list(chapter_terms())
    assert {chapter for chapter, *_ in terms} == {path.stem for path in BOOK.glob("*.ipynb")}
    for chapter, english, *words in terms:
        entry = known.get(english.lower().removeprefix("to "))
        assert entry is not None, f"{chapter}: the glossary has no {english!r}"
        for word in words:
            assert re.sub(r" ?\(.*?\)", "", word) in entry, f"{chapter}: {english} is {word}; the glossary has {entry}"


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
