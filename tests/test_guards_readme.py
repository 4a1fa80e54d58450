"""The README against the code: its commands parse, its Python uses names that exist, its links lead somewhere."""

import ast
import re
import shlex
from pathlib import Path

import pytest

import vid2three
from vid2three import cli


@pytest.fixture(scope="module")
def readme(root) -> str:
    return (root / "README.md").read_text("utf-8")


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[list[str]]:
    """Return the arguments of every vid2three command line of a document."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    return [shlex.split(line.split(".venv/bin/vid2three ")[1]) for line in lines if ".venv/bin/vid2three " in line]


def test_every_command_parses(readme):
    found = commands(readme)
    assert len(found) >= 4
    parsed = [type(cli.parse(arguments)).__name__ for arguments in found]
    assert {"Make", "Reconstruct", "Export"} <= set(parsed)


@pytest.mark.parametrize("line", ["make a --sede 1", "make a --preset nothing", "mkae a"])
def test_canary_a_wrong_command_does_not_parse(line):
    (arguments,) = commands(f"```sh\n.venv/bin/vid2three {line}\n```\n")
    with pytest.raises((SystemExit, ValueError)):
        cli.parse(arguments)


def test_python_uses_names_that_exist(readme):
    (source,) = blocks(readme, "python")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    used = {node.attr for node in nodes if ast.unparse(node.value) == "vid2three"}
    assert used
    assert used <= set(vid2three.__all__)


def test_ci_finds_the_test_command(readme):
    marked = re.findall(r"<!-- test -->\n```sh\n(.*?)\n```", readme, re.DOTALL)
    assert len(marked) == 1
    assert "-m pytest" in marked[0]
    assert "venv" in marked[0]


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files and the headings that a page links to, but for the web."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = (target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target)
    parts = [target.partition("#") for target in targets]
    return [((page.parent / name).resolve() if name else page, heading) for name, _, heading in parts]


def test_every_link_leads_somewhere_and_every_page_is_linked(root):
    pages = [(root / "README.md").resolve(), *(page.resolve() for page in sorted((root / "docs").glob("*.md")))]
    reached = set()
    for page in pages:
        for file, heading in links(page):
            assert file.exists(), f"{page.name} links to {file}"
            reached.add(file)
            if heading:
                titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
                assert heading in {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(pages[1:]) <= reached
