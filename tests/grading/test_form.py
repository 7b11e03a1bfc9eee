"""Answers of a form hold what the form has and nothing else: honest kernels pass, every way out is refused."""

import ast
import linecache
import re
from dataclasses import replace

import pytest

from seqlab.grading import form, run
from seqlab.grading.model import Answer, State
from seqlab.grading.source import SourceError, read_source, read_variants
from tests.grading import course, tiny

HEAD = "@triton.jit\ndef kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):\n"
STUB = "# answer: kernel\n" + HEAD + '    """Doubles."""\n    raise NotImplementedError("write your answer here")\n'
TRITON = Answer("kernel", "Kernel", "", STUB, (), "triton")
PLAIN_STUB = 'def cost(n, size):\n    """Bytes."""\n    raise NotImplementedError("write your answer here")\n'
ARITHMETIC = Answer("cost", "Cost", "", PLAIN_STUB, (), "arithmetic")
FINE = "    i = tl.arange(0, BLOCK)\n    tl.store(out_ptr + i, 2 * tl.load(x_ptr + i, mask=i < n), mask=i < n)\n"


def kernel(body, before=""):
    """An answer cell with this body."""
    return before + HEAD + "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))


HONEST = {
    "the solution": "# answer: kernel\n" + HEAD + FINE,
    "imports again, as they came": "import triton\nimport triton.language as tl\n\n\n" + HEAD + FINE,
    "a docstring and comments, in any language": HEAD + '    """두 배로.\n\n    def\n    """\n    # 두 배\n' + FINE,
    "a docstring with blank lines that hold spaces": HEAD + '    """One.\n        \n    Two.\n    """\n' + FINE,
    "loops and conditions": kernel(
        'm = -float("inf")\nfor k in range(0, n, BLOCK):\n    if k > 2 and not k == 4:\n        m = max(m, k)\n    '
        "else:\n        continue\nwhile m < 3:\n    m += 1\n    break\nfor k in tl.static_range(4):\n    pass\nreturn"
    ),
    "a helper": "@triton.jit\ndef _half(x, W: tl.constexpr):\n    return x / W, W\n\n\n"
    + kernel("a, b = _half(tl.load(x_ptr), 2)\ntl.store(out_ptr, a)"),
    "axes and types": kernel(
        "i = tl.arange(0, BLOCK)\nx = tl.load(x_ptr + i[:, None] + i[None, :]).to(tl.float32)\n"
        "y = tl.sum(x, axis=1, keep_dims=True)\nz = x.max(axis=0).to(out_ptr.dtype.element_ty)\n"
        "k: tl.constexpr = BLOCK // 2\nw = tl.zeros((k, 4), dtype=tl.float32)\n"
        "w = w if n is not None else tl.full([k, 4], 1, tl.int32)"
    ),
    "options": kernel('x = tl.load(x_ptr, eviction_policy="evict_last")\ny = tl.dot(x, x, input_precision="ieee")'),
    "what shows a value": kernel('print("x", n)\ntl.device_print("n", n)'),
    "mathematics by its longer name": kernel("x = tl.math.exp2(tl.load(x_ptr))"),
    "a tuple that is taken apart": kernel("a, b = tl.program_id(0), tl.program_id(1)"),
    "an early return": kernel("if tl.program_id(0) > 3:\n    return"),
}
HOSTILE = {
    "import": kernel("import os"),
    "import from": kernel("from os import system"),
    "import at the top": kernel("pass", "import os\n"),
    "import under the given name": kernel("pass", "import os as tl\n"),
    "import of a part": kernel("pass", "import triton.language.core as tl\n"),
    "a call at the top": kernel("pass", "print(1)\n"),
    "an assignment at the top": kernel("pass", "count = 1\n"),
    "the name of a check's function": "@triton.jit\ndef count(f):\n    return f\n\n\n" + kernel("pass"),
    "the name of a launcher": "@triton.jit\ndef emit(f):\n    return f\n\n\n" + kernel("pass"),
    "the name of a builtin": "@triton.jit\ndef range(f):\n    return f\n\n\n" + kernel("pass"),
    "a dunder name": "@triton.jit\ndef __getattr__(f):\n    return f\n\n\n" + kernel("pass"),
    "the kernel twice": kernel("pass") + "\n\n" + kernel("pass"),
    "the kernel missing": "@triton.jit\ndef _kernel(x_ptr):\n    return x_ptr\n",
    "other arguments": "@triton.jit\ndef kernel(x_ptr):\n    pass\n",
    "an argument with a value": HEAD.replace("tl.constexpr)", "tl.constexpr = open('/'))") + "    pass\n",
    "a helper's argument with a value": "@triton.jit\ndef _fun(x=print):\n    return x\n\n\n" + kernel("pass"),
    "an annotation that is run": HEAD.replace("n, B", "n: print(1), B") + "    pass\n",
    "a helper's annotation": "@triton.jit\ndef _fun(x: tl.core):\n    return x\n\n\n" + kernel("pass"),
    "an annotation of what is returned": HEAD.replace("):", ") -> print(1):") + "    pass\n",
    "an annotation inside": kernel("x: print(1) = 1"),
    "no decorator": kernel("pass").replace("@triton.jit\n", ""),
    "another decorator": kernel("pass").replace("@triton.jit", "@triton.autotune"),
    "a decorator with arguments": kernel("pass").replace("@triton.jit", "@triton.jit(do_not_specialize=[print(1)])"),
    "two decorators": "@print\n" + kernel("pass"),
    "star arguments": HEAD.replace("BLOCK: tl.constexpr", "*BLOCK") + "    pass\n",
    "star arguments of a helper": "@triton.jit\ndef _fun(*x, **y):\n    return x\n\n\n" + kernel("pass"),
    "a star in a call": kernel("tl.load(*[x_ptr])"),
    "two stars in a call": kernel("tl.load(x_ptr, **{})"),
    "a global name": kernel("x = np"),
    "the counter": kernel("count(n)"),
    "a global statement": kernel("global emit\nemit = 1"),
    "nonlocal": kernel("nonlocal emit"),
    "a call of eval": kernel("eval('1')"),
    "a call of getattr": kernel("getattr(tl, 'core')"),
    "dunder builtins": kernel("x = __builtins__"),
    "the class of a number": kernel("x = (1).__class__"),
    "the handle of a tensor": kernel("x = x_ptr.handle"),
    "the data of a handle": kernel("x_ptr.handle.data = 0"),
    "the builder": kernel("tl.load(x_ptr, _semantic=n)"),
    "an argument of the builder": kernel("tl.load(x_ptr, _builder=n)"),
    "tl itself": kernel("x = tl"),
    "tl with another value": kernel("tl = x_ptr"),
    "tl as an argument of a helper": "@triton.jit\ndef _fun(tl):\n    return tl.load\n\n\n" + kernel("pass"),
    "tl as a loop's name": kernel("for tl in range(3):\n    pass"),
    "range with another value": kernel("range = max"),
    "the interpreter's own name": kernel("interpreter_semantic = x_ptr"),
    "a name of Python's inside": kernel("__name__ = 1"),
    "core": kernel("tl.core.load(x_ptr)"),
    "extra": kernel("tl.extra.cuda.libdevice.tanh(n)"),
    "assembly": kernel('tl.inline_asm_elementwise("", "", [], dtype=tl.int32)'),
    "an interpreter's print": kernel("tl.static_print(tl)"),
    "a pointer type": kernel("x = n.to(tl.pointer_type(tl.float32))"),
    "a tensor's class": kernel("x = tl.tensor(n, tl.int32)"),
    "a semantic's class": kernel("x = tl.semantic"),
    "a function as a value": kernel("x = tl.load"),
    "a builtin as a value": kernel("x = print"),
    "a helper as a value": "@triton.jit\ndef _fun(x):\n    return x\n\n\n" + kernel("y = _fun"),
    "a helper's attributes": "@triton.jit\ndef _fun(x):\n    return x\n\n\n" + kernel("y = _fun.fn"),
    "a reduction with a function of one's own": "@triton.jit\ndef _fun(a, b):\n    return a\n\n\n"
    + kernel("y = tl.reduce(n, 0, _fun)"),
    "the whole answer, ready made": kernel("tl.store(out_ptr, tl.softmax(tl.load(x_ptr)))"),
    "a lambda": kernel("f = lambda x: x"),
    "a function inside": kernel("def f(x):\n    return x"),
    "a class inside": kernel("class A:\n    pass"),
    "a comprehension": kernel("x = [i for i in range(3)]"),
    "a generator": kernel("x = sum(i for i in range(3))"),
    "a walrus": kernel("if (y := n) > 1:\n    pass"),
    "an f-string": kernel("x = f'{n}'"),
    "a formatted text in a print": kernel("print(f'{n.handle}')"),
    "a text": kernel("x = 'text'"),
    "a text as a mask": kernel("tl.load(x_ptr, mask='yes')"),
    "bytes": kernel("x = b'1'"),
    "a print into a file": kernel("print(n, file=x_ptr)"),
    "float of a value": kernel("x = float(n)"),
    "a dict": kernel("x = {1: 2}"),
    "an attribute that is set": kernel("x_ptr.dtype = 1"),
    "an element that is set": kernel("x_ptr.shape[0] = 1"),
    "an element by a value": kernel("x = x_ptr[n]"),
    "an attribute as a loop's name": kernel("for x_ptr.dtype in range(3):\n    pass"),
    "a loop over a tensor": kernel("for i in x_ptr:\n    pass"),
    "deleting": kernel("del n"),
    "with": kernel("with n:\n    pass"),
    "try": kernel("try:\n    pass\nexcept Exception as e:\n    pass"),
    "raise": kernel("raise ValueError(1)"),
    "assert": kernel("assert n"),
    "yield": kernel("yield n"),
    "await": "@triton.jit\nasync def kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):\n    pass\n",
    "match": kernel("match n:\n    case str():\n        pass"),
    "in": kernel("x = n in x_ptr"),
    "two targets": kernel("a = b = 1"),
    "a magic": kernel("pass", "%matplotlib inline\n"),
    "a command of the shell": kernel("pass") + "!ls\n",
    "a magic for the whole cell": "%%capture\n" + kernel("pass"),
    "a prompt that IPython takes off": "# one\n" + HEAD.replace("@", "... @") + "    pass\n",
    "a first line that is indented": "  # one\n@triton.jit\ndef kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):\n"
    " if n:\n  tl.store(out_ptr, n)\n",
    "a docstring that Triton runs": kernel(
        '"""\ndef kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr): import os; os._exit(0)  # """\npass'
    ),
    "a comment that Triton runs": kernel("# \u2028def kernel(x_ptr, out_ptr, n, BLOCK): import os\npass"),
    "a comment with a form feed": kernel("# \x0cdef kernel(x_ptr, out_ptr, n, BLOCK): import os\npass"),
    "a def that Triton does not see": kernel("pass\nx = 1").replace("def kernel", "def\tkernel"),
    "a null byte": kernel("pass\0"),
    "nested too deeply": kernel("x = " + "(" * 3000 + "n" + ")" * 3000),
    "a chain that is too long": kernel("x = n" + "+n" * 9000),
    "too long": kernel("pass\n" * 9000),
    "no Python": kernel("x = = 1"),
    "the stub's own line": STUB.replace('"write', '"wrote'),
}  # fmt: skip
COSTS = {
    "an import": "import math\n\n\ndef cost(n, size):\n    return n\n",
    "a decorator": "@triton.jit\ndef cost(n, size):\n    return n\n",
    "a global": "def cost(n, size):\n    return np.size\n",
    "an attribute": "def cost(n, size):\n    return n.__class__\n",
    "a call": "def cost(n, size):\n    return open(n)\n",
    "a method": "def cost(n, size):\n    return n.to(size)\n",
    "a text": "def cost(n, size):\n    return 'much'\n",
    "the counter's name": "def count(f):\n    return f\n\n\ndef cost(n, size):\n    return n\n",
    "an annotation": "def cost(n: print(1), size):\n    return n\n",
    "tl": "def cost(n, size):\n    return tl.cdiv(n, size)\n",
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_kernel_is_in_its_form(name):
    ast.parse(HONEST[name])
    assert form.fault(TRITON, HONEST[name]) == ""


@pytest.mark.parametrize("name", HOSTILE)
def test_every_way_out_is_refused_with_one_sentence(name):
    told = form.fault(TRITON, HOSTILE[name])
    assert told.startswith(("line ", "the answer "))
    assert ":" in told  # what to do stands behind it
    assert "\n" not in told
    assert len(told) < 400


def test_the_sentence_names_the_line():
    said = {
        "import": 3,
        "a magic": 1,
        "a docstring that Triton runs": 2,
        "a comment that Triton runs": 3,
        "tl itself": 3,
    }
    for name, line in said.items():
        assert re.match(rf"line {line} of the answer ", form.fault(TRITON, HOSTILE[name])), name


EVIL = "def kernel(x_ptr, out_ptr, n, BLOCK): tl.store(out_ptr, 2.0)"


@pytest.mark.parametrize("text", [f'"""\n{EVIL}  # """', f"# \u2028    {EVIL}"], ids=["docstring", "comment"])
def test_these_texts_would_be_run_in_place_of_the_kernel(text):
    torch, triton = pytest.importorskip("torch"), pytest.importorskip("triton")
    from seqlab.kernels import count

    source = kernel(f"{text}\npass")
    file, space = f"<texts {hash(text)}>", {"__name__": "notebook", "triton": triton, "tl": triton.language}
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), space)
    out = torch.zeros(1)
    count(space["kernel"][(1,)], out, out, 1, BLOCK=1)
    assert out.item() == 2  # what Python reads stores nothing
    assert form.fault(TRITON, source)


def test_a_kernel_without_a_form_may_hold_anything():
    assert form.fault(Answer("kernel", "Kernel", "", STUB), HOSTILE["import"]) == ""


@pytest.mark.parametrize("name", COSTS)
def test_arithmetic_holds_numbers_alone(name):
    assert form.fault(ARITHMETIC, COSTS[name]).startswith(("line ", "the answer "))


def test_plain_arithmetic_is_in_its_form():
    source = (
        "def _blocks(n, k):\n    return -(-n // k)\n\n\n"
        'def cost(n, size):\n    """Bytes."""\n    total = 0\n'
        "    for k in range(int(n)):\n        total += max(k, size)\n"
        "    return (total, _blocks(n, 2)) if n > 1 else (n, True)\n"
    )
    assert form.fault(ARITHMETIC, source) == ""


# ------------------------------------------------------------------------------------- where it is looked at


def test_what_is_out_of_form_is_taken_out_before_anything_runs():
    assignment = tiny.make_assignment()
    stub = "# answer: double\ndef double(x):\n    raise NotImplementedError\n"
    answers = [replace(one, form="arithmetic", stub=stub) if one.id == "double" else one for one in assignment.answers]
    submission = tiny.submission({"double": "def double(x):\n    return __import__('os').getcwd()\n"})
    settings = {"trusted": True, "only_visible": False, "expected": None}
    grading = run._Grading(submission, replace(assignment, answers=tuple(answers)), **settings)
    grading.take()
    assert set(grading.answers) == {"total", "softmax"}
    told = {name: (one.state, one.earned, one.message) for name, one in grading.results.items()}
    assert set(told) == {"double-values", "double-hidden"}
    for state, earned, message in told.values():
        assert (state, earned) == (State.NOT_RUN, 0)
        assert message.startswith(
            "line 3 of the answer calls `__import__('os').getcwd`, which this question does not take"
        )


WITHOUT_RUNNING = [
    cell for cell in course.cells(double=course.meta("double", form="arithmetic")) if cell["id"][:3] != "run"
]
AUTHORS = {
    "a form that does not exist": (
        course.cells(double=course.meta("double", form="numpy")),
        "cell 'double' has form = 'numpy'; give it one of triton, arithmetic",
    ),
    "a solution out of its form": (
        course.cells(running=course.meta("running", form="arithmetic")),
        "cell 'running' is out of its form: line 4 of the answer loops over `xs`: loop over range(...)",
    ),
    "an answer without a form among others": (
        course.cells(double=course.meta("double", form="arithmetic")),
        "answer 'running' has no form and others have; give it one of triton, arithmetic",
    ),
    "a name of the students'": (
        [course.code("more", "_part = 1", role="provided"), *WITHOUT_RUNNING],
        "cell 'more' uses the name '_part'; such names are the students' own: rename it",
    ),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_an_author_is_told_what_does_not_go_with_a_form(tmp_path, name):
    cells, told = AUTHORS[name]
    with pytest.raises(SourceError) as caught:
        read_source(course.folder(tmp_path, cells, None))
    assert any(one.startswith(told) for one in caught.value.mistakes), caught.value.mistakes


def test_a_declared_answer_out_of_form_is_told(tmp_path):
    wrong = """
[[wrong]]
name = "by numpy"
answer = "double"
earns = { double-values = 0, double-hidden = 3 }
source = "def double(x):\\n    return np.add(x, x)"
"""
    folder = course.folder(tmp_path, WITHOUT_RUNNING, wrong)
    with pytest.raises(SourceError, match="'by numpy' is out of its answer's form: line 2 of the answer"):
        read_variants(folder, read_source(folder))
