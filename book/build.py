"""Run the chapters that changed and build the site into _build/html.

The outputs of a chapter are kept in a folder of _build that is named after the package and the pins: a change of prose
runs nothing, a change of a chapter's code runs that chapter, a change of seqlab runs them all.
"""

import argparse
import asyncio
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import time
from asyncio import CancelledError
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK, BUILD = ROOT / "book", ROOT / "_build"
SITE, LOG, STATE = BUILD / "html", BUILD / "book.log", BUILD / "book.state"
# Every page hangs on these.
FRAME = (
    "_toc.yml",
    "_templates",
    "assets",
    "references.bib",
    "sphinx_course.py",
    "syllabus.json",
)
CACHES_KEPT = 3
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
COMPLAINT = re.compile(r"\b(WARNING|ERROR|CRITICAL|Exception|Error)\b")


class ChapterFailed(Exception):
    """A chapter's cell failed; the message says where and why."""


def digest(*paths):
    """Name the contents of files and folders by a short hash (folders without what Python leaves in them)."""
    total = hashlib.sha256(sys.version.encode())
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            inner = file.relative_to(ROOT)
            if file.is_file() and not any(part[0] == "." or part == "__pycache__" for part in inner.parts[:-1]):
                total.update(inner.as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


def chapters():
    """The notebooks that the table of contents names, in its order."""
    names = re.findall(r"(?:root|file):\s*([^\s#]+)", (BOOK / "_toc.yml").read_text(encoding="utf-8"))
    return [path for name in names if (path := BOOK / f"{name.removesuffix('.ipynb')}.ipynb").exists()]


def where_it_failed(path, cell, error):
    """Say in two lines which chapter, cell and line failed, and with what error."""
    kind, text = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    trace = ESCAPES.sub("", "\n".join(getattr(error, "traceback", "") or "").replace("\n\n", "\n"))
    found = re.findall(r"Cell In\s*\[\d+\], line (\d+)", ESCAPES.sub("", str(error))) or re.findall(
        r"line (\d+)", trace
    )
    lines = cell["source"].splitlines() or [""]
    number = min(int(found[0]), len(lines)) if found else 1
    place = f"{path.relative_to(ROOT)}, cell '{cell.get('id', '?')}', line {number}"
    first = (text.strip().splitlines() or [""])[0]
    return f"{place}: {kind}: {first}\n    {lines[number - 1].strip()}"


async def run_chapter(path, cache, ran_cell):
    """Run one notebook in a kernel of its own and keep its outputs in the cache."""
    from jupyter_cache.base import CacheBundleIn
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read_chapter(path)
    client = NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,  # the times would become part of the key in the cache
        resources={"metadata": {"path": str(path.parent)}},
        shutdown_kernel="immediate",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    current = notebook.cells[0]
    started = time.monotonic()
    try:
        async with client.async_setup_kernel():
            for number, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    current = cell
                    await client.async_execute_cell(cell, number)
                    ran_cell()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ChapterFailed(where_it_failed(path, current, error)) from None
    seconds = time.monotonic() - started
    bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return seconds


async def run_chapters(waiting, cache, workers, progress):
    """Run the notebooks, a few at a time; the first failure stops the others."""
    slots = asyncio.Semaphore(workers)

    async def one(path, count):
        async with slots:
            task = progress.add_task(path.stem, total=count)
            seconds = await run_chapter(path, cache, lambda: progress.advance(task))
            progress.remove_task(task)
            progress.console.print(f"ran {path.stem} in {seconds:.0f} s")

    try:
        async with asyncio.TaskGroup() as group:
            for path, count in waiting:
                group.create_task(one(path, count))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def run_beside(work):
    """Run a coroutine in a thread of its own: in the main thread nbclient would take Ctrl-C away from us."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(loop.run_until_complete, task)
        try:
            done.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            with suppress(CancelledError):
                done.result()
            raise
        finally:
            loop.close()


def bar():
    """A progress bar with the time it has taken."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, transient=True)


def read_chapter(path):
    """Read a notebook; say in one sentence when it is none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ChapterFailed(f"{path.relative_to(ROOT)} cannot be read as a notebook: {reason[:100]}") from None


def execute(folder, workers):
    """Run the chapters whose code is not in the cache yet; return how many there were."""
    from jupyter_cache import get_cache

    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(folder)
    waiting = []
    for path in chapters():
        notebook = read_chapter(path)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting.append((path, sum(cell.cell_type == "code" for cell in notebook.cells)))
    if waiting:
        with bar() as progress:
            run_beside(run_chapters(waiting, cache, workers, progress))
    return len(waiting)


def assemble():
    """Let jupyter-book make the pages; return its complaints, an empty list when there are none."""
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", str(BOOK), "-W", "-n", "--keep-going"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text, steps = b"", {"reading": None, "writing": None}
    with bar() as progress, process:
        while piece := process.stdout.read1():
            text += piece
            for step, percent in re.findall(rb"(reading|writing) (?:sources|output)\.\.\. \[\s*(\d+)%\]", piece):
                name = step.decode()
                if steps[name] is None:
                    steps[name] = progress.add_task(f"{name} pages", total=100)
                progress.update(steps[name], completed=int(percent))
    said = ESCAPES.sub("", text.decode(errors="replace")).replace("\r", "\n")
    LOG.write_text(said, encoding="utf-8")
    if process.returncode == 0:
        return []
    lines = [line.replace(f"{ROOT}{os.sep}", "") for line in said.splitlines() if COMPLAINT.search(line)]
    lines = [line for line in lines if "IPKernelApp" not in line]
    return list(dict.fromkeys(lines)) or said.splitlines()[-15:]


@contextmanager
def only_one():
    """Let one build at a time work in this folder."""
    import filelock

    BUILD.mkdir(exist_ok=True)
    lock = filelock.FileLock(BUILD / "book.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print("Another build is running in this folder; waiting for it ...", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def drop_old_caches(current):
    """Keep the outputs of the last few versions of the package, forget older ones."""
    caches = sorted(BUILD.glob("outputs-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in [path for path in caches if path != current][CACHES_KEPT - 1 :]:
        shutil.rmtree(old)


def build(workers):
    """Run and build; return the exit status."""
    os.environ["TRITON_INTERPRET"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    started = time.monotonic()
    package = digest(ROOT / "seqlab", ROOT / "requirements.txt")
    frame = digest(ROOT / "_config.yml", *(BOOK / name for name in FRAME))
    pages = digest(BOOK)
    state = f"{package} {frame} {pages}"
    before = STATE.read_text().split() if STATE.exists() else []
    if " ".join(before) == state and (SITE / "index.html").exists():
        print(f"Nothing changed. The site is in {SITE.relative_to(ROOT)}; `make serve` shows it.")
        return 0
    STATE.unlink(missing_ok=True)
    cache = BUILD / f"outputs-{package}"
    os.environ["SEQLAB_BOOK_CACHE"] = str(cache)
    try:
        ran = execute(cache, workers)
    except ChapterFailed as failure:
        print(f"A chapter failed, so the site was not built.\n{failure}", file=sys.stderr)
        return 1
    drop_old_caches(cache)
    if before[:2] != [package, frame]:
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    complaints = assemble()
    if complaints:
        print("\n".join(complaints[:40]), file=sys.stderr)
        print(f"The site was not built. The whole log: {LOG.relative_to(ROOT)}", file=sys.stderr)
        return 1
    STATE.write_text(state)
    seconds = time.monotonic() - started
    count = f"{ran} chapter{'' if ran == 1 else 's'} run"
    print(f"Built in {seconds:.0f} s ({count}). The site is in {SITE.relative_to(ROOT)}; `make serve` shows it.")
    return 0


def serve(port):
    """Show the built site until Ctrl-C; return the exit status."""
    if not (SITE / "index.html").exists():
        print("There is no site yet: build it with `make book`.", file=sys.stderr)
        return 1

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=str(SITE)))
    except (OSError, OverflowError):
        other = port + 1 if 0 < port < 65535 else 8001
        print(f"Port {port} is taken or not allowed: choose another, `make serve PORT={other}`.", file=sys.stderr)
        return 1
    print(f"The book is at http://localhost:{server.server_port} (Ctrl-C stops it).", flush=True)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", type=int, metavar="PORT", help="show the built site, build nothing")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="chapters run side by side (default: 2)")
    options = parser.parse_args(arguments)
    if options.serve is not None:
        return serve(options.serve)
    if options.workers < 1:
        parser.error("--workers must be at least 1")
    try:
        with only_one():
            return build(options.workers)
    except KeyboardInterrupt:
        print("\nStopped. Chapters that had finished need not run again.", file=sys.stderr)
        return 130
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"The site was not built: {error.strerror or error}{where}. Mend that and build again.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
