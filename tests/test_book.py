"""The built site, looked at as a reader would: every page in Chromium, light and dark, wide and narrow."""

import json
import os
import posixpath
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbformat
import pytest

from pipeline import notebooks

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "_build" / "ci"
SITE = BUILT / "site"
PAGES = sorted(
    p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if SITE / "_static" not in p.parents
)
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INSTALL = "apt-get install -y --no-install-recommends chromium"

pytestmark = pytest.mark.site


# --- the files -------------------------------------------------------------------------------------------


def test_the_site_is_built_from_every_page_of_the_contents():
    assert SITE.is_dir(), "there is no site yet: make book"
    contents = (ROOT / "book" / "_toc.yml").read_text(encoding="utf8")
    named = re.findall(r"^ *(?:- file|root): *(\S+)$", contents, re.MULTILINE)
    assert {f"{name}.html" for name in named} <= set(PAGES)


def test_the_claims_of_the_site_are_those_that_the_notebooks_declare():
    rows = json.loads((BUILT / "claims.json").read_text(encoding="utf8"))
    found = {path.stem: nbformat.read(path, as_version=4) for path in (ROOT / "book").glob("*.ipynb")}
    declared = notebooks.declared_claims(found)
    assert {row["id"] for row in rows} == {claim for ids in declared.values() for claim in ids}
    assert all(row["verdict"] == row["expected"] for row in rows)
    page = (SITE / "claims.html").read_text(encoding="utf8")
    for row in rows:
        target = f"{row['chapter']}.html#certificate-{row['chapter'].replace('_', '-')}"
        assert f'href="{target}">{row["id"]}</a>' in page
        file, anchor = target.split("#")
        assert f'id="{anchor}"' in (SITE / file).read_text(encoding="utf8")


def test_every_picture_made_by_a_notebook_has_a_caption_and_alternative_text():
    for path in sorted((BUILT / "stage" / "book").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
            if any(kind.startswith("image/") for kind in kinds):
                shown = cell.metadata.get("mystnb", {})
                assert shown.get("figure", {}).get("caption"), f"{path.name}: {cell.source}"
                assert shown.get("image", {}).get("alt"), f"{path.name}: {cell.source}"


def test_nothing_of_this_machine_is_in_the_site():
    for path in SITE.rglob("*"):
        if path.suffix in {".html", ".ipynb", ".txt", ".md", ".json"}:
            assert str(ROOT) not in path.read_text(encoding="utf8"), path


class Links(HTMLParser):
    """The ids of one page and what it links to or loads."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.targets = {""}, []
        self.feed(page.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values.get("id"), values.get("name")}
        self.targets += [values[key] for key in ("href", "src") if key in values]


def test_no_link_inside_the_site_is_broken():
    pages = {name: Links(SITE / name) for name in PAGES}
    broken = []
    for name, page in pages.items():
        assert len(page.targets) > 10, name
        for target in page.targets:
            parts = urlparse(target)
            if parts.scheme or parts.netloc:
                continue
            path = posixpath.normpath(
                posixpath.join(posixpath.dirname(name), unquote(parts.path) or posixpath.basename(name))
            )
            anchors = pages[path].ids if path in pages else {unquote(parts.fragment)}
            if not (SITE / path).is_file() or unquote(parts.fragment) not in anchors:
                broken.append(f"{name}: {target}")
    assert broken == []


# --- the pages -------------------------------------------------------------------------------------------


def find_browser():
    """Path of a Chromium or Chrome; installs one when that is ours to do, else fails with what to type."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {
            "check": False,
            "capture_output": True,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        }
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(INSTALL.split(), **quiet)
        found = shutil.which("chromium")
    if not found:
        pytest.fail(
            f"no Chromium or Chrome was found. On Debian: {INSTALL}; or leave these out: make test BROWSER=0"
        )
    return found


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def opened(browser, address, name):
    """The page once its mathematics is set, and the list of what went wrong on the way."""
    context = browser.new_context()
    page, trouble = context.new_page(), []
    home = urlparse(address).netloc

    def asked(request):
        parts = urlparse(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != home:
            trouble.append(f"asks for {request.url}")

    def answered(response):
        if not response.ok and response.status != 304:
            trouble.append(f"{response.status} {response.url}")

    page.on("request", asked)
    page.on("requestfailed", lambda request: trouble.append(f"did not get {request.url}"))
    page.on("response", answered)
    page.on("pageerror", lambda error: trouble.append(f"script error: {error}"))
    page.on("console", lambda line: line.type == "error" and trouble.append(f"console: {line.text}"))
    page.goto(f"{address}/{name}", wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise?.then(() => true) ?? true")
    yield page, trouble
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_page(browser, address, name):
    with opened(browser, address, name) as (page, trouble):
        trouble += mathematics(page) + pictures(page)
        for scheme, width in LOOKS:
            show(page, scheme, width)
            trouble += [f"{scheme}, {width} pixels wide: {line}" for line in layout(page)]
        # Most elements are words of code and signs of formulas, alike everywhere: see the next test.
        page.evaluate("document.querySelectorAll('pre').forEach(code => code.textContent = code.textContent)")
        page.evaluate("document.querySelectorAll('mjx-container').forEach(formula => formula.remove())")
        for scheme, width in (LOOKS[0], LOOKS[-1]):
            show(page, scheme, width)
            trouble += [f"{scheme}, {width} pixels wide: {line}" for line in accessibility(page)]
        assert trouble == [], f"{name}:\n" + "\n".join(trouble)


def show(page, scheme, width):
    """Set the colours and the width, and wait until the page's scripts have answered to both."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    page.wait_for_timeout(500)  # the theme decides what scrolls 300 ms after a change of width


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_and_formulas_are_readable(browser, address, scheme):
    with opened(browser, address, "setting.html") as (page, trouble):
        show(page, scheme, 390 if scheme == "light" else 1280)
        assert page.locator("pre span").count() > 50
        assert page.locator("mjx-container").count() > 50
        assert accessibility(page) + trouble == []


def mathematics(page):
    """Formulas that were not set, or set in red."""
    text = page.evaluate(
        """() => {
            const copy = document.querySelector("article, main, body").cloneNode(true);
            copy.querySelectorAll("pre, code, script, style, mjx-assistive-mml").forEach(e => e.remove());
            return copy.textContent;
        }"""
    )
    found = [
        f"unrendered mathematics: {hit}"
        for hit in re.findall(r".{0,30}(?:\\\(|\\\[|\$\$|\\begin\{).{0,30}", text)
    ]
    errors = page.locator("mjx-merror, [data-mjx-error], mjx-container [style*='red']").count()
    sources, rendered = page.locator(".math").count(), page.locator(".math mjx-container").count()
    if errors:
        found.append(f"{errors} formulas with a TeX error or an unknown command")
    if sources > rendered:
        found.append(f"{sources} formulas, {rendered} of them set")
    return found


def layout(page):
    """Whether the page is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} pixels wider than the screen"] if wide > 0 else []


def pictures(page):
    """Pictures of the text without alternative text, without a caption, or that did not load."""
    return page.evaluate(
        """() => [...document.querySelectorAll("article img:not(.toggler)")].flatMap(image => [
            ...(image.alt.trim() ? [] : [`no alternative text: ${image.src}`]),
            ...(image.closest("figure")?.querySelector("figcaption") ? [] : [`no caption: ${image.src}`]),
            ...(image.complete && image.naturalWidth ? [] : [`not loaded: ${image.src}`]),
        ])"""
    )


def accessibility(page):
    """What axe finds serious or critical, except the roles that docutils gives to a list of references."""
    from axe_playwright_python.sync_playwright import Axe

    result = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]})
    return [
        f"{violation['id']} ({violation['help']}): {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in result.response["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
        if not (violation["id"] == "aria-required-children" and "citation" in node["html"])
    ]
