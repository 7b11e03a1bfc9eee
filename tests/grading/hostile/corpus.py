"""The hostile corpus: submissions that cheat, break things or are broken, and what each must earn.

`CASES` holds what one file can hold. What takes a folder, an archive or a machine is in `classes.py` and in
`tests/grading/test_hostile_class.py`; `catalogue.py` says for every number what it is and what defends against it.
"""

from tests.grading.hostile import answers, closed, files  # noqa: F401  # each enters its cases into the list
from tests.grading.hostile.case import CASES, FULL, Case

__all__ = ["CASES", "FULL", "Case"]
