"""Answers of a form: what stands in them can do no more than the form needs, so that they may run beside a counter.

Check cells of some questions measure the answer while it runs, such as the bytes that a kernel moves. Measure and
answer live in one process, where Python hides nothing. So such an answer says `"form"` in its metadata, and before it
is run, outside that process, its source is read: it may hold only what this page lists. All else is refused with one
sentence that names the line and what to do; its checks are then not run.

    triton        functions under `@triton.jit` that use their arguments, names of their own and a list of `tl.` names
    arithmetic    plain functions of numbers

Under the interpreter a kernel is Python, so the list says what is allowed, never what is forbidden. Triton and IPython
read the text of a cell anew, each in its own way: what they will run must be, to the letter, what was read here.
"""

import ast
import copy
import inspect
import re
import textwrap
import warnings
from functools import cache

from seqlab.grading.names import parse

FORMS = ("triton", "arithmetic")
MOST = 20_000  # characters of an answer
HELPER = re.compile(r"_[a-z][a-z0-9]\w*")  # the names that a function of the student's own may have
GIVEN = ("import triton", "import triton.language as tl")  # may stand in the cell again

TYPES = {
    "bfloat16", "float16", "float32", "float64", "int1", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip
MATH = {
    "abs", "ceil", "cos", "div_rn", "erf", "exp", "exp2", "fdiv", "floor", "fma", "log", "log2", "rsqrt", "sin",
    "sqrt", "sqrt_rn",
}  # fmt: skip
FUNCTIONS = MATH | {
    "arange", "argmax", "argmin", "broadcast", "broadcast_to", "cast", "cat", "cdiv", "clamp", "cumprod", "cumsum",
    "debug_barrier", "device_print", "dot", "expand_dims", "flip", "full", "gather", "interleave", "join", "load",
    "max", "max_constancy", "max_contiguous", "maximum", "min", "minimum", "multiple_of", "num_programs", "permute",
    "program_id", "ravel", "reshape", "sigmoid", "split", "store", "sum", "trans", "where", "zeros", "zeros_like",
}  # fmt: skip
LOOPS = {"range", "static_range"}
METHODS = {
    "abs", "broadcast_to", "cast", "exp", "expand_dims", "log", "max", "min", "reshape", "sqrt", "sum", "to", "trans",
}  # fmt: skip
ATTRIBUTES = {"dtype", "element_ty", "shape", "T"}
KEYWORDS = {
    "acc", "axis", "dtype", "keep_dims", "mask", "num_stages", "other", "out_dtype", "shape", "volatile",
}  # fmt: skip
OPTIONS = {
    "cache_modifier": {"", ".ca", ".cg", ".cs", ".cv", ".wb", ".wt"},
    "eviction_policy": {"", "evict_first", "evict_last"},
    "input_precision": {"ieee", "tf32", "tf32x3"},
}
BUILTINS = {"triton": {"abs", "max", "min", "print", "range"}, "arithmetic": {"abs", "int", "max", "min", "range"}}
RESERVED = {"tl", "triton", "interpreter_semantic", "float"}.union(*BUILTINS.values())
FIXED = {"inf", "-inf", "nan"}
WORDS = {
    ast.Lambda: "a lambda", ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.NamedExpr: "`:=`",
    ast.JoinedStr: "an f-string", ast.Starred: "a `*`",
    ast.Dict: "a dict", ast.Set: "a set", ast.Import: "an import", ast.ImportFrom: "an import", ast.Global: "`global`",
    ast.Nonlocal: "`nonlocal`", ast.ClassDef: "a class", ast.FunctionDef: "a function inside a function",
    ast.AsyncFunctionDef: "an async function", ast.Try: "`try`", ast.With: "`with`", ast.Raise: "`raise`",
    ast.Assert: "`assert`", ast.Delete: "`del`", ast.Await: "`await`", ast.Yield: "`yield`", ast.YieldFrom: "`yield`",
    ast.Match: "`match`",
}  # fmt: skip


class _Refused(Exception):
    def __init__(self, node, told):
        self.line = getattr(node, "lineno", node)
        super().__init__(told)


def fault(answer, source):
    """Say why a source is out of its answer's form.

    Parameters
    ----------
    answer : seqlab.grading.model.Answer: its form, and its stub, which says what functions there are.
    source : what a student wrote in the answer's cell.

    Returns
    -------
    sentence : str that names the line and what to do; empty when all is well, or the answer has no form.
    """
    if not answer.form:
        return ""
    try:
        _read(source, answer.stub, answer.form)
    except _Refused as wrong:
        return f"line {wrong.line} of the answer {wrong}" if wrong.line else f"the answer {wrong}"
    except (RecursionError, MemoryError):
        return "the answer is nested too deeply to be read: write it in shorter lines"
    return ""


def _read(source, stub, form):
    if len(source) > MOST:
        raise _Refused(
            0, f"has {len(source):,} characters, and at most {MOST:,} are taken: leave out what is not needed"
        )
    _plain_text(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(source)
    except (SyntaxError, ValueError) as wrong:
        line = getattr(wrong, "lineno", 0) or 0
        raise _Refused(line, f"is not Python ({getattr(wrong, 'msg', wrong)}): correct it") from None
    functions = _functions(tree, stub, form)
    for function in functions:
        _Function(function, {one.name for one in functions}, form).read()
    _as_notebooks_read(source)
    if form == "triton":
        for function in functions:
            _as_triton_reads(source, function)


def _plain_text(source):
    """No character that one reader takes for the end of a line and another does not."""
    for number, line in enumerate(source.split("\n"), start=1):
        if line.splitlines() not in ([], [line]) or any(ord(one) < 32 and one != "\t" for one in line):
            raise _Refused(number, "holds a character that is no text: delete the line and type it again")


def _functions(tree, stub, form):
    """The functions of a cell: those of the release with their arguments, others with names of their own."""
    wanted = {one.name: ast.unparse(one.args) for one in parse(stub).body if isinstance(one, ast.FunctionDef)}
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import) and ast.unparse(node) in GIVEN and form == "triton":
            continue
        if not isinstance(node, ast.FunctionDef):
            what = "`@triton.jit` functions" if form == "triton" else "functions"
            name = WORDS.get(type(node), f"`{_short(node)}`")
            raise _Refused(node, f"has {name} outside a function: this cell may hold {what} alone; take it out")
        if node.name in {one.name for one in found}:
            raise _Refused(node, f"defines `{node.name}` a second time: keep one of the two")
        if node.name not in wanted and not HELPER.fullmatch(node.name):
            raise _Refused(
                node,
                f"defines `{node.name}`: a function of your own needs a name such as `_part`, in small letters "
                "with one underscore in front",
            )
        if node.name in wanted and ast.unparse(node.args) != wanted[node.name]:
            raise _Refused(node, f"changes the arguments of `{node.name}`: they must stay `{wanted[node.name]}`")
        found.append(node)
    for name in sorted(set(wanted) - {one.name for one in found}):
        raise _Refused(0, f"does not define `{name}`: keep the function's name as it came")
    return found


def _short(node):
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 40 else text[:37] + "..."


def _is_tl(node):
    return isinstance(node, ast.Name) and node.id == "tl"


class _Function:
    """Reads one function from its head to its last line."""

    def __init__(self, node, functions, form):
        self.node, self.functions, self.form = node, functions, form
        given = [one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)]
        stored = [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
        self.names = {*given, *stored}

    def refuse(self, node, told):
        raise _Refused(node, told)

    def read(self):
        """Raise _Refused where something stands that the form does not have."""
        self.head()
        for name in self.names:
            if name in RESERVED or name in self.functions or name.startswith("__"):
                place = next(
                    one for one in ast.walk(self.node) if name in (getattr(one, "id", ""), getattr(one, "arg", ""))
                )
                self.refuse(place, f"uses `{name}` for something of its own: choose another name")
        for node in self.node.body:
            self.statement(node)

    def head(self):
        """The decorator and the arguments."""
        node, arguments = self.node, self.node.args
        decorators = [ast.unparse(one) for one in node.decorator_list]
        if self.form == "triton" and decorators != ["triton.jit"]:
            self.refuse(node, f"defines `{node.name}`: the line above it must be `@triton.jit`, and no other")
        if self.form != "triton" and decorators:
            self.refuse(node, f"defines `{node.name}` under a decorator: take the line above it out")
        if arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
            self.refuse(node, f"gives `{node.name}` arguments with `*` or `/`: write plain names")
        if arguments.defaults or arguments.kw_defaults:
            self.refuse(node, f"gives an argument of `{node.name}` a value: take the `=` out and pass it in the call")
        if node.returns or node.type_comment or getattr(node, "type_params", ()):
            self.refuse(node, f"says what `{node.name}` returns: take the `->` out")
        for one in arguments.args:
            if one.annotation is not None and (self.form != "triton" or ast.unparse(one.annotation) != "tl.constexpr"):
                self.refuse(one, f"annotates `{one.arg}`: no annotation is taken but `tl.constexpr` in a kernel")

    # ---- statements

    def statement(self, node):
        """One statement and all in it."""
        kind = type(node)
        if kind in (ast.Pass, ast.Break, ast.Continue):
            return
        if kind is ast.Expr:
            if not _is_text(node):
                self.expression(node.value)
        elif kind is ast.Assign:
            if len(node.targets) > 1:
                self.refuse(node, "assigns to several names with `=` twice: use a line for each")
            self.target(node.targets[0])
            self.expression(node.value)
        elif kind is ast.AugAssign:
            self.target(node.target, alone=True)
            self.expression(node.value)
        elif kind is ast.AnnAssign:
            self.target(node.target, alone=True)
            if self.form != "triton" or ast.unparse(node.annotation) != "tl.constexpr" or node.value is None:
                self.refuse(node, "has an annotation: none is taken but `tl.constexpr` in a kernel")
            self.expression(node.value)
        elif kind is ast.Return:
            if node.value is not None:
                self.expression(node.value)
        elif kind is ast.For:
            self.target(node.target, alone=True)
            self.loop(node.iter)
            self.block(node.body + node.orelse)
        elif kind in (ast.If, ast.While):
            self.expression(node.test)
            self.block(node.body + node.orelse)
        else:
            self.unknown(node)

    def block(self, nodes):
        """The statements of a loop or a condition."""
        for node in nodes:
            self.statement(node)

    def target(self, node, alone=False):
        """What is assigned to: a name, or several in a row."""
        names = node.elts if isinstance(node, ast.Tuple) and not alone else [node]
        for one in names:
            if not isinstance(one, ast.Name):
                self.refuse(node, f"assigns to `{_short(node)}`: only names can be assigned to here")

    def loop(self, node):
        """What a `for` goes over."""
        name = node.func if isinstance(node, ast.Call) else None
        ours = isinstance(name, ast.Name) and name.id == "range"
        theirs = self.form == "triton" and isinstance(name, ast.Attribute) and _is_tl(name.value) and name.attr in LOOPS
        if not (ours or theirs):
            self.refuse(node, f"loops over `{_short(node)}`: loop over range(...)")
        self.arguments(node)

    def unknown(self, node):
        """What the form does not have."""
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node):
            self.refuse(node, "still has `raise NotImplementedError`: put your code in its place")
        what = WORDS.get(type(node), f"`{_short(node)}`")
        self.refuse(node, f"has {what}, which this question does not take: {self.instead()}")

    def instead(self):
        """What may be written in its place, in half a sentence."""
        if self.form == "triton":
            return "a kernel is written with its arguments, names of its own, numbers, tl. functions, if, for and while"
        return "write it with the arguments, names of your own, numbers, if, for and while"

    # ---- expressions

    def expression(self, node):
        """One expression and all in it."""
        kind = type(node)
        if kind is ast.Constant:
            if node.value is not None and type(node.value) not in (bool, int, float):
                self.refuse(node, f"has `{_short(node)}`: only numbers can stand here")
        elif kind is ast.Name:
            self.name(node)
        elif kind in (ast.Tuple, ast.List):
            self.each(node.elts)
        elif kind is ast.UnaryOp:
            self.expression(node.operand)
        elif kind is ast.BinOp:
            self.each([node.left, node.right])
        elif kind is ast.BoolOp:
            self.each(node.values)
        elif kind is ast.Compare:
            if any(isinstance(one, ast.In | ast.NotIn) for one in node.ops):
                self.refuse(node, "has `in`, which this question does not take: compare with == one by one")
            self.each([node.left, *node.comparators])
        elif kind is ast.IfExp:
            self.each([node.test, node.body, node.orelse])
        elif kind is ast.Attribute:
            self.attribute(node)
        elif kind is ast.Subscript:
            self.expression(node.value)
            self.index(node.slice)
        elif kind is ast.Call:
            self.call(node)
        else:
            self.unknown(node)

    def each(self, nodes):
        """Several expressions."""
        for node in nodes:
            self.expression(node)

    def name(self, node):
        """A name that is read: an argument or one that the function has assigned."""
        if node.id not in self.names:
            if node.id in self.functions or node.id in BUILTINS[self.form]:
                self.refuse(node, f"uses the function `{node.id}` without calling it: write `{node.id}(...)`")
            if node.id == "tl":
                self.refuse(node, "has `tl` alone: write tl. and a name")
            self.refuse(node, f"uses `{node.id}`, which is no argument and no name of this function: {self.instead()}")

    def attribute(self, node):
        """What stands after a dot, without a call."""
        if self.form == "triton" and _is_tl(node.value):
            if node.attr in TYPES:
                return
            called = node.attr in FUNCTIONS | LOOPS
            told = f"write `tl.{node.attr}(...)`" if called else "see the question's list"
            self.refuse(node, f"has `tl.{node.attr}`, which cannot stand here: {told}")
        if self.form != "triton" or node.attr not in ATTRIBUTES:
            self.refuse(node, f"has `.{node.attr}`, which this question does not take: {self.instead()}")
        self.expression(node.value)

    def index(self, node):
        """What stands in square brackets: `None`, `:` and whole numbers."""
        for one in node.elts if isinstance(node, ast.Tuple) else [node]:
            whole = isinstance(one, ast.Slice) and one.lower is one.upper is one.step is None
            number = isinstance(one, ast.Constant) and (one.value is None or type(one.value) is int)
            if not whole and not number:
                self.refuse(one, f"has the index `[{_short(node)}]`: here an index is None, : or a number; use tl.load")

    def call(self, node):
        """A function that is called, and its arguments."""
        function = node.func
        if isinstance(function, ast.Name):
            self.call_name(node, function.id)
        elif self.form != "triton" or not isinstance(function, ast.Attribute):
            self.refuse(node, f"calls `{_short(function)}`, which this question does not take: {self.instead()}")
        elif _is_tl(function.value):
            if function.attr == "softmax":
                self.refuse(node, "calls `tl.softmax`: that is the answer, write it yourself")
            if function.attr not in FUNCTIONS:
                self.refuse(
                    node,
                    f"calls `tl.{function.attr}`, which is not on the list of what may stand here: {self.instead()}",
                )
            self.arguments(node, texts=function.attr == "device_print")
        elif isinstance(function.value, ast.Attribute) and _is_tl(function.value.value):
            if function.value.attr != "math" or function.attr not in MATH:
                self.refuse(
                    node,
                    f"calls `{_short(function)}`, which is not on the list of what may stand here: {self.instead()}",
                )
            self.arguments(node)
        else:
            if function.attr not in METHODS:
                self.refuse(
                    node,
                    f"calls `.{function.attr}(...)`, which is not on the list of what may stand here: {self.instead()}",
                )
            self.expression(function.value)
            self.arguments(node)

    def call_name(self, node, name):
        """A call by name: a function of the same cell, `float("inf")`, or one of the few that Python has."""
        if name == "float":
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if len(node.args) != 1 or node.keywords or texts[:1] not in [[one] for one in FIXED]:
                self.refuse(
                    node, 'calls `float`: only float("inf") and float("-inf") are taken; for others write .to(...)'
                )
            return
        if name not in self.functions and name not in BUILTINS[self.form]:
            self.refuse(node, f"calls `{name}`, which is no function of this cell: {self.instead()}")
        if name in self.functions and self.form == "triton" and not HELPER.fullmatch(name):
            self.refuse(node, f"calls the kernel `{name}` from inside: only functions of your own can be called")
        if name == "print" and node.keywords:
            self.refuse(node, "calls `print` with a named argument: give it values alone")
        self.arguments(node, texts=name == "print")

    def arguments(self, node, texts=False):
        """The arguments of a call; `texts` where one line of text may be among them."""
        for one in node.args:
            if not (texts and isinstance(one, ast.Constant) and type(one.value) is str and one.value.isprintable()):
                self.expression(one)
        for one in node.keywords:
            if one.arg in OPTIONS and isinstance(one.value, ast.Constant) and one.value.value in OPTIONS[one.arg]:
                continue
            if one.arg is None or one.arg not in KEYWORDS:
                self.refuse(
                    node,
                    f"gives the argument `{one.arg or '**'}`, which may not stand here: {self.instead()}",
                )
            self.expression(one.value)


# --------------------------------------------------------------------------------------- others read it too


@cache
def _transformer():
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()


def _as_notebooks_read(source):
    """Refuse a cell that IPython would change before it runs it: magics, prompts, a first line that is indented."""
    try:
        after = _transformer().transform_cell(source)
    except SyntaxError:
        after = None
    lines = [line if line.strip() else "" for line in source.splitlines()]  # a blank line is one, with spaces or not
    first = next((number for number, line in enumerate(lines) if line), 0)
    if after is None or after.splitlines() != lines[first:] or lines[first][:1].isspace():
        raise _Refused(
            0, "holds a notebook command or begins with an indented line: write plain Python from the first column"
        )


def _as_triton_reads(source, function):
    """Refuse a function that Triton's interpreter would read otherwise: it takes the text from the last `def` on."""
    lines = [line + "\n" for line in source.splitlines()]
    block = inspect.getblock(lines[function.decorator_list[0].lineno - 1 :])
    starts = [number for number, line in enumerate(block) if line.strip().startswith("def ")]
    try:
        again = parse(textwrap.dedent("".join(block[starts[-1] :]))).body if starts else []
    except (SyntaxError, ValueError):
        again = []
    bare = ast.FunctionDef(**dict(ast.iter_fields(function)) | {"decorator_list": []})
    if len(again) != 1 or _without_texts(again[0]) != _without_texts(bare):
        raise _Refused(
            function,
            f"defines `{function.name}` in a way that Triton reads otherwise: in its texts no line may "
            "begin with `def`, and its own line begins with `def `",
        )


def _without_texts(function):
    """A function as text in one form, without the texts that stand alone: a docstring's blank lines do not matter."""
    tree = copy.deepcopy(function)
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            if isinstance(getattr(node, name, None), list):
                kept = [one for one in getattr(node, name) if not _is_text(one)]
                setattr(node, name, kept)
    return ast.dump(tree)


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and type(node.value.value) is str
