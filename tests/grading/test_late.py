"""A deadline is a moment on a clock: what comes after it costs what was said, everywhere and on every day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqlab.grading import late

ROME = ZoneInfo("Europe/Rome")


def terms(due="2026-12-01 23:59", zone="Europe/Rome", **more):
    return late.terms_of(late.given_terms(due, zone, **more))


def after(terms, **time):
    """How late something is that came this long after the deadline, in real time."""
    return late.lateness(terms, terms.due.astimezone(UTC) + timedelta(**time))


def test_in_time_costs_nothing_and_needs_no_words():
    for minutes in (0, -1, -100_000):
        got = after(terms(per_day=20), minutes=minutes)
        assert (got.days, got.percent, got.sentence) == (0, 0, "")


@pytest.mark.parametrize(
    ("time", "days", "percent", "said"),
    [
        ({"seconds": 1}, 1, 20, "handed in less than a minute late: 20 %"),
        ({"minutes": 5}, 1, 20, "handed in 5 min late: 20 %"),
        ({"hours": 3, "minutes": 20}, 1, 20, "handed in 3 h 20 min late: 20 %"),
        ({"days": 1}, 1, 20, "handed in 1 day late: 20 %"),
        ({"days": 1, "hours": 3}, 2, 40, "handed in 1 day 3 h late: 40 %"),
        ({"days": 2, "hours": 1}, 3, 50, "handed in 2 days 1 h late: 50 %"),
        ({"days": 30}, 30, 50, "handed in 30 days late: 50 %"),
    ],
)
def test_each_day_begun_costs_its_part_up_to_the_most(time, days, percent, said):
    got = after(terms(per_day=20, most=50), **time)
    assert (got.days, got.percent, got.sentence) == (days, percent, said)


def test_the_grace_costs_nothing_at_the_end_of_every_day():
    given = terms(per_day=10, grace=10)
    assert after(given, minutes=10).percent == 0
    assert after(given, minutes=10).sentence == "handed in 10 min late, within the 10 min of grace: nothing is taken"
    assert after(given, minutes=10, seconds=1).percent == 10
    assert after(given, days=1, minutes=10).percent == 10
    assert after(given, days=1, minutes=11).percent == 20


def test_after_the_last_day_nothing_counts_and_the_student_is_told():
    given = terms(per_day=5, most=20, refuse_after=7)
    assert after(given, days=7).percent == 20
    got = after(given, days=7, seconds=1)
    assert (got.percent, got.refused) == (100, True)
    assert got.sentence == "handed in 7 days late, and nothing is accepted after 7 days: it does not count"


def test_a_day_with_a_change_of_clocks_is_one_day():
    autumn = terms("2026-10-24 23:59", per_day=10)  # the next day has 25 hours in Rome
    assert late.lateness(autumn, datetime(2026, 10, 25, 23, 59, tzinfo=ROME)).days == 1
    assert after(autumn, hours=25).days == 1
    assert after(autumn, hours=25).sentence == "handed in 1 day late: 10 %"
    assert after(autumn, hours=25, seconds=1).days == 2
    spring = terms("2026-03-28 23:59", per_day=10)  # the next day has 23 hours
    assert after(spring, hours=23).days == 1
    assert after(spring, hours=23, seconds=1).days == 2
    assert after(terms("2026-10-24 23:59", "UTC", per_day=10), hours=25).days == 2


def test_a_deadline_in_the_repeated_hour_is_the_later_one():
    given = terms("2026-10-25 02:30")
    assert given.due.astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert terms("2026-10-25T02:30+02:00").due.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_time_that_the_clock_never_shows_is_refused():
    with pytest.raises(ValueError, match="The clock of Europe/Rome never shows 2026-03-29 02:30"):
        terms("2026-03-29 02:30")
    assert late.lateness(terms("2026-03-28 02:30"), datetime(2026, 3, 29, 3, 30, tzinfo=ROME)).days == 1


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.sampled_from(["Europe/Rome", "America/New_York", "Asia/Seoul", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.integers(0, 20 * 24 * 3600), st.integers(0, 3 * 24 * 3600),
    st.integers(0, 100), st.integers(0, 100), st.integers(0, 600), st.none() | st.integers(0, 10),
)  # fmt: skip
def test_later_never_costs_less_and_never_more_than_everything(due, zone, first, more, per_day, most, grace, last):
    try:
        given = terms(due.isoformat(), zone, per_day=per_day, most=most, grace=grace, refuse_after=last)
    except ValueError:
        assume(False)  # a time that the clock leaps over
    one, two = after(given, seconds=first), after(given, seconds=first + more)
    assert 0 <= one.percent <= two.percent <= 100
    assert one.days <= two.days
    assert one.percent == 0 or first > 60 * grace
    assert one.percent <= most or one.refused


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 700), st.integers(1, 30))
def test_the_same_time_so_many_days_later_is_that_many_days_late(start, days):
    local = datetime(2026, 1, 1, 12, 0) + timedelta(days=start)
    given = terms(local.isoformat(), per_day=1)
    assert late.lateness(given, (local + timedelta(days=days)).replace(tzinfo=ROME)).days == days


def test_what_is_not_given_stays_as_it_was():
    given = late.terms_of(late.given_terms("2026-12-01 23:59", "Europe/Rome", per_day=10), late.given_terms(grace=5))
    assert (given.per_day, given.grace, given.due.hour) == (10, 5, 23)
    assert late.terms_of(late.given_terms(grace=5)) is None
    assert late.terms_of(None, {}) is None


def test_a_deadline_says_itself():
    assert terms(per_day=10, most=50, grace=10, refuse_after=7).sentence == (
        "due 2026-12-01 23:59 Europe/Rome; 10 min of grace; 10 % for each day begun, at most 50 %; "
        "not accepted after 7 days"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"due": "tomorrow"}, "'tomorrow' is no time: write it as '2026-12-01 23:59'"),
        ({"due": "2026-12-01"}, "'2026-12-01' has no time of day"),
        ({"due": "2026-12-01 23:59", "zone": "Rome"}, "There is no time zone 'Rome'"),
        ({"zone": "Europe/Rome"}, "--zone says on which clock --due is read"),
        ({"grace": -1}, "--grace is -1: give a number of at least 0"),
        ({"per_day": 101}, "--per-day is 101: give a number between 0 and 100"),
        ({"most": float("nan")}, "--most is nan: give a number between 0 and 100"),
        ({"refuse_after": float("inf")}, "--refuse-after is inf: give a number of at least 0"),
    ],
)
def test_a_mistaken_deadline_is_one_sentence(options, said):
    with pytest.raises(ValueError, match=said):
        late.given_terms(**options)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no zone"):
        late.lateness(terms(), datetime(2026, 12, 2))


def test_the_zone_of_this_machine_is_taken_when_none_is_named(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Seoul")
    assert late.given_terms("2026-12-01 23:59")["due"] == "2026-12-01T23:59:00+09:00"
    monkeypatch.setenv("TZ", "nonsense")
    assert late.given_terms("2026-12-01 23:59")["zone"] == "UTC"


def test_times_come_from_a_table_with_or_without_an_offset(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("\ufeffstudent,time\nada,2026-12-02 00:10\nbob,2026-12-01T23:00:00+00:00\n", encoding="utf-8")
    times = late.read_times(path, "Europe/Rome")
    assert times["ada"].astimezone(UTC) == datetime(2026, 12, 1, 23, 10, tzinfo=UTC)
    assert times["bob"].astimezone(UTC) == datetime(2026, 12, 1, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,when\nada,x\n", "needs the columns student and time; its first line is name, when"),
        ("", "its first line is empty"),
        ("student,time\nada,noon\n", "times.csv line 2: 'noon' is no time"),
        ("student,time\nada,\n", "line 2 has no time: fill it in"),
        ("student,time\nada,2026-12-02 00:10\nada,2026-12-02 00:10\n", "line 3 names 'ada' again"),
    ],
)
def test_a_mistaken_table_of_times_names_its_line(tmp_path, text, said):
    path = tmp_path / "times.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        late.read_times(path, "UTC")
