"""The command line. Its help reads torch-free config modules only; the libraries come when a command runs."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: idle threads that spin starve every other process

import argparse
import dataclasses
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

import vid2three
from vid2three.errors import is_users_mistake, sentence
from vid2three.reporters import reporter
from vid2three.stop import stoppable, stopped
from vid2three.threads import follow_openmp, limit_threads

follow_openmp()
vid2three.check_siblings()  # before the next lines import a stranger of the same name

from generator.config import GenerateConfig, VideoModelConfig  # noqa: E402
from vid2three import commands  # noqa: E402
from vid2three.config import MakeConfig, VideoMakeConfig, load_config  # noqa: E402
from vid2three.flags import OF_VIDEO_MODEL, SHORT, SHORT_OF_VIDEO_MODEL  # noqa: E402

COMMANDS: dict[str, Any] = {
    "make": commands.Make,
    "generate": commands.Generate,
    "reconstruct": commands.Reconstruct,
    "edit": commands.Edit,
    "batch": commands.Batch,
    "remake": commands.Remake,
    "evaluate": commands.Evaluate,
    "export": commands.Export,
    "export-views": commands.ExportViews,
    "info": commands.Info,
    "view": commands.View,
    "serve": commands.Serve,
    "train": commands.Train,
    "doctor": commands.Doctor,
    "blender": commands.Blender,
}


BY_VIDEO_MODEL: dict[str, Any] = {"make": commands.MakeByVideoModel, "generate": commands.GenerateByVideoModel}


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
    known = COMMANDS
    if name in BY_VIDEO_MODEL and _names_video_model(argv):
        known = {**COMMANDS, name: BY_VIDEO_MODEL[name]}
        argv = [_of_video_model(word, name) for word in argv]
    if name in ("make", "reconstruct"):
        argv = [_long(word) for word in argv]
    if name == "export":  # its file stood behind -o before it could be the second word
        argv = [word for word in argv if word not in ("-o", "--output")]
    if name == "blender":  # --zip may go without its path
        follows = [*argv[1:], "-"]
        argv = [word for word, after in zip(argv, follows) if word != "--zip" or not after.startswith("-")]
    choices = []
    for key, command in known.items():
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


def _names_video_model(argv: list[str]) -> bool:
    """Say whether --generator names another one than the model that comes along."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--generator", nargs="?", default="embedded")
    return peek.parse_known_args(argv)[0].generator != "embedded"


def _of_video_model(word: str, name: str) -> str:
    """Return a flag as the command by a video model has it: `generate` takes the model's settings without a part."""
    flag, equals, value = word.partition("=")
    if name == "generate":
        flag = "--family" if flag == "--generator" else flag.replace("--generator.", "--", 1)
    elif flag in ("--generator", *OF_VIDEO_MODEL):
        flag = SHORT_OF_VIDEO_MODEL[flag]
    return flag + equals + value


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
    if command is commands.Train:
        named.config = next((Path(word) for word in others if word.endswith((".yaml", ".yml"))), None)
    preset = None if named.preset in (None, "None") else named.preset
    return dataclasses.replace(default, settings=_loaded(default.settings, preset, named.config))


def _loaded(settings: Any, preset: str | None, file: Path | None) -> Any:
    if isinstance(settings, GenerateConfig):  # presets speak of whole walks
        return load_config(MakeConfig(generate=settings), preset, file).generate
    if isinstance(settings, VideoModelConfig):
        return load_config(VideoMakeConfig(generator=settings), preset, file).generator
    return load_config(settings, preset, file)


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise ValueError(f"--threads must be 1 or more, not {threads}.")
    limit_threads(threads)


def _set_logging(options: commands.Options) -> None:
    level = logging.ERROR if options.quiet else logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(format="%(message)s", stream=sys.stderr, force=True)
    for package in ("generator", "recon", "vid2three"):
        logging.getLogger(package).setLevel(level)


def _wants_json(argv: list[str]) -> bool:
    return "--progress=json" in argv or "--progress json" in " ".join(argv)


if __name__ == "__main__":
    main()
