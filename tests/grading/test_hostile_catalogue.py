"""The corpus is whole: every number has its cases, and the table says which."""

from pathlib import Path

from tests.grading.hostile import catalogue
from tests.grading.hostile.corpus import CASES


def test_every_number_from_1_to_68_has_a_case():
    found = catalogue.cases()
    assert [number for number in range(1, 69) if not found.get(number)] == []


def test_every_case_has_a_number_of_the_catalogue_and_every_number_a_defence():
    assert set(catalogue.cases()) - {0} == set(catalogue.CATALOGUE)
    assert all(what and defence for what, defence in catalogue.CATALOGUE.values())


def test_the_table_says_what_there_is():
    assert catalogue.README.read_text() == catalogue.readme(), "run python -m tests.grading.hostile.catalogue"


def test_no_two_cases_are_one():
    assert len({case.student for case in CASES}) == len(CASES)
    assert len({case.submission for case in CASES}) == len(CASES)


def test_the_tests_that_stand_for_a_number_exist():
    text = Path(__file__).with_name("test_hostile_class.py").read_text()
    assert all(f"\ndef {test}(" in text for tests in catalogue.ELSEWHERE.values() for test in tests)
