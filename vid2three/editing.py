"""An asset that a model made, changed by an instruction: a new run folder, the old one is only read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from generator.clip import Clip
from generator.config import EditConfig, GenerateConfig
from generator.edit import edit as edit_clip
from generator.instruction import Change, read_instruction, whole_prompt
from generator.match import match
from generator.sample import check as check_clip
from generator.sample import orbit_of
from recon.views import Views
from vid2three import stages
from vid2three.capture import digest, load_views, save_views
from vid2three.config import MakeConfig, overlay
from vid2three.pipeline import fitted
from vid2three.run import MANIFEST, Progress, Run, StageFiles, held_run, load_run, no_progress
from vid2three.video import enlarged, save_video

EDITABLE = ("make", "generate", "edit")
STRONGER = 2.0  # guidance of the second try, by that of the first


@dataclass(frozen=True)
class Source:
    """An asset that can be edited."""

    name: str
    """Of its folder."""
    manifest: dict[str, Any]
    config: MakeConfig
    views: Views
    facts: dict[str, Any]
    """What the edit's manifest says of it."""

    @property
    def clip(self) -> Clip:
        """The clip that the asset was made from."""
        views, config = self.views, self.config.generate
        assert views.alphas is not None
        told = torch.from_numpy(orbit_of(config).c2w(len(views))).float()
        on_white = views.images * views.alphas[..., None] + (1 - views.alphas[..., None])
        return Clip(
            frames=(on_white * 255).round().to(torch.uint8),
            alpha=views.alphas,
            depth=views.depths,
            K=views.cameras.K,
            c2w=told,
            fps=config.fps,
            prompt=self.manifest["prompt"],
            caption=self.manifest["caption"],
            seed=self.manifest["seed"],
        )


def edit(
    asset: Path | str,
    instruction: str = "",
    output: Path | str | None = None,
    config: MakeConfig | None = None,
    *,
    prompt: str | None = None,
    settings: EditConfig | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Run:
    """Change an asset of `make`, `generate` or `edit` as an instruction says, and write all that `make` writes.

    `asset` is a run folder or its asset.json. "make the roof blue" changes what it names and leaves shape, cameras and
    other colours; `prompt` is what the asset shall be instead, in whole. Settings are those of the asset unless
    `config` gives others; model, size and cameras of the clip always are. Raises ValueError, with what can be said,
    where the instruction is not understood.
    """
    stages.check_seed(seed)
    settings = settings or EditConfig()
    check(settings)
    source = load_source(asset)
    config = replace(config or source.config, backend="own", generate=source.config.generate)
    stages.check_result(config.fit, config.nerf, config.mesh, config.export)
    change = _change(source, instruction, prompt)
    words = prompt.strip() if prompt else f"{source.manifest['prompt']}; {instruction.strip()}"
    folder = Path(output) if output else Path(stages.slug(f"{source.name} {prompt or instruction}"))
    if folder.resolve() == Path(source.facts["folder"]):
        raise ValueError("The edit cannot be written over what it is made from; pass another folder with -o.")
    arguments = {
        "command": "edit",
        "prompt": words,
        "instruction": instruction.strip(),
        "seed": seed,
        "source": {key: value for key, value in source.facts.items() if key != "folder"},
        "edit": asdict(settings),
        "config": asdict(config),
    }
    facts = stages.generated_facts(words, change.target, config.generate.model)
    with held_run(folder, arguments, {**facts, "source_caption": change.source}, overwrite=overwrite) as run:
        progress("prompt", 1, 1, {"caption": change.target, "notes": list(change.notes)})
        edited(run, source.clip, change, config.generate, settings, progress)
        return fitted(run, config, None, progress)


def settings_of(asset: Path | str) -> MakeConfig:
    """Return the settings of an asset that can be edited."""
    return load_source(asset).config


def check(settings: EditConfig) -> None:
    """Raise ValueError for settings that make no edit."""
    if settings.steps < 1:
        raise ValueError(f"An edit needs at least one step, not {settings.steps}: try 16.")
    if not settings.shift > 0:
        raise ValueError(f"The shift of an edit's times must be above 0, not {settings.shift}: try 3.")


def load_source(asset: Path | str) -> Source:
    """Read an asset that can be edited. Raises ValueError or FileNotFoundError with the cure."""
    path = Path(asset)
    folder = path.parent if path.name == MANIFEST else path
    run = load_run(folder)
    manifest, kind = run.manifest, run.manifest.get("command")
    if kind not in EDITABLE:
        raise ValueError(f"{folder} was made by `{kind}`; only what `make`, `generate` and `edit` made can be edited.")
    for key, type_ in {"prompt": str, "caption": str, "seed": int, "config": dict}.items():
        if not isinstance(manifest.get(key), type_):
            raise ValueError(f"{folder / MANIFEST} holds no {key}.")
    values = manifest["config"]
    if "generator" in values:
        raise ValueError(f"{folder} was made by a video model, which cannot edit: make it anew with other words.")
    if kind == "generate":
        config = MakeConfig(generate=overlay(GenerateConfig(), values.get("generate", {}), "generate"))
    else:
        config = overlay(MakeConfig(), {key: value for key, value in values.items() if key != "nerfstudio"})
    config = replace(config, backend="own", generate=replace(config.generate, image=""))  # its clip is there already
    check_clip(config.generate)
    views = load_views(folder)
    _check_views(views, config.generate, folder)
    facts = {"name": folder.resolve().name, "command": kind, "seed": manifest["seed"], "sha256": digest(folder)}
    orbit = manifest.get("files", {}).get("orbit.mp4", {}).get("sha256")
    return Source(
        facts["name"], manifest, config, views, {**facts, "orbit_sha256": orbit, "folder": str(folder.resolve())}
    )


def _check_views(views: Views, config: GenerateConfig, folder: Path) -> None:
    if views.alphas is None or views.depths is None:
        raise ValueError(f"The frames of {folder} have no alpha or no depth, which an edit needs.")
    cameras = views.cameras
    asked = (config.num_frames, config.height, config.width)
    if (len(views), cameras.height, cameras.width) != asked:
        raise ValueError(f"The frames of {folder} are not those that its settings tell; make the asset again.")
    told = torch.from_numpy(orbit_of(config).c2w(config.num_frames)).float()
    if not torch.allclose(cameras.c2w, told, atol=1e-3):
        raise ValueError(f"The cameras of {folder} are not those that its settings tell; make the asset again.")


def _change(source: Source, instruction: str, prompt: str | None) -> Change:
    if prompt is not None and instruction.strip():
        raise ValueError("Give an instruction or --prompt, not both.")
    caption = source.manifest["caption"]
    return read_instruction(caption, instruction) if prompt is None else whole_prompt(caption, prompt)


def edited(
    run: Run, clip: Clip, change: Change, config: GenerateConfig, settings: EditConfig, progress: Progress
) -> None:
    """Clip and change to orbit.mp4, views/*.png, depth/*.png and transforms.json.

    Where the clip shows the old caption better than the new one, a second try follows the new one more strongly.
    """
    seed = run.manifest["seed"]

    def work(files: StageFiles) -> None:
        total = settings.steps
        report = lambda step, _: progress("generate", step, total, {})  # noqa: E731
        made = edit_clip(clip, change, config, settings, seed=seed, progress=report)
        facts = _likeness(made, change)
        if facts["match"] <= facts["source_match"]:
            stronger = replace(settings, guidance=STRONGER * settings.guidance)
            again = edit_clip(clip, change, config, stronger, seed=seed, progress=report)
            other = {**_likeness(again, change), "guidance": stronger.guidance}
            if _gain(other) > _gain(facts):
                made, facts = again, other
        if _gain(facts) <= 0:
            facts["note"] = (
                "The edit hardly shows: the clip looks more like what it was. Look at preview.png; another --seed, "
                f"--guidance {2 * STRONGER * settings.guidance:g} or other words may help."
            )
            progress("generate", 1, 1, {"notes": [facts["note"]]})
        with files.file("orbit.mp4", fps=made.fps, **facts) as path:
            save_video(path, enlarged(made.frames.numpy()), made.fps)
        save_views(files, stages.clip_views(made), stages.GENERATED_WORLD)

    run.stage(
        "generate",
        {
            "source": run.manifest["source"]["sha256"],
            "change": asdict(change),
            "seed": seed,
            "edit": asdict(settings),
            "generate": asdict(config),
            "weights": run.manifest["weights"]["sha256"],
        },
        [],
        work,
        progress,
    )


def _likeness(clip: Clip, change: Change) -> dict[str, Any]:
    """Return how well a clip shows the target caption and the source's."""
    likes = {"match": change.target, "source_match": change.source}
    return {name: round(match(clip.frames, caption), 3) for name, caption in likes.items()}


def _gain(facts: dict[str, Any]) -> float:
    return facts["match"] - facts["source_match"]
