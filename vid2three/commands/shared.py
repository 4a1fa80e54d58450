"""What several commands have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from generator.config import FamilyName
from vid2three.reporters import Kind

EnvFolder = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
Flat = tyro.conf.arg(name="")
Prompt = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")]
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
Generator = Literal["embedded", FamilyName]
Output = Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]


@dataclass(frozen=True)
class Options:
    """How the command runs."""

    threads: Annotated[int | None, tyro.conf.arg(metavar="NUM")] = None
    """Processor threads to use; all of them unless given."""
    progress: Kind = "auto"
    """Bars on a terminal and nothing on pipes (auto), bars always, a line of JSON a step, or nothing."""
    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Say nothing but what went wrong; with --progress json, the last line alone."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """Say what each stage took, and what the library notes on its way."""
    traceback: bool = False
    """Show where an error came from, for bug reports."""


@dataclass(frozen=True)
class Presets:
    """Where settings come from. A flag wins over the file, the file over the preset."""

    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = "standard"
    """Settings that come with vid2three: draft is a first look, standard the usual, high takes its time."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """YAML file of your own settings."""
