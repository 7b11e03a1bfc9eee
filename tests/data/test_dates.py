"""Dates against what people write: known days in known languages, the first days of eras, no text with two meanings."""

import datetime
import re
import unicodedata
from collections import Counter

import pytest

from seqlab.data import dates, spelled
from seqlab.data.dates import CALENDARS, LOCALES, STYLES

DAY = datetime.date(1994, 9, 27)


@pytest.mark.parametrize(
    ("locale", "calendar", "style", "text"),
    [
        ("en_US", "gregorian", "full", "Tuesday, September 27, 1994"),
        ("en_GB", "gregorian", "long", "27 September 1994"),
        ("de", "gregorian", "medium", "27.09.1994"),
        ("fr", "gregorian", "full", "mardi 27 septembre 1994"),
        ("es", "gregorian", "long", "27 de septiembre de 1994"),
        ("ru", "gregorian", "long", "27 сентября 1994 г."),
        ("ko", "gregorian", "full", "1994년 9월 27일 화요일"),
        ("ko", "dangi", "long", "단기 4327년 9월 27일"),
        ("ja", "gregorian", "long", "1994年9月27日"),
        ("ja", "japanese", "full", "平成6年9月27日火曜日"),
        ("en_US", "japanese", "long", "September 27, 6 Heisei"),
        ("th", "gregorian", "long", "27 กันยายน ค.ศ. 1994"),
        ("th", "buddhist", "long", "27 กันยายน พ.ศ. 2537"),
        ("th", "buddhist", "medium", "27 ก.ย. พ.ศ. 2537"),
        ("zh_TW", "minguo", "long", "民國83年9月27日"),
        ("ar_EG", "gregorian", "long", "٢٧ سبتمبر ١٩٩٤"),
        ("ar_EG", "gregorian", "medium", "٢٧/٠٩/١٩٩٤"),
    ],
)
def test_a_day_is_written_as_people_write_it(locale, calendar, style, text):
    assert spelled(DAY, locale, calendar, style) == text


@pytest.mark.parametrize(
    ("day", "era"),
    [
        ((2019, 5, 1), "令和元年5月1日"),
        ((2019, 4, 30), "平成31年4月30日"),
        ((1989, 1, 8), "平成元年1月8日"),
        ((1989, 1, 7), "昭和64年1月7日"),
        ((1926, 12, 25), "昭和元年12月25日"),
        ((1926, 12, 24), "大正15年12月24日"),
        ((2039, 12, 31), "令和21年12月31日"),
    ],
)
def test_an_era_begins_on_its_first_day(day, era):
    assert spelled(datetime.date(*day), "ja", "japanese") == era


def test_a_place_stands_beside_in_the_same_language():
    assert spelled(DAY, "ko", style="long", place="KR") == "대한민국, 1994년 9월 27일"
    assert spelled(DAY, "fr", style="long", place="KR", after=True) == "27 septembre 1994, Corée du Sud"


def test_every_locale_writes_every_style_differently_enough_to_be_read():
    """Another day, month or year makes another text, in every form: nothing that the answer needs is left out."""
    others = [datetime.date(1994, 9, 28), datetime.date(1994, 10, 27), datetime.date(1995, 9, 27)]
    for calendar, locales in CALENDARS.items():
        for locale in locales:
            for style in STYLES:
                texts = {spelled(day, locale, calendar, style) for day in (DAY, *others)}
                assert len(texts) == 4, (locale, calendar, style)
                assert all(unicodedata.category(c) not in ("Cf", "Cc") for text in texts for c in text)


@pytest.mark.slow
def test_no_text_has_two_meanings():
    meanings = {}
    for seed in range(3):
        for text, iso in dates(20_000, seed=seed):
            assert meanings.setdefault(text, iso) == iso, text


def test_the_answers_are_iso_and_spread_over_120_years():
    pairs = dates(5000)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", iso) for _, iso in pairs)
    years = [datetime.date.fromisoformat(iso).year for _, iso in pairs]
    assert min(years) == 1920
    assert max(years) == 2039
    assert len({text for text, _ in pairs}) == 5000


def test_a_seed_fixes_the_dates_and_fewer_are_the_beginning_of_more():
    few, many = dates(40, seed=3), dates(400, seed=3)
    assert few == many[:40]
    assert dates(40, seed=4) != few


def test_half_have_a_place_and_the_calendars_are_mixed():
    thai = dates(2000, locales=["th"])
    assert abs(sum(", " in text for text, _ in thai) / 2000 - 0.5) < 0.05
    assert abs(sum("พ.ศ." in text for text, _ in thai) / 2000 - 0.5) < 0.05


def test_locales_and_calendars_can_be_chosen():
    assert all("年" in text and "月" in text for text, _ in dates(100, locales=["zh_CN"]))
    japanese = dates(300, calendars=["japanese"])
    assert all(re.search("令和|平成|昭和|大正|Reiwa|Heisei|Shōwa|Taishō", text) for text, _ in japanese)
    scripts = Counter(unicodedata.name(c).split()[0] for text, _ in dates(1000) for c in text if c.isalpha())
    assert {"LATIN", "HANGUL", "THAI", "ARABIC", "HEBREW", "CYRILLIC", "GREEK", "CJK", "DEVANAGARI"} <= set(scripts)
    assert len(LOCALES) == 28


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dates(0), "n is 0; it must be at least 1"),
        (lambda: dates(1, locales="ko"), r"locales is the string 'ko'; give a list: \['ko'\]"),
        (lambda: dates(1, locales=["xx"]), "locales holds a name that is 'xx'; it must be one of en_US"),
        (lambda: dates(1, calendars=["mayan"]), "it must be one of gregorian, japanese"),
        (lambda: dates(1, locales=["fr"], calendars=["dangi"]), "no locale of"),
        (lambda: spelled(DAY, "fr", "dangi"), "it is written in ko and en_US"),
        (lambda: spelled(DAY, "fr", style="short"), "style is 'short'; it must be one of full, long, medium"),
        (lambda: spelled(DAY, "fr", place="XX"), "place is 'XX'"),
        (lambda: spelled(datetime.date(1911, 12, 31), "zh_TW", "minguo"), "the minguo calendar begins later"),
        (lambda: spelled(datetime.date(1900, 1, 1), "ja", "japanese"), "the eras here begin on 1912-07-30"),
    ],
)
def test_a_mistake_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
