"""Variants of an assignment: each student's own, chosen by her name and by nothing else.

The source notebook's settings hold `"personal": {"hidden": [3, 4, 5], "gate": ["update", "reset"]}`. Wherever a cell,
a title or a hint says `{{hidden}}`, the student's own value stands in her notebook: numbers and true or false as Python
writes them, text as it is. The values follow from the names of assignment, parameter and student, so that a class of
any order and size, an appeal a year later and a machine elsewhere find the same variant.

A bundle's assignment keeps the lists of values; `personalise` turns it into an ordinary assignment, with an ordinary
hash, that the rest of the grader takes like any other. A release tells for whom it was made.
"""

import contextlib
import difflib
import hashlib
import json
import keyword
import math
import re
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

from seqlab.grading.model import Assignment
from seqlab.grading.tables import read_lines

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
FIELD = re.compile(r"\{\{ *([A-Za-z][A-Za-z0-9_]*) *\}\}")
STANDS = "seqlab_own_{}_"  # a word that Python reads as a name, in a field's place while the source is read
COLUMNS = ("student", "name", "login", "sis login id", "username", "id")
OWN_FILES = ("release.json", "expected.json", "mistakes.json")  # what differs by student, beside the notebook


# ------------------------------------------------------------------------------------------------ the author's side


def parameters(settings):
    """What the notebook's settings say of personal values: (parameters, the author's mistakes).

    Returns
    -------
    parameters : dict of name -> list of values; {} where nothing is personal.
    mistakes : list of sentences.
    """
    given = settings.get("personal", {})
    where, good, mistakes = "the notebook's metadata `seqlab`", {}, []
    if not isinstance(given, dict):
        return {}, [f'{where} has personal = {given!r}; write {{"name": [value, value, ...]}}']
    for name, values in given.items():
        if not NAME.fullmatch(name) or keyword.iskeyword(name):
            mistakes.append(f"{where} has the personal parameter {name!r}; give it a name of letters and digits")
        elif not isinstance(values, list) or not all(map(_is_value, values)):
            mistakes.append(f"{where} has {name} = {values!r}; give it a list of numbers, texts or true and false")
        elif len({json.dumps(value) for value in values}) < max(2, len(values)):
            mistakes.append(f"{where} has {name} = {values!r}; give it at least two values, each of them once")
        else:
            good[name] = list(values)
    return good, mistakes


def _is_value(value):
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _each(change, thing):
    """A JSON value with every text in it changed; the keys of objects stay."""
    if isinstance(thing, str):
        return change(thing)
    if isinstance(thing, list):
        return [_each(change, one) for one in thing]
    if isinstance(thing, dict):
        return {key: _each(change, one) for key, one in thing.items()}
    return thing


def _texts(thing):
    found = []
    _each(found.append, thing)
    return found


def misused(notebook, given):
    """Sentences on parameters that no cell names, and on fields that look like a parameter misspelt."""
    if not given:
        return []
    rest = [cell.get("source", "") for cell in notebook["cells"]] + [
        cell.get("metadata", {}) for cell in notebook["cells"]
    ]
    rest.append(notebook.get("metadata", {}).get("seqlab", {}).get("title", ""))
    named = {name for text in _texts(rest) for name in FIELD.findall(text)}
    mistakes = [f"the personal parameter {name!r} stands in no cell; write {{{{{name}}}}} where its value goes"
                for name in given if name not in named]  # fmt: skip
    for name in sorted(named - set(given)):
        near = difflib.get_close_matches(name, given, n=1, cutoff=0.75)
        if near:
            mistakes.append(f"a cell holds {{{{{name}}}}}, which is no personal parameter; is it {{{{{near[0]}}}}}?")
    return mistakes


def opened(thing, given):
    """JSON (a notebook) or a text with every field replaced by a word that Python can read as a name."""
    if not given:
        return thing
    return _each(lambda text: FIELD.sub(lambda m: STANDS.format(m[1]) if m[1] in given else m[0], text), thing)


def closed(assignment, given):
    """The assignment that was read from an opened notebook, with its fields back in their places."""
    if not given:
        return assignment
    words = {STANDS.format(name): f"{{{{{name}}}}}" for name in given}
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))
    plain = _each(lambda text: pattern.sub(lambda m: words[m[0]], text), json.loads(assignment.dumps()))
    return replace(Assignment.loads(json.dumps(plain)), personal={name: list(values) for name, values in given.items()})


def cycle(assignment):
    """Choices that hold every value at least once: as many as the longest list; [{}] where nothing is personal."""
    lists = assignment.personal if is_template(assignment) else {}
    longest = max(map(len, lists.values()), default=1)
    return [{name: values[k % len(values)] for name, values in lists.items()} for k in range(longest)]


# ------------------------------------------------------------------------------------------------- filling in


def is_template(assignment):
    """Whether an assignment still holds lists of values, from which each student gets her own."""
    return any(isinstance(values, list | tuple) for values in assignment.personal.values())


def fill(text, values):
    """A text with its fields filled in: text as it is, other values as Python writes them."""

    def one(match):
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        return value if isinstance(value, str) else repr(value)

    return FIELD.sub(one, text)


def filled(assignment, values):
    """The ordinary assignment that these values (dict of name -> value) make; itself where there are none."""
    if not values:
        return assignment
    plain = _each(lambda text: fill(text, values), json.loads(replace(assignment, personal={}).dumps()))
    return replace(Assignment.loads(json.dumps(plain)), personal=dict(values))


def told(values):
    """The values in brackets after an assignment's name, for a message; "" where there are none."""
    return f" ({', '.join(f'{name} = {value!r}' for name, value in values.items())})" if values else ""


def filled_variants(variants, values):
    """The author's declared answers (seqlab.grading.source.Variants) with the values filled in."""
    if not values:
        return variants

    def own(variant):
        return replace(variant, source=fill(variant.source, values))

    return replace(variants, wrong=tuple(map(own, variants.wrong)), right=tuple(map(own, variants.right)))


# --------------------------------------------------------------------------------------------------- a student's own


def normal(student):
    """A student's name in the one form in which it is compared: composed letters, no spaces around."""
    return unicodedata.normalize("NFC", str(student)).strip()


def _hash(*parts):
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def chosen(assignment, student):
    """The student's own values: dict of name -> value, {} where nothing is personal.

    Each value is drawn on its own by the sha256 of the names of assignment, parameter and student.
    """
    if not is_template(assignment):
        return dict(assignment.personal)
    return {
        name: values[int(_hash("value", assignment.name, name, normal(student)), 16) % len(values)]
        for name, values in assignment.personal.items()
    }


def mark(assignment, student):
    """What a release for one student carries in its metadata, so that intake knows for whom it was made."""
    return _hash("made for", assignment.name, normal(student))[:16]


def mark_of(notebook):
    """The mark that a notebook (a dict of whatever kind) carries, "" where it has none."""
    found = notebook
    for key in ("metadata", "seqlab", "made_for"):
        found = found.get(key, "") if isinstance(found, dict) else ""
    return found if isinstance(found, str) else ""


def stranger(notebook, assignment):
    """The sentence on a notebook that bears another student's mark, in a list; [] where all is well."""
    found = mark_of(notebook)
    if not assignment.made_for or found in ("", assignment.made_for):
        return []
    return [
        "this notebook was made for another student: it was graded as the variant of the one who handed it in; "
        "a person should look"
    ]


def personalise(assignment, student, content=None):
    """The assignment that this student has: an ordinary one, with an ordinary hash.

    Parameters
    ----------
    assignment : Assignment, as a bundle holds it; one in which nothing is personal is given back as it is.
    student : her name.
    content : the bytes that she handed in, if any. Where they bear another student's mark, the assignment asks intake
        to say so; every other student with the same values gets the very same assignment.
    """
    if not is_template(assignment):
        return assignment
    own = filled(assignment, chosen(assignment, student))
    if content is None:
        return own
    from seqlab.grading.intake import NotANotebook, read

    with contextlib.suppress(NotANotebook):
        if mark_of(read(content)[0]) not in ("", mark(assignment, student)):
            return replace(own, made_for=mark(assignment, student))
    return own


def own_copy(content, assignment, student):
    """What a student handed in, as it is kept for her alone: bytes.

    Two students may hand in the same bytes and have different variants: each must have a record of her own. So a
    notebook that does not bear her mark gets a seal: her mark after it, in blanks, which change nothing in JSON. One
    that bears the seal already stays as it is; where nothing is personal everything does.
    """
    from seqlab.grading.intake import NotANotebook, read

    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:2]  # UTF-16, where a blank is two bytes
    if not is_template(assignment) or wide:
        return content
    mine = mark(assignment, student)
    with contextlib.suppress(NotANotebook):
        if mark_of(read(content)[0]) == mine:
            return content
    seal = b"\n" + "".join(" " if bit == "0" else "\t" for bit in f"{int(mine, 16):064b}").encode()
    return content if content.endswith(seal) else content + seal


# ---------------------------------------------------------------------------------------------------------- releases


def read_roster(path):
    """The names in a class list: a CSV file with a column such as `student`, or a text file of one name a line.

    Raises
    ------
    ValueError
        one sentence: there is no such file, it is no text, it holds no name or one name twice.
    """
    rows = [cells for _, cells in read_lines(path, "make a CSV file with a column `student`", "class list")]
    heads = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((heads.index(name) for name in COLUMNS if name in heads), None)
    if column is None and any(len(row) > 1 for row in rows):
        raise ValueError(f"{path} has no column `student` (there: {', '.join(rows[0])}): name the column of names so.")
    if column is not None:
        rows = rows[1:]
    names = [normal(row[column or 0]) for row in rows if len(row) > (column or 0)]
    names = [name for name in names if name]
    if not names:
        raise ValueError(f"{path} holds no names: give one student a line.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} names {twice[0]!r} twice: names must differ, for marks are kept under them.")
    return names


def folder_for(student):
    """The name of a student's folder: her own name, so that what she hands in is found under it.

    Raises
    ------
    ValueError
        when her name can be no folder's.
    """
    name = normal(student)
    if not name or name.startswith(".") or any(c in "/\\" or unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise ValueError(f"{student!r} cannot name a folder: release to this student alone, with --student.")
    if len(name.encode()) > 200:
        raise ValueError(f"The name {name[:30]!r}... is too long for a folder: use the student's login.")
    return name


@contextlib.contextmanager
def releases(bundle, students, progress=None):
    """The files that each student gets: her notebook, its release.json and expected values, the assignment's data.

    Parameters
    ----------
    bundle : the folder that `seqlab build` made.
    students : names; "" for a release to anybody, which only an assignment that is the same for all has.
    progress : called with ("release", done, total).

    Yields
    ------
    folders : an iterator of a folder for each student, which holds good until the next is asked for.
    """
    import tempfile

    assignment = Assignment.load(Path(bundle) / "instructor")
    if is_template(assignment) and not all(map(normal, students)):
        raise ValueError(f"{assignment.name} differs from student to student: say whose copy it is with --student.")
    with tempfile.TemporaryDirectory(prefix="seqlab-release-") as place:

        def each():
            made = {}
            for number, student in enumerate(students):
                yield _own_release(Path(bundle), assignment, student, Path(place), made)
                if progress:
                    progress("release", number + 1, len(students))

        yield each()


def _own_release(bundle, assignment, student, place, made):
    """The folder of one student's release; `made` keeps what is the same for all with the same values."""
    from seqlab import notebooks
    from seqlab.grading.releasing import reduced, release_notebook

    if not is_template(assignment):
        return bundle / "release"
    own = personalise(assignment, student)
    key = json.dumps(own.personal, sort_keys=True)
    if key not in made:
        made[key] = place / str(len(made))
        shutil.copytree(bundle / "release", made[key], ignore=shutil.ignore_patterns(*OWN_FILES))
        _write_values(own, made[key])
    own = replace(own, made_for=mark(assignment, student))
    for name, text in {
        f"{own.name}.ipynb": notebooks.dumps(release_notebook(own)),
        "release.json": reduced(own).dumps(),
    }.items():
        (made[key] / name).write_text(text, encoding="utf-8", newline="\n")
    return made[key]


def _write_values(assignment, folder):
    """Write the files of a release that hold what right (and known wrong) answers give at the public seed."""
    from seqlab.grading import mistakes
    from seqlab.grading import trial as trials
    from seqlab.grading.build import PUBLIC_SEED
    from seqlab.grading.reference import imported

    visible = [check for check in assignment.checks if check.visible]
    with trials.Worker(imported(assignment)) as worker:
        public = trials.attempt(worker, assignment, {}, visible, PUBLIC_SEED)
    missing = [check.id for check in visible if check.id not in public.values]
    if missing:
        why = public.messages.get(missing[0], "it did not run")
        raise ValueError(f"the solution does not pass the check {missing[0]!r} ({why}); run `seqlab build` again")
    told = {"expected.json": public.values, mistakes.FILE: mistakes.published(assignment, PUBLIC_SEED)}
    for name, values in told.items():
        text = json.dumps(values, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
