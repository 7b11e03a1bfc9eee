"""Every layout of a class's folder or archive is read; nothing is followed; nobody costs another anything."""

import datetime
import io
import os
import socket
import stat
import struct
import unicodedata
import zipfile
from datetime import UTC
from datetime import datetime as moment
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.grading import places
from seqlab.grading.collecting import Submitted, collect, stamp_time

NAME = "01_words"
BOOK = b'{"cells": [], "of": "%s"}'
NOON = moment(2026, 3, 1, 12, tzinfo=UTC)


def book(of):
    """Bytes that tell whose they are."""
    return BOOK % of.encode("utf-8", "surrogateescape")


def on_disk(top, files):
    """Write {path: bytes or Path to link to} below a folder; give the folder."""
    for path, content in files.items():
        place = top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        os.utime(place, (NOON.timestamp(), NOON.timestamp()))
    return top


def zipped(top, files):
    """The same as a .zip archive; files may be a list of pairs, for names that appear twice."""
    path = top.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return path


def told(found):
    """{student: (whose bytes were taken, sentence)}."""
    return {
        one.student: (one.content and one.content.split(b'"')[-2].decode("utf-8", "replace"), one.why) for one in found
    }


LAYOUTS = {
    "flat": ({"ada.ipynb": "a", "bob.IPYNB": "b", "notes.txt": "-", ".hidden.ipynb": "-"}, {"ada": "a", "bob": "b"}),
    "folders": (
        {f"ada/{NAME}.ipynb": "a", "ada/old.ipynb": "-", "bob/any name.ipynb": "b", "bob/data.csv": "-",
         "bob/.ipynb_checkpoints/any name-checkpoint.ipynb": "-"},
        {"ada": "a", "bob": "b"},
    ),
    "nbgrader": (
        {f"ada/{NAME}/{NAME}.ipynb": "a", f"ada/{NAME}/timestamp.txt": "2026-02-28 10:00:00.5 Europe/Rome",
         "ada/02_next/02_next.ipynb": "-", f"bob/{NAME}/{NAME}.ipynb": "b", "cem/02_next/02_next.ipynb": "-"},
        {"ada": "a", "bob": "b"},
    ),
    "nbgrader course": (
        {f"submitted/ada/{NAME}/{NAME}.ipynb": "a", f"release/{NAME}/{NAME}.ipynb": "-", "gradebook.db": "-",
         f"autograded/ada/{NAME}/{NAME}.ipynb": "-", "nbgrader_config.py": "-"},
        {"ada": "a"},
    ),
    "canvas": (
        {f"doejane_LATE_12345_678901_{NAME}.ipynb": "a", f"leeann_777_888_{NAME}-2.ipynb": "b",
         "leeann_777_889_data.csv": "-", "nobookatall_778_890_essay.docx": "-"},
        {"doejane": "a", "leeann": "b", "nobookatall": None},
    ),
    "canvas short": ({"ada_11_my work.ipynb": "a", "bob_22_x.ipynb": "b"}, {"ada": "a", "bob": "b"}),
    "moodle": (
        {f"Ada Byron_123_assignsubmission_file_/{NAME}.ipynb": "a", "Bo_b_7_assignsubmission_file_/x.ipynb": "b",
         "Bo_b_7_assignsubmission_onlinetext_/onlinetext.html": "-",
         "Cem_8_assignsubmission_onlinetext_/onlinetext.html": "-"},
        {"Ada Byron": "a", "Bo_b": "b", "Cem": None},
    ),
    "moodle flat": (
        {f"Ada Byron_123_assignsubmission_file_{NAME}.ipynb": "a", "Bob_7_assignsubmission_file_x.ipynb": "b"},
        {"Ada Byron": "a", "Bob": "b"},
    ),
    "a folder around": ({"submissions/ada.ipynb": "a", "submissions/bob.ipynb": "b"}, {"ada": "a", "bob": "b"}),
    "one student in a folder": ({f"submissions/{NAME}.ipynb": "a"}, {"submissions": "a"}),
    "years in names": ({"ada_2024_x.ipynb": "a", "bob.ipynb": "b"}, {"ada_2024_x": "a", "bob": "b"}),
}  # fmt: skip


@pytest.mark.parametrize("make", [on_disk, zipped])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_recognised_on_disk_and_in_an_archive(tmp_path, layout, make):
    files, expected = LAYOUTS[layout]
    content = {path: of.encode() if "timestamp" in path else book(of) for path, of in files.items()}
    found = told(collect(make(tmp_path / "class", content), NAME))
    assert {student: of for student, (of, _) in found.items()} == expected
    for of, why in found.values():
        assert bool(why) == (of is None)


def test_the_time_is_nbgrader_s_stamp_or_the_file_s_own(tmp_path):
    files = {f"ada/{NAME}/{NAME}.ipynb": book("a"), f"bob/{NAME}/{NAME}.ipynb": book("b")}
    files |= {f"ada/{NAME}/timestamp.txt": b"2026-02-28 10:00:00.5 Europe/Rome\n"}
    files |= {f"cem/{NAME}/{NAME}.ipynb": book("c"), f"cem/{NAME}/timestamp.txt": b"yesterday"}
    ada, bob, cem = collect(on_disk(tmp_path, files), NAME)
    assert (ada.at, ada.how, ada.why) == (moment(2026, 2, 28, 9, 0, 0, 500_000, tzinfo=UTC), "stamp", "")
    assert (bob.at, bob.how, bob.why) == (NOON, "file", "")
    assert (cem.at, cem.how) == (NOON, "file")
    assert "timestamp.txt holds no time" in cem.why


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-02-02 15:58:23.948203 UTC", "2026-02-02T15:58:23.948203+00:00"),
        ("2026-02-02 15:58:23.948203 America/New_York", "2026-02-02T20:58:23.948203+00:00"),
        ("2026-07-02T15:58:23+02:00", "2026-07-02T13:58:23+00:00"),
        ("2026-02-02 15:58:23 ", "2026-02-02T15:58:23+00:00"),
        ("2026-02-30 15:58:23 UTC", None),
        ("2026-02-02 15:58:23 Atlantis/Town", None),
        ("2026-02-02 15:58:23 ../../etc/localtime", None),
        ("", None),
    ],
)
def test_the_times_that_nbgrader_writes_are_read(line, said):
    at = stamp_time(line)
    assert (at and at.isoformat()) == said


@pytest.mark.parametrize("make", [on_disk, zipped])
def test_two_of_one_name_are_told_apart_by_their_numbers(tmp_path, make):
    files = {f"doejane_{n}_9_{NAME}.ipynb": book(str(n)) for n in (11, 22)} | {f"lee_5_9_{NAME}.ipynb": book("lee")}
    assert told(collect(make(tmp_path / "c", files), NAME)) == {
        "doejane (11)": ("11", ""), "doejane (22)": ("22", ""), "lee": ("lee", ""),
    }  # fmt: skip


def test_of_a_student_who_appears_twice_the_latest_counts_and_a_person_is_told(tmp_path):
    top = on_disk(tmp_path, {"ada.ipynb": book("new"), f"ada/{NAME}.ipynb": book("old"), "bob.ipynb": book("b")})
    os.utime(top / "ada" / f"{NAME}.ipynb", (1e9, 1e9))
    found = told(collect(top, NAME))
    assert found["bob"] == ("b", "")
    assert found["ada"][0] == "old"  # the one that has the assignment's name
    os.rename(top / "ada.ipynb", top / "ada.IPYNB")
    (top / "ada.ipynb").write_bytes(book("newest"))
    os.unlink(top / "ada" / f"{NAME}.ipynb")
    (top / "ada").rmdir()
    of, why = told(collect(top, NAME))["ada"]
    assert of == "newest"
    assert "There are 2 submissions of this student; the latest was taken" in why


def test_of_what_canvas_numbers_the_last_counts_where_times_agree(tmp_path):
    names = [f"ada_1_{n}_{NAME}{again}.ipynb" for n, again in ((50, "-2"), (40, ""), (60, "-10"))]
    of, why = told(collect(on_disk(tmp_path, {name: book(name[6:8]) for name in names}), NAME))["ada"]
    assert of == "60"
    assert "There are 3 submissions" in why


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ada/a.ipynb": b"1", "ada/b.ipynb": b"2"}, f"holds 2 notebooks, and none is named {NAME}.ipynb"),
        ({"ada/essay.pdf": b"1"}, "holds no notebook, only essay.pdf."),
        ({"ada/draft/a.ipynb": b"1"}, "but in folders below it (draft): move it up"),
        ({f"ada/{NAME}/notes.txt": b"1"}, "holds no notebook, only notes.txt."),
    ],
)
@pytest.mark.parametrize("make", [on_disk, zipped])
def test_a_folder_without_its_notebook_is_told(tmp_path, make, files, said):
    found = told(collect(make(tmp_path / "c", files | {"bob.ipynb": book("b")}), NAME))
    assert found["bob"] == ("b", "")
    assert found["ada"][0] is None
    assert said in found["ada"][1]


# ---------------------------------------------------------------------------------- what is never followed


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and sockets of POSIX systems")
def test_no_link_pipe_or_socket_is_opened(tmp_path, near):
    top, secret = on_disk(near / "c", {"bob.ipynb": book("b")}), near / "secret.ipynb"
    secret.write_bytes(book("secret"))
    on_disk(near, {f"elsewhere/{NAME}.ipynb": book("secret")})
    (top / "ada.ipynb").symlink_to(secret)
    (top / "cem").symlink_to(near / "elsewhere")
    (top / "dan").mkdir()
    (top / "dan" / f"{NAME}.ipynb").symlink_to(secret)
    (top / "eve").mkdir()
    (top / "eve" / NAME).symlink_to(near / "elsewhere")
    os.mkfifo(top / "fay.ipynb")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "gil.ipynb"))
        found = told(collect(top, NAME))
    assert found.pop("bob") == ("b", "")
    assert list(found) == ["ada", "cem", "dan", "eve", "fay", "gil"]
    for student, (of, why) in found.items():
        assert of is None, student
        assert "no plain file" in why or student == "eve"


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX systems")
@pytest.mark.parametrize("swap", ["link", "pipe", "folder above", "gone"])
def test_what_is_exchanged_between_listing_and_reading_is_not_read(tmp_path, swap):
    top = on_disk(tmp_path / "c", {f"ada/{NAME}.ipynb": book("a")})
    on_disk(tmp_path, {f"elsewhere/{NAME}.ipynb": book("secret")})
    (entry,) = places.entries(top)
    if swap == "folder above":
        (top / "ada").rename(tmp_path / "was")
        (top / "ada").symlink_to(tmp_path / "elsewhere")
    else:
        (top / "ada" / f"{NAME}.ipynb").unlink()
    if swap == "link":
        (top / "ada" / f"{NAME}.ipynb").symlink_to(tmp_path / "elsewhere" / f"{NAME}.ipynb")
    if swap == "pipe":
        os.mkfifo(top / "ada" / f"{NAME}.ipynb")
    open_before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with pytest.raises(places.Unreadable, match=r"no plain file|cannot be read"):
        entry.read()
    if open_before:
        assert len(os.listdir("/proc/self/fd")) == open_before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not hold for root")
def test_what_may_not_be_read_is_told(tmp_path):
    top = on_disk(tmp_path, {"ada.ipynb": b"1", f"cem/{NAME}.ipynb": b"1", "bob.ipynb": book("b")})
    os.chmod(top / "ada.ipynb", 0)
    os.chmod(top / "cem", 0)
    try:
        found = told(collect(top, NAME))
    finally:
        os.chmod(top / "cem", 0o755)
    assert found["bob"] == ("b", "")
    assert all("cannot be read (Permission denied)" in found[student][1] for student in ("ada", "cem"))


def test_a_file_without_end_is_told_and_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "LARGEST", 100)
    files = {"ada.ipynb": b"x" * 101, "bob.ipynb": book("b")}
    for make in (on_disk, zipped):
        found = told(collect(make(tmp_path / "c", files), NAME))
        assert found["bob"] == ("b", "")
        assert found["ada"] == (None, "ada.ipynb is larger than 0 MB.")


def entry(name, **changes):
    """A line of an archive's list that lies."""
    info = zipfile.ZipInfo("placeholder.ipynb")
    info.compress_type = zipfile.ZIP_DEFLATED
    info.filename = name
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def mode(kind):
    return {"external_attr": (kind | 0o777) << 16, "create_system": 3}


LIES = {
    "up": (entry("../../eve.ipynb"), "leads out"),
    "up in the middle": (entry("eve/../../eve.ipynb"), "leads out"),
    "absolute": (entry("/etc/eve.ipynb"), "leads out"),
    "a drive": (entry("C:\\eve.ipynb"), "leads out"),
    "backslashes": (entry("..\\eve.ipynb", create_system=0), "leads out"),
    "a link": (entry("eve.ipynb", **mode(stat.S_IFLNK)), "no plain file"),
    "a device": (entry("eve.ipynb", **mode(stat.S_IFCHR)), "no plain file"),
    "a pipe": (entry("eve.ipynb", **mode(stat.S_IFIFO)), "no plain file"),
    "an unusual packing": (entry("eve.ipynb", compress_type=zipfile.ZIP_LZMA), "packed in an unusual way"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_archive_s_lie_is_told_and_the_others_are_read(tmp_path, monkeypatch, lie):
    info, said = LIES[lie]
    monkeypatch.chdir(tmp_path)
    path = zipped(tmp_path / "c", [("ada.ipynb", book("a")), (info, book("eve")), ("zoe.ipynb", book("z"))])
    before = {one for one in tmp_path.rglob("*")}
    found = told(collect(path, NAME))
    assert (found.pop("ada"), found.pop("zoe")) == (("a", ""), ("z", ""))
    ((of, why),) = found.values()
    assert of is None
    assert said in why
    assert {one for one in tmp_path.rglob("*")} == before


def patched(path, change):
    """Change an archive's bytes: `change` gets them as a bytearray, with the places of both headers of `eve`."""
    raw = bytearray(path.read_bytes())
    local, central = raw.find(b"eve.ipynb") - 30, raw.rfind(b"eve.ipynb") - 46
    assert raw[local : local + 4] == b"PK\3\4"
    assert raw[central : central + 4] == b"PK\1\2"
    change(raw, local, central)
    path.write_bytes(raw)


def encrypted(raw, local, central):
    raw[local + 6] |= 1
    raw[central + 8] |= 1


def wrong_sum(raw, local, central):
    raw[local + 14] ^= 255
    raw[central + 16] ^= 255


def no_text(raw, local, central):
    raw[local + 30 : local + 33] = raw[central + 46 : central + 49] = b"\xe9\xff\x80"


def no_text_and_says_so(raw, local, central):
    no_text(raw, local, central)
    raw[local + 7] |= 8
    raw[central + 9] |= 8


def claims_less(raw, local, central):
    struct.pack_into("<L", raw, central + 24, 5)


def claims_more(raw, local, central):
    struct.pack_into("<L", raw, central + 24, 5000)


def points_elsewhere(raw, local, central):
    struct.pack_into("<L", raw, central + 42, 3)


def null_in_name(raw, local, central):
    raw[local + 33] = raw[central + 49] = 0


DAMAGE = {
    encrypted: ("eve", None, "encrypted"),
    wrong_sum: ("eve", None, "damaged"),
    claims_less: ("eve", None, "damaged"),
    claims_more: ("eve", "eve", ""),
    points_elsewhere: ("eve", None, "damaged"),
    null_in_name: ("eve", None, "null character"),
    no_text: ("\\xe9\\xff\\x80", "eve", "not UTF-8"),
    no_text_and_says_so: ("\\xe9\\xff\\x80", "eve", "not UTF-8"),
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_entry_costs_its_student_alone(tmp_path, damage):
    student, of, said = DAMAGE[damage]
    path = zipped(tmp_path / "c", {"ada.ipynb": book("a"), "eve.ipynb": book("eve"), "zoe.ipynb": book("z")})
    patched(path, damage)
    found = told(collect(path, NAME))
    assert (found.pop("ada"), found.pop("zoe")) == (("a", ""), ("z", ""))
    assert found.keys() == {student}
    assert found[student][0] == of
    assert said in found[student][1]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    bomb = b" " * (8 << 20)
    path = zipped(tmp_path / "c", {"eve.ipynb": bomb, "ada.ipynb": book("a")})
    assert "300 times its size" in told(collect(path, NAME))["eve"][1]

    def hides(raw, local, central):
        struct.pack_into("<L", raw, central + 24, 1000)

    patched(path, hides)
    found = told(collect(path, NAME))
    assert found["ada"] == ("a", "")
    assert "damaged in the archive" in found["eve"][1]


def test_what_is_unpacked_together_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "MOST_UNPACKED", 250)
    found = collect(zipped(tmp_path / "c", {f"s{n}.ipynb": b"%d" % n * 100 for n in range(4)}), NAME)
    assert [one.content is None for one in found] == [False, False, True, True]
    assert "unpacks to more than" in found[3].why


@pytest.mark.parametrize("make", [on_disk, zipped])
def test_what_holds_far_too_much_is_refused_whole(tmp_path, monkeypatch, make):
    monkeypatch.setattr(places, "MOST_ENTRIES", 3)
    path = make(tmp_path / "c", {f"s{n}.ipynb": b"1" for n in range(5)})
    with pytest.raises(ValueError, match="holds more than 3 files"):
        collect(path, NAME)


def test_of_a_name_that_an_archive_holds_twice_one_is_taken_and_told(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "c", [("ada.ipynb", book("1")), ("ada.ipynb", book("2")), ("bob.ipynb", book("b"))])
    found = told(collect(path, NAME))
    assert found["bob"] == ("b", "")
    assert found["ada"][0] == "2"
    assert "There are 2 submissions" in found["ada"][1]


def test_the_time_of_an_entry_is_the_packer_s_or_the_one_in_utc(tmp_path):
    stamp = struct.pack("<HHBl", 0x5455, 5, 1, int(NOON.timestamp()))
    sure = entry("ada.ipynb", extra=stamp, date_time=(2001, 1, 1, 0, 0, 0))
    local, never = entry("bob.ipynb", date_time=(2026, 3, 1, 9, 30, 0)), entry("cem.ipynb")
    wrong = entry("dan.ipynb", date_time=(2026, 15, 31, 9, 30, 0))
    ada, bob, cem, dan = collect(zipped(tmp_path / "c", [(one, b"{}") for one in (sure, local, never, wrong)]), NAME)
    assert ada.at == NOON
    assert bob.at == datetime.datetime(2026, 3, 1, 9, 30).astimezone()
    assert cem.at is None
    assert dan.at is None
    assert not any(one.why for one in (ada, bob, cem, dan))


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18, b"PK\3\4" * 20]
)
def test_what_is_no_archive_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "c.zip").write_bytes(content)
    if content == b"PK\5\6" + bytes(18):  # an archive of nothing
        assert collect(tmp_path / "c.zip", NAME) == []
        return
    with pytest.raises(ValueError, match=r"no \.zip archive that can be read") as refused:
        collect(tmp_path / "c.zip", NAME)
    assert "\n" not in str(refused.value)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no folder and no \.zip archive"):
        collect(tmp_path / "nowhere", NAME)


@given(st.data())
def test_no_damaged_archive_does_more_than_refuse(data):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in ("ada", "bob/x", f"cem/{NAME}/{NAME}"):
            archive.writestr(f"{student}.ipynb", book(student) * 5)
    raw = bytearray(raw.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(len(raw) // 2, len(raw)))] if data.draw(st.booleans()) else raw
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.zip")
        path.write_bytes(raw)
        try:
            found = collect(path, NAME)
        except ValueError as wrong:
            found = [Submitted("the class", None, str(wrong))]
    for one in found:
        assert one.content is not None or one.why
        assert "\n" not in one.why


# -------------------------------------------------------------------------------------------------- names


def test_names_that_look_the_same_stay_two_and_are_told(tmp_path):
    one, two = (unicodedata.normalize(form, "Éloïse") for form in ("NFC", "NFD"))
    for make in (on_disk, zipped):
        found = told(collect(make(tmp_path / "c", {f"{one}.ipynb": book("c"), f"{two}.ipynb": book("d")}), NAME))
        assert {student: of for student, (of, _) in found.items()} == {one: "c", two: "d"}
        assert all("looks the same" in why for _, why in found.values())


def test_odd_names_stay_apart(tmp_path):
    names = ["-rf", "=1+2", "a\nb", "a\x1b[31mb", "x" * 200, "ы" * 60, " ", "a b", "ada (1)", "'; --", "ada.", "CON"]
    for make in (on_disk, zipped):
        found = collect(make(tmp_path / "c", {f"{name}.ipynb": book(name) for name in names}), NAME)
        assert {one.student: one.content for one in found} == {name: book(name) for name in names}
        assert not any(one.why for one in found)
        assert all(first.student < second.student for first, second in pairwise(found))


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_names_that_are_no_text_are_shown_and_never_merged(tmp_path):
    raw, same = b"a\xff.ipynb", "a\\xff.ipynb"
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(book("bytes"))
    except OSError:
        pytest.skip("this file system takes no such name")
    on_disk(tmp_path, {same: book("text")})
    found = told(collect(tmp_path, NAME))
    assert found.keys() == {"a\\xff", "a\\xff (another)"}
    assert {of for of, _ in found.values()} == {"bytes", "text"}
    for student in found:
        student.encode("utf-8")


def test_every_student_appears_once(tmp_path):
    files = {f"{who}_{number}_{number}_{NAME}.ipynb": b"{}" for who in ("a", "b") for number in range(3)}
    files |= {"a.ipynb": b"{}", "a (1).ipynb": b"{}", "a/x.ipynb": b"{}"}
    found = collect(on_disk(tmp_path, files), NAME)
    assert len({one.student for one in found}) == len(found)
    assert sum(one.content is not None for one in found) == 8  # a.ipynb and a/x.ipynb are one student


def test_a_submission_is_made_of_a_name_and_bytes_alone():
    assert Submitted("ada", b"{}") == ("ada", b"{}", "", None, "file")
