"""The builder, on a book of two small chapters."""

import re
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab import notebooks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TOC = "format: jb-book\nroot: index\nchapters:\n- file: one\n- file: two\n"
CHAPTER = """\
# ---
# jupyter:
#   seqlab:
#     covers: [N1]
# ---
# %% title [markdown]
# # Chapter {name}
#
# A paragraph with {math} and enough words to describe the page.
# %% add
{code}
"""


class Book:
    """A copy of the builder with a small book."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("_config.yml", "requirements.txt"):
            shutil.copy(ROOT / name, folder)
        ignored = shutil.ignore_patterns("*.ipynb", "*.md", "api", "appendix", "__pycache__", ".*")
        shutil.copytree(ROOT / "book", folder / "book", ignore=ignored)
        (folder / "seqlab").mkdir()
        for name in ("__init__.py", "notebooks.py"):
            shutil.copy(ROOT / "seqlab" / name, folder / "seqlab")
        (folder / "book" / "_toc.yml").write_text(TOC)
        (folder / "book" / "index.md").write_text("# Title\n\nWords about the book, and some more of them.\n")
        self.chapter("one")
        self.chapter("two")

    def chapter(self, name, code="print(1 + 1)", math="$x^2$"):
        """Write a chapter."""
        script = CHAPTER.format(name=name, code=code, math=math)
        (self.folder / "book" / f"{name}.ipynb").write_text(notebooks.dumps(notebooks.pack(script)))

    def build(self, *arguments):
        """Run the builder; give its status, what it said, and seconds of processor time (the machine may be busy)."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "book/build.py", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return done.returncode, done.stdout + done.stderr, seconds

    def page(self, name):
        """A page's HTML."""
        return (self.folder / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return Book(tmp_path_factory.mktemp("book"))


def test_the_life_of_a_book(book):
    status, said, _ = book.build("--serve", "0")
    assert (status, said) == (1, "There is no site yet: build it with `make book`.\n")

    status, said, _ = book.build()
    assert status == 0, said
    assert "2 chapters run" in said
    assert '<span class="mi">2</span>' in book.page("one") or ">2\n<" in book.page("one")
    assert (book.folder / "_build/html/_static/mathjax/tex-chtml.js").exists()
    assert "mathjax/tex-chtml.js" in book.page("one")

    status, said, seconds = book.build()
    assert status == 0
    assert "Nothing changed" in said
    assert seconds < 2

    book.chapter("one", math="other words, $y$")
    status, said, seconds = book.build()
    assert status == 0, said
    assert "0 chapters run" in said
    assert "other words" in book.page("one")
    assert seconds < 20

    book.chapter("two", code="print('changed')")
    status, said, _ = book.build()
    assert "1 chapter run" in said
    assert "changed" in book.page("two")

    (book.folder / "seqlab" / "more.py").write_text("x = 1\n")
    status, said, _ = book.build()
    assert "2 chapters run" in said, "a change of the package must run every chapter again"

    book.chapter("two", code="a = 1\nb = a / 0  # here\nc = 2")
    status, said, _ = book.build()
    assert status == 1
    assert said.splitlines()[-2:] == [
        "book/two.ipynb, cell 'add', line 2: ZeroDivisionError: division by zero",
        "    b = a / 0  # here",
    ]
    assert "changed" in book.page("two"), "the site that was there is lost"

    (book.folder / "book" / "two.ipynb").write_text("no notebook")
    status, said, _ = book.build()
    assert status == 1
    assert re.search(r"^book/two\.ipynb cannot be read as a notebook: .+$", said, re.M)
    assert "Traceback" not in said

    book.chapter("two", math="{ref}`nowhere`")
    for _ in range(2):
        status, said, _ = book.build()
        assert status == 1, "a dangling reference went through"
        assert re.search(r"two\.ipynb.*nowhere", said)
        assert "book.log" in said

    book.chapter("two")
    assert book.build()[0] == 0
    assert "book.lock" not in [path.name for path in (book.folder / "book").iterdir()]


def test_the_buttons_come_with_the_address(book):
    config = book.folder / "_config.yml"
    plain = config.read_text()
    book.chapter("two")
    config.write_text(plain.replace('url: ""', 'url: "https://github.com/example/example"'))
    status, said, _ = book.build()
    assert status == 0, said
    page = book.page("one")
    assert "https://colab.research.google.com/github/example/example/blob/main/book/one.ipynb" in page
    assert 'href="https://github.com/example/example"' in page
    config.write_text(plain)
    assert book.build()[0] == 0
    page = book.page("one")
    assert "colab" not in page.lower()
    assert "github.com" not in page


def test_a_port_in_use_gets_one_sentence(book):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (book.folder / "_build/html").mkdir(parents=True, exist_ok=True)
        (book.folder / "_build/html/index.html").touch()
        status, said, _ = book.build("--serve", str(taken.getsockname()[1]))
    assert status == 1
    assert re.fullmatch(r"Port \d+ is taken or not allowed: choose another, `make serve PORT=\d+`\.\n", said)


def test_help_says_what_the_builder_does():
    said = subprocess.run([sys.executable, "book/build.py", "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "--serve PORT" in said
    assert "Run the chapters that changed" in said


def test_serve_shows_the_site(book):
    from urllib.request import urlopen

    (book.folder / "_build/html").mkdir(parents=True, exist_ok=True)
    (book.folder / "_build/html/index.html").write_text("<h1>There</h1>")
    command = [sys.executable, "book/build.py", "--serve", "0"]
    with subprocess.Popen(command, cwd=book.folder, stdout=subprocess.PIPE, text=True) as server:
        address = re.search(r"http://localhost:\d+", server.stdout.readline())[0]
        assert "There" in urlopen(address.replace("localhost", "127.0.0.1"), timeout=10).read().decode()
        server.terminate()
