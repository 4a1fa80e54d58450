"""Commands beside the making of assets: training, what is installed, the extension for Blender."""

from __future__ import annotations

import dataclasses
import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

import vid2three
from generator.config import TrainConfig
from vid2three.reporters import Reporter

from .shared import EnvFolder, Flat, Options


@dataclass(frozen=True)
class Train:
    """Train a generator from nothing: data, autoencoder, transformer. Called again, it goes on."""

    config: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """YAML file of settings, such as configs/train-xs.yaml."""
    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Settings that come with vid2three, such as train-xs."""
    options: Annotated[Options, Flat] = field(default_factory=Options)
    settings: Annotated[TrainConfig, Flat] = field(default_factory=TrainConfig)

    def run(self, report: Reporter) -> None:
        vid2three.train(self.settings, log=lambda line: print(line, flush=True))


@dataclass(frozen=True)
class Doctor:
    """What is installed here, what each optional part would give, and a self-test of a few seconds."""

    nerfstudio_env: EnvFolder = None
    """Look at this environment with nerfstudio, instead of the one whose ns-train is on the PATH."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        doctor = importlib.import_module("vid2three.doctor")
        findings = doctor.examine(nerfstudio_env=self.nerfstudio_env)
        if self.options.progress == "json":
            print(json.dumps([dataclasses.asdict(finding) for finding in findings]))
        else:
            print(doctor.table(findings))
        if any(finding.state == "broken" for finding in findings):
            raise SystemExit(1)


@dataclass(frozen=True)
class Blender:
    """The extension for Blender 4.2 and later, as the zip that its preferences install from disk."""

    zip: Annotated[Path | None, tyro.conf.arg(metavar="[PATH]")] = None
    """Where to write it; vid2three-blender-VERSION.zip in this folder unless a path follows."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        package = importlib.import_module("vid2three.blender.package")
        print(package.save_zip(self.zip or Path(package.default_name())))
