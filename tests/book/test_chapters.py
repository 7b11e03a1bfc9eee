"""The chapters as they are committed: form, anatomy, and what they say they cover."""

import ast
import json
import re

import pytest
import yaml

from seqlab import notebooks

BOOK = notebooks.ROOT / "book"
WIDEST = 88
ROWS = tuple("NRBLGWVETSAC")  # the parts of the syllabus that the chapters written so far must cover whole
SYLLABUS = {
    idea: text
    for section in json.loads((BOOK / "syllabus.json").read_text(encoding="utf-8"))["sections"]
    for idea, text in section["ideas"].items()
}


def listed():
    """The names of the pages in the table of contents, in order."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"]]

    def walk(part):
        names.extend([part["file"]] if "file" in part else [])
        for child in part.get("chapters", []) + part.get("sections", []):
            walk(child)

    for part in toc["parts"]:
        walk(part)
    return names


NOTEBOOKS = [name for name in listed() if (BOOK / f"{name}.ipynb").exists()]
CHAPTERS = [name for name in listed() if re.match(r"\d\d-", name)]
BEYOND = ["19-on-the-gpu"]  # the chapters about what the notes do not teach


def about(name):
    """What a chapter says of itself: the ids that it covers, and whether it goes beyond the notes."""
    return json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf-8"))["metadata"].get("seqlab", {})


def read(name):
    """A chapter's cells as (id, kind, source, tags), and its covered ids."""
    notebook = json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [(c["id"], c["cell_type"], notebooks.text_of(c), c["metadata"].get("tags", [])) for c in notebook["cells"]]
    return cells, about(name).get("covers", [])


def prose(name):
    """All text of a chapter."""
    return "\n\n".join(source for _, kind, source, _ in read(name)[0] if kind == "markdown")


def code(name):
    """The code cells of a chapter as (id, source), without the one that installs the package."""
    return [(cell, source) for cell, kind, source, _ in read(name)[0] if kind == "code" and cell != "install"]


def test_every_page_of_the_table_of_contents_exists_and_no_notebook_is_forgotten():
    missing = [
        name for name in listed() if not any((BOOK / f"{name}{suffix}").exists() for suffix in (".md", ".ipynb"))
    ]
    assert missing == []
    there = {path.relative_to(BOOK).with_suffix("").as_posix() for path in notebooks.committed_notebooks(["book"])}
    assert there == set(NOTEBOOKS)
    assert set(CHAPTERS) <= there
    assert len(CHAPTERS) >= 19


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_in_normal_form(name):
    assert notebooks.untidy(BOOK / f"{name}.ipynb") is None


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_covers_only_what_the_syllabus_knows(name):
    covers = read(name)[1]
    assert bool(covers) != (name in BEYOND), "seqlab.covers is empty, or a chapter beyond the notes covers some"
    assert [idea for idea in covers if idea not in SYLLABUS] == []
    assert len(set(covers)) == len(covers)


def test_the_chapters_beyond_the_notes_say_so_and_no_other_does():
    assert [name for name in CHAPTERS if about(name).get("beyond")] == BEYOND


def test_each_idea_is_taught_in_one_chapter_and_none_is_left_out():
    covered = [idea for name in CHAPTERS for idea in read(name)[1]]
    assert sorted({idea for idea in covered if covered.count(idea) > 1}) == []
    assert [idea for idea in SYLLABUS if idea.startswith(ROWS) and idea not in covered] == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_code_fits_a_page(name):
    wide = [(cell, line) for cell, source in code(name) for line in source.splitlines() if len(line) > WIDEST]
    assert wide == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_its_anatomy(name):
    cells, _ = read(name)
    text, sources = prose(name), "\n".join(source for _, source in code(name))
    assert [cell for cell, *_ in cells[:2]] == ["title", "install"]
    assert re.match(r"(\([a-z0-9-]+\)=\n)?# \S", cells[0][2]), "the title cell holds no title"
    assert "hide-input" in cells[1][3], "the install cell is not folded"
    assert re.search(r"\bafter this chapter|you will be able", text, re.I), "no aim"
    assert re.search(r"\bminutes\b", text), "it does not say how long it takes"
    assert len(re.findall(r"^\$\$ ?\(([a-z-]+)\)|\$\$\s*\(([a-z-]+)\)", text, re.M)) >= 3, (
        "fewer than three labelled equations"
    )
    assert "assert" in sources, "nothing is checked"
    assert "source(" in sources, "nothing is printed from the package"
    assert re.search(r"^#+ .*on the gpu", text, re.I | re.M), "no section On the GPU"
    assert len(re.findall(r"^:::\{warning\}|^:class: warning", text, re.M)) >= 3, "fewer than three traps"
    assert re.search(r"^#+ .*summary", text, re.I | re.M), "no summary"
    assert text.count("{dropdown}") >= 3, "fewer than three quiz answers"
    assert text.count("{exercise-start}") == text.count("{solution-start}") >= 3, "exercises and solutions differ"
    assert text.count("{exercise-end}") == text.count("{solution-end}") == text.count("{solution-start}")
    assert text.count(":class: dropdown") >= text.count("{solution-start}"), "a solution is not folded"
    assert re.search(r"\{cite(:[tp])?\}`", text), "it cites nothing"
    assert re.search(r"^\| English \| (Korean|한국어) \| (Japanese|日本語) \|$", text, re.M), "no table of terms"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_an_interactive_figure(name):
    from seqlab import figures

    classes = {n for n in figures.__all__ if isinstance(getattr(figures, n), type) and n != "Figure"}
    used = {
        node.func.id
        for _, source in code(name)
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert used & classes


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_exercise_has_its_solution(name):
    text = prose(name)
    exercises = re.findall(r"\{exercise-start\}.*?:label: ([\w-]+)", text, re.S)
    solutions = re.findall(r"\{solution-start\} ([\w-]+)", text)
    assert solutions == exercises
    assert len(set(exercises)) == len(exercises)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_plot_goes_through_show_and_has_words(name):
    calls = [
        node
        for _, source in code(name)
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M)))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    ]
    names = [getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls]
    assert "show" not in [
        n
        for c, n in zip(calls, names, strict=True)
        if isinstance(c.func, ast.Attribute) and getattr(c.func.value, "id", "") == "plt"
    ], "plt.show() makes a picture without words"


def test_labels_of_equations_are_used_once():
    labels = [label for name in CHAPTERS for label in re.findall(r"\$\$\s*\(([a-z-]+)\)", prose(name))]
    assert sorted({label for label in labels if labels.count(label) > 1}) == []
    assert len(labels) >= 10
