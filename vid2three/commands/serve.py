"""The command that makes assets for other programs."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from vid2three.reporters import Reporter

from .shared import Flat, Options


@dataclass(frozen=True)
class Serve:
    """A small HTTP endpoint on this machine, by which programs ask for assets: /openapi.json says how."""

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = Path("vid2three-assets")
    """Work folder, which holds all that is made; started again there, the server goes on with what was left."""
    host: str = "127.0.0.1"
    """Address to listen at. Others than this machine's own need a token and the names that the server is called by."""
    port: int = 8321
    """Port; 0 takes a free one."""
    token_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File whose text each request must show as a bearer token; the variable VID2THREE_TOKEN does the same."""
    allowed_hosts: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ()
    """Further names that the server is called by (Host header)."""
    workers: Annotated[int, tyro.conf.arg(metavar="NUM")] = 1
    """Processes that make assets, each 1.5 GB; they share the processors unless --threads says how many each has."""
    max_queue: Annotated[int, tyro.conf.arg(metavar="NUM")] = 32
    """Assets that may wait; more are turned away (429)."""
    max_assets: Annotated[int, tyro.conf.arg(metavar="NUM")] = 1000
    """Assets that are stored; more are turned away (507) until some are deleted."""
    max_image_mb: Annotated[int, tyro.conf.arg(metavar="NUM")] = 20
    """Largest picture, in MiB."""
    max_video_mb: Annotated[int, tyro.conf.arg(metavar="NUM")] = 300
    """Largest video, in MiB."""
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        serve = importlib.import_module("vid2three.server.run")
        token = os.environ.get("VID2THREE_TOKEN")
        if self.token_file is not None:
            if not self.token_file.is_file():
                raise FileNotFoundError(f"There is no file {self.token_file} with a token.")
            token = self.token_file.read_text(encoding="utf-8", errors="replace").strip()
        asked = serve.Serve(
            folder=self.output,
            host=self.host,
            port=self.port,
            token=token,
            allowed_hosts=self.allowed_hosts,
            workers=self.workers,
            threads=self.options.threads,
            max_queue=self.max_queue,
            max_assets=self.max_assets,
            max_image_mb=self.max_image_mb,
            max_video_mb=self.max_video_mb,
        )
        serve.serve(asked, lambda line: print(line, flush=True))
