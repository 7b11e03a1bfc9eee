"""Our templates against the theme's, pinned: when the theme changes, so must they."""

import re
from pathlib import Path

import pydata_sphinx_theme

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "book" / "_templates"
THEIRS = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"


def test_the_macros_are_the_themes_without_the_icon_script():
    theirs = (THEIRS / "static" / "webpack-macros.html").read_text().splitlines()
    kept = [line for line in theirs if "fontawesome.js" not in line and "users can add custom icons" not in line]
    assert len(kept) == len(theirs) - 2
    assert (OURS / "static" / "webpack-macros.html").read_text().splitlines() == kept


def test_the_search_button_is_the_themes_with_its_visible_words_as_its_name():
    def words(path):
        """The template's words without the attributes that differ on purpose."""
        text = path.read_text()
        return re.sub(r' (title|aria-[a-z]+|data-bs-[a-z]+)="[^"]*"', "", text[text.index("<button") :]).split()

    theirs, ours = (folder / "search-button-field.html" for folder in (THEIRS / "components", OURS))
    assert words(ours) == words(theirs)
    assert "aria-label" in theirs.read_text(), "the theme has mended its button: drop our template"


def test_the_sidebar_wraps_a_template_that_the_theme_still_has():
    assert (THEIRS / "sections" / "sidebar-primary.html").exists()
    assert '"!sections/sidebar-primary.html"' in (OURS / "sections" / "sidebar-primary.html").read_text()
