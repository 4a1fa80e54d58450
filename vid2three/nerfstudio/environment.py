"""The user's environment that has nerfstudio: what is in it, and whether it can do what is asked."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

TESTED = "1.1.5"
TRAINER: dict[str, Literal["splatfacto", "nerfacto"]] = {"splats": "splatfacto", "nerf": "nerfacto"}  # by our method
PROBE = """
import importlib.metadata, json
found = {}
for name in ("nerfstudio", "gsplat", "torch"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
try:
    import torch
    found["cuda"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
except Exception as error:
    found["trouble"] = type(error).__name__ + ": " + str(error)
print("FOUND " + json.dumps(found))
"""


@dataclass(frozen=True)
class Environment:
    """A Python environment with nerfstudio."""

    folder: Path
    version: str
    """Of nerfstudio."""
    torch: str
    gsplat: str | None
    cuda: str | None
    """Name of the CUDA device that its torch sees."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest says about it: no paths."""
        versions = {"nerfstudio": self.version, "torch": self.torch, "gsplat": self.gsplat}
        return {"backend": {"name": "nerfstudio", "versions": versions, "device": self.cuda or "cpu"}}

    def tool(self, name: str) -> Path:
        """Return the file of a command such as "ns-train" or "python"."""
        return _scripts(self.folder) / (f"{name}.exe" if os.name == "nt" else name)

    def variables(self) -> dict[str, str]:
        """Return the variables of a process over there: its own tools first, plain lines of output as they come."""
        path = os.pathsep.join([str(_scripts(self.folder)), os.environ.get("PATH", "")])
        own = {"PATH": path, "VIRTUAL_ENV": str(self.folder), "TERM": "dumb", "COLUMNS": "200"}
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
        # From torch 2.6 on torch.load takes tensors alone unless told so, and nerfstudio's checkpoints hold more.
        own |= {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        return {**kept, **own}


def find_environment(folder: Path | str | None, method: str | None = None) -> Environment:
    """Look at an environment; with a method, "splats" or "nerf", make sure that it can be trained there.

    Takes a few seconds: its Python imports torch. Raises ValueError or FileNotFoundError with the cure.
    """
    if folder is None:
        raise ValueError(
            f"--backend nerfstudio needs --nerfstudio-env PATH, the folder of an environment with nerfstudio {TESTED}."
        )
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    python = _python(folder)
    if python is None:
        raise FileNotFoundError(
            f"{folder} is no Python environment: it holds no python; pass a folder that `python -m venv` or conda made."
        )
    found = _probed(python, folder)
    version = found.get("nerfstudio")
    pip = f"{python} -m pip install"
    if version is None:
        raise ValueError(f"{folder} has no nerfstudio; install it there: {pip} nerfstudio=={TESTED}")
    if not _is_known(version):
        raise ValueError(
            f"{folder} has nerfstudio {version}, and {TESTED} is what vid2three was tested with; "
            f"install that: {pip} nerfstudio=={TESTED}"
        )
    if "trouble" in found:
        raise ValueError(f"The torch in {folder} does not import ({found['trouble']}); install torch there again.")
    environment = Environment(folder, version, found["torch"], found["gsplat"], found["cuda"])
    if method is not None:
        _check_tools(environment, TRAINER[method])
    return environment


def _check_tools(environment: Environment, trainer: str) -> None:
    """Raise ValueError where a command is missing, or CUDA for splats."""
    wanted = ("ns-train", "ns-export") if trainer == "splatfacto" else ("ns-train",)
    missing = [name for name in wanted if not environment.tool(name).is_file()]
    if missing:
        raise ValueError(
            f"{environment.folder} has nerfstudio but no {missing[0]} beside its python; install nerfstudio anew."
        )
    if trainer == "splatfacto" and environment.cuda is None:
        raise ValueError(
            f"splatfacto needs CUDA, and the torch {environment.torch} in {environment.folder} sees no CUDA device; "
            "use --method nerf (slow on a CPU), or leave --backend nerfstudio out."
        )
    if trainer == "splatfacto" and environment.gsplat is None:
        raise ValueError(f"splatfacto needs gsplat, and {environment.folder} has none; install gsplat==1.4.0 there.")


def _scripts(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin")


def _python(folder: Path) -> Path | None:
    """Return an environment's Python; conda on Windows keeps it at the top."""
    names = [folder / "Scripts" / "python.exe", folder / "python.exe"] if os.name == "nt" else [folder / "bin/python"]
    return next((path for path in names if path.is_file()), None)


def _probed(python: Path, folder: Path) -> dict[str, Any]:
    """Ask an environment's Python what it has."""
    try:
        asked = subprocess.run(
            [python, "-c", PROBE], cwd=folder, capture_output=True, text=True, errors="replace", timeout=180
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{python} does not run ({error}); make that environment anew.") from None
    for line in asked.stdout.splitlines():
        if line.startswith("FOUND "):
            return json.loads(line[6:])
    said = asked.stderr.strip().splitlines()
    raise ValueError(f"{python} does not run ({said[-1] if said else 'no word'}); make that environment anew.")


def _is_known(version: str) -> bool:
    """Say whether a version is the tested one or a later one of the same series."""
    tested, parts = TESTED.split("."), version.split(".")
    last = parts[2] if len(parts) > 2 else ""
    return parts[:2] == tested[:2] and last.isdigit() and int(last) >= int(tested[2])
