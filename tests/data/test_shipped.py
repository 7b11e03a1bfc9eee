"""Text that is always there."""

import re

from seqlab.data import book_text, places
from seqlab.data.shipped import SNAPSHOT
from seqlab.data.snapshot import plain


def test_the_book_text_is_shipped_with_the_package_and_is_long_enough_to_learn_from():
    text = book_text()
    assert SNAPSHOT.suffix == ".txt"  # one of the endings that the package ships
    assert len(text) > 60_000
    assert len(set(text)) < 80


def test_the_book_text_is_sentences_and_nothing_else():
    for line in book_text().splitlines():
        assert re.fullmatch(r"[A-Z].*[.?!:]", line), line
        assert not re.search(r"[$`{}|*<>=\[\]]", line), line


def test_formulas_code_roles_and_tables_are_left_out():
    page = """# A title

First sentence. It has $x$ inside. See {ref}`there`.
Last one, with **bold** and `code`.

$$ x = 1 $$ (label)

```python
Not this.
```

| Nor | this. |
|---|---|

:::{admonition} Nor this title.
:class: warning

But this.
:::
"""
    assert plain(page) == ["First sentence. Last one, with bold and code.", "But this."]


def test_places_are_known_names_once_each_and_no_test_codes():
    names = places()
    assert {"Iceland", "South Korea", "Japan", "Côte d’Ivoire"} <= set(names)
    assert len(names) == len(set(names)) > 240
    assert names == sorted(names)
    assert not {"Pseudo-Accents", "Unknown Region", "European Union", "world"} & set(names)
