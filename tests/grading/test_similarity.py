"""Copies in disguise are found; honest answers to the same question are not; both texts can be read side by side."""

import ast
import random
import sys
from pathlib import Path

import pytest

from seqlab import cli
from seqlab.grading import similarity, source
from seqlab.grading.releasing import filled, release_notebook
from seqlab.grading.similarity import Work, compare, fingerprint, likeness, take, tokens
from tests.browser import axe, chromium, overflow, serve, visit
from tests.grading import course

LONG = """\
def double(x):
    rows, columns = x.shape
    out = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            value = x[row, column]
            if value > 0:
                out[row, column] = value + value
            else:
                out[row, column] = 2 * value  # the same
    assert np.isfinite(out).all()
    return out.reshape(x.shape)


def check_double(x):
    given = x.copy()
    found = double(x)
    return np.allclose(found - given, given) and len(found) == len(given)
"""
OTHER = """\
def double(x):
    import functools
    flat = [functools.reduce(lambda a, b: a + b, (float(one), float(one))) for one in x.ravel()]
    table = np.array(flat, dtype=float)
    table.shape = x.shape
    while not np.array_equal(table / 2, x):
        table = np.add(x, x, out=table)
    return table


def check_double(x):
    return bool(((double(x) / x)[x != 0] == 2).all())
"""


def disguised(text, seed=0):
    """A copy as a student disguises it: other names, functions in another order, other layout and comments."""
    tree, rng, names = ast.parse(text), random.Random(seed), {}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        for field in ("id", "arg"):
            if getattr(node, field, None) in bound:
                setattr(node, field, names.setdefault(getattr(node, field), f"thing_{len(names)}_{seed}"))
    rng.shuffle(tree.body)
    lines = ast.unparse(tree).splitlines()
    return "\n".join(f"{line}  # {rng.choice(['so', 'then', 'my own idea'])}" for line in lines)


def symbols(text):
    return [token.symbol for token in tokens(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("total = x + 1  # add", "s = y + 1"),
        ("return (a, b)", "return a,b"),
        ("f((a + b), 1_000)", "f(q + w, 1000,)"),
        ("x = 'it'", 'x = "that"'),
        ("x = 1e-3; y = 0x10", "x = 0.001\ny = 16"),
        ('def f(x):\n    """Says it."""\n    return x', "def g(y): return y"),
        ("self.w = 3\nprint(self.w)", "this.weights = 3\nprint(this.weights)"),
        ("x = [\n    1,\n    2,\n]", "y = [1, 2]"),
    ],
)
def test_what_is_easily_changed_is_set_aside(one, other):
    assert symbols(one) == symbols(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("np.exp(x)", "np.log(x)"),
        ("x + 1", "x - 1"),
        ("x + 1", "x + 2"),
        ("len(x)", "sum(x)"),
        ("if x: pass", "while x: pass"),
        ("f(x)", "(x)"),
        ("x[1]", "x(1)"),
    ],
)
def test_what_matters_stays(one, other):
    assert symbols(one) != symbols(other)


@pytest.mark.parametrize("text", ["", "def f(:\n  'open", ")))((", "\ufeff\x00\ud800", "x" * 20_000, "((((" * 500])
def test_a_text_that_is_no_python_is_compared_all_the_same(text):
    one = fingerprint(text.encode("utf-8", "replace").decode())
    assert likeness(one, one) in (0.0, 1.0)


def test_each_token_stands_where_it_says():
    for token in tokens(LONG):
        there = LONG[token.start : token.end]
        assert there == token.symbol or token.symbol == "V"
        assert there.strip() == there


def test_a_disguised_copy_has_nearly_all_fingerprints_and_another_way_few():
    whole = fingerprint(LONG)
    assert len(whole.places) > 15
    assert likeness(whole, fingerprint(disguised(LONG))) > 0.85
    assert likeness(whole, fingerprint(OTHER)) < 0.2


def test_fingerprints_are_the_same_in_every_process():
    found = similarity.runs(tokens("total = total + np.exp(x[1])")).tolist()
    assert found[:2] == [1449286386632024800, 6250280959386220914], "they depend on no process's own hash of texts"


def test_the_common_parts_are_marked_in_both_texts():
    other = disguised(LONG)
    mine, hers = similarity.common_parts(fingerprint(LONG), fingerprint(other))
    marked = "".join(LONG[start:end] for start, end in mine)
    assert "out[row, column] = value + value" in marked
    assert len("".join(other[start:end] for start, end in hers)) > 0.6 * len(other)
    assert similarity.common_parts(fingerprint(LONG), fingerprint("x = 1")) == [[], []]


# ------------------------------------------------------------------------------------------------ a class


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return source.read_source(course.folder(tmp_path_factory.mktemp("source")))


def own_way(number):
    """A text of its own for each student: the same task, other steps in another order."""
    rng = random.Random(number)
    steps = [
        "    {a} = x.sum(axis={n})", "    {a} = [one * {n} for one in x.ravel()]", "    {a} = np.{f}(x, {n})",
        "    if x.size > {n}:\n        x = x.{f}()", "    for k in range({n}):\n        x = x - k + k",
        "    while {n} < 0:\n        break",
        "    {a} = {{'k': x, 'n': {n}}}", "    with np.errstate(all='{f}'):\n        x = x / {n} * {n}",
        "    {a} = lambda q: q ** {n} - {n}", "    try:\n        {a} = x[{n}]\n    except IndexError:\n        pass",
    ]  # fmt: skip
    chosen = [
        rng.choice(steps).format(a=f"v{k}", n=rng.randrange(2, 60), f=rng.choice(["copy", "mean", "ptp", "std", "min"]))
        for k in range(14)
    ]
    return "def double(x):\n" + "\n".join(chosen) + "\n    return x + x\n"


SHORT = "def running(xs):\n    return np.cumsum(np.asarray(xs, dtype=float), axis=0).astype(np.float64)\n"


@pytest.fixture(scope="module")
def classmates():
    """Forty who wrote the long answer themselves and the short one as everybody does; one of them was copied."""
    works = [Work(f"s{n:02}", {"double": own_way(n), "running": disguised(SHORT, n)}) for n in range(40)]
    copied = Work("zoe", {"double": disguised(own_way(7)), "running": disguised(SHORT, 99)})
    return [*works, copied]


def pairs(found):
    return [(pair.one.student, pair.other.student) for pair in found.pairs]


def test_the_copy_is_found_and_nobody_else(assignment, classmates):
    found = compare(classmates, assignment)
    assert pairs(found) == [("s07", "zoe")]
    assert found.pairs[0].above > 0.75
    short = next(question for question in found.questions if question.id == "running")
    assert short.median == 1, "all right answers look alike"
    assert found.pairs[0].parts["running"] == (1.0, 0.0), "and that tells nothing"


def test_a_copy_of_a_single_answer_is_found(assignment):
    works = [Work(f"s{n:02}", {"double": own_way(n), "running": own_way(n + 100)}) for n in range(20)]
    works.append(Work("zoe", {"double": own_way(200), "running": disguised(own_way(103))}))
    found = compare(works, assignment)
    assert pairs(found) == [("s03", "zoe")]
    assert found.pairs[0].single[1] == "running"
    assert found.pairs[0].single[0] > 0.6 > found.pairs[0].above


def test_what_the_release_gave_to_everybody_counts_nothing(assignment):
    stub = next(answer.stub for answer in assignment.answers if answer.id == "double")
    common = similarity.given(assignment)
    assert fingerprint(stub, common).places == {}
    assert fingerprint(f"{stub}\n{LONG}", common).places


def test_two_students_are_a_class_too(assignment):
    found = compare([Work("a", {"double": LONG}), Work("b", {"double": disguised(LONG)})], assignment)
    assert pairs(found) == [("a", "b")]
    assert found.questions[0].median == 0, "the only pair is no measure of itself"


def test_an_earlier_class_is_compared_with_and_not_with_itself(assignment, classmates):
    old = [Work("max", {"double": disguised(own_way(11), 5)}, "2024"), Work("may", {"double": own_way(11)}, "2024")]
    found = compare([*classmates[:-1], *old], assignment)
    assert sorted(pairs(found)) == [("s11", "max"), ("s11", "may")]


def test_the_order_of_the_class_does_not_matter(assignment, classmates):
    numbers = [
        {
            frozenset((p.one.student, p.other.student)): (p.likeness, p.above)
            for p in compare(works, assignment, 0.05).pairs
        }
        for works in (classmates[-12:], classmates[:-13:-1])
    ]
    assert numbers[0].keys() == numbers[1].keys()
    assert all(numbers[0][key] == pytest.approx(numbers[1][key]) for key in numbers[0])


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_threshold_that_is_none_is_told(assignment, threshold):
    with pytest.raises(ValueError, match="give a number above 0 and at most 1"):
        compare([], assignment, threshold)


def test_pairs_that_hang_together_are_a_group(assignment):
    texts = {"a": LONG, "b": disguised(LONG, 1), "c": disguised(LONG, 2), "d": OTHER, "e": disguised(OTHER, 3)}
    found = compare([Work(name, {"double": text}) for name, text in texts.items()], assignment)
    groups = [sorted(work.student for work in group) for group in similarity.groups(found.pairs)]
    assert groups == [["a", "b", "c"], ["d", "e"]]


def test_only_what_students_wrote_is_taken(assignment):
    release = release_notebook(assignment)
    submitted = [("ada", filled(release, {"double": LONG})), ("bob", b"no notebook"), ("cem", None)]
    works, unread = take(submitted, assignment)
    assert [(work.student, list(work.answers)) for work in works] == [("ada", ["double"])]
    assert unread == ["bob", "cem"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_recurrent_step_by_step", "04_gated_units", "11_trigger_words"])
def test_of_an_assignments_own_answers_the_copies_come_first(name):
    """A class that chooses blindly among the declared answers; two of it are copied in disguise."""
    home = Path(__file__).parents[2] / "assignments" / name
    assignment, rng = source.read_source(home), random.Random(1)
    declared = source.read_variants(home, assignment)
    texts = {answer.id: [answer.solution] for answer in assignment.answers}
    for variant in (*declared.right, *declared.wrong):
        texts[variant.answer].append(variant.source)
    works = [
        Work(f"s{n:02}", {answer: disguised(rng.choice(some), n) for answer, some in texts.items()}) for n in range(25)
    ]
    copies = [Work(f"copy{n}", {a: disguised(text, 50 + n) for a, text in works[n].answers.items()}) for n in (3, 8)]
    found = compare([*works, *copies], assignment)
    assert sorted(pairs(found)[:2]) == [("s03", "copy3"), ("s08", "copy8")]
    assert all(pair.above > 0.75 for pair in found.pairs[:2])
    assert all(pair.above < 0.75 for pair in found.pairs[2:])
    assert len(found.pairs) < 0.1 * len(works) ** 2 / 2, "and of the others few are told"


# ----------------------------------------------------------------------------------------------- the page


NASTY = "<script>alert(1)</script>"


def test_the_page_tells_no_proof_marks_what_is_common_and_escapes(assignment):
    works = [Work(NASTY, {"double": LONG + f"# {NASTY}\n"}), Work("b", {"double": disguised(LONG)}, "2024 <b>")]
    page = similarity.page(assignment.title, compare(works, assignment), ["=1+2", NASTY])
    assert "Likeness is no proof" in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "2024 &lt;b&gt;" in page
    assert page.count("<mark>") >= 2
    assert "default-src 'none'" in page


def test_a_class_without_such_pairs_has_a_page(assignment):
    works = [Work(f"s{n}", {"double": own_way(n)}) for n in range(6)]
    assert "0 pairs unusually alike" in similarity.page("Tiny", compare(works, assignment))


@pytest.mark.site
def test_the_page_is_accessible_and_fits_a_phone(assignment, classmates, tmp_path):
    text = similarity.page(assignment.title, compare(classmates, assignment, 0.1), ["eve"])
    (tmp_path / "similar.html").write_text(text, encoding="utf-8")
    with serve(tmp_path) as site, chromium() as browser:
        for width, dark in ((360, False), (360, True), (1280, False)):
            with visit(browser, f"{site}/similar.html", width=width, dark=dark) as opened:
                assert axe(opened) == []
                assert opened.problems == []
                assert overflow(opened) == 0


# -------------------------------------------------------------------------------------------- the command


@pytest.fixture
def handed_in(assignment, tmp_path):
    bundle = tmp_path / "bundles" / assignment.name / "instructor"
    bundle.mkdir(parents=True)
    (bundle / "assignment.json").write_text(assignment.dumps(), encoding="utf-8")
    release = release_notebook(assignment)
    for folder, people in {"class": {"ada": LONG, "bob": OTHER}, "2024": {"eve": disguised(LONG)}}.items():
        (tmp_path / folder).mkdir()
        for name, text in people.items():
            (tmp_path / folder / f"{name}.ipynb").write_bytes(filled(release, {"double": text}))
    return tmp_path


def similar(place, *more, to="page.html"):
    settings = ["--assignment", course.NAME, "--bundles", str(place / "bundles"), "--to", str(place / to)]
    return cli.main(["similar", str(place / "class"), *settings, *map(str, more)])


def test_the_command_writes_the_page_and_says_what_it_found(handed_in, capsys):
    assert similar(handed_in) == 0
    assert "2 submissions compared: 0 pairs" in capsys.readouterr().out
    assert similar(handed_in, "--with", handed_in / "2024") == 0
    said = capsys.readouterr().out
    assert "ada and eve (2024)" in said
    assert "3 submissions compared: 1 pair unusually alike. Likeness is no proof." in " ".join(said.split())
    assert "eve" in (handed_in / "page.html").read_text()


def test_a_ledger_is_a_class_too(handed_in, assignment, capsys):
    from seqlab.grading.ledger import Ledger

    with Ledger(handed_in / "old.sqlite") as book:
        content = filled(release_notebook(assignment), {"double": disguised(LONG, 3)})
        book.note_assignment(assignment)
        book.note_submissions(assignment.name, [("max", book.keep(content))])
    assert similar(handed_in, "--with", handed_in / "old.sqlite") == 0
    assert "ada and max (old.sqlite)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--with", "nowhere"], "There is no nowhere: give a folder of submissions"),
        (["--threshold", "2"], "the threshold is 2; give a number above 0 and at most 1"),
        (["--to", "."], ". is a folder: give the name of a page"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(handed_in, capsys, more, said):
    assert similar(handed_in, *more) == 2
    assert said in capsys.readouterr().err


def test_without_copydetect_one_sentence_says_what_to_install(handed_in, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "copydetect", None)
    monkeypatch.setitem(sys.modules, "copydetect.utils", None)
    assert similar(handed_in) == 2
    assert 'pip install "seqlab[class]"' in capsys.readouterr().err
