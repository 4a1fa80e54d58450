"""What the site says that the code says better: commands, settings, the Python names, and the navigation.

Each returns Markdown. conf.py puts it where a page asks for it.
"""

import contextlib
import dataclasses
import io
import os
import re
from unittest.mock import patch

from sphinx.pycode import ModuleAnalyzer

import vid2three
from vid2three import cli
from vid2three.config import SECTIONS, WALKS, VideoMakeConfig, load_config

MARK = re.compile(r"^<!-- made from the code: (\w+) -->$", re.MULTILINE)
WALK_PRESETS = ("draft", "standard", "high")
HELP_COLUMNS = "110"  # below this the command line's help breaks words


def filled(page: str) -> str:
    """Return a page with every mark replaced by what it names. Raises KeyError for a name that there is not."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), page)


def navigation(index: str) -> str:
    """Return the tables of contents that the site's sidebar needs: the lists of links under index.md's headings."""
    parts = []
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        pages = re.findall(r"^- \[[^\]]+\]\(([\w-]+)\.md\)", section, re.MULTILINE)
        if pages:
            caption = section.splitlines()[0]
            parts.append("\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]))
    return "\n".join(parts)


def commands() -> str:
    """Every command of the command line, from its own --help."""
    models = [_command(name, "--generator", "auto") for name in cli.BY_VIDEO_MODEL]
    return "\n\n".join([*(_command(name) for name in cli.COMMANDS), *models])


def _command(*words: str) -> str:
    shown = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # which decides how boxes are drawn
    quiet = patch.dict(os.environ, {"COLUMNS": HELP_COLUMNS, "NO_COLOR": "1"})
    with quiet, contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        cli.parse([*words, "--help"])
    shown.seek(0)
    return f"## {' '.join(words)}\n\n" + markdown_of_help(shown.read())


def markdown_of_help(text: str) -> str:
    """Turn the help of a command into Markdown: what it does, how it is called, a table for each box of options.

    Raises ValueError where the text is not what the command line prints today.
    """
    head, *boxes = re.split(r"^╭─ (.+?) ─*╮$", text, flags=re.MULTILINE)
    usage, _, about = head.strip().partition("\n\n")
    if not usage.startswith("usage: ") or not boxes:
        raise ValueError(f"This is not the help of a command: {text[:200]!r}")
    parts = [_line(about), f"```text\n{' '.join(usage.removeprefix('usage: ').split())}\n```"]
    for title, body in zip(boxes[::2], boxes[1::2], strict=True):
        if title not in ("options", "positional arguments"):
            parts.append(f"**{title.capitalize()}**")
        parts.append(_table(body))
    return "\n\n".join(parts)


def _table(body: str) -> str:
    rows: list[list[str]] = []
    for line in re.findall(r"^│(.*)│$", body, re.MULTILINE):
        text = line.strip()
        if re.match(r" (-|[A-Z\[])", line) and (text.startswith("-") or re.match(r"[A-Z\[]+( {2,}|$)", text)):
            name, _, about = text.partition("  ")
            rows.append([name, about.strip()])
        elif rows and text and not set(text) <= {"─"}:
            rows[-1][1] += f" {text}"
    cells = [f"| `{name}` | {_line(about)} |" for name, about in rows]
    return "\n".join(["| | |", "|---|---|", *cells])


def settings() -> str:
    """Every setting of `make` and `reconstruct` with its defaults and what the presets make of them.

    Of `make` by a video model its own section alone: the others are as in `reconstruct`.
    """
    return "\n\n".join(_section(name, config) for name, config in SECTIONS.items())


def _section(name: str, config: type) -> str:
    meanings = _field_docs(config)
    wholes = {"make --generator": VideoMakeConfig} if name == "generator" else WALKS
    walks = [walk for walk, whole in wholes.items() if name in {entry.name for entry in dataclasses.fields(whole)}]
    values = {walk: [getattr(load_config(wholes[walk](), preset), name) for preset in WALK_PRESETS] for walk in walks}
    lines = [f"| | {' | '.join(f'`{walk}`' for walk in walks)} | |", f"|---|{'---|' * len(walks)}---|"]
    for entry in dataclasses.fields(config):
        cells = [_values([getattr(settings, entry.name) for settings in values[walk]]) for walk in walks]
        off = "no-" if entry.default is True else ""  # what is on has a flag that turns it off
        flag = f"--{name}.{off}{entry.name.replace('_', '-')}"
        lines.append(f"| `{flag}` | {' | '.join(cells)} | {meanings[entry.name]} |")
    return f"## {name}\n\n{_line(config.__doc__ or '')}\n\n" + "\n".join(lines)


def _values(of_presets: list) -> str:
    """The standard's value, and those of the other presets where they differ."""
    usual = of_presets[WALK_PRESETS.index("standard")]
    others = [f"{name} {_shown(value)}" for name, value in zip(WALK_PRESETS, of_presets) if value != usual]
    return _shown(usual) + (f" ({', '.join(others)})" if others else "")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", ()):
        return "–"
    return str(value)


def _field_docs(config: type) -> dict[str, str]:
    documented = ModuleAnalyzer.for_module(config.__module__).find_attr_docs()
    return {
        entry.name: _line(" ".join(documented[config.__name__, entry.name])) for entry in dataclasses.fields(config)
    }


def python() -> str:
    """Every public name of the package, from its docstring."""
    kinds = {"Functions": [], "Results": [], "Settings": []}
    for name in vid2three.__all__:
        is_class = isinstance(getattr(vid2three, name), type)
        kinds["Settings" if name.endswith("Config") else "Results" if is_class else "Functions"].append(name)
    parts = []
    for title, names in kinds.items():
        parts.append(f"## {title}")
        for name in names:
            what = "function" if title == "Functions" else "class"
            members = [] if what == "function" else ["   :members:", "   :undoc-members:"]
            directive = [f".. auto{what}:: vid2three.{name}", *members]
            parts.append("\n".join(["```{eval-rst}", *directive, "```"]))
    return "\n\n".join(parts)


def _line(text: str) -> str:
    """One line that may stand in a table, its flags as code."""
    line = " ".join(text.split()).replace("|", "\\|").removesuffix(" (default: None)").removesuffix(" (default: False)")
    return re.sub(r"(?<![`\w-])(--[a-z][\w.-]*\w)", r"`\1`", line)


PARTS = {"commands": commands, "settings": settings, "python": python}
