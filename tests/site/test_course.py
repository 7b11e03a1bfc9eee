"""The Sphinx additions, one by one."""

import importlib.util
import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture(scope="module")
def course():
    specification = importlib.util.spec_from_file_location("sphinx_course", BOOK / "sphinx_course.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    sys.modules.pop("sphinx_course", None)
    return module


def test_without_an_address_there_are_no_buttons(course):
    assert course.buttons("") == {}
    assert course.buttons(None) == {}


def test_an_address_brings_the_buttons_and_colab_reads_github_alone(course):
    github, other = course.buttons("https://github.com/example/example"), course.buttons("https://gitlab.com/a/b")
    assert github["use_repository_button"] and github["launch_buttons"] == {"colab_url": course.COLAB}  # noqa: PT018
    assert other["use_repository_button"] and "launch_buttons" not in other  # noqa: PT018


def test_the_shape_of_a_parameter_is_text_and_no_type(course):
    lines = ["Add.", "", "Parameters", "----------", "x, y : (B, D) inputs,", "    twice.", "", "Returns", "-------"]
    lines += ["z : (B, D) sum.", "n : count.", "", "Raises", "------", "ValueError", "    when not."]
    assert course.shapes_first(lines) == [
        *["Add.", "", "Parameters", "----------", "x, y", "    (B, D) inputs,", "    twice.", ""],
        *["", "", ":returns:", "    * **z** – (B, D) sum.", "    * **n** – count.", "", ""],
        *["Raises", "------", "ValueError", "    when not."],
    ]


def test_a_single_value_is_no_list(course):
    assert "    **h** – (B, H) state." in course.shapes_first(["Returns", "-------", "h : (B, H) state."])


def test_attributes_that_share_a_text_keep_their_names(course):
    """As fields of their own, Sphinx would read all names but the last as a type."""
    lines = course.shapes_first(["Attributes", "----------", "words, counts : as in `fit`.", "vectors : (V, D)."])
    assert lines == [
        "",
        "",
        ":attributes:",
        "    * **words, counts** – as in `fit`.",
        "    * **vectors** – (V, D).",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("a * b of **options and |x|", r"a * b of \*\*options and \|x\|"),
        ("the bias b_ and `a * b` and :eq:`rnn-step`", r"the bias b\_ and `a * b` and :eq:`rnn-step`"),
        (">>> f(*x)", ">>> f(*x)"),
    ],
)
def test_markup_outside_backticks_is_read_as_it_stands(course, line, written):
    assert list(course.as_written([line])) == [written]


def test_korean_and_japanese_are_marked_outside_tags_and_scripts(course):
    page = '<p title="순환">순환 신경망 and 再帰型</p><script>"순환"</script><svg><title>순환</title></svg>'
    assert course.mark_languages(page) == (
        '<p title="순환"><span lang="ko">순환 신경망</span> and <span lang="ja">再帰型</span></p>'
        '<script>"순환"</script><svg><title>순환</title></svg>'
    )


def test_what_the_extensions_write_wrong_is_mended(course):
    page = '<div class="citation" role="doc-biblioentry"><section id="exercise-content">'
    assert course.mend(page) == '<div class="citation" role="listitem"><section>'


def test_a_source_page_points_back_to_where_a_name_is_documented(course):
    documented = {"lm.perplexity", "lm.reference.softmax", "lm.reference.Table.fit"}
    for written, right in [
        ("lm.perplexity", "lm.perplexity"),
        ("lm.softmax", "lm.reference.softmax"),
        ("lm.Table.fit", "lm.reference.Table.fit"),
        ("lm.gone", "lm.gone"),
    ]:
        link = f'<a class="viewcode-back" href="../../api/lm.html#{written}">'
        for module in ("lm.reference", "lm.reference.tables"):  # a name may be documented where the package shows it
            assert course.point_back(link, module, documented) == link.replace(written, right)


def test_coverage_reads_the_notebooks(course):
    covers = course.coverage(["index", "02-recurrent-networks"])
    assert covers["R1"] == ["02-recurrent-networks"]
    assert "N1" not in covers


def test_coverage_names_the_pages_that_go_beyond_the_notes(course):
    assert course.beyond(["index", "02-recurrent-networks", "19-on-the-gpu"]) == ["19-on-the-gpu"]
