"""What every test in a real browser needs: a file server, Chromium with the network blocked, the errors of a page, axe.

    from tests.browser import axe, chromium, serve, visit

    pytestmark = pytest.mark.site

    with serve(folder) as site, chromium() as browser, visit(browser, f"{site}/index.html", width=360) as page:
        page.get_by_role("button", name="Step").press("Enter")
        assert page.problems == []
        assert axe(page) == []

`chromium()` skips the test, and says why, where Chromium or the playwright package is missing. Keep a browser open for
a module at most: while it is open, the asyncio loop of its thread is running and `asyncio.run` fails elsewhere.
"""

import http.server
import shutil
import threading
from contextlib import contextmanager
from functools import partial

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
PHONE, DESKTOP = 360, 1280


@contextmanager
def serve(folder):
    """Serve a folder on a free port of this machine; yields the address, without a slash at its end."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def chromium():
    """Start the machine's Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed: `make system` installs it with apt")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser, url, *, width=DESKTOP, height=900, dark=False, javascript=True, reduced_motion=False):
    """Open a page in a fresh context that reaches its own server only.

    Parameters
    ----------
    browser : from `chromium()`.
    url : address of the page.
    width, height : size of the window in CSS pixels.
    dark : whether the system asks for a dark page.
    javascript : False to see the page as a reader without scripts does.
    reduced_motion : whether the system asks for no animation.

    Yields
    ------
    page : playwright's page, with `page.problems`, the list of what went wrong so far: errors and warnings
        on the console, uncaught exceptions, failed requests, and requests to any other machine (all blocked).
    """
    home = "/".join(url.split("/")[:3])
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if reduced_motion else "no-preference",
        java_script_enabled=javascript,
        service_workers="block",
    )
    problems = []

    def gate(route):
        address = route.request.url
        if address.startswith((home + "/", "data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"request to another machine: {address}")
            route.abort()

    def console(message):
        if message.type in ("error", "warning"):
            problems.append(f"{message.type} on the console: {message.text}")

    def answered(response):
        if response.status >= 400:
            problems.append(f"{response.status} for {response.url}")

    context.route("**/*", gate)
    page = context.new_page()
    page.problems = problems
    page.on("console", console)
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
    page.on("response", answered)
    try:
        page.goto(url, wait_until="load")
        yield page
    finally:
        context.close()


def axe(page, context=None, rules_off=()):
    """Scan a page for accessibility.

    Parameters
    ----------
    page : from `visit()`.
    context : CSS selector of the part to scan; the whole page when None.
    rules_off : names of rules that do not apply to this page.

    Returns
    -------
    violations : one readable line for every element that breaks a rule.
    """
    scanner = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in rules_off}}
    found = scanner.Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}".replace("\n", " ")
        for rule in found
        for node in rule["nodes"]
    ]


def overflow(page):
    """How many pixels the page is wider than its window: 0 on a page that fits."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
