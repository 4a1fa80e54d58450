"""Run by usd.py in a process of its own: read one layer of USD, and leave what is in it as a .npz.

Usage: python usd_child.py LAYER.usdc ARRAYS.npz. What the layer refers to is refused, so no other file is opened. A
reason why it cannot be read goes to stdout, and the status is then 1; where USD itself falls over, it is another.
"""
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# (usd-core comes without types)

import contextlib
import json
import os
import sys

sys.path.pop(0)  # our own folder, whose names could hide others
os.environ.setdefault("PXR_WORK_THREAD_LIMIT", "1")

import numpy as np

MOST_MEMORY = 2**29  # bytes that any file may take
MEMORY_A_BYTE = 50  # more of them for each byte of the file: text is ten times its numbers, and copies are made
MOST_SECONDS = 100  # of the processor
INPUTS = {"diffuseColor": "baseColorTexture", "normal": "normalTexture", "occlusion": "occlusionTexture"}
LENGTHS = {"Mesh": "points", "ParticleField3DGaussianSplat": "positions"}


def main(source: str, target: str) -> None:
    from pxr import Sdf, Usd, UsdGeom

    _limit(MOST_MEMORY + MEMORY_A_BYTE * os.path.getsize(source))
    layer = Sdf.Layer.FindOrOpen(source)
    if layer is None:
        raise ValueError("USD cannot open it")
    if layer.GetCompositionAssetDependencies() or layer.subLayerPaths:
        raise ValueError("it refers to other files, which are not followed; flatten it first")
    stage = Usd.Stage.Open(layer)
    prims = [prim for prim in stage.Traverse() if prim.GetTypeName() in LENGTHS]
    if not prims:
        raise ValueError("it holds neither a mesh nor splats")
    prims.sort(key=lambda prim: UsdGeom.Imageable(prim).ComputePurpose() in ("proxy", "guide"))  # stand-ins last
    prim = prims[0]
    facts = {
        "up": str(UsdGeom.GetStageUpAxis(stage)),
        "unit": float(UsdGeom.GetStageMetersPerUnit(stage)) if layer.pseudoRoot.HasInfo("metersPerUnit") else 1.0,
        "name": prim.GetParent().GetName() or prim.GetName(),
        "notes": _notes(layer.customLayerData),
    }
    if not 1e-9 < facts["unit"] < 1e9:
        raise ValueError(f"its metersPerUnit is {facts['unit']}")
    matrix = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default()))
    found, arrays = _mesh(prim, matrix) if prim.GetTypeName() == "Mesh" else _splats(prim, matrix)
    text = json.dumps({**facts, **found}).encode()
    np.savez(target, facts=np.frombuffer(text, np.uint8), **arrays)


def _limit(most_memory):
    """Let no file take all the memory or time of the machine, where the system can tell."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # no such limits here, or lower ones that stand
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + most_memory, now + most_memory))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))


def _array(prim, name, columns):
    values = prim.GetAttribute(name).Get() if prim.HasAttribute(name) else None
    if values is None or not len(values):
        raise ValueError(f"its {prim.GetTypeName()} has no {name}")
    return np.array(values).reshape(-1, columns)


def _mesh(prim, matrix):
    from pxr import UsdGeom

    points = _array(prim, "points", 3).astype(np.float64) @ matrix[:3, :3] + matrix[3, :3]
    indices = _array(prim, "faceVertexIndices", 1)[:, 0]
    counts = _array(prim, "faceVertexCounts", 1)[:, 0]
    if not (counts == 3).all() or 3 * len(counts) != len(indices):
        raise ValueError("it has faces that are no triangles; triangulate it first")
    if indices.min() < 0 or indices.max() >= len(points):
        raise ValueError(f"a face names vertex {indices.max()} of {len(points)}")
    arrays = {"points": points, "indices": indices}
    primvars = UsdGeom.PrimvarsAPI(prim)
    st, colors = primvars.GetPrimvar("st"), primvars.GetPrimvar("displayColor")
    if st and st.HasValue():
        values = np.array(st.Get(), np.float64).reshape(-1, 2)
        if not np.isfinite(values).all():
            raise ValueError("some of its UVs are not finite")
        corner = np.arange(len(indices)) if st.GetInterpolation() == "faceVarying" else indices
        if st.GetIndices():
            corner = np.array(st.GetIndices())[corner]
        if corner.min() < 0 or corner.max() >= len(values):
            raise ValueError("its UVs are fewer than its corners")
        arrays |= {"uv": values, "uv_index": corner}
    if colors and colors.HasValue() and colors.GetInterpolation() == "vertex" and not colors.IsIndexed():
        values = np.array(colors.Get(), np.float64).reshape(-1, 3)
        if len(values) == len(points) and np.isfinite(values).all():
            arrays["colors"] = values
    return {"kind": "mesh", "textures": _textures(prim)}, arrays


def _textures(prim):
    """Return the names of the pictures that the material of a mesh reads, by their glTF names."""
    from pxr import UsdShade

    material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
    surface = material.ComputeSurfaceSource()[0] if material else None
    names = {}
    for wanted, key in INPUTS.items() if surface else ():
        shader_input = surface.GetInput(wanted)
        sources = shader_input.GetConnectedSources()[0] if shader_input else []
        file = UsdShade.Shader(sources[0].source.GetPrim()).GetInput("file") if sources else None
        path = file.Get() if file else None
        if path is not None:
            names[key] = path.path
    return names


def _splats(prim, matrix):
    if not np.allclose(matrix, np.eye(4)):
        raise ValueError("its splats are moved by a transform; apply that first")
    positions = _array(prim, "positions", 3)
    num, degree = len(positions), int(prim.GetAttribute("radiance:sphericalHarmonicsDegree").Get())
    if degree not in (0, 1, 2, 3):
        raise ValueError(f"its harmonics are of degree {degree}")
    arrays = {
        "positions": positions,
        "quats": _array(prim, "orientations", 4)[:, [3, 0, 1, 2]],  # the real part lies last in memory
        "scales": _array(prim, "scales", 3),
        "opacities": _array(prim, "opacities", 1)[:, 0],
        "sh": _array(prim, "radiance:sphericalHarmonicsCoefficients", 3),
    }
    if any(len(values) < num for values in arrays.values()) or len(arrays["sh"]) < num * (degree + 1) ** 2:
        raise ValueError(f"it has {num} positions, but fewer of something else")
    arrays = {name: values if name == "sh" else values[:num] for name, values in arrays.items()}
    return {"kind": "splats", "degree": degree}, arrays


def _notes(data):
    """Return what vid2three noted, plain values alone."""
    notes = data.get("vid2three", {})
    if not isinstance(notes, dict):
        return {}
    return {str(k): v for k, v in notes.items() if isinstance(v, (str, int, float, bool))}


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        sys.stdout.write(" ".join(str(error).split()))
        sys.exit(1)
    except (TypeError, LookupError, AttributeError, RuntimeError, MemoryError):  # USD's own words are a paragraph
        sys.stdout.write("USD cannot open it")
        sys.exit(1)
