"""What pip installs: the three packages and nothing beside them, presets and weights inside, no undeclared import."""

import ast
import functools
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # hatchling brings it

PACKAGES = ("generator", "recon", "vid2three")
ON_BEHALF = {"ftfy", "protobuf", "sentencepiece"}  # diffusers and transformers import them and do not ask for them
ELSEWHERE = ("bpy", "mathutils", "nerfstudio", "rembg")  # in an environment of the user's, or in Blender


def misplaced(names: list[str]) -> list[str]:
    """Return the files of a wheel that do not belong to it."""
    strange = [n for n in names if n.split("/")[0] not in PACKAGES and not re.match(r"vid2three-[^/]+\.dist-info/", n)]
    unwanted = r"(^|/)(tests?|benchmarks|__pycache__)/|\.(nbi|nbc|pyc|pt|ckpt)$|/test_"
    return strange + [n for n in names if re.search(unwanted, n) and n not in strange]


@pytest.fixture(scope="session")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert misplaced(names) == []
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == set(PACKAGES)


@pytest.mark.parametrize(
    "name",
    ["common/text.py", "tests/test_a.py", "recon/tests/a.py", "configs/draft.yaml", "recon/__pycache__/hull.1.nbc"],
)
def test_canary_misplaced_file_is_found(name):
    assert misplaced(["recon/fit.py", "vid2three-0.1.0.dist-info/RECORD", name]) == [name]


def test_wheel_holds_every_module_preset_and_weight(wheel, root):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {p.relative_to(root).as_posix() for package in PACKAGES for p in (root / package).rglob("*.py")}
    wanted |= {f"vid2three/configs/{p.name}" for p in (root / "configs").glob("*.yaml")}
    wanted |= {p.relative_to(root).as_posix() for p in (root / "generator/weights").glob("*") if p.is_file()}
    assert wanted - names == set()
    assert any(name.startswith("vid2three/configs/") for name in names)
    assert any(re.fullmatch(r"generator/weights/.+\.safetensors", name) for name in names)


def test_unpacked_wheel_finds_its_presets(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "from vid2three import config as c; print(c.__file__, c.preset_names(), c.preset_path('draft'), sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    module, presets, draft = result.stdout.splitlines()
    assert module.startswith(str(tmp_path))
    assert "draft" in presets
    assert Path(draft).is_file()


def declared(root: Path) -> set[str]:
    """Return the distributions that pyproject.toml asks for, always or by an extra that gives a user something."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in ("dev", "docs")]
    return _names([line for lines in (project["dependencies"], *extras) for line in lines])


def imported(folder: Path) -> set[str]:
    """Return the top-level modules of others that the source under a folder imports anywhere."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"__future__", *PACKAGES, *ELSEWHERE}


def distribution_of(module: str) -> set[str]:
    return _names(_installed().get(module, [module]))


_installed = functools.cache(packages_distributions)  # reads every installed package: seconds


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-").replace(".", "-") for line in requirements}


def test_every_import_is_declared(root):
    modules = [module for package in PACKAGES for module in imported(root / package)]
    assert [module for module in modules if not distribution_of(module) & declared(root)] == []


def test_every_dependency_is_imported(root):
    used = {name for package in PACKAGES for m in imported(root / package) for name in distribution_of(m)}
    assert declared(root) - used == ON_BEHALF


def test_canary_undeclared_import_is_found(root, tmp_path):
    (tmp_path / "a.py").write_text("import os\ndef f():\n    from nowhere.deep import x\n")
    assert [m for m in imported(tmp_path) if not distribution_of(m) & declared(root)] == ["nowhere"]
