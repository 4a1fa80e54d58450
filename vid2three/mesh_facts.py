"""The figures that asset.json holds of a mesh, in words: what each is called and what it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Words = Callable[[Any], str]


def _count(value: int) -> str:
    return f"{value:,}"


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _texels(value: float) -> str:
    return f"{value:.1f} texels"


def _material(value: dict[str, Any]) -> str:
    return f"roughness {value['roughness']}, metallic {value['metallic']}"


MESH_FACTS: dict[str, tuple[str, Words, str]] = {
    "num_faces": ("Triangles", _count, ""),
    "num_vertices": ("Vertices", _count, "as places in space; the file has more where UVs part"),
    "is_watertight": ("Closed (watertight)", _yes_no, "no holes: it can be printed, filled and cut"),
    "num_components": ("Connected parts", _count, "pieces that do not touch"),
    "num_degenerate_faces": ("Degenerate triangles", _count, "nearly lines or points; they shade badly"),
    "uv_overlap": ("UV overlap", _share, "of the covered texels are used twice; painting on one shows on the other"),
    "texels_per_edge": ("Texture density", _texels, "along the edge of a triangle, the mean"),
    "seam_contrast": (
        "Seam contrast",
        _share,
        "by how much colours differ across UV seams, the mean",
    ),
    "unseen_share": ("Unseen surface", _share, "that no frame shows; its colours are guesses"),
    "material": ("Material", _material, "estimated: pictures in even light do not tell"),
    "frame": ("Axes and units", str, ""),
}
BOOKKEEPING = ("sha256", "bytes", "world_from_file")  # in asset.json, of no use on a page


def described(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each figure that is known of a mesh, in a fixed order."""
    return [(name, words(facts[key]), told) for key, (name, words, told) in MESH_FACTS.items() if key in facts]
