"""Print code of the package in a chapter, so that page and package cannot drift."""

import ast
import inspect
import re
import textwrap


class Source:
    """Code of the package, as a highlighted listing.

    It begins with a comment that names its file. It is Markdown, so that each place colours it in its own way: the
    site with its light and dark styles and a copy button, JupyterLab, VS Code and Colab as they colour code.
    """

    def __init__(self, file, code):
        self.file, self.code = file, code

    def _repr_markdown_(self):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", self.code)), default=0))
        return f"{fence}python\n{self!r}\n{fence}\n"

    def __repr__(self):
        return f"# {self.file}\n{self.code}"


def source(*objects, docstring=False):
    """Show the code of functions or classes.

    Parameters
    ----------
    objects : one or more functions, classes or Triton kernels of one module, shown in the order given.
    docstring : True for the whole docstring; otherwise its first line stands for it.

    Returns
    -------
    listing : `Source`; leave it as the last line of a cell.

    Raises
    ------
    ValueError
        when something has no Python source.
    """
    if not objects:
        raise ValueError("source got nothing to show; give it a function or a class")
    modules, parts = [], []
    for thing in objects:
        thing = getattr(thing, "fn", thing)  # a Triton kernel keeps its function there
        try:
            code = textwrap.dedent(inspect.getsource(thing)).rstrip()
        except (TypeError, OSError) as error:
            raise ValueError(f"{thing!r} has no Python source; give source a function or a class") from error
        modules.append(thing.__module__)
        parts.append(code if docstring else _first_lines(code))
    if len(set(modules)) > 1:
        raise ValueError(
            f"source shows code of one module at a time; this comes from {', '.join(sorted(set(modules)))}"
        )
    return Source(modules[0].replace(".", "/") + ".py", "\n\n\n".join(parts))


def _first_lines(code):
    """Shorten every docstring to its first line, without the book's cross-references."""
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or ast.get_docstring(node) is None:
            continue
        body = node.body[0]
        first = re.sub(r"(?:[,;:]| and| of| by| in)* :\w+:`[^`]*`", "", ast.get_docstring(node).splitlines()[0])
        for number in range(body.lineno - 1, body.end_lineno):
            lines[number] = None
        lines[body.lineno - 1] = " " * body.col_offset + f'"""{first}"""'
    return "\n".join(line for line in lines if line is not None)
