"""Deadlines: when a submission was due, how late it came, and what that costs.

A day is a day on the clock of the course's zone: a submission due at 23:59 is one day late until 23:59 of the next day,
also where that day has 23 or 25 hours. A day that has begun counts whole. The grace is given at the end of each day.
Nothing here is kept: the penalty is computed whenever it is shown, from the deadline and the time of handing in.
"""

import json
import math
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from seqlab.grading.tables import read_table

FIELDS = ("due", "zone", "grace", "per_day", "most", "refuse_after")
WRITTEN = "2026-12-01 23:59"


@dataclass(frozen=True)
class Terms:
    """A deadline and what happens after it.

    Attributes
    ----------
    due : the last moment, aware, in the zone whose clock decides when a day ends.
    grace : minutes that cost nothing.
    per_day : percent of the score for each day begun.
    most : percent that is never exceeded by days alone.
    refuse_after : days after which a submission does not count at all; None: never.
    """

    due: datetime
    grace: float = 0.0
    per_day: float = 0.0
    most: float = 100.0
    refuse_after: float | None = None

    @property
    def sentence(self):
        """The deadline in words."""
        parts = [f"due {moment(self.due)}"]
        if self.grace:
            parts.append(f"{self.grace:g} min of grace")
        if self.per_day:
            limit = f", at most {self.most:g} %" if self.most < 100 else ""
            parts.append(f"{self.per_day:g} % for each day begun{limit}")
        if self.refuse_after is not None:
            parts.append(f"not accepted after {_days(self.refuse_after)}")
        return "; ".join(parts)


WORDS = {
    "grace": "{:g} min of grace",
    "per_day": "{:g} % for each day begun",
    "most": "at most {:g} %",
    "refuse_after": "not accepted after {:g} days",
}


@dataclass(frozen=True)
class Lateness:
    """How late one submission is and what that costs."""

    handed_in: datetime
    terms: Terms
    days: int  # begun, the grace taken off; 0: in time
    percent: float  # of the score
    refused: bool
    sentence: str  # for the student; "" when in time


def zone_named(name):
    """The zone of this name.

    Raises
    ------
    ValueError
        when there is no such zone, or no table of zones on this machine.
    """
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        if name == "UTC":
            return UTC
        if not available_timezones():
            raise ValueError("This machine has no table of time zones: run `pip install tzdata`.") from None
        raise ValueError(f"There is no time zone {name!r}: give a name such as Europe/Rome or Asia/Seoul.") from None


def local_zone():
    """The name of this machine's zone; UTC where it has none."""
    named = os.environ.get("TZ", "").lstrip(":")
    if not named:
        link = os.path.realpath("/etc/localtime")
        named = link.split("/zoneinfo/", 1)[1] if "/zoneinfo/" in link else ""
    try:
        return named if named and zone_named(named) else "UTC"
    except ValueError:
        return "UTC"


def _instant(local):
    """The moment at which a clock shows this time: the later one where it shows it twice or leaps over it."""
    return max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def read_moment(text, zone="", what="time"):
    """A moment as people write it: "2026-12-01 23:59" on the clock of a zone, or with an offset of its own.

    Parameters
    ----------
    text : ISO date and time.
    zone : the name of the zone; this machine's when it is "".

    Returns
    -------
    moment : aware datetime in that zone. Where the clock shows the time twice, the later one.

    Raises
    ------
    ValueError
        one sentence: it is no such time, or the clock leaps over it.
    """
    text = str(text).strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {what}: write it as {WRITTEN!r}.") from None
    if len(text) <= 10:
        raise ValueError(f"{text!r} has no time of day: write it as {WRITTEN!r}.")
    named = zone or local_zone()
    if found.tzinfo is not None:
        return found.astimezone(zone_named(named))
    local = found.replace(tzinfo=zone_named(named))
    moment = _instant(local).astimezone(local.tzinfo)
    if moment.replace(tzinfo=None) != found:
        raise ValueError(f"The clock of {named} never shows {text}: summer time begins there; choose another time.")
    return moment


def moment(when):
    """A moment in words, with its zone: 2026-12-01 23:59 Europe/Rome."""
    zone = getattr(when.tzinfo, "key", None) or when.strftime("UTC%z").removesuffix("+0000")
    seconds = ":%S" if when.second else ""
    return f"{when.strftime(f'%Y-%m-%d %H:%M{seconds}')} {zone}"


def _number(given, name, least, most=math.inf):
    value = given[name]
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not least <= value <= most
        or value == math.inf
    ):
        bound = f"between {least:g} and {most:g}" if most < math.inf else f"of at least {least:g}"
        option = "--" + name.replace("_", "-")
        raise ValueError(f"{option} is {value!r}: give a number {bound}.")
    return float(value)


def given_terms(due=None, zone="", grace=None, per_day=None, most=None, refuse_after=None):
    """What an instructor gave, checked, as it is kept: only what was given.

    Raises
    ------
    ValueError
        naming the option and what it takes.
    """
    terms = {}
    if due is not None:
        when = read_moment(due, zone)
        terms |= {"due": when.isoformat(), "zone": zone or getattr(when.tzinfo, "key", "UTC")}
    elif zone:
        raise ValueError("--zone says on which clock --due is read: give --due too.")
    numbers = {"grace": grace, "per_day": per_day, "most": most, "refuse_after": refuse_after}
    numbers = {name: value for name, value in numbers.items() if value is not None}
    highest = {"per_day": 100.0, "most": 100.0}
    return terms | {name: _number(numbers, name, 0, highest.get(name, math.inf)) for name in numbers}


def terms_of(*given):
    """The terms that hold: later ones replace what they name of earlier ones; None without a deadline.

    Parameters
    ----------
    given : dicts as `given_terms` makes them, or None.
    """
    whole = {}
    for one in given:
        whole |= one or {}
    if "due" not in whole:
        return None
    zone = zone_named(whole["zone"])
    more = {name: whole[name] for name in ("grace", "per_day", "most", "refuse_after") if name in whole}
    return Terms(datetime.fromisoformat(whole["due"]).astimezone(zone), **more)


def extended(terms, own):
    """The terms that hold for one student: those of all, with her extension; it never takes time away.

    Parameters
    ----------
    terms, own : dicts as `given_terms` makes them, or None: of all, and of her extension.
    """
    whole, hers = terms_of(terms), terms_of(terms, own)
    if whole and hers.due.astimezone(UTC) < whole.due.astimezone(UTC):  # the deadline of all was moved past it
        return replace(hers, due=whole.due)
    return hers


def _end_of(terms, days):
    """The moment at which a number of days after the deadline end, the same time on the zone's clock."""
    whole, part = divmod(days, 1)
    local = terms.due.replace(fold=0) + timedelta(days=whole)
    first = terms.due.astimezone(UTC) if whole == 0 else _instant(local)
    return first + timedelta(days=part)


def lateness(terms, handed_in):
    """How late a submission is.

    Parameters
    ----------
    terms : Terms.
    handed_in : aware datetime.

    Returns
    -------
    late : Lateness. More time never costs less.
    """
    if handed_in.tzinfo is None:
        raise ValueError(f"the time {handed_in} has no zone; give one, as in {WRITTEN}+01:00")
    came = handed_in.astimezone(UTC)
    counted = came - timedelta(minutes=terms.grace)
    if counted <= _end_of(terms, 0):
        told = ""
        if came > _end_of(terms, 0):
            told = f"handed in {_span(terms, came)} late, within the {terms.grace:g} min of grace: nothing is taken"
        return Lateness(handed_in, terms, 0, 0.0, False, told)
    days = max(1, (counted - _end_of(terms, 0)).days - 1)
    while counted > _end_of(terms, days):
        days += 1
    if terms.refuse_after is not None and counted > _end_of(terms, terms.refuse_after):
        limit = _days(terms.refuse_after)
        told = f"handed in {_span(terms, came)} late, and nothing is accepted after {limit}: it does not count"
        return Lateness(handed_in, terms, days, 100.0, True, told)
    percent = min(terms.most, days * terms.per_day)
    return Lateness(handed_in, terms, days, percent, False, f"handed in {_span(terms, came)} late: {percent:g} %")


def _days(number):
    return f"{number:g} day{'' if number == 1 else 's'}"


def _span(terms, came):
    """How long after the deadline: 1 day 3 h, 3 h 20 min, 5 min."""
    days = max(0, (came - _end_of(terms, 0)).days - 1)
    while came >= _end_of(terms, days + 1):
        days += 1
    minutes = int((came - _end_of(terms, days)).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    parts = [_days(days)] if days else []
    parts += [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes and not days else []
    return " ".join(parts) or "less than a minute"


def read_times(path, zone=""):
    """The times of handing in that a CSV file gives, with the columns `student` and `time`.

    Parameters
    ----------
    path : the file.
    zone : the clock on which times without an offset are read; this machine's when "".

    Returns
    -------
    times : dict from student to aware datetime.

    Raises
    ------
    ValueError
        naming the line that is wrong.
    """
    head, rows = read_table(path, "make a CSV file with the columns student and time")
    if not {"student", "time"} <= set(head):
        raise ValueError(f"{path} needs the columns student and time; its first line is {', '.join(head) or 'empty'}.")
    times = {}
    for line, row in rows:
        student, time, where = row["student"].strip(), row["time"].strip(), f"{path} line {line}"
        if not student or not time:
            raise ValueError(f"{where} has no {'time' if student else 'student'}: fill it in or remove the line.")
        if student in times:
            raise ValueError(f"{where} names {student!r} again: keep one line for each student.")
        try:
            times[student] = read_moment(time, zone)
        except ValueError as wrong:
            raise ValueError(f"{where}: {wrong}") from None
    return times


def words(terms):
    """Given terms in words, as one entry of the ledger holds them: only what was given."""
    parts = [WORDS[name].format(terms[name]) for name in WORDS if name in terms]
    if "due" in terms:
        due = datetime.fromisoformat(terms["due"]).astimezone(zone_named(terms["zone"]))
        parts.insert(0, f"due {moment(due)}")
    return "; ".join(parts)


def dumps(terms):
    """What is kept of given terms: JSON text; None, a deadline that was taken away, included."""
    return json.dumps(terms, sort_keys=True)
