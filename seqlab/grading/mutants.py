"""Small mechanical mistakes made in a solution: checks that do not notice one are too weak.

A mutant changes one place of one answer and has a stable name, `rnn-step:12:mul-to-div`: the answer, the line of the
solution, what was changed (and a number where a line has several). The build runs the answer's checks on each; those
that survive are printed as small diffs. Only lines that the student writes are changed, never docstrings or the text
of an error. `plain(kind)` says in words what a kind of mutant does, and to which family of mistakes it belongs.
"""

import ast
import copy
import difflib
import re
import warnings
from collections import Counter
from dataclasses import dataclass

from seqlab.grading.names import parse
from seqlab.grading.source import solution_lines

ARITHMETIC = {
    ast.Add: ("add-to-sub", ast.Sub),
    ast.Sub: ("sub-to-add", ast.Add),
    ast.Mult: ("mul-to-div", ast.Div),
    ast.Div: ("div-to-mul", ast.Mult),
    ast.FloorDiv: ("floordiv-to-mul", ast.Mult),
    ast.Mod: ("mod-to-floordiv", ast.FloorDiv),
    ast.Pow: ("pow-to-mul", ast.Mult),
    ast.MatMult: ("matmul-to-mul", ast.Mult),
}
COMPARISONS = {
    ast.Lt: [("lt-to-le", ast.LtE), ("lt-to-ge", ast.GtE)],
    ast.LtE: [("le-to-lt", ast.Lt), ("le-to-gt", ast.Gt)],
    ast.Gt: [("gt-to-ge", ast.GtE), ("gt-to-le", ast.LtE)],
    ast.GtE: [("ge-to-gt", ast.Gt), ("ge-to-lt", ast.Lt)],
    ast.Eq: [("eq-to-ne", ast.NotEq)],
    ast.NotEq: [("ne-to-eq", ast.Eq)],
    ast.Is: [("is-to-is-not", ast.IsNot)],
    ast.IsNot: [("is-not-to-is", ast.Is)],
    ast.In: [("in-to-not-in", ast.NotIn)],
    ast.NotIn: [("not-in-to-in", ast.In)],
}
NAMES = {
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum",
    "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like", "exp": "expm1",
    "log": "log1p", "tanh": "arctan", "sqrt": "square", "any": "all", "all": "any", "argmax": "argmin",
    "argmin": "argmax", "cumsum": "cumprod", "sin": "cos", "cos": "sin", "vstack": "hstack", "hstack": "vstack",
    "floor": "ceil", "ceil": "floor", "sign": "abs", "norm": "sum", "prod": "sum", "std": "var", "var": "std",
    "triu": "tril", "tril": "triu", "repeat": "tile", "tile": "repeat", "log2": "log", "log10": "log",
    "logaddexp": "maximum", "concatenate": "stack", "append": "extend",
}  # fmt: skip
SHAPERS = {"exp", "log", "tanh", "sqrt", "abs", "sigmoid", "softmax", "log_softmax", "relu", "square"}
CONVERTERS = {"list", "dict", "set", "sorted", "round"}
KEPT_KEYWORDS = {"axis", "dim", "keepdims", "keepdim", "dtype", "device", "strict", "out"}  # changed elsewhere, or type
COPIES = {"copy", "clone", "array", "asarray", "ascontiguousarray", "deepcopy"}
ZEROS = {"zeros", "zeros_like", "empty", "empty_like", "dict", "list", "set"}
SKIPPED = (ast.Raise, ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom, ast.arguments)


@dataclass(frozen=True)
class Mutant:
    """One changed solution. `source` is the whole answer cell, `diff` the lines that differ."""

    id: str
    answer: str
    source: str
    diff: str
    kind: str = ""
    line: int = 0


PLAIN = {  # kind -> (family, what it does)
    "swap-operands": ("operators", "the two sides of -, /, ** or @ are swapped"),
    "negate-assigned": ("signs", "what is assigned has the other sign"),
    "negate-returned": ("signs", "what is returned has the other sign"),
    "drop-minus": ("signs", "a minus sign is dropped"),
    "drop-abs": ("signs", "an absolute value is not taken"),
    "drop-term": ("missing terms", "the last term of a sum is dropped"),
    "drop-first-term": ("missing terms", "the first term of a sum is dropped"),
    "drop-factor": ("missing terms", "the last factor, or the divisor, is dropped"),
    "drop-first-factor": ("missing terms", "the first factor is dropped"),
    "drop-statement": ("missing terms", "a statement is dropped"),
    "drop-call": ("missing terms", "a function is not applied"),
    "drop-convert": ("missing terms", "list, dict, set, sorted or round is not applied"),
    "drop-keyword": ("missing terms", "an optional argument is left out"),
    "drop-filter": ("missing terms", "a comprehension's condition is left out"),
    "drop-condition": ("comparisons", "the first part of an and or an or is left out"),
    "drop-last-condition": ("comparisons", "the last part of an and or an or is left out"),
    "and-to-or": ("comparisons", "and became or"),
    "or-to-and": ("comparisons", "or became and"),
    "drop-not": ("comparisons", "a not is dropped"),
    "if-true": ("comparisons", "a condition always holds"),
    "if-false": ("comparisons", "a condition never holds"),
    "swap-branches": ("comparisons", "the two branches are swapped"),
    "index-one-less": ("indices and slices", "an index is one less"),
    "index-one-more": ("indices and slices", "an index is one more"),
    "target-index-one-less": ("indices and slices", "what is assigned goes one place before"),
    "target-index-one-more": ("indices and slices", "what is assigned goes one place behind"),
    "slice-start-later": ("indices and slices", "a slice starts one later"),
    "slice-end-earlier": ("indices and slices", "a slice ends one earlier"),
    "drop-step": ("indices and slices", "a slice's step is dropped"),
    "range-from-one": ("ranges", "a loop starts at one"),
    "range-one-less": ("ranges", "a loop ends one earlier"),
    "range-start-later": ("ranges", "a loop starts one later"),
    "drop-reversed": ("ranges", "a loop runs forwards in place of backwards"),
    "break-to-continue": ("ranges", "a loop goes on where it should end"),
    "continue-to-break": ("ranges", "a loop ends where it should go on"),
    "change-axis": ("axes", "another axis"),
    "drop-axis": ("axes", "all axes in place of one"),
    "drop-transpose": ("axes", "a transpose is dropped"),
    "swap-arguments": ("arguments", "the first two arguments are swapped"),
    "swap-later-arguments": ("arguments", "the second and the third argument are swapped"),
    "swap-keywords": ("arguments", "the values of two named arguments are swapped"),
    "swap-returned": ("arguments", "the first two returned values are swapped"),
    "return-another": ("arguments", "another variable is returned"),
    "drop-copy": ("copies", "an array is not copied"),
    "change-number": ("numbers", "a number is doubled, or 1 in place of 0"),
    "augment-to-assign": ("initial values and sums", "assigned in place of added"),
    "drop-min": ("missing terms", "a minimum is not taken"),
    "drop-max": ("missing terms", "a maximum is not taken"),
    "drop-float": ("missing terms", "float is not applied"),
    "drop-int": ("missing terms", "int is not applied"),
    "true-to-false": ("flags (keepdims and others)", "True became False"),
    "false-to-true": ("flags (keepdims and others)", "False became True"),
}
FILLED = {"zeros", "ones", "zeros_like", "ones_like"}


def plain(kind):
    """The family of a kind of mutant and what it does, in words: (family, sentence)."""
    if kind in PLAIN:
        return PLAIN[kind]
    if re.fullmatch(r"-?\d+-to--?\d+", kind) or re.fullmatch(r"\d+-to-\d+", kind):
        return "numbers", "a whole number is one more or one less"
    signs = {name: node for node, (name, _) in ARITHMETIC.items()}
    if kind.removeprefix("augment-") in signs:
        return "operators", "an arithmetic operator became another one"
    if kind in {name for pairs in COMPARISONS.values() for name, _ in pairs}:
        return "comparisons", "a comparison became another one"
    before = kind.partition("-to-")[0]
    if before in FILLED:
        return "initial values and sums", "zeros became ones, or ones zeros"
    return "functions", "a function became its neighbour (sum and mean, max and min, exp and expm1, ...)"


def _call_name(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_int(node):
    return isinstance(node, ast.Constant) and type(node.value) is int


def _constants(node):
    value = node.value
    if type(value) is bool:
        yield f"{value}-to-{not value}".lower(), ast.Constant(not value)
    elif type(value) is int:
        yield f"{value}-to-{value + 1}", ast.Constant(value + 1)
        if value > 0:
            yield f"{value}-to-{value - 1}", ast.Constant(value - 1)
    elif type(value) is float:
        yield "change-number", ast.Constant(value * 2 if value else 1.0)


def _calls(node):
    name, args = _call_name(node), node.args
    if len(args) >= 2 and ast.dump(args[0]) != ast.dump(args[1]) and not any(isinstance(a, ast.Starred) for a in args):
        yield "swap-arguments", ast.Call(node.func, [args[1], args[0], *args[2:]], node.keywords)
    if len(args) >= 3 and ast.dump(args[1]) != ast.dump(args[2]) and not any(isinstance(a, ast.Starred) for a in args):
        yield "swap-later-arguments", ast.Call(node.func, [args[0], args[2], args[1], *args[3:]], node.keywords)
    yield from _keywords(node)
    if name in SHAPERS and isinstance(node.func, ast.Attribute) and len(args) == 1:
        yield "drop-call", args[0]
    if name in CONVERTERS and isinstance(node.func, ast.Name) and args:
        yield "drop-convert", args[0]
    if name == "range" and isinstance(node.func, ast.Name):
        if len(args) == 1:
            yield "range-from-one", ast.Call(node.func, [ast.Constant(1), *args], [])
            yield "range-one-less", ast.Call(node.func, [ast.BinOp(args[0], ast.Sub(), ast.Constant(1))], [])
        else:
            later = ast.BinOp(args[0], ast.Add(), ast.Constant(1))
            yield "range-start-later", ast.Call(node.func, [later, *args[1:]], [])
            shorter = ast.BinOp(args[1], ast.Sub(), ast.Constant(1))
            yield "range-one-less", ast.Call(node.func, [args[0], shorter, *args[2:]], [])
    if name == "reversed" and len(args) == 1:
        yield "drop-reversed", args[0]
    if name in ("abs", "min", "max", "float", "int") and isinstance(node.func, ast.Name) and args:
        yield f"drop-{name}", args[0]
    if name in COPIES and isinstance(node.func, ast.Attribute):
        if name in ("copy", "clone") and not args:
            yield "drop-copy", node.func.value
        elif args:
            yield "drop-copy", args[0]
    if name in ("transpose", "swapaxes") and isinstance(node.func, ast.Attribute):
        base = node.func.value
        if not (isinstance(base, ast.Name) and base.id in ("np", "numpy", "torch")):
            yield "drop-transpose", base
    if name in NAMES:
        other = NAMES[name]
        if isinstance(node.func, ast.Attribute):
            yield f"{name}-to-{other}", ast.Call(ast.Attribute(node.func.value, other, ast.Load()), args, node.keywords)
    for position, keyword in enumerate(node.keywords):
        if keyword.arg in ("axis", "dim") and isinstance(keyword.value, ast.Constant | ast.UnaryOp):
            try:
                axis = ast.literal_eval(keyword.value)
            except ValueError:
                continue
            if isinstance(axis, int):
                new = ast.keyword(keyword.arg, ast.Constant(0 if axis else 1))
                yield (
                    "change-axis",
                    ast.Call(node.func, args, [*node.keywords[:position], new, *node.keywords[position + 1 :]]),
                )


def _keywords(node):
    given = [one for one in node.keywords if one.arg and one.arg not in KEPT_KEYWORDS]
    for position, keyword in enumerate(node.keywords):
        rest = [*node.keywords[:position], *node.keywords[position + 1 :]]
        if keyword.arg in ("axis", "dim"):
            yield "drop-axis", ast.Call(node.func, node.args, rest)
        elif keyword.arg and keyword.arg not in KEPT_KEYWORDS:
            yield "drop-keyword", ast.Call(node.func, node.args, rest)
    if len(given) >= 2 and ast.dump(given[0].value) != ast.dump(given[1].value):
        swapped = [ast.keyword(given[0].arg, given[1].value), ast.keyword(given[1].arg, given[0].value)]
        others = [one for one in node.keywords if one not in given[:2]]
        yield "swap-keywords", ast.Call(node.func, node.args, [*swapped, *others])


def _slices(part):
    """A slice with its bounds moved; whole numbers are moved as every number is."""
    one = ast.Constant(1)
    if part.lower is None and part.step is None:
        yield "slice-start-later", ast.Slice(one, part.upper, None)
    elif part.lower is not None and not _is_int(part.lower) and not isinstance(part.lower, ast.UnaryOp):
        yield "slice-start-later", ast.Slice(ast.BinOp(part.lower, ast.Add(), one), part.upper, part.step)
    if part.upper is None and part.step is None:
        yield "slice-end-earlier", ast.Slice(part.lower, ast.UnaryOp(ast.USub(), one), None)
    elif part.upper is not None and not _is_int(part.upper) and not isinstance(part.upper, ast.UnaryOp):
        yield "slice-end-earlier", ast.Slice(part.lower, ast.BinOp(part.upper, ast.Sub(), one), part.step)
    if part.step is not None:
        yield "drop-step", ast.Slice(part.lower, part.upper, None)


def _subscripts(node, loops):
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]

    def with_part(position, part):
        new = [*parts[:position], part, *parts[position + 1 :]]
        index = ast.Tuple(new, ast.Load()) if isinstance(node.slice, ast.Tuple) else part
        return ast.Subscript(node.value, index, node.ctx)

    target = "" if isinstance(node.ctx, ast.Load) else "target-"
    for position, part in enumerate(parts):
        if isinstance(part, ast.Name) and part.id in loops:
            for kind, op in (("index-one-less", ast.Sub()), ("index-one-more", ast.Add())):
                yield target + kind, with_part(position, ast.BinOp(part, op, ast.Constant(1)))
        elif isinstance(part, ast.Slice) and not target and (part.lower or part.upper or part.step):
            for kind, moved in _slices(part):
                yield kind, with_part(position, moved)


def _returns(node, names):
    value = node.value
    if isinstance(value, ast.Name):
        other = next((name for name in names if name != value.id), None)
        if other is not None:
            yield "return-another", ast.Return(ast.Name(other, ast.Load()))
    elif isinstance(value, ast.Tuple) and len(value.elts) >= 2:
        yield "swap-returned", ast.Return(ast.Tuple([value.elts[1], value.elts[0], *value.elts[2:]], ast.Load()))
    elif value is not None and not isinstance(value, ast.Constant | ast.Dict):
        yield "negate-returned", ast.Return(ast.UnaryOp(ast.USub(), value))


def _statements(node, known):
    if isinstance(node, ast.AugAssign):
        target = copy.deepcopy(node.target)
        yield "augment-to-assign", ast.Assign([target], node.value, lineno=node.lineno)
        if type(node.op) in ARITHMETIC and not isinstance(node.op, ast.MatMult):
            kind, op = ARITHMETIC[type(node.op)]
            yield f"augment-{kind}", ast.AugAssign(node.target, op(), node.value)
        yield "drop-statement", ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "drop-statement", ast.Pass()
    elif isinstance(node, ast.Assign):
        target = node.targets[0]
        again = isinstance(target, ast.Name) and target.id in known
        if again or isinstance(target, ast.Subscript | ast.Attribute):
            yield "drop-statement", ast.Pass()
        arithmetic = isinstance(node.value, ast.BinOp | ast.Call | ast.UnaryOp | ast.Subscript)
        zeros = isinstance(node.value, ast.Call) and _call_name(node.value) in ZEROS
        if len(node.targets) == 1 and isinstance(target, ast.Name | ast.Subscript) and arithmetic and not zeros:
            yield "negate-assigned", ast.Assign(node.targets, ast.UnaryOp(ast.USub(), node.value), lineno=node.lineno)
    elif isinstance(node, ast.Break | ast.Continue):
        yield "drop-statement", ast.Pass()
        other = isinstance(node, ast.Break)
        yield "break-to-continue" if other else "continue-to-break", ast.Continue() if other else ast.Break()
    elif isinstance(node, ast.If):
        yield "if-true", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "if-false", ast.If(ast.Constant(False), node.body, node.orelse)


def _expressions(node, loops):
    if isinstance(node, ast.BinOp):
        if type(node.op) in ARITHMETIC:
            kind, op = ARITHMETIC[type(node.op)]
            yield kind, ast.BinOp(node.left, op(), node.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            yield "swap-operands", ast.BinOp(node.right, node.op, node.left)
        if isinstance(node.op, ast.Add | ast.Sub) and not _is_int(node.right):
            yield "drop-term", node.left
        if isinstance(node.op, ast.Add) and not _is_int(node.left):
            yield "drop-first-term", node.right
        elif isinstance(node.op, ast.Sub) and not _is_int(node.left):
            yield "drop-first-term", ast.UnaryOp(ast.USub(), node.right)
        elif isinstance(node.op, ast.Mult | ast.Div):
            yield "drop-factor", node.left
        if isinstance(node.op, ast.Mult):
            yield "drop-first-factor", node.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "drop-minus", node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "drop-not", node.operand
    elif isinstance(node, ast.Compare):
        for position, now in enumerate(node.ops):
            for kind, op in COMPARISONS[type(now)]:
                ops = [*node.ops[:position], op(), *node.ops[position + 1 :]]
                yield kind, ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BoolOp):
        kind, op = ("and-to-or", ast.Or()) if isinstance(node.op, ast.And) else ("or-to-and", ast.And())
        yield kind, ast.BoolOp(op, node.values)
        for kind, kept in (("drop-condition", node.values[1:]), ("drop-last-condition", node.values[:-1])):
            yield kind, kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
    elif isinstance(node, ast.IfExp):
        yield "swap-branches", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT") and isinstance(node.ctx, ast.Load):
        yield "drop-transpose", node.value
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Del):
        yield from _subscripts(node, loops)
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "drop-filter", ast.comprehension(node.target, node.iter, [], node.is_async)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _changes(tree, lines):
    """Every change: (line, kind, path to the node, new node), in the order of the source."""
    found = []

    def visit(node, path, names, known, loops):
        if isinstance(node, SKIPPED) or _is_docstring(node):
            return
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            arguments = node.args
            names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            known, loops = set(names), set()
        place = node.iter if isinstance(node, ast.comprehension) else node
        if getattr(place, "lineno", None) in lines:
            if isinstance(node, ast.Return):
                new = _returns(node, [*sorted(known - set(names)), *names])
            elif isinstance(node, ast.stmt):
                new = _statements(node, known)
            else:
                new = _expressions(node, loops)
            found.extend((place.lineno, place.col_offset, kind, path, changed) for kind, changed in new)
        if isinstance(node, ast.For):
            loops = loops | {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        for field, value in ast.iter_fields(node):
            if field in ("decorator_list", "returns", "annotation", "ctx", "op"):
                continue
            if isinstance(value, ast.AST):
                visit(value, [*path, (field, None)], names, known, loops)
            elif isinstance(value, list):
                for position, child in enumerate(value):
                    if isinstance(child, ast.AST):
                        visit(child, [*path, (field, position)], names, known, loops)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            known.update(n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))

    visit(tree, [], [], set(), set())
    return [(line, kind, path, new) for line, _, kind, path, new in found]


def _replaced(tree, path, new):
    tree = copy.deepcopy(tree)
    parent = tree
    for field, position in path[:-1]:
        value = getattr(parent, field)
        parent = value if position is None else value[position]
    field, position = path[-1]
    if position is None:
        setattr(parent, field, copy.deepcopy(new))
    else:
        getattr(parent, field)[position] = copy.deepcopy(new)
    return ast.unparse(ast.fix_missing_locations(tree))


def _diff(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---")))


def mutants(answer):
    """Every mutant of an answer's solution, in the order of its lines.

    Parameters
    ----------
    answer : seqlab.grading.model.Answer.

    Returns
    -------
    mutants : list of Mutant; no two have the same id or the same source.
    """
    tree = parse(answer.solution)
    before = ast.unparse(tree)
    made, seen, counts = [], {before}, Counter()
    for line, kind, path, new in _changes(tree, set(solution_lines(answer))):
        after = _replaced(tree, path, new)
        if after in seen:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a mutant may well look odd
                compile(after, answer.id, "exec")
        except (SyntaxError, ValueError):
            continue
        seen.add(after)
        name = f"{answer.id}:{line}:{kind}"
        counts[name] += 1
        if counts[name] > 1:
            name += f":{counts[name]}"
        made.append(Mutant(name, answer.id, after, _diff(before, after), kind, line))
    return made
