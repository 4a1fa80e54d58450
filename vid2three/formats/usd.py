"""USD (.usda text, .usdc and .usd crate, .usdz package) of one mesh or of splats, through usd-core.

Frame: right-handed, z up, front -y unless asked otherwise, which upAxis says; metersPerUnit is 1. The default prim is
named after the asset, notes stand in customLayerData under `vid2three`. A mesh has a UsdPreviewSurface with its
textures, beside the file as PNG or inside the package, or its vertex colours (linear light) as displayColor. Splats are
a ParticleField3DGaussianSplat (OpenUSD 26.03 and later) with float32 values. A mesh may stand beside them as their
proxy: the splats then have the purpose `render`, the mesh `proxy`, and proxyPrim leads from the one to the other.

A file is opened by usd_child.py in a process of its own: USD's C++ is not made for bytes of an attacker's choice.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.mesh_render import vertex_colors
from recon.render import Primitive
from recon.splats import Splats
from recon.unwrap import welded
from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.archive import member, written
from vid2three.formats.contents import (
    MeshFile,
    SplatsFile,
    check_finite,
    file_bytes,
    logit,
    made_mesh,
    made_splats,
    reading,
    sigmoid,
)
from vid2three.formats.glb import MOST_PIXELS, ROUGHNESS, linear_to_srgb, png, srgb_to_linear, textures
from vid2three.formats.images import read_image
from vid2three.place import FROM_Z_UP, moved, turned

ENDINGS = (".usd", ".usda", ".usdc", ".usdz")
NOTES = "vid2three"  # key of customLayerData
TEXTURE_NAMES = {"baseColorTexture": "", "normalTexture": "_normal", "occlusionTexture": "_occlusion"}
SURFACE_INPUTS = {"baseColorTexture": "diffuseColor", "normalTexture": "normal", "occlusionTexture": "occlusion"}
ALIGNMENT = 64  # of the files in a USDZ
PADDING = 0x1986  # id of the extra field that pads, as in OpenUSD's own writer
REACH = 3.0  # standard deviations of a splat that its extent covers
LEAST_OPACITY = 1e-7
TIMEOUT_S = 120.0
CHILD = Path(__file__).with_name("usd_child.py")


def save_mesh(
    path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None, up: Up = "z"
) -> None:
    """Write a z-up mesh as USD; textures of a .usda, .usdc or .usd lie beside it, under its name with .png."""
    turned_mesh = moved(mesh, FROM_Z_UP[_axis(up)])
    pictures = {key: png(picture) for key, picture in textures(turned_mesh).items()}
    stem = "texture" if path.suffix.lower() == ".usdz" else path.stem
    names = {key: f"{stem}{TEXTURE_NAMES[key]}.png" for key in pictures}
    pxr = _pxr()
    stage, root = _stage(pxr, name, extras, up)
    prim = _add_mesh(pxr, stage, f"{root}/mesh", turned_mesh, has_colors=not pictures)
    if pictures:
        uv = np.asarray(mesh.visual.uv, np.float32)[mesh.faces.ravel()]  # type: ignore[union-attr]
        kind = pxr.Sdf.ValueTypeNames.TexCoord2fArray
        primvars = pxr.UsdGeom.PrimvarsAPI(prim)
        primvars.CreatePrimvar("st", kind, "faceVarying").Set(pxr.Vt.Vec2fArray.FromNumpy(uv))
    _material(pxr, stage, root, prim, names)
    _save(pxr, stage, path, {names[key]: data for key, data in pictures.items()})


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "z",
    proxy: trimesh.Trimesh | None = None,
) -> None:
    """Write z-up splats as USD, and a mesh of the same thing for programs that know no splats.

    The proxy lies where the splats do and has colours at its vertices. The schema has no word for `antialiased`;
    customLayerData keeps it for our reader.
    """
    check_finite(splats, "USD")
    splats = turned(splats, _axis(up))
    pxr = _pxr()
    if not hasattr(pxr.UsdVol, "ParticleField3DGaussianSplat"):
        raise ImportError("Splats in USD need usd-core 26.3 or later: pip install -U 'vid2three[usd]'.")
    stage, root = _stage(pxr, "splats", {**(extras or {}), "antialiased": True} if antialiased else extras, up)
    prim = pxr.UsdVol.ParticleField3DGaussianSplat.Define(stage, f"{root}/gaussians")
    quats = splats.quats.double().numpy()
    quats = (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)
    means, scales = splats.means.double().numpy(), np.exp(splats.log_scales.double().numpy())
    prim.CreatePositionsAttr(_vectors(pxr, means))
    prim.CreateOrientationsAttr(pxr.Vt.QuatfArray.FromNumpy(np.ascontiguousarray(quats[:, [1, 2, 3, 0]])))
    prim.CreateScalesAttr(_vectors(pxr, scales))
    prim.CreateOpacitiesAttr(pxr.Vt.FloatArray.FromNumpy(sigmoid(splats.opacity_logits.numpy()).astype(np.float32)))
    prim.CreateRadianceSphericalHarmonicsDegreeAttr(splats.sh_degree)
    prim.CreateRadianceSphericalHarmonicsCoefficientsAttr(_vectors(pxr, splats.sh.flatten(0, 1).numpy()))
    prim.CreateProjectionModeHintAttr("perspective")
    prim.CreateSortingModeHintAttr("zDepth")
    reach = REACH * scales.max(axis=1, keepdims=True)
    prim.CreateExtentAttr(_vectors(pxr, np.stack([(means - reach).min(axis=0), (means + reach).max(axis=0)])))
    if proxy is not None:
        mesh = _add_mesh(pxr, stage, f"{root}/proxy", moved(proxy, FROM_Z_UP[_axis(up)]), has_colors=True)
        _material(pxr, stage, root, mesh, {})
        mesh.CreatePurposeAttr(pxr.UsdGeom.Tokens.proxy)
        prim.CreatePurposeAttr(pxr.UsdGeom.Tokens.render)
        prim.SetProxyPrim(mesh.GetPrim())
    _save(pxr, stage, path, {})


def read_mesh(path: Path, up: Up | None = None) -> MeshFile:
    """Read the first mesh of a USD file, z up again, with its texture or colours. Raises ValueError for other files.

    What the file refers to is not followed, but for pictures in its package or right beside it. `up` overrides upAxis.
    """
    with reading(path, "USD of a mesh as vid2three writes it"):
        facts, arrays, package = _opened(path)
        if facts["kind"] != "mesh":
            raise ValueError(f"it holds {facts['kind']}")
        axis = up or _up(facts)
        points = arrays["points"].astype(np.float64) * facts["unit"]
        faces = arrays["indices"].reshape(-1, 3)
        maps = {key: _picture(path, package, name) for key, name in facts["textures"].items()}
        if maps and "uv" in arrays:
            pairs = np.column_stack([faces.ravel(), arrays["uv_index"]])
            pairs, corners = np.unique(pairs, axis=0, return_inverse=True)
            visual = TextureVisuals(uv=arrays["uv"][pairs[:, 1]], material=PBRMaterial(**maps))
            mesh = made_mesh(points[pairs[:, 0]], corners.reshape(-1, 3), visual, axis)
        else:
            colors = np.round(255 * linear_to_srgb(arrays["colors"].clip(0, 1))) if "colors" in arrays else None
            visual = ColorVisuals(vertex_colors=None if colors is None else colors.astype(np.uint8))
            mesh = made_mesh(points, faces, visual, axis)
        writer = str(facts["notes"].pop("generator", ""))
        return MeshFile(mesh, axis, facts["name"], facts["notes"], writer)


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read the first splats of a USD file, z up again. Raises ValueError for other files. `up` overrides upAxis."""
    with reading(path, "USD of splats"):
        facts, arrays, _ = _opened(path)
        if facts["kind"] != "splats":
            raise ValueError(f"it holds {facts['kind']}")
        axis = up or _up(facts)
        num = len(arrays["positions"])
        if not (arrays["scales"] > 0).all():
            raise ValueError("some of its splats have no size")
        found = made_splats(
            means=arrays["positions"] * facts["unit"],
            log_scales=np.log(arrays["scales"] * facts["unit"]),
            quats=arrays["quats"],
            opacity_logits=logit(arrays["opacities"], LEAST_OPACITY),
            sh=arrays["sh"][: num * (facts["degree"] + 1) ** 2].reshape(num, -1, 3),
            up=axis,
        )
        notes = facts["notes"]
        writer = str(notes.pop("generator", ""))
        return SplatsFile(found, axis, "3dgs", notes.pop("antialiased", False) is True, notes, writer)


def holds_splats(path: Path) -> bool:
    """Say whether a USD file holds splats rather than a mesh. Raises ValueError for a broken file."""
    with reading(path, "USD"):
        return _opened(path)[0]["kind"] == "splats"


def _pxr() -> SimpleNamespace:
    """Return the modules of usd-core."""
    try:
        from pxr import Sdf, Tf, Usd, UsdGeom, UsdShade, UsdVol, Vt
    except ImportError:
        raise ImportError("USD needs usd-core: pip install 'vid2three[usd]'.") from None
    return SimpleNamespace(Sdf=Sdf, Tf=Tf, Usd=Usd, UsdGeom=UsdGeom, UsdShade=UsdShade, UsdVol=UsdVol, Vt=Vt)


def _axis(up: Up) -> Up:
    if up == "y-down":
        raise ValueError("A USD file is z up or y up, not y down; pass --up z or --up y.")
    return up


def _up(facts: dict[str, Any]) -> Up:
    return "y" if facts["up"] == "Y" else "z"


def _stage(pxr: SimpleNamespace, name: str, extras: dict[str, Any] | None, up: Up) -> tuple[Any, str]:
    """Return a new stage in memory, and the path of its default prim."""
    stage = pxr.Usd.Stage.Open(pxr.Sdf.Layer.CreateAnonymous(".usdc"))
    pxr.UsdGeom.SetStageUpAxis(stage, up.upper())
    pxr.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = pxr.UsdGeom.Xform.Define(stage, f"/{pxr.Tf.MakeValidIdentifier(name)}").GetPrim()
    stage.SetDefaultPrim(root)
    pxr.Usd.ModelAPI(root).SetKind("component")
    notes = {"generator": f"vid2three {__version__}", **(extras or {})}
    stage.GetRootLayer().customLayerData = {NOTES: {key: _plain(value) for key, value in notes.items()}}
    return stage, str(root.GetPath())


def _plain(value: Any) -> bool | int | float | str:
    """Return a value of a kind that USD has; whole numbers there have 32 bits."""
    fits = isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**31)
    return value if fits else str(value)


def _vectors(pxr: SimpleNamespace, rows: np.ndarray) -> Any:
    return pxr.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(rows, np.float32))


def _add_mesh(pxr: SimpleNamespace, stage: Any, path: str, mesh: trimesh.Trimesh, *, has_colors: bool) -> Any:
    """Return a new mesh prim with welded vertices and, where asked for, their colours in linear light."""
    prim = pxr.UsdGeom.Mesh.Define(stage, path)
    geometry, joined = welded(mesh)
    prim.CreatePointsAttr(_vectors(pxr, np.asarray(geometry.vertices)))
    prim.CreateFaceVertexCountsAttr(pxr.Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(pxr.Vt.IntArray.FromNumpy(joined[mesh.faces].astype(np.int32).ravel()))
    prim.CreateSubdivisionSchemeAttr("none")
    prim.CreateNormalsAttr(_vectors(pxr, np.asarray(geometry.vertex_normals)))
    prim.SetNormalsInterpolation("vertex")
    prim.CreateExtentAttr(_vectors(pxr, np.asarray(geometry.bounds)))
    if has_colors:
        colors = np.zeros((len(geometry.vertices), 3))
        colors[joined] = srgb_to_linear(vertex_colors(mesh).astype(np.float64))
        prim.CreateDisplayColorPrimvar("vertex").Set(_vectors(pxr, colors))
    return prim


def _material(pxr: SimpleNamespace, stage: Any, root: str, mesh: Any, names: dict[str, str]) -> None:
    """Give a mesh a UsdPreviewSurface that reads its textures, or its displayColor where there are none."""
    Shader, types = pxr.UsdShade.Shader, pxr.Sdf.ValueTypeNames
    material = pxr.UsdShade.Material.Define(stage, f"{root}/material")
    surface = Shader.Define(stage, f"{root}/material/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(ROUGHNESS)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader = Shader.Define(stage, f"{root}/material/reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2" if names else "UsdPrimvarReader_float3")
    reader.CreateInput("varname", types.String).Set("st" if names else "displayColor")
    kind = types.Float2 if names else types.Float3
    result = reader.CreateOutput("result", kind)
    if not names:
        surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(result)
    for key, name in names.items():
        texture = Shader.Define(stage, f"{root}/material/{SURFACE_INPUTS[key]}")
        texture.CreateIdAttr("UsdUVTexture")
        texture.CreateInput("file", types.Asset).Set(pxr.Sdf.AssetPath(f"./{name}"))
        texture.CreateInput("st", types.Float2).ConnectToSource(result)
        texture.CreateInput("wrapS", types.Token).Set("clamp")
        texture.CreateInput("wrapT", types.Token).Set("clamp")
        space = "sRGB" if key == "baseColorTexture" else "raw"
        texture.CreateInput("sourceColorSpace", types.Token).Set(space)
        if key == "normalTexture":
            texture.CreateInput("scale", types.Float4).Set((2, 2, 2, 1))
            texture.CreateInput("bias", types.Float4).Set((-1, -1, -1, 0))
        output, wanted = ("r", types.Float) if key == "occlusionTexture" else ("rgb", types.Float3)
        target = {"diffuseColor": types.Color3f, "normal": types.Normal3f, "occlusion": types.Float}
        shader_input = surface.CreateInput(SURFACE_INPUTS[key], target[SURFACE_INPUTS[key]])
        shader_input.ConnectToSource(texture.CreateOutput(output, wanted))
    pxr.UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)


def _save(pxr: SimpleNamespace, stage: Any, path: Path, pictures: dict[str, bytes]) -> None:
    """Write a stage and its pictures, beside it or into one package."""
    if path.suffix.lower() != ".usdz":
        for name, data in pictures.items():
            path.with_name(name).write_bytes(data)
        stage.GetRootLayer().Export(str(path))
        return
    with tempfile.TemporaryDirectory(prefix="vid2three-") as folder:
        root = Path(folder) / "asset.usdc"
        stage.GetRootLayer().Export(str(root))
        members = {root.name: root.read_bytes(), **pictures}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            start = (archive.fp.tell() if archive.fp else 0) + 30 + len(name.encode()) + 4
            padding = -start % ALIGNMENT
            extra = PADDING.to_bytes(2, "little") + padding.to_bytes(2, "little") + bytes(padding)
            written(archive, name, data, extra)


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], zipfile.ZipFile | None]:
    """Return what usd_child.py finds in a file: facts and arrays, and the package that it is, if it is one."""
    if importlib.util.find_spec("pxr") is None:
        raise ImportError("USD needs usd-core: pip install 'vid2three[usd]'.")
    data, package, suffix = file_bytes(path), None, path.suffix.lower()
    if suffix == ".usdz":
        package = zipfile.ZipFile(io.BytesIO(data))
        first = package.infolist()[0]
        suffix = Path(first.filename).suffix.lower()
        if first.compress_type != zipfile.ZIP_STORED or suffix not in ENDINGS[:3]:
            raise ValueError("its first file is no plain USD file")
        data = member(package, first.filename, len(data))
    with tempfile.TemporaryDirectory(prefix="vid2three-") as folder:
        source, target = Path(folder) / f"layer{suffix}", Path(folder) / "arrays.npz"
        source.write_bytes(data)
        try:
            command = [sys.executable, str(CHILD), str(source), str(target)]
            child = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise ValueError(f"reading it took longer than {TIMEOUT_S:.0f} s") from None
        if child.returncode != 0 or not target.is_file():
            lines = child.stdout.decode("utf-8", "replace").strip().splitlines()
            raise ValueError(lines[-1] if child.returncode == 1 and lines else "USD cannot open it")
        with np.load(target, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    return json.loads(found.pop("facts").tobytes()), found, package


def _picture(path: Path, package: zipfile.ZipFile | None, name: str) -> Any:
    """Return a texture that a file names: from its package, or right beside it and nowhere else."""
    plain = name.removeprefix("./")
    if package is not None:
        return read_image(member(package, plain, 8 * MOST_PIXELS), MOST_PIXELS)
    beside = path.with_name(Path(plain).name)
    if plain != beside.name or "\\" in plain or not beside.is_file():
        raise ValueError(f"its picture {name!r} does not lie beside it")
    return read_image(beside.read_bytes(), MOST_PIXELS)


MESH_READERS = dict.fromkeys(ENDINGS, read_mesh)
MESH_SAVERS = dict.fromkeys(ENDINGS, save_mesh)
SPLAT_READERS = dict.fromkeys(ENDINGS, read_splats)
SPLAT_SAVERS = dict.fromkeys(ENDINGS, save_splats)
