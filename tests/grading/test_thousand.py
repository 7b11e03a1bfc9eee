"""The run of a thousand, in small: its class is what it says, and it finds out what went wrong."""

import dataclasses
import hashlib
import shutil
import sqlite3

import pytest

from tests.grading import course, thousand


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return course.folder(tmp_path_factory.mktemp("source"))


def test_the_class_is_mixed_as_it_says_and_the_same_for_the_same_seed(source):
    loaded = thousand.load(source)
    cases = thousand.make(*loaded, 200, 1)
    kinds = [case.kind for case in cases]
    assert {kind: kinds.count(kind) for kind in thousand.SHARES} == {
        kind: round(200 * share) for kind, share in thousand.SHARES.items()
    }
    assert len({case.student for case in cases}) == len({case.content for case in cases}) == 200
    assert cases == thousand.make(*loaded, 200, 1)
    assert cases != thousand.make(*loaded, 200, 2)
    attacks = {case.what for case in cases if case.kind in ("endless", "hostile")}
    assert len(attacks) == min(6, len(thousand.ENDLESS)) + min(10, len(thousand.HOSTILE))


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_class_of_forty_survives_three_kills(source, tmp_path, near):
    """Then a ledger with a record too few, and declarations that are not kept, are found out."""
    home = near / "home"
    found = thousand.measure(source, 40, keep=home, quiet=True)
    assert found["wrong"] == []
    assert (found["records"], found["as_declared"], len(found["killed"])) == (40, 40, 3)
    assert found["run_again_after_a_kill"] <= 6
    assert [death["records"] for death in found["killed"]] == sorted(death["records"] for death in found["killed"])

    loaded = thousand.load(source)
    cases = thousand.make(*loaded, 40, 0)
    cases[0] = dataclasses.replace(cases[0], score=cases[0].score + 1)
    shutil.copy(home / "here" / "grades.sqlite", tmp_path / "grades.sqlite")
    with sqlite3.connect(home / "here" / "grades.sqlite") as db:
        db.execute("DROP TRIGGER records_no_delete")
        lost = hashlib.sha256(cases[1].content).hexdigest()
        assert db.execute("DELETE FROM records WHERE submission = ?", (lost,)).rowcount == 1
    (home / "tmp" / "forgotten").touch()
    wrong, _, _ = thousand.verify(home, cases, loaded[0], workers=2, deaths=[])
    for words in ("no record of", "points, ", "files are left in tmp: ['forgotten']"):
        assert [line for line in wrong if words in line], (words, wrong)
