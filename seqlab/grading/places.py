"""Lists what lies in a folder or in a .zip archive, and reads single files of it without trusting any of them.

Nothing is followed that leads elsewhere: links, `..`, absolute names. Nothing is opened that is no plain file. An
archive is read in memory, never unpacked to the disk, and what would grow too large is told in a sentence instead.
"""

import contextlib
import errno
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

MEGABYTE = 1 << 20
LARGEST = 64 * MEGABYTE  # no submission is larger
MOST_ENTRIES = 100_000  # of a folder or an archive
LARGEST_ARCHIVE = 4096 * MEGABYTE
MOST_UNPACKED = 2048 * MEGABYTE  # of one archive, all that is read of it together
RATIO = 300  # unpacked to packed, of an entry that is not small; notebooks reach 100 when they repeat themselves
DEEPEST = 6  # parts of a path that are looked at
HIDDEN = ("__MACOSX", "Thumbs.db", "desktop.ini")  # left by systems, besides all that begins with a dot


class Unreadable(ValueError):
    """A file that is not read; the message says why in one sentence."""


@dataclass(frozen=True)
class Entry:
    """One file, or one folder, of a class's folder or archive."""

    parts: tuple[str, ...]  # its path from the top; a last part of "" marks a folder
    at: datetime | None  # when it was last changed, as far as the place knows
    why: str  # why it is not read, in one sentence; "" when it can be
    read: Callable[[], bytes]  # its bytes; raises Unreadable
    plain: bool = True  # False for links and devices
    outside: bool = False  # its name leads out of the archive: whose it is cannot be known
    how: str = "file"  # where the time comes from
    note: str = ""  # what a person should look at, though it can be read

    @property
    def name(self):
        """The last part of its path."""
        return self.parts[-1]


def entries(path):
    """What lies in a folder or a .zip archive, in the order of paths.

    Raises
    ------
    ValueError
        when it is neither, is damaged as a whole, or holds far too much.
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise ValueError(f"{path} is no folder and no .zip archive: there is nothing of that name.")
    if not path.is_file():
        raise ValueError(f"{path} is no folder and no .zip archive: give one of them.")
    return _of_archive(path)


def hidden(part):
    """Whether a name is one that systems and programs leave behind."""
    return part.startswith(".") or part in HIDDEN


def shown(name):
    """A file's name as text on one line, whatever its bytes."""
    from seqlab.grading.exports import plain

    return plain(text(name))


def text(name):
    """A name whose bytes are not UTF-8 as text: such bytes are shown as \\x and two digits."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def too_large(name):
    """The sentence on a file that is too large."""
    return f"{shown(name)} is larger than {LARGEST >> 20} MB."


# ---------------------------------------------------------------------------------------------- folders


def _of_folder(top):
    found, waiting = [], [()]
    while waiting:
        parts = waiting.pop()
        try:
            names = sorted(os.listdir(top.joinpath(*parts)))
        except OSError as wrong:
            if not parts:
                raise ValueError(f"{top} cannot be read ({wrong.strerror}): check its permissions.") from None
            found.append(Entry((*parts, ""), None, _cannot(parts[-1], wrong), _nothing))
            continue
        if parts and not names:
            found.append(Entry((*parts, ""), None, "", _nothing))
        for name in names:
            if hidden(name):
                continue
            one = _of_path(top, (*parts, name))
            if one is None and len(parts) + 1 < DEEPEST:
                waiting.append((*parts, name))
            elif one is not None:
                found.append(one)
        if len(found) + len(waiting) > MOST_ENTRIES:
            raise ValueError(f"{top} holds more than {MOST_ENTRIES:,} files: give the folder of one assignment.")
    return sorted(found, key=lambda entry: entry.parts)


def _of_path(top, parts):
    """The entry of a path, None for a folder. Nothing is opened here."""
    try:
        info = os.lstat(top.joinpath(*parts))
    except OSError as wrong:
        return Entry(parts, None, _cannot(parts[-1], wrong), _nothing)
    if stat.S_ISDIR(info.st_mode):
        return None
    plain = stat.S_ISREG(info.st_mode)
    why = _not_plain(parts[-1]) if not plain else too_large(parts[-1]) if info.st_size > LARGEST else ""
    return Entry(parts, _moment(info.st_mtime), why, partial(_read_below, top, parts), plain)


def _moment(seconds):
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a file's time may be any number
        return None


def _not_plain(name):
    return f"{shown(name)} is no plain file (a link or a device)."


def _cannot(name, wrong):
    return f"{shown(name)} cannot be read ({wrong.strerror})."


def _nothing():
    raise Unreadable("there is nothing to read")


def _read_below(top, parts):
    """Read a file below a folder, following no link on the way: what was listed may have been exchanged since."""
    try:
        with contextlib.ExitStack() as closing:
            number = _open_below(top, parts, closing)
            closing.callback(os.close, number)
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise Unreadable(_not_plain(parts[-1]))
            with os.fdopen(number, "rb", closefd=False) as file:
                content = file.read(LARGEST + 1)
    except OSError as wrong:
        link = wrong.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
        raise Unreadable(_not_plain(parts[-1]) if link else _cannot(parts[-1], wrong)) from None
    if len(content) > LARGEST:
        raise Unreadable(too_large(parts[-1]))
    return content


def _open_below(top, parts, closing):
    flags = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "CLOEXEC", "BINARY"))
    if os.open not in os.supports_dir_fd:
        return os.open(top.joinpath(*parts), flags)
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    closing.callback(os.close, folder)
    for part in parts[:-1]:
        folder = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
        closing.callback(os.close, folder)
    return os.open(parts[-1], flags, dir_fd=folder)


# --------------------------------------------------------------------------------------------- archives

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UTF_8, ENCRYPTED = 0x800, 0x1
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError, OSError)


class _Archive:
    """A .zip archive that stays open for reading, and what has been unpacked of it so far."""

    def __init__(self, path):
        self.name, self.unpacked = path.name, 0
        if path.stat().st_size > LARGEST_ARCHIVE:
            raise ValueError(f"{path} is larger than {LARGEST_ARCHIVE >> 20:,} MB: hand it over in parts.")
        try:
            self.zip = self.opened(path)
        except (*DAMAGE, NotImplementedError) as wrong:
            told = wrong.strerror if isinstance(wrong, OSError) and wrong.strerror else "its list of files is missing"
            raise ValueError(
                f"{path} is no .zip archive that can be read ({told}): download it again, or unpack it and give the "
                "folder."
            ) from None
        if len(self.zip.infolist()) > MOST_ENTRIES:
            raise ValueError(f"{path} holds more than {MOST_ENTRIES:,} files: give the archive of one assignment.")

    @staticmethod
    def opened(path):
        try:
            return zipfile.ZipFile(path)
        except UnicodeDecodeError:  # one name that lies about being UTF-8 must not cost the others their marks
            return zipfile.ZipFile(io.BytesIO(_without_lies(path.read_bytes())))

    def read(self, info):
        """Unpack one entry in memory, no further than the limits."""
        name = info.filename.rpartition("/")[2]
        try:
            with self.zip.open(info) as file:
                content = file.read(min(LARGEST, info.file_size) + 1)
                if len(content) > info.file_size:
                    raise Unreadable(f"{shown(name)} is larger than the archive says; pack it again.")
        except Unreadable:
            raise
        except (*DAMAGE, NotImplementedError):
            raise Unreadable(f"{shown(name)} is damaged in the archive {shown(self.name)}.") from None
        if len(content) > LARGEST:
            raise Unreadable(too_large(name))
        self.unpacked += len(content)
        if self.unpacked > MOST_UNPACKED:
            raise Unreadable(f"The archive unpacks to more than {MOST_UNPACKED >> 20:,} MB: hand it over in parts.")
        return content


def _without_lies(content):
    """Take the mark "this name is UTF-8" from those names of an archive's list that are not."""
    content, place = bytearray(content), content.rfind(b"PK\5\6")
    if place < 0 or len(content) < place + 22:
        raise zipfile.BadZipFile
    size, start = struct.unpack_from("<LL", content, place + 12)
    at = place - size
    before = at - start  # bytes in front of the archive
    while content[at : at + 4] == b"PK\1\2":
        length, extra, comment = struct.unpack_from("<HHH", content, at + 28)
        local = before + struct.unpack_from("<L", content, at + 42)[0]
        try:
            content[at + 46 : at + 46 + length].decode("utf-8")
        except UnicodeDecodeError:
            content[at + 9] &= ~(UTF_8 >> 8)
            if local >= 0 and content[local : local + 4] == b"PK\3\4":
                content[local + 7] &= ~(UTF_8 >> 8)
        at += 46 + length + extra + comment
    return bytes(content)


def _of_archive(path):
    archive = _Archive(path)
    return sorted(
        (one for info in archive.zip.infolist() if (one := _of_info(archive, info)) is not None),
        key=lambda entry: entry.parts,
    )


def _of_info(archive, info):
    """The entry of one line of an archive's list; None for what systems leave behind."""
    name = _name(info)
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    why = _leads_out(name, info)
    if why:
        return Entry((name,), _time(info), why, _nothing, outside=True)
    if not parts or any(hidden(part) for part in parts):
        return None
    if name.endswith("/"):
        return Entry((*parts, ""), None, "", _nothing)
    plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
    if not plain:
        why = _not_plain(parts[-1])
    elif info.flag_bits & ENCRYPTED:
        why = f"{shown(parts[-1])} is encrypted in the archive: hand it in without a password."
    elif info.compress_type not in METHODS:
        why = f"{shown(parts[-1])} is packed in an unusual way (method {info.compress_type}): pack it as plain .zip."
    elif info.file_size > LARGEST:
        why = too_large(parts[-1])
    elif info.file_size > MEGABYTE and info.file_size > RATIO * max(1, info.compress_size):
        why = f"{shown(parts[-1])} would unpack to more than {RATIO} times its size: no notebook does that."
    return Entry(parts, _time(info), why, partial(archive.read, info), plain)


def _name(info):
    """An entry's name as its bytes say, UTF-8 where they are; packed on Windows, its backslashes are slashes."""
    name = info.filename
    if not info.flag_bits & UTF_8:
        with contextlib.suppress(UnicodeEncodeError):
            name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return name.replace("\\", "/") if info.create_system == 0 else name


def _leads_out(name, info):
    """Why an entry's name cannot be one inside a folder; "" when it can."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name):
        return "This entry of the archive has a name that leads out of it; it was not read."
    if info.orig_filename.partition("\0")[1]:
        return "This entry of the archive has a name with a null character in it; it was not read."
    return ""


def _time(info):
    """When an entry was last changed: in UTC where the archive says so, else the packer's clock, taken as local."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455 and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            return _moment(struct.unpack_from("<l", extra, 5)[0])
        extra = extra[4 + length :]
    if info.date_time[:3] == (1980, 1, 1):
        return None  # what packers write that do not know
    try:
        return datetime(*info.date_time).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
