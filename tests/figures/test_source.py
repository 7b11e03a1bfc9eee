"""Printed source: the package's own text, shortened only where the page says the same."""

import inspect

import pytest

from seqlab.figures import show, source, style
from seqlab.shapes import check_shape


class Documented:
    """A class, :eq:`some-label`, :eq:`more` and :eq:`most` of it.

    More lines.
    """

    def method(self):
        """Do it.

        Parameters
        ----------
        none : at all.
        """
        return "```"


def test_the_listing_is_the_code_of_the_package():
    listing = source(check_shape, docstring=True)
    assert listing.code == inspect.getsource(check_shape).rstrip()
    assert listing._repr_markdown_().startswith("```python\n# seqlab/shapes.py\ndef check_shape(")


def test_a_docstring_is_shortened_to_its_first_line_and_nothing_else_changes():
    short, whole = source(check_shape).code, source(check_shape, docstring=True).code
    kept = short.splitlines()
    assert [line for line in whole.splitlines() if line in kept] == [line for line in kept if '"""' not in line]
    assert '    """Compare a shape with a pattern and say in one sentence what is wrong."""' in kept
    assert "Parameters" not in short


def test_classes_and_methods_are_shortened_too_and_cross_references_left_out():
    code = source(Documented).code
    assert '    """A class of it."""' in code
    assert '        """Do it."""' in code
    assert "eq:" not in code
    compile(code, "listing", "exec")


def test_code_with_backticks_stays_inside_its_fence():
    text = source(Documented)._repr_markdown_()
    assert text.startswith("````python\n")
    assert text.endswith("\n````\n")
    assert text.count("````") == 2


def test_a_kernel_shows_the_function_it_wraps():
    wrapped = type("Jitted", (), {"fn": staticmethod(check_shape)})()
    assert source(wrapped).code == source(check_shape).code


def test_several_functions_of_one_module_are_shown_together():
    listing = source(show, style)
    assert listing.file == "seqlab/figures/style.py"
    assert listing.code.index("def show") < listing.code.index("def style")
    with pytest.raises(ValueError, match="one module at a time; this comes from"):
        source(show, check_shape)


@pytest.mark.parametrize("thing", [len, 3, "text"])
def test_something_without_source_is_refused(thing):
    with pytest.raises(ValueError, match="has no Python source"):
        source(thing)


def test_nothing_at_all_is_refused():
    with pytest.raises(ValueError, match="nothing to show"):
        source()
