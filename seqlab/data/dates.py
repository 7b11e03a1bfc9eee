"""Dates as people write them, in many languages and by the years of several eras, and the same date as ISO 8601.

How a language writes a date is the Unicode consortium's data inside the library Babel; the eras are counted here.
"""

import datetime
import functools

import numpy as np

FIRST, LAST = datetime.date(1920, 1, 1), datetime.date(2039, 12, 31)
LOCALES = (
    *("en_US", "en_GB", "de", "fr", "es", "it", "pt", "nl", "sv", "fi", "pl", "cs", "hu", "tr"),
    *("el", "ru", "uk", "ar_EG", "he", "hi", "bn", "th", "vi", "id", "ko", "ja", "zh_CN", "zh_TW"),
)
# calendar -> the locales that it is written in
CALENDARS = {
    "gregorian": LOCALES,
    "japanese": ("ja", "en_US"),
    "buddhist": ("th", "en_US"),
    "minguo": ("zh_TW", "en_US"),
    "dangi": ("ko", "en_US"),
}
STYLES = ("full", "long", "medium")
# what a year of a calendar is called: written before the number, or where the language has it after, after it
NAMES = {
    ("buddhist", "th"): "พ.ศ. {}",
    ("buddhist", "en_US"): "{} BE",
    ("minguo", "zh_TW"): "民國{}",
    ("minguo", "en_US"): "{} Minguo",
    ("dangi", "ko"): "단기 {}",
    ("dangi", "en_US"): "{} Dangi",
    ("japanese", "ja"): "{era}{}",
    ("japanese", "en_US"): "{} {era}",
}
AHEAD = {"buddhist": 543, "minguo": -1911, "dangi": 2333}  # of the Gregorian year
ERAS = (  # the first day of each, its name in English and in Japanese, the latest first
    (datetime.date(2019, 5, 1), "Reiwa", "令和"),
    (datetime.date(1989, 1, 8), "Heisei", "平成"),
    (datetime.date(1926, 12, 25), "Shōwa", "昭和"),
    (datetime.date(1912, 7, 30), "Taishō", "大正"),
)
DIGITS = {"ar_EG": "٠١٢٣٤٥٦٧٨٩", "bn": "০১২৩৪৫৬৭৮৯"}
# marks of direction that nobody sees go, and narrow or fixed spaces become plain ones
PLAIN = str.maketrans(dict.fromkeys("\u200e\u200f\u200c") | dict.fromkeys("\u00a0\u202f\u2009", " "))
WITH_PLACE = 0.5  # the share of dates that a place stands beside
NOT_PLACES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # groups of countries, and codes for tests


def dates(n, seed=0, locales=None, calendars=None):
    """Draw dates as they are written in many languages, with the date that each of them is.

    The task is to translate ("mardi 27 septembre 1994", "1994-09-27"). Style and day are drawn evenly, the days from
    1920 to 2039, and so is the pair of a locale and a calendar, 36 when nothing is chosen. Half of the dates have a
    country beside them in the same language, before or after, as in the head of a letter: nothing to translate, and
    something to read past. No text comes twice, so what is held out is new.

    Parameters
    ----------
    n : how many, at least 1.
    seed : the same seed gives the same dates, and fewer of them are the beginning of more.
    locales : list of names such as "ko" or "en_GB", from ``seqlab.data.dates.LOCALES``; None takes all 28.
    calendars : list of "gregorian", "japanese", "buddhist", "minguo", "dangi"; None takes all.

    Returns
    -------
    pairs : list of n pairs (text, iso) of str; iso is year-month-day, ten characters.

    Raises
    ------
    ValueError
        when n is below 1, a name is unknown, or no locale is left that writes one of the calendars.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it must be at least 1")
    choices = _choices(locales, calendars)
    rng = np.random.default_rng(seed)
    days = (LAST - FIRST).days + 1
    seen, pairs = set(), []
    while len(pairs) < n:
        locale, calendar = choices[rng.integers(len(choices))]
        date = FIRST + datetime.timedelta(days=int(rng.integers(days)))
        style = STYLES[rng.integers(len(STYLES))]
        codes = _places(locale)
        place = codes[rng.integers(len(codes))]
        beside, after = rng.random(2)
        text = spelled(date, locale, calendar, style, place if beside < WITH_PLACE else None, bool(after < 0.5))
        if text not in seen:
            seen.add(text)
            pairs.append((text, date.isoformat()))
    return pairs


def spelled(date, locale, calendar="gregorian", style="long", place=None, after=False):
    """Write one date as a language writes it.

    Only the names and numbers of the year differ between these calendars; months and days are Gregorian. The Buddhist
    year is ahead by 543, the Minguo year of Taiwan counts from 1912, the Dangi year of Korea from 2333 BC, and the
    Japanese year counts from the beginning of an emperor's reign, whose first year is 元年. There is no style "short":
    3/4/95 is two dates.

    Parameters
    ----------
    date : `datetime.date`.
    locale : a name from ``seqlab.data.dates.LOCALES``.
    calendar : "gregorian", "japanese", "buddhist", "minguo" or "dangi".
    style : "full" (with the weekday), "long" or "medium".
    place : None, or the code of a country, such as "KR", whose name in that language is put beside the date.
    after : put it after the date instead of before.

    Returns
    -------
    text : str. Marks of direction are left out, and all spaces are plain.

    Raises
    ------
    ValueError
        when a name is unknown, the locale does not write the calendar, or the date lies before the calendar begins.
    """
    _known("locale", locale, LOCALES)
    _known("calendar", calendar, CALENDARS)
    _known("style", style, STYLES)
    if locale not in CALENDARS[calendar]:
        raise ValueError(
            f"calendar is {calendar!r} and locale {locale!r}; it is written in {' and '.join(CALENDARS[calendar])}"
        )
    from babel.dates import format_date

    pattern = _pattern(locale, style)
    if calendar != "gregorian":
        pattern = pattern.replace("G y", "y").replace("y", f"'{_year(date, locale, calendar)}'")
    text = format_date(date, pattern, locale=locale)
    if locale in DIGITS:
        text = text.translate(str.maketrans("0123456789", DIGITS[locale]))
    if place is not None:
        names = _names(locale)
        _known("place", place, names)
        text = f"{text}, {names[place]}" if after else f"{names[place]}, {text}"
    return text.translate(PLAIN)


def _year(date, locale, calendar):
    """The year by the calendar, with its name."""
    form = NAMES[calendar, locale]
    if calendar != "japanese":
        year = date.year + AHEAD[calendar]
        if year < 1:
            raise ValueError(f"date is {date}; the {calendar} calendar begins later")
        return form.format(year)
    for first, english, japanese in ERAS:
        if date >= first:
            year = date.year - first.year + 1
            if locale == "ja":
                return form.format("元" if year == 1 else year, era=japanese)
            return form.format(year, era=english)
    raise ValueError(f"date is {date}; the eras here begin on {ERAS[-1][0]}")


@functools.cache
def _pattern(locale, style):
    """The Unicode pattern of a style. None of those used here has a quoted y."""
    from babel.dates import get_date_format

    return get_date_format(style, locale=locale).pattern


@functools.cache
def _names(locale):
    """Code -> name of a country or territory in the language of the locale."""
    from babel import Locale

    found = Locale.parse(locale).territories
    return {code: found[code] for code in sorted(found) if code.isalpha() and code not in NOT_PLACES}


@functools.cache
def _places(locale):
    return tuple(_names(locale))


def _choices(locales, calendars):
    """The pairs (locale, calendar) that are left."""
    for name, given, known in (("locales", locales, LOCALES), ("calendars", calendars, CALENDARS)):
        if isinstance(given, str):
            raise ValueError(f"{name} is the string {given!r}; give a list: [{given!r}]")
        for one in given or ():
            _known(f"{name} holds a name that", one, known)
    wanted = CALENDARS if calendars is None else calendars
    left = LOCALES if locales is None else locales
    found = [(locale, calendar) for locale in left for calendar in wanted if locale in CALENDARS[calendar]]
    if not found:
        raise ValueError(f"no locale of {locales} writes a calendar of {calendars}; see seqlab.data.dates.CALENDARS")
    return found


def _known(name, value, known):
    if value not in known:
        some = ", ".join(list(known)[:30])
        raise ValueError(f"{name} is {value!r}; it must be one of {some}{', ...' if len(known) > 30 else ''}")
