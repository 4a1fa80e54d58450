"""The command line. Its help reads torch-free config modules only; the libraries come when a command runs."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: idle threads that spin starve every other process
if os.environ.get("OMP_NUM_THREADS", "").isdigit():  # or Numba raises torch's threads to its own number midway
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])

import argparse
import contextlib
import dataclasses
import importlib
import json
import logging
import signal
import sys
import webbrowser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import tyro

import vid2three
from vid2three.errors import is_users_mistake, sentence
from vid2three.reporters import Kind, Reporter, reporter
from vid2three.stop import stoppable, stopped

vid2three.check_siblings()  # before the next lines import a stranger of the same name

from generator.config import GenerateConfig, TrainConfig  # noqa: E402
from vid2three.config import MakeConfig, Pivot, ReconstructConfig, Up, load_config  # noqa: E402

SHORT = {  # what is asked for most, without the part of the walk that it belongs to
    "--image": "--generate.image",
    "--faces": "--mesh.num-faces",
    "--texture": "--mesh.texture-size",
    "--lods": "--mesh.lods",
    "--height-m": "--export.height-m",
    "--pivot": "--export.pivot",
    "--export": "--export.files",
    "--num-frames": "--input.num-frames",
    "--fov-deg": "--poses.fov-deg",
}
EnvFolder = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
Flat = tyro.conf.arg(name="")
Prompt = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")]
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
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


@dataclass(frozen=True)
class Make:
    """Prompt to 3D asset: clip, splats, mesh, preview, turntable."""

    prompt: Prompt
    """What to make, such as "a red mug with a blue handle"."""
    output: Output = None
    """Run folder; named after the prompt unless given. An unfinished run goes on."""
    seed: int = 0
    """Another seed, another take on the same prompt."""
    overwrite: bool = False
    """Replace another run in that folder; stages that would come out the same are kept."""
    nerfstudio_env: EnvFolder = None
    """Folder of a Python environment with nerfstudio 1.1.5, for --backend nerfstudio."""
    presets: Annotated[Presets, Flat] = field(default_factory=Presets)
    options: Annotated[Options, Flat] = field(default_factory=Options)
    settings: Annotated[MakeConfig, Flat] = field(default_factory=MakeConfig)

    def run(self, report: Reporter) -> None:
        made = vid2three.make(
            self.prompt,
            self.output,
            self.settings,
            seed=self.seed,
            overwrite=self.overwrite,
            nerfstudio_env=self.nerfstudio_env,
            progress=report,
        )
        report.finish(made)


@dataclass(frozen=True)
class Generate:
    """Prompt to orbit clip: video, frames with alpha and depth, cameras."""

    prompt: Prompt
    """What to make, such as "a red mug with a blue handle"."""
    output: Output = None
    """Run folder; named after the prompt unless given."""
    seed: int = 0
    """Another seed, another take on the same prompt."""
    overwrite: bool = False
    """Replace another run in that folder."""
    presets: Annotated[Presets, Flat] = field(default_factory=Presets)
    options: Annotated[Options, Flat] = field(default_factory=Options)
    settings: Annotated[GenerateConfig, Flat] = field(default_factory=GenerateConfig)

    def run(self, report: Reporter) -> None:
        made = vid2three.generate(
            self.prompt,
            self.output,
            self.settings,
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
    (NeRF, instant-ngp, nerfstudio) or the path of such a file."""
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


COMMANDS: dict[str, Any] = {
    "make": Make,
    "generate": Generate,
    "reconstruct": Reconstruct,
    "remake": Remake,
    "evaluate": Evaluate,
    "export": Export,
    "info": Info,
    "view": View,
    "train": Train,
    "doctor": Doctor,
    "blender": Blender,
}


def main(argv: list[str] | None = None) -> None:
    """Run a command. Exits with 2 and one sentence for a user's mistake; a bug keeps its traceback.

    Ctrl-C or SIGTERM exits with 128 and the signal's number, and a sentence that says how to go on.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["--version"]:
        print(f"vid2three {vid2three.__version__}")
        return
    show_traceback = "--traceback" in argv
    report = (
        reporter("json") if _wants_json(argv) else reporter("none")
    )  # for what goes wrong before the options are known
    try:
        command = parse(argv)
        options = command.options
        _set_threads(options.threads)
        _set_logging(options)
        report = reporter(options.progress, quiet=options.quiet, verbose=options.verbose)
        with stoppable(report), report:
            command.run(report)
    except KeyboardInterrupt as stop:
        report.fail(stopped(argv))
        raise SystemExit(128 + (stop.args[0] if stop.args else signal.SIGINT)) from None
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        if show_traceback or not is_users_mistake(error):
            if _wants_json(argv):
                report.fail(f"{type(error).__name__}: {sentence(error)} This is a bug of vid2three.")
            raise
        report.fail(f"vid2three: {sentence(error)}")
        raise SystemExit(2) from None


def parse(argv: list[str]) -> Any:
    """Return the command object that the arguments ask for; settings are flag over file over preset over default."""
    name = argv[0] if argv and argv[0] in COMMANDS else None
    if name in ("make", "reconstruct"):
        argv = [_long(word) for word in argv]
    if name == "export":  # its file stood behind -o before it could be the second word
        argv = [word for word in argv if word not in ("-o", "--output")]
    if name == "blender":  # --zip may go without its path
        follows = [*argv[1:], "-"]
        argv = [word for word, after in zip(argv, follows) if word != "--zip" or not after.startswith("-")]
    choices = []
    for key, command in COMMANDS.items():
        default = _default(command, argv[1:]) if key == name else tyro.MISSING_NONPROP
        choices.append(Annotated[command, tyro.conf.subcommand(key, default=default, prefix_name=False)])
    return tyro.cli(
        Union[tuple(choices)],  # type: ignore[arg-type]  # noqa: UP007
        args=argv,
        prog="vid2three",
        description="A prompt, a video or photos become a 3D asset that opens in Blender. "
        f"make and reconstruct know short flags: {', '.join(f'{a} is {b}' for a, b in SHORT.items())}.",
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _long(word: str) -> str:
    flag, equals, value = word.partition("=")
    return SHORT.get(flag, flag) + equals + value


def _default(command: Any, argv: list[str]) -> Any:
    """Return a command whose settings are those of the preset and the file that the arguments name."""
    entries = {entry.name: entry for entry in dataclasses.fields(command)}
    required = {
        name: tyro.MISSING
        for name, entry in entries.items()
        if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
    }
    default = command(**required)
    if "settings" not in entries:
        return default
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--preset", default=getattr(getattr(default, "presets", default), "preset", None))
    peek.add_argument("--config", type=Path)
    named, others = peek.parse_known_args(argv)
    if command is Train:
        named.config = next((Path(word) for word in others if word.endswith((".yaml", ".yml"))), None)
    preset = None if named.preset in (None, "None") else named.preset
    return dataclasses.replace(default, settings=_loaded(default.settings, preset, named.config))


def _loaded(settings: Any, preset: str | None, file: Path | None) -> Any:
    if isinstance(settings, GenerateConfig):  # presets speak of whole walks
        return load_config(MakeConfig(generate=settings), preset, file).generate
    return load_config(settings, preset, file)


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise ValueError(f"--threads must be 1 or more, not {threads}.")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)


def _set_logging(options: Options) -> None:
    level = logging.ERROR if options.quiet else logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(format="%(message)s", stream=sys.stderr, force=True)
    for package in ("generator", "recon", "vid2three"):
        logging.getLogger(package).setLevel(level)


def _wants_json(argv: list[str]) -> bool:
    return "--progress=json" in argv or "--progress json" in " ".join(argv)


if __name__ == "__main__":
    main()
