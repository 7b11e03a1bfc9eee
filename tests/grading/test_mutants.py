"""Mutants are small, named the same every time, and only in what the student writes."""

import ast
import difflib

import pytest

from seqlab.grading.model import Answer
from seqlab.grading.mutants import mutants, plain

STUB = "# answer: a\ndef a(x, W, h):\n    '''Doc 1 + 1.'''\n    raise NotImplementedError('a')"


def made(*lines, stub=STUB):
    """The mutants of a function with these lines as its solution: {id: source}."""
    solution = "def a(x, W, h):\n    '''Doc 1 + 1.'''\n" + "\n".join(f"    {line}" for line in lines)
    return {mutant.id: mutant.source for mutant in mutants(Answer("a", "A", solution, stub))}


EXAMPLES = {
    "a:3:mul-to-div": ("return x * W", "return x / W"),
    "a:3:add-to-sub": ("return x + W", "return x - W"),
    "a:3:drop-term": ("return x @ W + h", "return x @ W"),
    "a:3:swap-operands": ("return x @ W", "return W @ x"),
    "a:3:drop-transpose": ("return x @ W.T", "return x @ W"),
    "a:3:drop-minus": ("return f(-x)", "return f(x)"),
    "a:3:1-to-2": ("return x[1]", "return x[2]"),
    "a:3:1-to-0": ("return x[1]", "return x[0]"),
    "a:3:change-number": ("return x / 0.5", "return x / 1.0"),
    "a:3:lt-to-le": ("return x < W", "return x <= W"),
    "a:3:lt-to-ge": ("return x < W", "return x >= W"),
    "a:3:change-axis": ("return x.sum(axis=0)", "return x.sum(axis=1)"),
    "a:3:sum-to-mean": ("return x.sum(axis=0)", "return x.mean(axis=0)"),
    "a:3:false-to-true": ("return g(x, keepdims=False)", "return g(x, keepdims=True)"),
    "a:3:swap-arguments": ("return np.outer(x, W)", "return np.outer(W, x)"),
    "a:3:drop-copy": ("y = x.copy()", "y = x"),
    "a:3:augment-to-assign": ("h += x", "h = x"),
    "a:3:augment-add-to-sub": ("h += x", "h -= x"),
    "a:3:drop-statement": ("h += x", "pass"),
    "a:3:negate-assigned": ("h = x * W", "h = -(x * W)"),
    "a:3:range-one-less": ("for t in range(3): f(t)", "for t in range(3 - 1): f(t)"),
    "a:3:range-from-one": ("for t in range(h): f(t)", "for t in range(1, h): f(t)"),
    "a:3:drop-reversed": ("for t in reversed(x): f(t)", "for t in x: f(t)"),
    "a:3:index-one-less": ("for t in x: f(h[:, t])", "for t in x: f(h[:, t - 1])"),
    "a:3:swap-returned": ("return x, W, h", "return W, x, h"),
    "a:3:return-another": ("return x", "return W"),
    "a:3:swap-branches": ("y = x if W else h", "y = h if W else x"),
    "a:3:if-true": ("if W: x = h", "if True: x = h"),
    "a:3:and-to-or": ("return x and W", "return x or W"),
    "a:3:pow-to-mul": ("return x ** 2", "return x * 2"),
    "a:3:drop-first-term": ("return x @ W + h", "return h"),
    "a:3:drop-factor": ("return x * W", "return x"),
    "a:3:drop-first-factor": ("return x * W", "return W"),
    "a:3:drop-call": ("return np.tanh(x)", "return x"),
    "a:3:drop-convert": ("return list(x)", "return x"),
    "a:3:drop-keyword": ("return f(x, where=W)", "return f(x)"),
    "a:3:drop-axis": ("return x.sum(axis=0)", "return x.sum()"),
    "a:3:drop-filter": ("return [y for y in x if y]", "return [y for y in x]"),
    "a:3:drop-condition": ("return x and W", "return W"),
    "a:3:drop-last-condition": ("return x and W", "return x"),
    "a:3:index-one-more": ("for t in x: f(h[:, t])", "for t in x: f(h[:, t + 1])"),
    "a:3:target-index-one-less": ("for t in x: h[t] = W", "for t in x: h[t - 1] = W"),
    "a:3:target-index-one-more": ("for t in x: h[t] = W", "for t in x: h[t + 1] = W"),
    "a:3:slice-start-later": ("return x[:h]", "return x[1:h]"),
    "a:3:slice-end-earlier": ("return x[:h]", "return x[:h - 1]"),
    "a:3:slice-end-earlier:2": ("return x[1:] + W[1:]", "return x[1:] + W[1:-1]"),
    "a:3:drop-step": ("return x[::-1]", "return x[:]"),
    "a:3:swap-later-arguments": ("return f(1, x, W)", "return f(1, W, x)"),
    "a:3:swap-keywords": ("return f(a=x, b=W)", "return f(a=W, b=x)"),
    "a:4:break-to-continue": ("for t in x:\n        break", "for t in x:\n    continue"),
    "a:4:continue-to-break": ("for t in x:\n        continue", "for t in x:\n    break"),
    "a:3:lt-to-ge:2": ("return 0 < x < W", "return 0 < x >= W"),
    "a:3:zeros-to-ones": ("h = np.zeros(3)", "h = np.ones(3)"),
    "a:3:true-to-false": ("return x.sum(axis=0, keepdims=True)", "return x.sum(axis=0, keepdims=False)"),
    "a:3:0-to-1": ("return x.sum(0)", "return x.sum(1)"),
    "a:3:logaddexp-to-maximum": ("return np.logaddexp(x, W)", "return np.maximum(x, W)"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_kind_of_mistake_is_made(name):
    before, after = EXAMPLES[name]
    body = ast.unparse(ast.parse(after))
    found = made(before)
    assert name in found, sorted(found)
    assert "\n".join(line[4:] for line in found[name].splitlines()[2:]) == body


def test_each_kind_has_a_name_in_words_and_a_family():
    kinds = {name.split(":")[2] for name in EXAMPLES}
    families = {plain(kind)[0] for kind in kinds}
    assert families == {
        "operators", "signs", "missing terms", "comparisons", "indices and slices", "ranges", "axes", "arguments",
        "copies", "numbers", "initial values and sums", "flags (keepdims and others)", "functions",
    }  # fmt: skip
    assert plain("drop-term") == ("missing terms", "the last term of a sum is dropped")
    assert plain("augment-add-to-sub") == ("operators", "an arithmetic operator became another one")
    assert plain("12-to-13") == ("numbers", "a whole number is one more or one less")
    assert plain("sum-to-mean")[0] == "functions"


def test_a_mutant_tells_its_kind_and_line():
    answer = Answer("a", "A", "def a(x, W, h):\n    '''Doc 1 + 1.'''\n    return x * W", STUB)
    for mutant in mutants(answer):
        assert mutant.id.startswith(f"a:{mutant.line}:{mutant.kind}")
        assert mutant.line == 3


def test_nothing_is_changed_outside_the_solution_nor_in_docstrings_and_errors():
    found = made("if x < 0:", "    raise ValueError(f'{x + 1} is below {1 - 1}')", "return x")
    assert all("Doc 1 + 1." in source and "{x + 1} is below {1 - 1}" in source for source in found.values())
    assert all(ast.parse(source).body[0].name == "a" for source in found.values())


def test_lines_that_the_student_is_given_are_left_alone():
    stub = "# answer: a\ndef a(x, W, h):\n    '''Doc 1 + 1.'''\n    y = x + W\n    raise NotImplementedError('a')"
    assert made("y = x + W", "return y * h", stub=stub).keys() >= {"a:4:mul-to-div"}
    assert not [name for name in made("y = x + W", "return y * h", stub=stub) if name.startswith("a:3:")]


def test_names_are_stable_and_tell_repetitions_apart():
    first, again = made("return x * W * h"), made("return x * W * h")
    assert list(first) == list(again)
    assert {"a:3:mul-to-div", "a:3:mul-to-div:2"} <= set(first)


def test_every_mutant_compiles_differs_from_the_solution_and_from_the_others():
    lines = ["for t in range(len(x)):", "    h = np.tanh(x[t] @ W.T + h @ W.T)", "return h, x.sum(axis=0) - 1"]
    solution = ast.unparse(ast.parse("def a(x, W, h):\n    '''Doc 1 + 1.'''\n" + "\n".join(f"    {x}" for x in lines)))
    sources = list(made(*lines).values())
    assert len(sources) > 15
    assert len({*sources, solution}) == len(sources) + 1
    for source in sources:
        compile(source, "mutant", "exec")
        changed = [d for d in difflib.ndiff(solution.splitlines(), source.splitlines()) if d[:1] in "-+"]
        assert len(changed) == 2, changed


def test_the_diff_shows_the_line_before_and_after():
    answer = Answer("a", "A", "def a(x, W, h):\n    '''Doc 1 + 1.'''\n    return x * W", STUB)
    mutant = next(one for one in mutants(answer) if one.id == "a:3:mul-to-div")
    assert mutant.diff == "-    return x * W\n+    return x / W"


def test_an_odd_mutant_warns_nobody(recwarn):
    assert "a:3:drop-transpose" in made("return (1, 2).T[x]")
    assert not list(recwarn)


def test_a_buffer_of_zeros_is_not_negated():
    assert not [name for name in made("y = np.zeros(3)", "return y") if "negate-assigned" in name]
