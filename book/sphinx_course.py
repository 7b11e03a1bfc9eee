"""What the book adds to Sphinx: mathematics without a network, buttons, docstrings with shapes, the syllabus."""

import html
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

BOOK = Path(__file__).resolve().parent
MATHJAX = ("tex-chtml.js", "input/tex/extensions/", "output/chtml/fonts/woff-v2/")
COLAB = "https://colab.research.google.com"

SECTION = re.compile(r"^(-{3,}|={3,})\s*$")
ENTRY = re.compile(r"^(?P<name>\*{0,2}\w+(?:, \*{0,2}\w+)*) : (?P<text>.+)$")
VALUES = ("Attributes", "Returns", "Yields")
HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
KANA_HAN = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9f"
SCRIPTS = {
    "ko": re.compile(rf"[{HANGUL}](?:[\s·()\d]*[{HANGUL}])*"),
    "ja": re.compile(rf"[{KANA_HAN}](?:[\s・()\d]*[{KANA_HAN}])*"),
}
QUOTED = re.compile(r"(``.+?``|`[^`]+`)")
MARKUP = re.compile(r"(?<!\\)(\*(?! )|\||_\b(?!\w))")
TAG = re.compile(r"(<[^>]*>)")
LONG_NAME = re.compile(r'(?<=<span class="pre">)[^<]{25,}(?=</span>)')
VERBATIM = ("script", "style", "svg", "textarea", "title")


def buttons(repository_url):
    """Theme options for the buttons that need the repository's address: none where there is no address."""
    if not repository_url:
        return {}
    options = {f"use_{name}_button": True for name in ("repository", "issues", "edit_page")}
    if "//github.com/" in repository_url:
        options["launch_buttons"] = {"colab_url": COLAB}
    return options


def configure(app, config):
    """Set what depends on the machine or on the repository's address."""
    config.nb_execution_cache_path = os.environ.get("SEQLAB_BOOK_CACHE", config.nb_execution_cache_path)
    config.html_theme_options.update(buttons(config.html_theme_options.get("repository_url")))
    if importlib.util.find_spec("triton") is None:  # it exists for Linux alone; the pages of the kernels do everywhere
        config.autodoc_mock_imports = ["triton"]


def copy_mathjax(app, exception):
    """Put MathJax into the site, from the files of the installed wheel sphinx-mathjax-offline."""
    if exception or app.builder.format != "html":
        return
    marker = "/static/mathjax/"
    for file in importlib.metadata.files("sphinx-mathjax-offline"):
        _, found, inner = file.as_posix().partition(marker)
        if found and inner.startswith(MATHJAX):
            target = Path(app.outdir) / "_static" / "mathjax" / inner
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)


def sections(lines):
    """Split a docstring into (title, lines) at its underlined titles; the text before the first has the title ""."""
    title, body = "", []
    for number, line in enumerate(lines):
        if number + 1 < len(lines) and line.strip() and SECTION.match(lines[number + 1]):
            yield title, body
            title, body = line.strip(), []
        elif not (not body and title and SECTION.match(line)):
            body.append(line)
    yield title, body


def as_written(lines):
    """Escape what reStructuredText would read as markup outside backticks: docstrings here are plain text."""
    prompt = False
    for line in lines:
        prompt = bool(line.strip()) and (prompt or line.lstrip().startswith(">>>"))
        pieces = QUOTED.split(line)
        plain = [MARKUP.sub(r"\\\1", piece) if number % 2 == 0 else piece for number, piece in enumerate(pieces)]
        yield line if prompt else "".join(plain)


def shapes_first(lines):
    """Rewrite `x : (B, T, D) inputs.` so that the shape reads as text and not as the name of a type.

    Parameters
    ----------
    lines : a docstring's lines, with the sections of NumPy's style.

    Returns
    -------
    lines : the same, where a parameter's text stands below its name; Attributes and Returns are lists of named values.
    """
    result = []
    for title, body in sections(lines):
        if title:
            result += [title, "-" * len(title)] if title not in VALUES else []
        if title == "Parameters":
            for line in body:
                entry = ENTRY.match(line)
                result += [entry["name"], f"    {entry['text']}"] if entry else [line]
        elif title in VALUES:
            found = [ENTRY.match(line) for line in body]
            lead = "* " if sum(map(bool, found)) > 1 else ""
            result += ["", "", f":{title.lower()}:"]
            for line, entry in zip(body, found, strict=True):
                text = f"**{entry['name']}** – {entry['text']}" if entry else line.strip()
                indent = "    " + (lead if entry else " " * len(lead))
                result.append(f"{indent}{text}" if text else "")
            result.append("")
        else:
            result += body
    return result


def rewrite_docstring(app, what, name, thing, options, lines):
    """Hand `shapes_first` each docstring before napoleon sees it."""
    lines[:] = shapes_first(list(as_written(lines)))


def mark_languages(page):
    """Tell screen readers and fonts which words of a page are Korean and which Japanese."""
    pieces, inside = TAG.split(page), []
    for number, piece in enumerate(pieces):
        if number % 2:
            name = re.match(r"</?([a-zA-Z0-9]+)", piece)
            if name and name[1].lower() in VERBATIM and not piece.endswith("/>"):
                if piece.startswith("</"):
                    inside = inside[:-1]
                else:
                    inside.append(name[1])
        elif not inside:
            for language, script in SCRIPTS.items():
                piece = script.sub(lambda found, code=language: f'<span lang="{code}">{found[0]}</span>', piece)
            pieces[number] = piece
    return "".join(pieces)


def describe(doctree):
    """The first sentences of a page, at most 160 letters, for search engines and previews."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 40:
            return text if len(text) <= 160 else text[:160].rsplit(" ", 1)[0] + " …"
    return ""


def mend(page):
    """Correct what extensions write: a role that browsers gave up, one id for all exercises, names without a break."""
    page = page.replace('role="doc-biblioentry"', 'role="listitem"')
    page = LONG_NAME.sub(lambda found: re.sub("([_./])(?=.)", r"\1<wbr>", found[0]), page)
    return re.sub(r' id="(exercise|solution|proof)-content"', "", page)


def point_back(body, module, objects):
    """Correct the links from a module's source to its documentation.

    viewcode takes the page's first name for all: where `seqlab.lm` documents a function of `seqlab.lm.reference`, it
    looks for every function of that module under `seqlab.lm`. What it looks for may stand under the module's own name
    or under that of a package that the module is in.
    """
    path = module.split(".")
    homes = [".".join(path[:depth]) for depth in range(len(path), 0, -1)]

    def mended(found):
        parts = found[3].split(".")
        names = [found[3], *(".".join([home, *parts[i:]]) for home in homes for i in range(1, len(parts)))]
        return f"{found[1]}{found[2]}#{next((name for name in names if name in objects), found[3])}"

    return re.sub(r'(class="viewcode-back" href=")([^"#]*)#([^"]+)', mended, body)


def finish_page(app, pagename, templatename, context, doctree):
    """Mend the page, mark its languages and describe it, just before it is written."""
    if pagename.startswith("_modules/") and "body" in context:
        module = pagename.removeprefix("_modules/").replace("/", ".")
        objects = app.env.domains["py"].objects.items()
        documented = {name for name, entry in objects if not entry.aliased}  # an alias has no anchor
        context["body"] = point_back(context["body"], module, documented)
    if doctree is not None:
        context["body"] = mark_languages(mend(context["body"]))
        if description := describe(doctree):
            context["metatags"] += f'<meta name="description" content="{html.escape(description)}">\n'


def name_folds(app, pagename, templatename, context, doctree):
    """Name the arrows of the sidebar's folds, which the theme leaves without a name."""
    toctree = context["generate_toctree_html"]

    def named(*arguments, **options):
        return str(toctree(*arguments, **options)).replace("<summary>", '<summary aria-label="Pages of this part">')

    context["generate_toctree_html"] = named


def syllabus():
    """Everything the finished book will teach: (section's title, {id: what is taught}) in order."""
    table = json.loads((BOOK / "syllabus.json").read_text(encoding="utf-8"))
    return [(section["title"], section["ideas"]) for section in table["sections"]]


def about(name):
    """What a page's notebook says of itself in its metadata; nothing where the page is no notebook."""
    path = BOOK / f"{name}.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))["metadata"].get("seqlab", {}) if path.exists() else {}


def beyond(documents):
    """The pages that go beyond the syllabus, in the order of the book."""
    return [name for name in documents if about(name).get("beyond")]


def coverage(documents):
    """Which pages teach an idea, from the notebooks' metadata.

    Parameters
    ----------
    documents : names of pages without suffix, in the order of the book.

    Returns
    -------
    covers : {id: [name of a page, ...]}.
    """
    covers = {}
    for name in documents:
        for idea in about(name).get("covers", []):
            covers.setdefault(idea, []).append(name)
    return covers


class Coverage(SphinxDirective):
    """`{coverage}`: tables of the ideas that the book's chapters teach, with links to the chapters."""

    def run(self):
        documents = [str(name).removesuffix(".ipynb") for name in self.config.external_site_map]
        covers = coverage(documents)
        more = beyond(documents)
        pages = {name for names in covers.values() for name in names} | set(more)
        for name in ["syllabus.json", *(f"{name}.ipynb" for name in pages)]:
            self.env.note_dependency(str(BOOK / name))
        lines, ideas = [], 0
        for title, taught in syllabus():
            ideas += len(taught)
            rows = [(idea, text) for idea, text in taught.items() if idea in covers]
            if rows:
                lines += ["", f"## {title}", "", "| id | what is taught | chapter |", "|---|---|---|"]
                lines += [
                    f"| {idea} | {text} | {', '.join(f'{{doc}}`/{name}`' for name in covers[idea])} |"
                    for idea, text in rows
                ]
        if more:
            lines += ["", "## Beyond the notes", "", "What the lecture notes do not teach, and this book does:", ""]
            lines += [f"- {{doc}}`/{name}`" for name in more]
        summary = f"{len(covers)} of the {ideas} ideas of the finished course are taught so far."
        return [
            nodes.paragraph("", summary),
            *self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True),
        ]


def side_by_side(found):
    """What grading one notebook takes here and elsewhere, as lines of MyST."""
    first = min(found["median"], key=found["median"].get)
    ours, versions = found["median"], found["versions"]
    yield f"| the same notebook, {found['copies']} copies | seconds a notebook |"
    yield "|---|---:|"
    yield from (f"| {'**' * (name == first)}{name}{'**' * (name == first)} | {ours[name]:.2f} |" for name in ours)
    yield ""
    yield (
        f"Median of {found['rounds']} rounds in turn, on {found['cores']} cores; nbgrader {versions['nbgrader']}, "
        f"otter-grader {versions['otter-grader']}. `python -m tests.grading.side_by_side` measures it again."
    )


def thousand(found):
    """How a large class was graded, as lines of MyST."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["mix"].items())
    count, killed = f"{found['submissions']:,}", len(found["killed"])
    yield from (f"A class of {count} was made: {kinds}.", "", "| what became of it | count |", "|---|---:|")
    yield f"| times that the command was killed at a random moment, and started again | {killed} |"
    yield f"| records | {found['records']:,} |"
    yield f"| scores as declared | {found['as_declared']:,} |"
    yield f"| notebooks a minute, on {found['cores']} cores | {found['notebooks_a_minute']:g} |"
    yield ""
    yield f"The assignment was `{found['assignment']}`. `python -m tests.grading.thousand` does it again."


MEASURED = {"side_by_side": side_by_side, "thousand": thousand}  # from NAME.json; any other is a table in NAME.md


def measured(name, folder=BOOK.parent / "seqlab" / "grading" / "measurements"):
    """What was measured of the grader: the file, and what it tells as text of MyST."""
    path = folder / f"{name}{'.json' if name in MEASURED else '.md'}"
    if not path.is_file():
        return path, "This has not been measured yet."
    text = path.read_text(encoding="utf-8")
    return path, "\n".join(MEASURED[name](json.loads(text))) if name in MEASURED else text


class Measured(SphinxDirective):
    """`{measured} name`: what was measured of the grader, from the files in `seqlab/grading/measurements`."""

    has_content = False
    required_arguments = 1

    def run(self):
        path, text = measured(self.arguments[0])
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(text)


class Printed(SphinxDirective):
    """`{printed} name ...`: the code of functions of the package, as the chapters print it with `source`."""

    has_content = False
    required_arguments = 1
    optional_arguments = 9

    def run(self):
        from seqlab.figures import source

        things = []
        for name in self.arguments:
            module, _, attribute = name.rpartition(".")
            module = importlib.import_module(module)
            self.env.note_dependency(module.__file__)
            things.append(getattr(module, attribute))
        listing = repr(source(*things))
        return [nodes.literal_block(listing, listing, language="python")]


def setup(app):
    """Register everything above with Sphinx."""
    app.connect("config-inited", configure, priority=100)
    app.connect("build-finished", copy_mathjax)
    app.connect("autodoc-process-docstring", rewrite_docstring, priority=400)
    app.connect("html-page-context", finish_page)
    app.connect("html-page-context", name_folds, priority=900)
    app.add_directive("coverage", Coverage)
    app.add_directive("measured", Measured)
    app.add_directive("printed", Printed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
