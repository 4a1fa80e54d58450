"""What every test gets: quiet threads, shape checks, the shared data, and a skip where a GPU or Blender is missing."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: spinning threads starve any other process

import functools
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

import shape_checks

ROOT = Path(__file__).parents[1]

shape_checks.install(("generator", "recon", "vid2three"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu:
        import torch

        if not torch.cuda.is_available():
            for item in on_gpu:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The captures and scans kept beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def blender_python() -> str:
    """A Python that has Blender's bpy: it cannot share a process or an environment with ours."""
    python = os.environ.get("V2T_BLENDER_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
    if not shutil.which(python):
        pytest.skip("no Blender: set V2T_BLENDER_PYTHON to a Python 3.11 that has bpy")
    found = subprocess.run([python, "-c", "import bpy"], capture_output=True, text=True, timeout=120)
    if found.returncode != 0:
        pytest.skip(f"V2T_BLENDER_PYTHON cannot import bpy: {found.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of the system's, drawing without a graphics card, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e .[dev]")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Where npm has put Khronos' glTF validator and PlayCanvas' SplatTransform; .ci/run does."""
    folder = Path(os.environ.get("V2T_NODE_MODULES", str(ROOT / ".ci" / "node_modules")))
    if not shutil.which("node") or not (folder / "gltf-validator").is_dir():
        pytest.skip("no glTF validator: npm install --prefix .ci --no-save gltf-validator @playcanvas/splat-transform")
    return folder


@pytest.fixture(scope="session")
def nerfstudio_python() -> str:
    """A Python with nerfstudio, whose pins rule ours out; it borrows torch from this environment."""
    python = os.environ.get("V2T_NERFSTUDIO_PYTHON", str(ROOT / ".venv-nerfstudio" / "bin" / "python"))
    if not shutil.which(python):
        pytest.skip("no nerfstudio: set V2T_NERFSTUDIO_PYTHON to a Python that has it")
    asked = "import sys, importlib.util as u; print(*sys.version_info[:2], u.find_spec('nerfstudio') is not None)"
    told = subprocess.run([python, "-c", asked], capture_output=True, text=True, timeout=60).stdout.split()
    if told != [*map(str, sys.version_info[:2]), "True"]:
        pytest.skip(f"V2T_NERFSTUDIO_PYTHON is no Python {sys.version_info[0]}.{sys.version_info[1]} with nerfstudio")
    return python


@pytest.fixture
def nerfstudio_env(nerfstudio_python, monkeypatch) -> Path:
    """The folder of an environment whose ns-train starts.

    It borrows torch from this environment, and a torchvision that does nothing from tests/nerfstudio_shim: the real one
    does not go with a CPU build of torch.
    """
    shim = ROOT / "tests" / "nerfstudio_shim"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(shim), sysconfig.get_path("purelib")]))
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # its start takes longer than a short training
    if not startable(nerfstudio_python, "nerfstudio.scripts.train"):
        pytest.skip("the nerfstudio there lacks what ns-train imports (see .ci/run)")
    return Path(nerfstudio_python).parent.parent


@functools.cache
def startable(python: str, module: str) -> bool:
    """Say whether a Python can import a module."""
    return subprocess.run([python, "-W", "ignore", "-c", f"import {module}"], capture_output=True).returncode == 0


@pytest.fixture(autouse=True)
def _subnormal_numbers():
    """Keep numbers below 1e-38, which a library built with -ffast-math takes away for the whole thread as it loads."""
    torch.set_flush_denormal(False)
