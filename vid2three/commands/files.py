"""Commands that read, convert and show what was made."""

from __future__ import annotations

import contextlib
import importlib
import json
import webbrowser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

import vid2three
from vid2three.config import Background, Layout, Pivot, Up
from vid2three.reporters import Reporter

from .shared import Flat, Folder, Options


@dataclass(frozen=True)
class Export:
    """A mesh or splats, of a run or out of a file, in another format, height, pivot or axis."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Run folder, or a file of one of the endings below."""
    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """File to write. A mesh: .glb, .obj, .ply, .stl, .usd, .usda, .usdc, .usdz. Splats: .glb, .ply, .sog, .splat, .spz,
    .usd, .usda, .usdc, .usdz."""
    what: Literal["mesh", "splats"] | None = None
    """Which of the two of a run, where the ending leaves it open; a mesh unless given."""
    height_m: float | None = None
    """Height in metres; as it is unless given."""
    pivot: Pivot = "keep"
    """Where the origin goes: the middle of the base, the centre, or where it is."""
    up: Up | None = None
    """Axis of the file that points up, where its format leaves that open; the usual one of the format unless given."""
    source_up: Up | None = None
    """Axis of the source that points up, where its format leaves that open."""
    spz_version: Literal[3, 4] = 3
    """Version of an .spz: 3 is read everywhere, 4 is smaller and needs zstandard."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        path = vid2three.export(
            self.source,
            self.output,
            what=self.what,
            height_m=self.height_m,
            pivot=self.pivot,
            up=self.up,
            source_up=self.source_up,
            spz_version=self.spz_version,
            progress=report,
        )
        print(path)


@dataclass(frozen=True)
class ExportViews:
    """A run's pictures, cameras and starting points for another trainer: a model of COLMAP, or a transforms.json."""

    source: Folder
    """Run folder."""
    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    """New folder."""
    layout: Layout = "colmap"
    """colmap: images/ and sparse/0 in binary form, which most trainers of splats read; colmap-text: as text;
    nerfstudio: images/, transforms.json and points.ply."""
    background: Background = "keep"
    """What transparent pictures are laid on, for trainers that know no alpha."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        print(
            vid2three.export_views(
                self.source, self.output, layout=self.layout, background=self.background, progress=report
            )
        )


@dataclass(frozen=True)
class Info:
    """What a run folder or a file of a mesh or splats holds, its frame, and where it comes from."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Run folder or file."""
    json: bool = False
    """Print it as JSON."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        info = importlib.import_module("vid2three.info")
        found = info.info(self.source)
        as_json = self.json or self.options.progress == "json"
        print(json.dumps(found, ensure_ascii=False) if as_json else info.table(found))


@dataclass(frozen=True)
class View:
    """Splats and mesh in the browser, to turn and to compare with the frames; served on this machine alone."""

    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|FILE")]
    """Run folder, or a file of splats or of a mesh in any format that `export` reads."""
    live: bool = False
    """Follow a run that is still going on: what is done is shown as it comes."""
    no_open: bool = False
    """Open no browser; the address is printed."""
    port: int = 0
    """Port on 127.0.0.1; a free one unless given."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        serve = importlib.import_module("vid2three.viewer.serve")
        with serve.open_server(self.path, live=self.live, port=self.port) as server:
            print(f"{serve.address(server)}  (Ctrl-C ends it)", flush=True)
            if not self.no_open:
                webbrowser.open(serve.address(server))
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()


@dataclass(frozen=True)
class Evaluate:
    """How near a run comes to the truth: held-out pictures and, where there is one, the true mesh."""

    folder: Folder
    """Run folder."""
    truth: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Folder with transforms_test.json and its pictures, and perhaps mesh.ply."""
    lpips: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Your weights of LPIPS, a file or a folder: torchvision's AlexNet or VGG16 and the lpips package's layers."""
    json: bool = False
    """Print the figures as JSON."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        figures = vid2three.evaluate(self.folder, self.truth, self.lpips)
        as_json = self.json or self.options.progress == "json"
        table = importlib.import_module("vid2three.evaluate").table
        print(json.dumps(figures) if as_json else table(figures))
