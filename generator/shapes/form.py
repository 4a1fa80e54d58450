"""A form: the pad on which a shape is put together from solids, before it is coloured and scaled."""

from dataclasses import dataclass, replace

import numpy as np

from generator import sdf
from generator.shading import WRAP_BALL, WRAP_FLAT, WRAP_ROUND

MAIN, SECOND = "main", "second"  # slots; any other slot is the name of a fixed colour
UPRIGHT = (0.0, 0.0, 0.0)
SIDES = (-1, 1)  # of the plane x = 0: what stands there in pairs
SIDEWAYS = (0.0, 90.0, 0.0)  # turns a solid's axis to +x
FORWARD = (90.0, 0.0, 0.0)  # turns a solid's axis to -y, the front

Vector = tuple[float, float, float]
Turn = Vector | np.ndarray  # degrees about x, then y, then z; or the rotation [3,3], local to world


@dataclass(frozen=True)
class Solid:
    """One solid of a form, in the form's own units."""

    kind: int
    slot: str
    center: np.ndarray
    rotation: np.ndarray
    """[3,3], local to world."""
    lengths: tuple[float, ...]
    """The numbers of the kind's size that are lengths."""
    ratios: tuple[float, ...] = ()
    """Those after them that do not scale."""
    glow: float = 0.0
    plain: bool = False
    """Whether the main part's pattern is left off."""

    def points(self) -> np.ndarray:
        """Return points [n,3] whose hull is about the solid's own."""
        return self.center + local_points(self) @ self.rotation.T


class Form:
    """Collects solids. The front faces -y, z is up, any unit will do: `normalized` centres and scales."""

    def __init__(self, rng: np.random.Generator):
        self.solids: list[Solid] = []
        self._rng = rng

    def between(self, low: float, high: float) -> float:
        """Draw a dimension."""
        return float(self._rng.uniform(low, high))

    def ellipsoid(self, slot: str, center: Vector, radii: Vector, turn: Turn = UPRIGHT, **options) -> None:
        self._add(sdf.ELLIPSOID, slot, center, turn, radii, **options)

    def ball(self, slot: str, center: Vector, radius: float, **options) -> None:
        self._add(sdf.ELLIPSOID, slot, center, UPRIGHT, (radius, radius, radius), **options)

    def box(
        self, slot: str, center: Vector, half: Vector, rounding: float = 0.02, turn: Turn = UPRIGHT, **options
    ) -> None:
        self._add(sdf.BOX, slot, center, turn, (*half, min(rounding, *half)), **options)

    def cone(
        self,
        slot: str,
        center: Vector,
        half_height: float,
        bottom: float,
        top: float,
        rounding: float = 0.01,
        turn: Turn = UPRIGHT,
        **options,
    ) -> None:
        """Add a capped cone, or a cylinder where both radii are the same."""
        rounding = min(rounding, 0.9 * half_height, max(bottom, top))
        self._add(sdf.CONE, slot, center, turn, (half_height, bottom, top, rounding), **options)

    def ring(
        self,
        slot: str,
        center: Vector,
        radius: float,
        tube: float,
        turn: Turn = UPRIGHT,
        half_angle_deg: float = 180.0,
        **options,
    ) -> None:
        """Add a ring about the local z axis, or an arc of one about the local +x axis."""
        angle = np.radians(half_angle_deg)
        ratios = (float(np.sin(angle)), float(np.cos(angle)))
        self._add(sdf.TORUS, slot, center, turn, (radius, tube), ratios, **options)

    def rod(self, slot: str, start: Vector, end: Vector, radius: float, **options) -> None:
        """Add a capsule from one centre of a cap to the other."""
        axis = np.subtract(end, start)
        length = float(np.linalg.norm(axis))
        center = tuple((np.add(start, end) / 2).tolist())
        self._add(sdf.CAPSULE, slot, center, axis_rotation(axis / length), (length / 2, radius), **options)

    def cup(
        self,
        slot: str,
        center: Vector,
        half_height: float,
        bottom: float,
        top: float,
        half_wall: float = 0.04,
        turn: Turn = UPRIGHT,
        **options,
    ) -> None:
        self._add(sdf.CUP, slot, center, turn, (half_height, bottom, top, half_wall), **options)

    def frustum(
        self,
        slot: str,
        center: Vector,
        half_height: float,
        bottom: tuple[float, float],
        top: tuple[float, float],
        turn: Turn = UPRIGHT,
        **options,
    ) -> None:
        """Add a block whose rectangle at the bottom turns into another at the top: a roof, a wedge, a blade."""
        self._add(sdf.FRUSTUM, slot, center, turn, (half_height, *bottom, *top), **options)

    def dome(self, slot: str, center: Vector, radii: Vector, turn: Turn = UPRIGHT, **options) -> None:
        self._add(sdf.DOME, slot, center, turn, radii, **options)

    def shell(
        self, slot: str, center: Vector, radii: Vector, half_wall: float = 0.03, turn: Turn = UPRIGHT, **options
    ) -> None:
        """Add the hollow lower half of an ellipsoid: a bowl."""
        self._add(sdf.SHELL, slot, center, turn, (*radii, half_wall), **options)

    def _add(self, kind, slot, center, turn, lengths, ratios=(), **options) -> None:
        rotation = turn if isinstance(turn, np.ndarray) else euler_rotation(turn)
        lengths = tuple(float(length) for length in lengths)
        self.solids.append(Solid(kind, slot, np.array(center, float), rotation, lengths, ratios, **options))

    def normalized(self, radius: float) -> list[Solid]:
        """Return the solids centred, and scaled so that the farthest point lies at the radius."""
        return fitted([self.solids], radius)[0]


def fitted(objects: list[list[Solid]], radius: float) -> list[list[Solid]]:
    """Return objects, together centred and scaled so that the farthest point lies at the radius."""
    points = np.concatenate([solid.points() for solids in objects for solid in solids])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    scale = float(radius / np.linalg.norm(points - middle, axis=1).max())
    return [moved(solids, scale, -middle * scale) for solids in objects]


def moved(solids: list[Solid], scale: float, shift: Vector | np.ndarray) -> list[Solid]:
    """Return solids scaled about the origin, then shifted."""
    return [
        replace(
            solid,
            center=solid.center * scale + shift,
            lengths=tuple(length * scale for length in solid.lengths),
        )
        for solid in solids
    ]


def euler_rotation(turn_deg: Vector) -> np.ndarray:
    """Return the [3,3] rotation about x, then y, then z, of the world's axes."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def axis_rotation(axis: np.ndarray) -> np.ndarray:
    """Return a rotation [3,3] that takes local z to a unit axis."""
    aside = np.cross([0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0], axis)
    aside /= np.linalg.norm(aside)
    return np.stack([aside, np.cross(axis, aside), axis], axis=1)


_CIRCLE = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)
_HEIGHTS = (np.arange(15) - 7) / 7
_SPHERE = np.concatenate([np.c_[_CIRCLE * np.sqrt(1 - height**2), np.full(24, height)] for height in _HEIGHTS])


def local_points(solid: Solid) -> np.ndarray:
    """Return points [n,3] in the solid's own axes whose hull is about the solid's."""
    size = (*solid.lengths, *solid.ratios)
    match solid.kind:
        case sdf.ELLIPSOID:
            return _SPHERE * size[:3]
        case sdf.BOX:
            return _corners((size[0], size[1]), (size[0], size[1]), size[2])
        case sdf.CONE:
            return _discs(size[1], size[2], size[0])
        case sdf.TORUS:
            half_angle = np.arctan2(size[2], size[3])
            angles = np.linspace(-half_angle, half_angle, 25)
            line = size[0] * np.stack([np.cos(angles), np.sin(angles), np.zeros(25)], axis=1)
            return (line[:, None] + size[1] * _SPHERE[None, ::5]).reshape(-1, 3)
        case sdf.CAPSULE:
            return _SPHERE * size[1] + np.where(_SPHERE[:, 2:] < 0, -size[0], size[0]) * [0.0, 0.0, 1.0]
        case sdf.CUP:
            return _discs(size[1] + size[3], size[2] + size[3], size[0])
        case sdf.FRUSTUM:
            return _corners(size[1:3], size[3:5], size[0])
        case sdf.DOME:
            return _SPHERE[_SPHERE[:, 2] >= 0] * size[:3]
        case sdf.SHELL:
            return _SPHERE[_SPHERE[:, 2] <= 0] * (np.array(size[:3]) + size[3])
    raise ValueError(f"There is no solid of kind {solid.kind}.")


def geometry_row(solid: Solid) -> np.ndarray:
    """Return a primitive's row [sdf.NUM_COLUMNS] in which the columns of its look are 0."""
    row = np.zeros(sdf.NUM_COLUMNS)
    size = (*solid.lengths, *solid.ratios)
    row[sdf.KIND] = solid.kind
    row[sdf.CENTER : sdf.ROTATION] = solid.center
    row[sdf.ROTATION : sdf.SIZE] = solid.rotation.T.ravel()
    row[sdf.SIZE : sdf.SIZE + len(size)] = size
    row[sdf.BOUND] = 1.03 * np.linalg.norm(local_points(solid), axis=1).max() + 0.005
    return row


def _corners(bottom: tuple[float, ...], top: tuple[float, ...], half_height: float) -> np.ndarray:
    signs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    low = np.c_[signs * bottom, np.full(4, -half_height)]
    high = np.c_[signs * top, np.full(4, half_height)]
    return np.concatenate([low, high])


def _discs(bottom: float, top: float, half_height: float) -> np.ndarray:
    low = np.c_[_CIRCLE * bottom, np.full(24, -half_height)]
    high = np.c_[_CIRCLE * top, np.full(24, half_height)]
    return np.concatenate([low, high])


def wrap_of(solid: Solid) -> int:
    """Return how a pattern lies on the solid: around it only where it stands upright."""
    is_upright = abs(solid.rotation[2, 2]) > 0.95
    if solid.kind in (sdf.ELLIPSOID, sdf.DOME, sdf.SHELL) and is_upright:
        return WRAP_BALL if max(solid.lengths[:3]) < 1.6 * min(solid.lengths[:3]) else WRAP_ROUND
    if solid.kind in (sdf.CONE, sdf.CAPSULE, sdf.CUP) and is_upright:
        return WRAP_ROUND
    return WRAP_FLAT
