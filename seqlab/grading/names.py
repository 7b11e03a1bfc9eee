"""Which names a cell binds and which it takes from cells before it: enough to know what depends on what."""

import ast
import symtable
import threading

ONE_AT_A_TIME = threading.Lock()


def parse(source):
    """`ast.parse` that threads may call: Python 3.11.7, for one, loses count of its depth when two of them parse."""
    with ONE_AT_A_TIME:
        return ast.parse(source)


def bound(source):
    """The names that a cell binds or changes at its top level, what it imports and patches among them."""
    names, waiting = set(), list(parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            names |= {name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names}
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            names |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        waiting += ast.iter_child_nodes(node)
    return names


def free(source):
    """The names that a cell uses and does not bind itself, inside its functions too."""

    def used(table, top):
        for symbol in table.get_symbols():
            outside = symbol.is_global() or (table.get_type() == "module" and not symbol.is_assigned())
            if symbol.is_referenced() and outside and symbol.get_name() not in top:
                yield symbol.get_name()
        for child in table.get_children():
            yield from used(child, top)

    whole = symtable.symtable(source, "cell", "exec")
    top = {symbol.get_name() for symbol in whole.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    top |= {child.get_name() for child in whole.get_children()}
    return set(used(whole, top))


def reached(start, cells):
    """The cells that depend on these names, directly or through others.

    Parameters
    ----------
    start : set of names.
    cells : dict of anything -> source.

    Returns
    -------
    keys : set of keys of `cells`.
    """
    names, found = set(start), set()
    takes = {key: free(source) for key, source in cells.items()}
    while more := {key for key in cells if key not in found and takes[key] & names}:
        found |= more
        names = names.union(*(bound(cells[key]) for key in more))
    return found


def needed(start, cells):
    """The cells that these sources depend on, directly or through others: the inverse of `reached`."""
    names, found = set().union(*map(free, start)), set()
    gives = {key: bound(source) for key, source in cells.items()}
    while more := {key for key in cells if key not in found and gives[key] & names}:
        found |= more
        names = names.union(*(free(cells[key]) for key in more))
    return found
