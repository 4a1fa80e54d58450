"""What an import costs, and whose packages it finds. Each case runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numpy", "numba", "scipy", "transformers", "trimesh", "open3d", "av", "PIL", "gsplat")
COMMANDS = (
    "make",
    "generate",
    "reconstruct",
    "edit",
    "batch",
    "serve",
    "remake",
    "export",
    "export-views",
    "info",
    "view",
    "evaluate",
    "train",
    "doctor",
    "blender",
)


def run_python(code: str, folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run code with only the given folders before the installed packages."""
    setup = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
    return subprocess.run([sys.executable, "-c", setup + code], cwd=folder, capture_output=True, text=True, timeout=120)


def loaded_after(code: str, root: Path) -> list[str]:
    """Return the heavy libraries that code has brought into a fresh process."""
    result = run_python(f"{code}\nprint('\\n', [m for m in {HEAVY} if m in sys.modules])", root, root)
    assert result.returncode == 0, result.stderr
    return eval(result.stdout.splitlines()[-1])


def test_import_vid2three_brings_no_library(root):
    assert loaded_after("import vid2three; dir(vid2three); vid2three.__version__", root) == []


@pytest.mark.parametrize("module", ["vid2three.config", "generator.config", "recon.config"])
def test_configs_bring_no_library(root, module):
    assert loaded_after(f"import {module}", root) == []


def test_canary_a_module_that_needs_torch_is_caught(root):
    assert {"torch", "numpy"} <= set(loaded_after("import recon.camera", root))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_brings_no_library(root, command):
    code = f"""
from vid2three.cli import main
sys.argv = ["vid2three", *{command.split()!r}, "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert loaded_after(code, root) == []


def test_every_command_is_checked():
    from vid2three import cli

    assert set(COMMANDS) == set(cli.COMMANDS)


@pytest.mark.parametrize("name", ["recon", "generator"])
def test_canary_foreign_sibling_gives_a_clear_error(root, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('a foreign package was imported')")
    result = run_python("import vid2three\nvid2three.make", tmp_path, tmp_path, root)
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith(f"ImportError: Another package named '{name}' hides the one of vid2three")
    assert str(tmp_path / name) in message


def test_public_names_are_all_there(root):
    foreign = "[n for n in v.__all__ if getattr(v, n).__module__.split('.')[0] not in ('vid2three', 'generator')]"
    code = f"import vid2three as v\nprint({foreign})"
    result = run_python(code, root, root)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
