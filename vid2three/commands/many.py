"""The command that makes many assets."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

import vid2three
from generator.workers import Workers
from vid2three.reporters import Reporter

from .shared import EnvFolder, Flat, Generator, Options, Presets


@dataclass(frozen=True)
class Batch:
    """A list of prompts, videos or photos to assets, several at a time, and one page to look at them."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LIST")]
    """A .txt with a prompt a line, or a .csv, .tsv or .jsonl with columns: prompt or input, name, seed or seeds,
    preset, config, generator, image, elevation, and any setting of make by its flag, such as mesh.num-faces."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the batch. The same command goes on in it: what is there is kept, changed rows are made anew."""
    seeds: Annotated[int, tyro.conf.arg(metavar="NUM")] = 1
    """Takes on each row that names no seeds of its own: 0, 1, ..."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="NUM")] = None
    """Processes at a time, each with --threads, or one, threads; as many as processors and memory bear unless given,
    one where a video model makes clips."""
    retries: Annotated[int, tyro.conf.arg(metavar="NUM")] = 2
    """Times that an asset is tried again whose process was lost."""
    engine: Literal["pool", "ray"] = "pool"
    """Where they run: on this machine, or as Ray's workers, whose run folders come back to FOLDER."""
    ray_address: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = ""
    """Of a running Ray cluster, such as auto or HOST:6379, all of whose processors are used; empty starts Ray here."""
    generator: Generator = "embedded"
    """Who makes the clips of rows that do not say: the model that comes along, or a video model of your own, of that
    family or of any (auto); its settings stand in --config or in columns such as generator.model."""
    nerfstudio_env: EnvFolder = None
    """Folder of a Python environment with nerfstudio 1.1.5, for rows whose backend is nerfstudio."""
    presets: Annotated[Presets, Flat] = field(default_factory=Presets)
    options: Annotated[Options, Flat] = field(default_factory=Options)

    def run(self, report: Reporter) -> None:
        table = importlib.import_module("vid2three.batches.table")
        workers = None if self.workers is None else Workers(self.workers, self.engine, self.ray_address)
        if workers is None and (self.engine == "ray" or self.ray_address):
            walk = importlib.import_module("vid2three.batches.walk")
            workers = Workers(walk.default_workers(), self.engine, self.ray_address)
        try:
            made = vid2three.batch(
                self.source,
                self.output,
                preset=self.presets.preset,
                config=self.presets.config,
                generator=self.generator,
                seeds=self.seeds,
                nerfstudio_env=self.nerfstudio_env,
                workers=workers,
                threads=self.options.threads or 1,
                retries=self.retries,
                progress=report,
            )
        except table.Mistakes as found:
            if self.options.progress == "json":
                raise
            for line in found.lines:
                report.say(line)
            raise ValueError(f"{len(found.lines)} to mend in {found.source}; nothing was started.") from None
        facts = importlib.import_module("vid2three.batches.summary")
        report.end(facts.words(made), facts.counts(made))
        if made.failed:
            raise SystemExit(1)
