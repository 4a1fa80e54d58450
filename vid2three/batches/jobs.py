"""Rows to jobs: one asset each, with a name, a seed and all its settings; every mistake is told with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from generator.config import FamilyName
from vid2three.batches.table import Mistakes, Row
from vid2three.config import MakeConfig, ReconstructConfig, VideoMakeConfig, load_config
from vid2three.errors import sentence
from vid2three.flags import OF_VIDEO_MODEL, long_name, short_flags, with_flags

OWN = ("prompt", "input", "generator", "name", "seed", "seeds", "preset", "config", "masks", "force", "nerfstudio-env")
MOST_JOBS = 10_000
MOST_SEEDS = 1000  # of one row
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(10))}  # of Windows


@dataclass(frozen=True)
class Job:
    """One asset that is wanted."""

    name: str
    """Of its folder."""
    place: str
    """Where it stands in the list, for messages."""
    command: Literal["make", "reconstruct"]
    what: str
    """The prompt, or the path of the pictures."""
    seed: int
    config: MakeConfig | ReconstructConfig
    preset: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the command: masks, force, nerfstudio_env."""

    def task(self) -> dict[str, Any]:
        """Return it as JSON, for a process that carries it out."""
        asked = {"command": self.command, "what": self.what, "seed": self.seed, "config": asdict(self.config)}
        return {**asked, "extra": self.extra}


@dataclass(frozen=True)
class Defaults:
    """What a row asks for where it does not say."""

    preset: str | None = "standard"
    config: Path | None = None
    generator: str = "embedded"
    """Who makes the clips of prompts: the model that comes along, or a family of video models."""
    seeds: int = 1
    nerfstudio_env: Path | None = None


def jobs_of(
    rows: Iterable[Row], source: str, folder: Path, defaults: Defaults, slug: Callable[[str], str]
) -> list[Job]:
    """Return the jobs of rows, in their order, with names of their own; paths in rows are relative to `folder`.

    Raises Mistakes where a row is wrong. `slug` makes a prompt a name.
    """
    jobs: list[Job] = []
    wrong: list[str] = []
    taken: dict[str, str] = {}
    for row in rows:
        try:
            found = _jobs(row, folder, defaults, slug)
            jobs += [_named(job, "name" in row.values, taken) for job in found]
        except (ValueError, FileNotFoundError) as error:
            wrong.append(f"{row.place}: {sentence(error)}")
    if wrong:
        raise Mistakes(source, wrong)
    if len(jobs) > MOST_JOBS:
        raise ValueError(f"{source} asks for {len(jobs)} assets; up to {MOST_JOBS} go into one batch.")
    return jobs


def _jobs(row: Row, folder: Path, defaults: Defaults, slug: Callable[[str], str]) -> list[Job]:
    """Return the jobs of one row, one a seed."""
    values = {str(key).strip().lstrip("-").replace("_", "-"): value for key, value in row.values.items()}
    if ("prompt" in values) == ("input" in values):
        raise ValueError("A row has either a prompt or an input (a video, photos, a transforms.json).")
    command = "make" if "prompt" in values else "reconstruct"
    what = _text(values, "prompt") if command == "make" else str(folder / _text(values, "input"))
    preset = _text(values, "preset") if "preset" in values else defaults.preset
    file = folder / _text(values, "config") if "config" in values else defaults.config
    flags = {key: value for key, value in values.items() if key not in OWN}
    default = ReconstructConfig()
    if command == "make":
        family = _family(values, defaults)
        default = MakeConfig() if family == "embedded" else VideoMakeConfig()
        flags |= {} if family == "embedded" else {"generator": family}
    elif "generator" in values:
        raise ValueError("'generator' goes with a prompt, not with an input.")
    _check_columns(flags, default)
    config = _from(folder, with_flags(load_config(default, preset, file), flags))
    extra = _extra(values, config, folder, defaults)
    base = _name(values) if "name" in values else slug(what if command == "make" else _stem(what))
    seeds = _seeds(values, defaults)
    several = "seed" not in values and len(seeds) > 1
    is_told = several or "name" not in values  # the seed, in the name
    names = {n: f"{base}-seed-{n}" if n and is_told else base for n in seeds}
    return [Job(name, row.place, command, what, n, config, preset, extra) for n, name in names.items()]


def _family(values: dict[str, Any], defaults: Defaults) -> str:
    """Return who makes the clip of a row with a prompt."""
    family = _text(values, "generator") if "generator" in values else defaults.generator
    known = ("embedded", *get_args(FamilyName))
    if family not in known:
        raise ValueError(f"There is no generator {family!r}; there are: {', '.join(known)}.")
    return family


def _from(folder: Path, config: MakeConfig | ReconstructConfig) -> MakeConfig | ReconstructConfig:
    """Return a config whose files are found from here; those that it names lie relative to the list."""
    if isinstance(config, MakeConfig):
        named = config.generate
        return replace(config, generate=replace(named, image=str(folder / named.image) if named.image else ""))
    if isinstance(config, VideoMakeConfig):
        named = config.generator
        found = {name: str(folder / getattr(named, name)) for name in ("image", "lora") if getattr(named, name)}
        if (folder / named.model).is_dir():  # else it is a name on the hub
            found["model"] = str(folder / named.model)
        return replace(config, generator=replace(named, **found))
    return config


def _check_columns(flags: dict[str, Any], default: MakeConfig | ReconstructConfig) -> None:
    sections, short = asdict(default), short_flags(default)
    dotted = [f"{key}.{name}" for key, section in sections.items() if isinstance(section, dict) for name in section]
    known = [
        *OWN,
        *(flag.removeprefix("--") for flag in short),
        *sections,
        *(name.replace("_", "-") for name in dotted),
    ]
    for name in flags:
        if (full := long_name(name, short)) not in known or full.partition(".")[0] not in sections:
            inside = [place for place in known if place.endswith(f".{name}")]
            close = inside or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            guess = f"; did you mean '{close[0]}'?" if close and close[0] != name else "."
            if isinstance(default, MakeConfig) and f"--{name}" in OF_VIDEO_MODEL:
                guess = ": it goes with a video model, which the column 'generator' names."
            walk = "make" if isinstance(default, (MakeConfig, VideoMakeConfig)) else "reconstruct"
            raise ValueError(f"'{name}' is no column or setting of {walk}{guess}")


def _extra(
    values: dict[str, Any], config: MakeConfig | ReconstructConfig, folder: Path, defaults: Defaults
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if "nerfstudio-env" in values:
        extra["nerfstudio_env"] = str(folder / _text(values, "nerfstudio-env"))
    elif defaults.nerfstudio_env is not None:
        extra["nerfstudio_env"] = str(defaults.nerfstudio_env)
    if "masks" in values and "prompt" in values:
        raise ValueError("'masks' goes with an input, not with a prompt.")
    if "force" in values and isinstance(config, MakeConfig):
        raise ValueError("'force' goes with cameras that are estimated, not with a prompt of the embedded generator.")
    if "masks" in values:
        extra["masks"] = str(folder / _text(values, "masks"))
    if "force" in values:
        force = {"true": True, "yes": True, "false": False, "no": False}.get(str(values["force"]).lower())
        if force is None:
            raise ValueError(f"'force' must be true or false, not {values['force']!r}.")
        extra["force"] = force
    return extra


def _seeds(values: dict[str, Any], defaults: Defaults) -> list[int]:
    """Return the seeds of a row: its one, a list, or the first so many from 0."""
    if "seed" in values and "seeds" in values:
        raise ValueError("A row has either a seed or seeds, not both.")
    if "seed" in values:
        return [_whole(values["seed"], "seed")]
    asked = values.get("seeds", defaults.seeds)
    if isinstance(asked, str):
        asked = [word for word in re.split(r"[\s,;]+", asked.strip("[] ")) if word]
        asked = _whole(asked[0], "seeds") if len(asked) == 1 and "[" not in str(values["seeds"]) else asked
    if isinstance(asked, list):
        seeds = [_whole(seed, "seeds") for seed in asked]
        if len(set(seeds)) < len(seeds) or not seeds:
            raise ValueError(f"'seeds' must be different whole numbers, not {values['seeds']!r}.")
        return seeds
    count = _whole(asked, "seeds")
    if not 1 <= count <= MOST_SEEDS:
        raise ValueError(f"'seeds' must be a count from 1 to {MOST_SEEDS} or a list, not {count}.")
    return list(range(count))


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\s*\d{1,19}\s*", str(value)):
        raise ValueError(f"'{name}' must be a whole number, 0 or more, not {value!r}.")
    return int(value)


def _text(values: dict[str, Any], name: str) -> str:
    if not isinstance(values[name], str) or not values[name].strip():
        raise ValueError(f"'{name}' must be text, not {values[name]!r}.")
    return values[name].strip()


def _stem(path: str) -> str:
    """Return what to call the asset of a video or folder; a transforms.json is called after its folder."""
    found = Path(path).absolute()
    return found.parent.name if found.suffix == ".json" else found.stem if found.suffix else found.name


def _name(values: dict[str, Any]) -> str:
    name = _text(values, "name")
    if not re.fullmatch(r"\w[\w .+()-]{0,79}", name) or name[-1] in ". " or name.lower().partition(".")[0] in RESERVED:
        raise ValueError(f"'{name}' cannot be the name of a folder; take letters, digits, hyphens, up to 80.")
    return name


def _named(job: Job, is_given: bool, taken: dict[str, str]) -> Job:
    """Return a job whose folder no earlier one has, where capitals make no difference."""
    name, number = job.name, 2
    while name.casefold() in taken:
        if is_given:
            raise ValueError(f"The name '{name}' is taken by {taken[name.casefold()].lower()}; names stand once.")
        name, number = f"{job.name}-{number}", number + 1
    taken[name.casefold()] = job.place
    return replace(job, name=name)
