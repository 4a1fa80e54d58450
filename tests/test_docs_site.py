"""The documentation as a site: it builds without a warning, whole, and every page has a place in the navigation."""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from vid2three import cli

SIZES = {"desktop": (1300, 900), "phone": (390, 844)}
BUILT_BY_SPHINX = {"genindex", "search"}  # pages of its own
FOR_USERS = (
    "quickstart",
    "concepts",
    "your-own-video",
    "generators",
    "troubleshooting",
)  # pages that name no other program's flags


def placed(index: str) -> list[str]:
    """Return the pages that index.md lists, in order."""
    return re.findall(r"^- \[[^\]]+\]\(([\w-]+)\.md\)", index, re.MULTILINE)


def misplaced(docs: Path) -> list[str]:
    """Return a sentence for every page without its one place in the navigation."""
    listed = placed((docs / "index.md").read_text("utf-8"))
    pages = sorted(page.stem for page in docs.glob("*.md") if page.name != "index.md")
    return [
        f"docs/{page}.md stands {listed.count(page)} times in the navigation; give it one line '- [Title]({page}.md)' "
        "under a heading of docs/index.md."
        for page in pages
        if listed.count(page) != 1
    ]


def test_every_page_has_one_place_in_the_navigation(root):
    assert misplaced(root / "docs") == []


def test_canary_a_page_without_a_place_is_named(tmp_path):
    (tmp_path / "index.md").write_text(
        "# A\n\n## Start\n\n- [First](first.md): it begins\n- [Twice](twice.md)\n- [T](twice.md)\n"
    )
    for name in ("first", "twice", "lost"):
        (tmp_path / f"{name}.md").write_text("# B\n")
    lost, twice = misplaced(tmp_path)
    assert "docs/lost.md stands 0 times" in lost
    assert "docs/twice.md stands 2 times" in twice


def test_pictures_are_used_made_by_a_script_and_light(root):
    pictures = sorted((root / "docs/pictures").iterdir())
    text = "".join(page.read_text("utf-8") for page in (root / "docs").glob("*.md"))
    scripts = "".join(script.read_text("utf-8") for script in (root / "docs").glob("*.py"))
    assert len(pictures) >= 10
    for picture in pictures:
        assert f"(pictures/{picture.name})" in text, f"no page shows {picture.name}"
        assert f'"{picture.stem}"' in scripts or f'"{picture.name}"' in scripts, f"no script makes {picture.name}"
        assert picture.stat().st_size < 200_000, picture.name
    assert sum(picture.stat().st_size for picture in pictures) < 1_200_000


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each command's --help prints."""
    found = {}
    for words in [*([name] for name in cli.COMMANDS), *([name, "--generator", "auto"] for name in cli.BY_VIDEO_MODEL)]:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
            cli.parse([*words, "--help"])
        found[" ".join(words)] = shown.getvalue()
    return found


def flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", text))


@pytest.mark.parametrize(
    "page", ["quickstart", "concepts", "your-own-video", "generators", "train", "formats", "blender", "batch", "serve"]
)
def test_commands_of_a_page_parse(root, page):
    text = (root / f"docs/{page}.md").read_text("utf-8")
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).splitlines()
    asked = [shlex.split(line, comments=True) for line in lines if line.startswith("vid2three ")]
    for words in asked:
        cli.parse([word for word in words[1:] if word != "..."])
    assert asked or page == "formats"


def test_flags_that_pages_name_exist(root, helps):
    known = flags(" ".join(helps.values())) | {*cli.SHORT, *cli.OF_VIDEO_MODEL}
    for page in FOR_USERS:
        code = re.findall(r"`[^`]+`", (root / f"docs/{page}.md").read_text("utf-8"))
        assert flags(" ".join(code)) - known == set(), page


def test_canary_a_flag_that_there_is_not_is_found(helps):
    assert flags("`--seed 1`, `--sede 1`, `-o x`") - flags(helps["make"]) == {"--sede"}


def said(page: Path) -> str:
    """Return the words of a built page, without its styles and scripts."""
    (article,) = re.findall(r"<article.*?</article>", page.read_text("utf-8"), re.DOTALL)
    return re.sub(r"<[^>]+>", "", article)


class Html(HTMLParser):
    """What a page refers to and what in it can be referred to."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.sidebar: list[str] = []
        self.ids: set[str] = set()
        self.has_alt = True
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.ids |= {known[key] for key in ("id", "name") if known.get(key)}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
            if "reference" in (known.get("class") or "") and "internal" in known["class"]:
                self.sidebar.append(known["href"])
        self.loaded += [known[key] for key in ("src", "data") if known.get(key)]
        if tag == "link" and known.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(known["href"])
        if tag == "img":
            self.has_alt &= bool(known.get("alt"))


@pytest.fixture(scope="module")
def site(root, tmp_path_factory) -> Path:
    pytest.importorskip("sphinx", reason="no Sphinx: pip install -e .[docs]")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(folder / "trees")]
    built = subprocess.run(
        [*command, str(root / "docs"), str(folder / "html")], capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert built.stderr == ""
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Html]:
    return {page.resolve(): Html(page.read_text("utf-8")) for page in sorted(site.glob("**/*.html"))}


def broken(pages: dict[Path, Html]) -> list[str]:
    """Return what leads nowhere: a link, an anchor, a picture, a style or a script."""
    found = []
    for page, html in pages.items():
        for target in [*html.links, *html.loaded]:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not file.is_file() or (
                parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].ids
            ):
                found.append(f"{page.name}: {target}")
    return found


@pytest.mark.slow
def test_every_link_anchor_and_picture_is_there(pages):
    assert len(pages) >= 15
    assert broken(pages) == []
    assert [page.name for page, html in pages.items() if not html.has_alt] == []


def test_canary_a_broken_link_anchor_and_picture_are_found(tmp_path):
    page = tmp_path / "a.html"
    page.write_text(
        '<p id="here"><a href="#here"><a href="#gone"><a href="b.html"><img src="c.png" alt="c"><a href="https://x.org">'
    )
    assert broken({page: Html(page.read_text())}) == ["a.html: #gone", "a.html: b.html", "a.html: c.png"]


@pytest.mark.slow
def test_every_page_is_in_every_sidebar(site, root, pages):
    sources = {page.stem for page in (root / "docs").glob("*.md")}
    assert {page.stem for page in pages} == sources | BUILT_BY_SPHINX
    for page, html in pages.items():
        reached = {urlsplit(target).path.removesuffix(".html") for target in html.sidebar} | {page.stem, "index"}
        assert sources <= reached, f"{page.name} does not lead to {sources - reached}"


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert [target for html in pages.values() for target in html.loaded if "//" in target] == []
    styles = "".join(file.read_text("utf-8") for file in site.glob("**/*.css"))
    assert re.findall(r"(?:url\(\s*['\"]?|@import\s+['\"]?)(?:https?:)?//[^)]+", styles) == []


@pytest.mark.slow
def test_commands_settings_and_names_come_from_the_code(site, helps):
    import vid2three
    from vid2three.config import SECTIONS

    commands, settings, names = (
        Html((site / f"{page}.html").read_text("utf-8")) for page in ("cli", "settings", "api")
    )
    assert set(cli.COMMANDS) <= commands.ids
    assert set(SECTIONS) <= settings.ids
    assert {f"vid2three.{name}" for name in vid2three.__all__} <= names.ids
    shown = flags(said(site / "cli.html"))
    assert flags(" ".join(helps.values())) - shown == set()
    listed = flags(said(site / "settings.html"))
    assert listed - flags(" ".join(helps.values())) == set()
    assert {"--generate.steps", "--input.no-match"} <= listed


@pytest.mark.slow
@pytest.mark.parametrize("size", list(SIZES))
def test_pages_fit_the_window_and_complain_of_nothing(browser, site, pages, size):
    width, height = SIZES[size]
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    complaints, asked = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for file in pages:
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name
        sizes = page.evaluate("[...document.querySelectorAll('article img')].map(i => i.naturalWidth)")
        assert 0 not in sizes, file.name
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_search_finds_a_page(browser, site):
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=turntable")
    page.wait_for_selector("ul.search li a", timeout=20_000)
    assert page.locator("ul.search li a").count() >= 1


def test_the_command_of_the_readme_builds_it(root):
    assert "sphinx-build -W docs docs/_build" in (root / "README.md").read_text("utf-8")
    assert shutil.which("git") is None or subprocess.run(
        ["git", "check-ignore", "-q", "docs/_build/index.html"], cwd=root
    ).returncode in (0, 128)  # 128: not a checkout
