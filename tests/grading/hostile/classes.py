"""Classes of submissions: what is hostile about a file's name, its kind or the archive that it came in.

`make_class` writes one folder with the whole corpus in it, honest neighbours between, and everything that a folder can
hold and should not. Each has its declared outcome and score.
"""

import json
import os
import socket
import struct
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from seqlab.grading.model import Outcome
from tests.grading.hostile.case import FULL, TOKEN
from tests.grading.hostile.corpus import CASES
from tests.grading.tiny import SOLUTIONS, submission

NAME = "00_tiny"
NEIGHBOURS = 8


@dataclass(frozen=True)
class Expected:
    """What must come of one student of the class."""

    number: int
    what: str
    score: float = FULL
    outcome: Outcome = Outcome.GRADED
    why: str = ""  # stands in what a person is told


KINDS = (
    ({}, FULL),
    ({"total": SOLUTIONS["total"].replace("sum", "max")}, FULL - 4),
    ({"softmax": "def softmax(z):\n    raise ValueError(z.shape)\n"}, FULL - 5),
    ({"double": "print('I am printing')\n" + SOLUTIONS["double"]}, FULL),
)


def honest(number):
    """A neighbour's bytes and score: nobody's are another's."""
    answers, score = KINDS[number % len(KINDS)]
    answers = {"double": SOLUTIONS["double"]} | answers
    answers["double"] += f"print('{TOKEN}-{number:03}')\n"
    return submission(answers, metadata={"neighbour": number}), score


class Folder:
    """A folder of submissions under way."""

    def __init__(self, place):
        self.place, self.expected, self.contents = Path(place), {}, {}
        self.place.mkdir(parents=True)

    def expect(self, student, *arguments, **settings):
        """Note what must come of a student."""
        self.expected[student] = Expected(*arguments, **settings)

    def hand_in(self, student, content, *arguments, **settings):
        """Write a student's file; `student` may be any name that a file can have."""
        path = os.fsencode(self.place) + b"/" + os.fsencode(student) + b".ipynb"
        with open(path, "wb") as file:
            file.write(content)
        self.contents[student] = content
        self.expect(student, *arguments, **settings)

    def neighbour(self, student, number, *arguments, **settings):
        """Write an honest submission under such a name."""
        content, score = honest(number)
        self.hand_in(student, content, *arguments, score=score, **settings)


def make_class(place):
    """Write the class: its Folder."""
    made = Folder(place)
    step = len(CASES) // NEIGHBOURS + 1
    for index, case in enumerate(sorted(CASES, key=lambda case: case.student)):
        made.hand_in(case.student, case.submission, case.number, case.name, case.score, case.outcome)
        if index % step == 0:  # in the order of names each stands in the middle of the attacks
            made.neighbour(f"{case.student}-neighbour", index // step, 0, "an honest neighbour")
    _too_large(made)
    _links(made)
    _pipes(made)
    _formulas(made)
    _names(made)
    return made


REFUSED = {"score": 0.0, "outcome": Outcome.REFUSED}


def _too_large(made):
    """54: a hundred megabytes of outputs."""
    student = "54-a-hundred-megabytes-of-outputs"
    head = submission().decode().partition('"outputs": [')[0]
    with open(made.place / f"{student}.ipynb", "w") as file:
        file.write(head + '"outputs": [{"output_type": "stream", "name": "stdout", "text": "' + "x" * 1_000_000)
        file.truncate(100_000_000)
    made.expect(student, 54, "a hundred megabytes of outputs", **REFUSED, why="larger than")


def _links(made):
    """55: links to what is not the student's."""
    elsewhere = made.place.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{NAME}.ipynb").write_bytes(submission(metadata={"elsewhere": 1}))
    passwords = "55-a-link-to-the-list-of-users"
    (made.place / f"{passwords}.ipynb").symlink_to("/etc/passwd")
    made.expect(passwords, 55, "a link to the list of users", **REFUSED, why="link")
    other = next(iter(made.contents))
    copied = "55-a-link-to-anothers-work"
    (made.place / f"{copied}.ipynb").symlink_to(made.place / f"{other}.ipynb")
    made.expect(copied, 55, "a link to another student's work", **REFUSED, why="link")
    inside = "55-a-link-within-a-folder"
    (made.place / inside).mkdir()
    (made.place / inside / f"{NAME}.ipynb").symlink_to(elsewhere / f"{NAME}.ipynb")
    made.expect(inside, 55, "a link within a student's folder", **REFUSED, why="link")
    folder = "55-a-link-to-a-folder"
    (made.place / folder).symlink_to(elsewhere)
    made.expect(folder, 55, "a link to a folder with a notebook in it", **REFUSED, why="link")
    dangling = "55-a-link-to-nothing"
    (made.place / f"{dangling}.ipynb").symlink_to("nowhere")
    made.expect(dangling, 55, "a link to nothing", **REFUSED, why="link")
    round_about = "55-a-link-to-itself"
    (made.place / f"{round_about}.ipynb").symlink_to(f"{round_about}.ipynb")
    made.expect(round_about, 55, "a link to itself", **REFUSED, why="link")


def _pipes(made):
    """56: what hangs or fails when it is read."""
    pipe = "56-a-pipe-that-nobody-writes-to"
    os.mkfifo(made.place / f"{pipe}.ipynb")
    made.expect(pipe, 56, "a pipe that nobody writes to", **REFUSED, why="no plain file")
    nested = "56-a-pipe-within-a-folder"
    (made.place / nested).mkdir()
    os.mkfifo(made.place / nested / f"{NAME}.ipynb")
    made.expect(nested, 56, "a pipe within a student's folder", **REFUSED, why="no plain file")
    listening = "56-a-socket"
    with socket.socket(socket.AF_UNIX) as s:
        here = os.open(made.place, os.O_RDONLY)
        try:
            s.bind(f"/proc/self/fd/{here}/{listening}.ipynb")  # short enough wherever the folder lies
        finally:
            os.close(here)
    made.expect(listening, 56, "a socket", **REFUSED, why="no plain file")


FORMULAS = ("=cmd|' ∕C calc'!A0", "+1+1", "-2+3", "@SUM(A1:A9)", '=HYPERLINK("x","y")', "\t=1+1", " =1+1", "%0A=1")


def _formulas(made):
    """64: names that a spreadsheet would run."""
    for number, name in enumerate(FORMULAS):
        made.neighbour(name, 100 + number, 64, f"the name {name!r}")


def _names(made):
    """65: names that break lines, options, paths, pages and comparisons."""
    names = {
        "a name with\na line break": "a name with a line break",
        "-rf": "a name that is an option",
        "--assignment=other": "a name that is a long option",
        "n" * 249: "a name of 255 bytes",
        "\u1112\u1161\u11ab" * 27: "a name of Korean letters in parts",
        "<script>alert(1)<\u2215script>": "a name that is a script",
        "[bold red]name[∕bold red]": "a name in the markup of terminals",
        "a\x1b[31mred\x1b]0;title\x07": "a name with codes for terminals",
        "\u202eevil\u2066": "a name that runs backwards",
        "con": "a name that Windows keeps for itself",
        "*?\"'$(touch left-behind)`touch left-behind`;&|": "a name that a shell would run",
        "'; DROP TABLE records; --": "a name that a database would run",
    }
    for number, (name, what) in enumerate(names.items()):
        made.neighbour(name, 200 + number, 65, what)
    for number, form in enumerate(("NFC", "NFD")):
        twin = unicodedata.normalize(form, "Zoë Núñez 각")
        made.neighbour(twin, 300 + number, 65, f"a twin in {form}")
    strange = os.fsdecode(b"\xff\xfe not text \x80")
    made.neighbour(strange, 302, 65, "a name that is no UTF-8")
    shown = strange.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    made.expected[shown], made.contents[shown] = made.expected.pop(strange), made.contents.pop(strange)


# --------------------------------------------------------------------------------------------- archives


def archive(path, entries):
    """Write a .zip whose entries are (ZipInfo or name, bytes)."""
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w") as file:  # of names that stand twice
        for name, content in entries:
            file.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)
    return path


def _kind(name, mode):
    """An entry of another kind than a plain file, as Unix's zip writes it."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def with_the_class(*entries):
    """The entries of an archive in which two honest students stand around these."""
    first, last = honest(400)[0], honest(401)[0]
    return [(f"ada/{NAME}.ipynb", first), *entries, (f"zoe/{NAME}.ipynb", last)]


def _lying(path):
    """An archive whose directory says that a bomb is small."""
    bomb = b" " * (30 << 20) + submission()
    archive(path, with_the_class(("mallory.ipynb", bomb)))
    data = bytearray(path.read_bytes())
    size = struct.pack("<I", len(bomb))
    small = struct.pack("<I", 5000)
    path.write_bytes(bytes(data).replace(size, small))


ARCHIVES = (
    "a_bomb",
    "a_size_that_lies",
    "a_way_up",
    "an_absolute_path",
    "a_way_up_for_windows",
    "a_device",
    "a_pipe",
    "a_link",
    "a_link_and_a_file_through_it",
    "the_same_name_twice",
    "an_archive_in_an_archive",
)


def make_archives(place):
    """Write the archives of number 62: {what: path}. In each ada and zoe are honest and mallory is not."""
    place = Path(place)
    place.mkdir(parents=True)
    bomb = b" " * (100 << 20)
    made = {
        "a_bomb": [("mallory.ipynb", bomb), ("mallory2.ipynb", bomb[: 30 << 20])],
        "a_way_up": [("../../mallory.ipynb", submission()), (f"mallory/../../{NAME}.ipynb", submission())],
        "an_absolute_path": [("/tmp/left-behind/mallory.ipynb", submission()), ("/etc/cron.d/mallory.ipynb", b"x")],
        "a_way_up_for_windows": [("..\\..\\mallory.ipynb", submission()), ("C:\\mallory.ipynb", submission())],
        "a_device": [(_kind("mallory.ipynb", 0o020666), b""), (_kind("mallory2.ipynb", 0o060666), b"")],
        "a_pipe": [(_kind("mallory.ipynb", 0o010666), b"")],
        "a_link": [(_kind("mallory.ipynb", 0o120777), b"/etc/passwd")],
        "a_link_and_a_file_through_it": [
            (_kind("mallory", 0o120777), b"/tmp"),
            (f"mallory/{NAME}.ipynb", submission()),
        ],
        "the_same_name_twice": [("mallory.ipynb", submission()), ("mallory.ipynb", submission({"total": None}))],
        "an_archive_in_an_archive": [("mallory.zip", b"PK\x03\x04" + bytes(1000))],
    }
    assert sorted(ARCHIVES) == sorted([*made, "a_size_that_lies"])
    paths = {what: archive(place / f"{what}.zip", with_the_class(*entries)) for what, entries in made.items()}
    paths["a_size_that_lies"] = place / "a_size_that_lies.zip"
    _lying(paths["a_size_that_lies"])
    return paths


def make_bundle(place, assignment):
    """The built assignment's folder, as far as grading needs it."""
    folder = Path(place) / NAME
    (folder / "instructor").mkdir(parents=True)
    (folder / "instructor" / "assignment.json").write_text(assignment.dumps())
    return folder


def pretty(told):
    """A dict as text, for a failing test."""
    return json.dumps(told, indent=1, ensure_ascii=False, default=str)
