"""Commands that make assets."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

import vid2three
from generator.config import EditConfig, GenerateConfig, VideoModelConfig
from vid2three.config import MakeConfig, ReconstructConfig, VideoMakeConfig, load_config
from vid2three.reporters import Reporter

from .shared import EnvFolder, Flat, Generator, Options, Output, Presets, Prompt


@dataclass(frozen=True)
class _FromPrompt:
    """What all commands that start from a prompt take."""

    prompt: Prompt
    """What to make, such as "a red mug with a blue handle"."""
    output: Output = None
    """Run folder; named after the prompt unless given. An unfinished run goes on."""
    seed: int = 0
    """Another seed, another take on the same prompt."""
    overwrite: bool = False
    """Replace another run in that folder; stages that would come out the same are kept."""
    allow_download: bool = False
    """Fetch models from the Hugging Face hub, where they are named and not here."""
    presets: Annotated[Presets, Flat] = field(default_factory=Presets)
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def arguments(self, report: Reporter) -> dict[str, Any]:
        """Return what all of them hand on by name."""
        names = ("seed", "overwrite", "allow_download")
        return {**{name: getattr(self, name) for name in names}, "progress": report}


@dataclass(frozen=True)
class Make(_FromPrompt):
    """Prompt to 3D asset: clip, splats, mesh, preview, turntable."""

    generator: Generator = "embedded"
    """Who makes the clip: the model that comes along, or a video model of your own in the format of diffusers, of that
    family or of any (auto). `make --generator auto --help` lists its settings."""
    nerfstudio_env: EnvFolder = None
    """Folder of a Python environment with nerfstudio 1.1.5, for --backend nerfstudio."""
    settings: Annotated[MakeConfig, Flat] = field(default_factory=MakeConfig)

    def run(self, report: Reporter) -> None:
        more = {**self.arguments(report), "nerfstudio_env": self.nerfstudio_env}
        report.finish(vid2three.make(self.prompt, self.output, self.settings, **more))


@dataclass(frozen=True)
class MakeByVideoModel(_FromPrompt):
    """Prompt to 3D asset by a video model of your own: its clip goes the way of any video."""

    force: bool = False
    """Go on with cameras that are not to be believed."""
    nerfstudio_env: EnvFolder = None
    """Folder of a Python environment with nerfstudio 1.1.5, for --backend nerfstudio."""
    settings: Annotated[VideoMakeConfig, Flat] = field(default_factory=VideoMakeConfig)

    def run(self, report: Reporter) -> None:
        more = {**self.arguments(report), "force": self.force, "nerfstudio_env": self.nerfstudio_env}
        report.finish(vid2three.make(self.prompt, self.output, self.settings, **more))


@dataclass(frozen=True)
class Generate(_FromPrompt):
    """Prompt to orbit clip: video, frames with alpha and depth, cameras."""

    generator: Generator = "embedded"
    """Who makes it: the model that comes along, or a video model of your own in the format of diffusers, of that family
    or of any (auto). `generate --generator auto --help` lists its settings."""
    settings: Annotated[GenerateConfig, Flat] = field(default_factory=GenerateConfig)

    def run(self, report: Reporter) -> None:
        report.finish(vid2three.generate(self.prompt, self.output, self.settings, **self.arguments(report)))


@dataclass(frozen=True)
class GenerateByVideoModel(_FromPrompt):
    """Prompt to video by a video model of your own; `reconstruct` goes on from it."""

    settings: Annotated[VideoModelConfig, Flat] = field(default_factory=VideoModelConfig)

    def run(self, report: Reporter) -> None:
        report.finish(vid2three.generate(self.prompt, self.output, self.settings, **self.arguments(report)))


@dataclass(frozen=True)
class Edit:
    """An asset changed by an instruction, in a new run folder: "make the roof blue"."""

    asset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="ASSET")]
    """Run folder of make, generate or edit, or its asset.json. It is only read."""
    instruction: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INSTRUCTION")] = ""
    """What to change: "paint it red", "make the handle green", "with white stripes", "make it metallic", "remove the
    stripes", "put it on a table", "three of them", "turn it into a vase"."""
    output: Output = None
    """New run folder; named after the asset and the instruction unless given."""
    prompt: str | None = None
    """What the asset shall be instead, in whole, in place of an instruction."""
    seed: int = 0
    """Another seed, another take on the same edit."""
    overwrite: bool = False
    """Replace another run in that folder; stages that would come out the same are kept."""
    presets: Annotated[Presets, Flat] = field(default_factory=lambda: Presets(preset=None))
    options: Annotated[Options, Flat] = field(default_factory=Options)
    edit: Annotated[EditConfig, Flat] = field(default_factory=EditConfig)

    def run(self, report: Reporter) -> None:
        config = None
        if self.presets.preset is not None or self.presets.config is not None:
            settings_of = importlib.import_module("vid2three.editing").settings_of
            config = load_config(settings_of(self.asset), self.presets.preset, self.presets.config)
        made = vid2three.edit(
            self.asset,
            self.instruction,
            self.output,
            config,
            prompt=self.prompt,
            settings=self.edit,
            seed=self.seed,
            overwrite=self.overwrite,
            progress=report,
        )
        report.finish(made)


@dataclass(frozen=True)
class Remake:
    """An asset again from its asset.json alone, and whether every file comes out the same."""

    asset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|FILE")]
    """asset.json, or the run folder that holds it."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """New run folder."""
    force: bool = False
    """Go on with other weights than those that made it."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        report.finish(vid2three.remake(self.asset, self.output, force=self.force, progress=report))


@dataclass(frozen=True)
class Reconstruct:
    """A video, photos, or pictures with known cameras to 3D asset: splats, mesh, preview, turntable."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")]
    """Video that goes around a subject (mp4, mov, webm, gif, avi, mkv), folder of photos, folder with a transforms.json
    (NeRF, instant-ngp, nerfstudio) or the path of such a file, folder with a sparse model of COLMAP."""
    output: Output = None
    """Run folder; named after the source unless given."""
    seed: int = 0
    """Seed of the optimisation."""
    overwrite: bool = False
    """Replace another run in that folder; stages that would come out the same are kept."""
    masks: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Masks of your own for a video or photos, one a frame, white where the subject is."""
    no_mask: bool = False
    """Keep the background; the same as --input.background keep."""
    force: bool = False
    """Go on with cameras that are not to be believed."""
    nerfstudio_env: EnvFolder = None
    """Folder of a Python environment with nerfstudio 1.1.5, for --backend nerfstudio."""
    presets: Annotated[Presets, Flat] = field(default_factory=Presets)
    options: Annotated[Options, Flat] = field(default_factory=Options)
    settings: Annotated[ReconstructConfig, Flat] = field(default_factory=ReconstructConfig)

    def run(self, report: Reporter) -> None:
        if self.no_mask and self.masks is not None:
            raise ValueError("--masks and --no-mask exclude each other; leave one of them out.")
        settings = self.settings
        if self.no_mask:
            settings = dataclasses.replace(settings, input=dataclasses.replace(settings.input, background="keep"))
        made = vid2three.reconstruct(
            self.source,
            self.output,
            settings,
            seed=self.seed,
            overwrite=self.overwrite,
            masks=self.masks,
            force=self.force,
            nerfstudio_env=self.nerfstudio_env,
            progress=report,
        )
        report.finish(made)
