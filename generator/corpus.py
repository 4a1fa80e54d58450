"""Artist-made CC0 models as training subjects: packed into one small file, drawn with changes that keep captions true.

The file is an .npz of xz streams: positions on a grid, octahedral normals, and a colour for each run of face corners.
Indices count back from the number of things seen so far (0 is a new one), which packs tightly and unpacks as a cumsum.
T triangles, V vertices (a position and a normal), P positions, R runs.
Frame as in rays.py: z up, the front faces -y, centred on the bounding sphere, whose radius is SUBJECT_RADIUS.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from generator.corpus_glb import Soup, read_glb
from generator.grammar import SUBJECT_RADIUS
from generator.recolor import Paint, recolor, study
from generator.words import article

MAX_FACES = 8000  # busier models are left out: 2 % of them, a fifth of the file
FINE_EDGES = (0.06, 0.09, 0.14)  # how finely textures are sampled: the first that keeps within MAX_FACES
STEPS = 2500  # positions are multiples of 1/2500 of the model's radius: 0.025 pixels of a clip of 128
OCTAHEDRON = 60  # steps of a packed normal's two coordinates: within a degree

PIECE_WEIGHT = 0.25  # of tiles and of pieces of walls and roads, which are many and look alike
_PIECES = re.compile(r"\b(wall|road|floor|tile|track|path|rail|fence|pipe|corner|platform|panel|block)s?\b")
_HANDED = re.compile(r"\b(letters?|numbers?|digits?|text|words?|signs?|logo|clock|left|right|labels?|[a-z])\b")
_ROUND = re.compile(r"\b(round|circular|square|hexagonal|octagonal|wheels?|ring|disc|disk|dome|barrel|coins?)\b")
_HEAD = re.compile(r"(.+?)(| (?:with|of|on|in|and|for|from|full|made|holding|standing)\b.*)$")
_EVEN = re.compile(r"\b(cubes?|cube-shaped|balls?|spheres?|spherical|globe|planet|dice|moon|sun|heart|star)\b")


@dataclass(frozen=True)
class Model:
    """What is known of a packed model."""

    id: str
    kind: str
    pack: str
    noun: str
    short: str
    long: str
    held_out: bool


@dataclass(frozen=True)
class MeshSample:
    """A subject ready to be drawn by mesh_tracer.py or cuda_mesh.py, and what may be said of it."""

    positions: np.ndarray
    """float32 [T,3,3]: triangle, corner, axis."""
    normals: np.ndarray
    """int8 [T,3,3], 127 times the unit normal."""
    colors: np.ndarray
    """uint8 [T,3,3], sRGB."""
    captions: tuple[str, ...]
    """Several captions, all true: they are drawn apart from each other."""
    model: Model
    """The model as it was packed: its own words may name colours that were changed since."""


def pack(folder: Path, path: Path) -> int:
    """Pack the captioned models of models.tar.xz and models.jsonl into one file; returns how many there are."""
    lines = (Path(folder) / "models.jsonl").read_text().splitlines()
    known = {item["id"]: item for item in map(json.loads, lines) if item.get("short")}
    models, soups = [], []
    with tarfile.open(Path(folder) / "models.tar.xz") as archive:
        for member in archive:
            item, file = known.get(Path(member.name).stem), archive.extractfile(member)
            soup = _read(file.read()) if item and file else None
            if soup is not None and item is not None:
                models.append(Model(**{name: item[name] for name in Model.__dataclass_fields__}))
                soups.append(soup)
    streams = _pack_soups(soups)
    counts = [len(soup.positions) for soup in soups]
    is_smooth = [soup.normals is not None for soup in soups]
    about = {"models": [vars(model) for model in models], "counts": counts, "smooth": is_smooth}
    streams["about"] = np.frombuffer(lzma.compress(json.dumps(about).encode()), np.uint8)
    np.savez(path, **streams)  # type: ignore[arg-type]
    return len(models)


def _read(data: bytes) -> Soup | None:
    """Read a model in our frame, as few triangles as its textures allow; None if it cannot be drawn or is too busy."""
    for fine_edge in FINE_EDGES:
        soup = read_glb(data, fine_edge)
        if soup is None:
            return None
        if len(soup.positions) <= MAX_FACES:
            return _upright(soup)
    return None


def _upright(soup: Soup) -> Soup:
    """Turn y up, front +z into z up, front -y; drop triangles without area, and those that lie where another does.

    A smooth model that is flat says so.
    """
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    positions = soup.positions @ turn.T
    positions = positions - _sphere_center(positions.reshape(-1, 3))
    positions = np.round(positions / _radius(positions) * STEPS)
    normals = face_normals(positions)
    kept = (np.abs(normals).max(axis=1) > 0) & _is_first(positions)
    if soup.normals is None:
        return Soup(positions[kept], None, soup.colors[kept])
    smooth = soup.normals @ turn.T
    agree = np.abs(np.einsum("tci,ti->tc", smooth, normals))[kept]
    is_flat = np.mean(agree > 0.995) > 0.98
    return Soup(positions[kept], None if is_flat else smooth[kept], soup.colors[kept])


def _is_first(positions: np.ndarray) -> np.ndarray:
    """Tell which triangles [T,3,3] on the grid no earlier one has the corners of: bool [T]."""
    corners = _as_key(positions.reshape(-1, 3).astype(np.int64) + STEPS, 2 * STEPS + 1)
    _, corners = np.unique(corners, return_inverse=True)
    key = _as_key(np.sort(corners.reshape(-1, 3), axis=1), corners.max() + 1)
    is_first = np.zeros(len(key), bool)
    is_first[np.unique(key, return_index=True)[1]] = True
    return is_first


def _sphere_center(points: np.ndarray) -> np.ndarray:
    """Return the centre of the smallest sphere about points [N,3], within about a hundredth of its radius.

    Bădoiu and Clarkson, "Smaller core-sets for balls" (2003): step to the farthest point, ever less.
    """
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    distances = np.linalg.norm(points - center, axis=1)
    points = points[distances > 0.6 * distances.max()]  # the others lie inside of any sphere that comes up
    for step in range(2, 200):
        farthest = np.argmax(((points - center) ** 2).sum(axis=1))
        center = center + (points[farthest] - center) / step**1.2 * 0.5
    return center


def face_normals(positions: np.ndarray) -> np.ndarray:
    """Return the unit normals [T,3] of triangles [T,3,3]; 0 where one has no area."""
    normals = np.cross(positions[:, 1] - positions[:, 0], positions[:, 2] - positions[:, 0])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)


def _pack_soups(soups: list[Soup]) -> dict[str, np.ndarray]:
    positions, normals, corners, places = [], [], [], []
    for soup in soups:
        grid = soup.positions.reshape(-1, 3).astype(np.int64)
        place, first = _by_first_use(_as_key(grid + STEPS, 2 * STEPS + 1))
        positions.append(grid[first])
        if soup.normals is None:
            corners.append(_count_back(place))
            continue
        packed = _to_octahedron(soup.normals.reshape(-1, 3))
        corner, first = _by_first_use(place * 2**20 + _as_key(packed.astype(np.int64) + OCTAHEDRON, 2**10))
        normals.append(packed[first])
        corners.append(_count_back(corner))
        places.append(_count_back(place[first]))
    colors = np.concatenate([soup.colors.reshape(-1, 3) for soup in soups])
    starts = np.append(True, (colors[1:] != colors[:-1]).any(axis=1))
    return {
        "positions": _squeeze(np.concatenate(positions).astype(np.int16)),
        "normals": _squeeze(np.concatenate(normals)),
        "corners": _squeeze(np.concatenate(corners).astype(np.uint16)),
        "places": _squeeze(np.concatenate(places).astype(np.uint16)),
        "colors": _squeeze(colors[starts]),
        "starts": _squeeze(np.packbits(starts)),
    }


class Corpus:
    """A packed file in memory."""

    def __init__(self, models: list[Model], soups: list[Soup]):
        self.models, self._soups = models, soups
        self._paints: dict[int, Paint | None] = {}  # found when first asked for
        held_out = np.array([model.held_out for model in models])
        weights = _weights(models)
        self._shares = {which: _shares(weights * (held_out == which)) for which in (False, True)}

    @staticmethod
    def load(file: Path | BinaryIO) -> Corpus:
        """Load a file that `pack` wrote: a few seconds."""
        with np.load(file) as streams:
            about = json.loads(lzma.decompress(streams["about"].tobytes()))
            soups = _unpack_soups(streams, about["counts"], about["smooth"])
        return Corpus([Model(**item) for item in about["models"]], soups)

    def draw(self, rng: np.random.Generator, held_out: bool = False, num_captions: int = 4) -> MeshSample:
        """Draw a model for training, changed in ways that its captions survive, or a held-out one as it is."""
        index = int(rng.choice(len(self.models), p=self._shares[held_out]))
        return self.subject(index, None if held_out else rng, rng, num_captions)

    def subject(
        self, index: int, changes: np.random.Generator | None, words: np.random.Generator, num_captions: int = 4
    ) -> MeshSample:
        """Return one model with captions drawn by `words`, changed as `changes` draws or not at all (None)."""
        model, soup = self.models[index], self._soups[index]
        positions, normals, colors = soup.positions, soup.normals, soup.colors
        short, long = model.short, model.long
        if normals is None:
            normals = np.repeat(face_normals(positions)[:, None], 3, axis=1)
        if changes is not None:
            if changes.random() < 0.6:
                paint = self._paint(index)
                if paint is not None:
                    colors, short, long = recolor(paint, short, long, changes)
            linear = _linear_change(f"{model.noun} {short} {long}", changes)
            positions = positions @ linear.T
            normals = normals @ np.linalg.inv(linear)
            normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
            if np.linalg.det(linear) < 0:
                positions, normals, colors = positions[:, ::-1], normals[:, ::-1], colors[:, ::-1]
        return MeshSample(
            positions=np.ascontiguousarray(positions * (SUBJECT_RADIUS / _radius(positions)), np.float32),
            normals=np.ascontiguousarray(np.round(127 * normals), np.int8),
            colors=np.ascontiguousarray(colors),
            captions=tuple(caption(model.noun, short, long, words) for _ in range(num_captions)),
            model=model,
        )

    def _paint(self, index: int) -> Paint | None:
        if index not in self._paints:
            model, soup = self.models[index], self._soups[index]
            self._paints[index] = study(soup.positions, soup.colors, model.noun, model.short, model.long)
        return self._paints[index]


def _radius(positions: np.ndarray) -> float:
    return float(np.sqrt(np.einsum("tci,tci->tc", positions, positions).max()))


def _linear_change(said: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a [3,3] matrix: stretched along the axes, mirrored, turned a little; nothing that `said` would deny."""
    scale = rng.uniform(0.85, 1.2, 3)
    if _ROUND.search(said):
        scale[1] = scale[0]
    if _EVEN.search(said) or rng.random() < 0.25:
        scale[:] = 1
    if rng.random() < 0.3 and not _HANDED.search(re.sub(r"\ba\b", "", said)):
        scale[0] *= -1
    angle = np.radians(rng.uniform(-10, 10)) if rng.random() < 0.2 else 0.0
    cosine, sine = np.cos(angle), np.sin(angle)
    return (np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) * scale).astype(np.float32)


def caption(noun: str, short: str, long: str, rng: np.random.Generator) -> str:
    """Write one caption: "a red sedan car", "A 3D model of a plain ...", "low poly car"."""
    has_article = long.startswith(("a ", "an "))
    form = rng.choice(["short", "long", "noun"], p=[0.45, 0.43, 0.12])
    text = {"short": short, "long": long.removeprefix("a ").removeprefix("an "), "noun": noun}[str(form)]
    if rng.random() < 0.12:
        text = f"low poly {text}"
    if has_article and not (form == "short" and rng.random() < 0.4):
        found = _HEAD.match(text)
        text = article(found[1]) + found[2] if found else article(text)
    return f"A 3D model of {text}" if rng.random() < 0.25 else text


def _weights(models: list[Model]) -> np.ndarray:
    """Weight models [N]: pieces count little, and what a pack has n of under one noun counts as root n."""
    groups = [(model.pack, model.noun) for model in models]
    _, group, count = np.unique(groups, axis=0, return_inverse=True, return_counts=True)
    is_piece = [m.kind == "tile" or (m.kind == "structure" and bool(_PIECES.search(m.noun))) for m in models]
    return np.where(is_piece, PIECE_WEIGHT, 1.0) / np.sqrt(count[group.ravel()])


def _shares(weights: np.ndarray) -> np.ndarray:
    return weights / max(weights.sum(), 1e-12)


def _unpack_soups(streams, counts: list[int], smooth: list[bool]) -> list[Soup]:
    num_corners = 3 * sum(counts)
    positions = _expand(streams["positions"], np.int16, 3).astype(np.float32) / STEPS
    normals = _from_octahedron(_expand(streams["normals"], np.int8, 2))
    places = _expand(streams["places"], np.uint16, 1)[:, 0].astype(np.int64)
    corners = _expand(streams["corners"], np.uint16, 1)[:, 0].astype(np.int64)
    starts = np.unpackbits(_expand(streams["starts"], np.uint8, 1)[:, 0], count=num_corners)
    colors = _expand(streams["colors"], np.uint8, 3)[np.cumsum(starts) - 1]
    soups, corner, place, vertex = [], 0, 0, 0
    for count, is_smooth in zip(counts, smooth):
        end = corner + 3 * count
        index, num_new = _count_forth(corners[corner:end])
        normal = None
        if is_smooth:
            normal = normals[vertex : vertex + num_new][index].reshape(-1, 3, 3)
            to_place, num_places = _count_forth(places[vertex : vertex + num_new])
            index, vertex, num_new = to_place[index], vertex + num_new, num_places
        position = positions[place : place + num_new][index].reshape(-1, 3, 3)
        soups.append(Soup(position, normal, colors[corner:end].reshape(-1, 3, 3)))
        corner, place = end, place + num_new
    return soups


def _as_key(rows: np.ndarray, base: int) -> np.ndarray:
    """Join rows of non-negative integers below `base` into one integer each."""
    key = rows[:, 0]
    for column in range(1, rows.shape[1]):
        key = key * base + rows[:, column]
    return key


def _by_first_use(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number distinct keys in the order in which they come; returns each key's number and where each first came."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]


def _count_back(numbers: np.ndarray) -> np.ndarray:
    """Code numbers that are new in ascending order: 0 if new, else how far back. See `_count_forth`."""
    return np.append(0, np.maximum.accumulate(numbers)[:-1] + 1) - numbers


def _count_forth(codes: np.ndarray) -> tuple[np.ndarray, int]:
    """Undo `_count_back`; returns the numbers and how many distinct ones there are."""
    is_new = codes == 0
    seen = np.cumsum(is_new)
    return seen - is_new - codes, int(seen[-1])


def _to_octahedron(normals: np.ndarray) -> np.ndarray:
    """Fold unit normals [V,3] onto a square, int8 [V,2] (Meyer et al., "On floating-point normal vectors", 2010)."""
    x, y, z = (normals / np.maximum(np.abs(normals).sum(axis=1, keepdims=True), 1e-9)).T
    folded_x = np.where(z < 0, (1 - np.abs(y)) * np.where(x < 0, -1, 1), x)
    folded_y = np.where(z < 0, (1 - np.abs(x)) * np.where(y < 0, -1, 1), y)
    return np.round(OCTAHEDRON * np.stack([folded_x, folded_y], axis=1)).astype(np.int8)


def _from_octahedron(packed: np.ndarray) -> np.ndarray:
    """Undo `_to_octahedron`: float32 [V,3]."""
    x, y = packed.astype(np.float32).T / OCTAHEDRON
    z = 1 - np.abs(x) - np.abs(y)
    lower = np.maximum(-z, 0)
    normals = np.stack([x - np.copysign(lower, x), y - np.copysign(lower, y), z], axis=1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "pb": 0, "dict_size": 1 << 24}]


def _squeeze(rows: np.ndarray) -> np.ndarray:
    """Compress an array, the first bytes of all first, then the second ones."""
    planes = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8).T
    return np.frombuffer(lzma.compress(planes.tobytes(), filters=_FILTERS), np.uint8)


def _expand(stream: np.ndarray, dtype: type, width: int) -> np.ndarray:
    """Undo `_squeeze`: [N, width]."""
    planes = np.frombuffer(lzma.decompress(stream.tobytes()), np.uint8).reshape(width * np.dtype(dtype).itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype)


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))  # FOLDER with models.tar.xz and models.jsonl, OUT.npz
