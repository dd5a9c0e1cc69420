"""Natural hair: locks that grow from the scalp, are combed, fall, and fray at their ends.

A dark cap close to the skull fills the gaps.  Over it lie some hundred locks, each a narrow strip that bends
step by step from its root: first as it is combed, then as it falls, always outside the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from facedata.rendered.hair import CENTRE, COLUMNS, DIRECTIONS, ELEVATION, ROWS
from facedata.rendered.mesh import (
    Array,
    Material,
    Mesh,
    Rng,
    Values,
    direction,
    grid_triangles,
    join,
    surface,
    unit,
)

STEPS = 9  # along a lock
_CROWN = np.array([0.0, 0.75, -0.66])  # direction from CENTRE of the whorl


@dataclass(frozen=True)
class NaturalHair:
    """One haircut; angles in degrees of elevation over the skull's centre, lengths in cm."""

    style: str
    hairline: float  # at the forehead's middle
    recession: float  # degrees by which it lies higher at the temples
    bald_crown: float  # elevation above which nothing grows
    sideburn: float  # elevation to which hair comes down before the ear
    nape: float  # and behind
    cap: float  # thickness, cm, of what lies under the locks
    locks: int
    length: float
    fringe: float  # elevation at which locks of the forehead end; 90 if they are as long as the others
    opening: float  # degrees from the middle of the face at which long hair passes it
    width: float  # of a lock
    lift: float  # how far locks stand off the head
    part: float  # x at which the hair is parted
    away: float  # weights of the ways it is combed: away from the crown,
    aside: float  # away from the parting,
    forward: float  # and to the face
    sweep: float  # -1..1, to which side what is combed forward goes
    fall: float  # 0 stiff .. 1 soft
    unrest: float  # how much one lock differs from its neighbours
    curl: float  # how far, cm, it swings to either side
    grey: float  # share of grey locks
    seed: int


# Chance of each style, and what is drawn for it; pairs are drawn from uniformly, in this order.
_STYLES: dict[str, tuple[float, dict[str, tuple[float, float]]]] = {
    "bald": (0.03, {}),
    "ring": (0.06, {"bald_crown": (22, 40), "length": (1, 4), "away": (1, 1), "cap": (0.2, 0.5)}),
    "stubble": (0.07, {"length": (0, 0), "cap": (0.05, 0.25), "recession": (0, 14)}),
    "receding": (0.09, {
        "hairline": (28, 44), "recession": (6, 22), "length": (2, 5), "away": (-0.6, 0.3), "aside": (0, 0.8),
    }),
    "swept-back": (0.12, {"length": (5, 11), "away": (-1, -0.7), "lift": (0.5, 1.6), "fall": (0.05, 0.3)}),
    "side-parted": (0.18, {
        "length": (4, 9), "aside": (0.8, 1.3), "forward": (0, 0.5), "away": (0, 0.3), "part": (2.5, 5),
    }),
    "straight-fringe": (0.08, {
        "length": (5, 12), "fringe": (0, 12), "forward": (0.6, 1.0), "away": (0.4, 0.9), "fall": (0.5, 1),
    }),
    "swept-fringe": (0.12, {
        "length": (5, 10), "fringe": (2, 14), "forward": (0.5, 0.9), "sweep": (0.5, 1), "away": (0.3, 0.7),
    }),
    "curtain": (0.06, {
        "length": (9, 15), "aside": (0.8, 1.2), "forward": (0.1, 0.5), "part": (-0.8, 0.8), "fall": (0.6, 1),
    }),
    "bob": (0.07, {"length": (14, 22), "aside": (0.5, 1.0), "part": (-4, 4), "fall": (0.7, 1)}),
    "long": (0.11, {"length": (24, 36), "aside": (0.5, 1.0), "part": (-4, 4), "fall": (0.7, 1)}),
    "long-fringe": (0.04, {"length": (20, 34), "fringe": (0, 10), "forward": (0.4, 0.8), "fall": (0.7, 1)}),
    "curls": (0.07, {
        "length": (4, 14), "curl": (0.5, 1.1), "unrest": (0.4, 0.8), "aside": (0.2, 0.8), "lift": (0.8, 2.5),
        "part": (-3, 3), "fall": (0.3, 0.9), "cap": (0.5, 1.8),
    }),
    "afro": (0.03, {
        "length": (2, 4), "curl": (0.3, 0.6), "unrest": (1, 1.5), "lift": (2, 4), "cap": (1.5, 5),
        "fall": (0, 0.1),
    }),
    "tied": (0.06, {
        "length": (7, 12), "away": (-1.1, -0.9), "lift": (0.2, 0.4), "fall": (0, 0.1), "cap": (0.2, 0.5),
    }),
}  # fmt: skip
STYLES = tuple(_STYLES)
_USUAL: dict[str, tuple[float, float]] = {
    "hairline": (14, 29), "recession": (0, 9), "bald_crown": (90, 90), "sideburn": (-18, 6),
    "nape": (-50, -28), "cap": (0.2, 0.9), "length": (3, 7), "fringe": (90, 90), "opening": (38, 92),
    "width": (0.4, 0.9), "lift": (0.2, 0.9), "part": (-5, 5), "away": (0.2, 0.8), "aside": (0, 0.4),
    "forward": (0, 0.4), "sweep": (-1, 1), "fall": (0.3, 0.8), "unrest": (0.05, 0.35), "curl": (0, 0.25),
}  # fmt: skip


def sample_natural_hair(rng: Rng) -> NaturalHair:
    """Draw a haircut of many kinds."""
    chances = np.array([chance for chance, _ in _STYLES.values()])
    style = STYLES[rng.choice(len(STYLES), p=chances / chances.sum())]
    ranges = _USUAL | _STYLES[style][1]
    drawn = {name: float(rng.uniform(*pair)) for name, pair in ranges.items()}
    if rng.random() < 0.5:
        drawn["part"], drawn["sweep"] = -drawn["part"], -drawn["sweep"]
    return NaturalHair(
        style=style,
        locks=0 if drawn["length"] == 0 else int(rng.integers(700, 1000)),
        grey=max(0.0, rng.uniform(-0.6, 0.6)),
        seed=int(rng.integers(2**31)),
        **drawn,
    )


def natural_hair_mesh(
    hair: NaturalHair, skull: Array, room: Callable[[Array], Array] | None = None
) -> Mesh | None:
    """Build cap and locks on a head with this ``skull_radius``; None for the bald.

    ``room`` is as for ``hair_mesh``.
    """
    if hair.style == "bald":
        return None
    rng = np.random.default_rng(hair.seed)
    cap = _cap(hair, skull, room, rng)
    return cap if hair.locks == 0 else join([cap, _locks(hair, skull, room, rng)])


def _inside(hair: NaturalHair, azimuth: Values, elevation: Values) -> Values:
    """How far, degrees of elevation, directions lie above the lower edge of the hair's roots."""
    side = np.abs(azimuth)
    front = hair.hairline
    knots = [0, 22, 38, 52, 64, 72, 78, 84, 88, 106, 114, 135, 180]
    temple = front + hair.recession
    heights = [
        *(front, front + 0.5 * hair.recession, temple, temple - 5, max(front - 10, 12), 10, 2),
        *(hair.sideburn, 9, 9, -14, hair.nape, hair.nape),
    ]
    inside = elevation - np.interp(side, knots, heights)
    return np.asarray(np.minimum(inside, hair.bald_crown - elevation + 8 * (side > 110)))


def _cap(hair: NaturalHair, skull: Array, room: Callable[[Array], Array] | None, rng: Rng) -> Mesh:
    """A shell close to the skull that frays towards its edge."""
    azimuth = np.broadcast_to(np.linspace(-180, 180, COLUMNS, endpoint=False), (ROWS, COLUMNS))
    elevation = np.broadcast_to(ELEVATION[:, None], (ROWS, COLUMNS))
    wild = rng.normal(size=(ROWS, COLUMNS))
    inside = _inside(hair, azimuth, elevation) + 2.0 * rng.normal(size=COLUMNS)
    full = np.clip(inside / 14, 0, 1)
    radius = skull + hair.cap * full * (1 + 0.12 * wild) + 0.04
    points = _held(CENTRE + DIRECTIONS * radius[..., None], skull, room)
    shade = np.clip(0.55 + 0.15 * wild, 0.2, 1.3)
    triangles = grid_triangles(ROWS, COLUMNS, wrap=True)
    cover = inside.ravel()[triangles].mean(1)
    thin = 1.0 if hair.style != "ring" and hair.recession < 10 else 1.6
    kept = cover > np.abs(rng.normal(size=len(triangles))) * 3.5 * thin
    return surface(points.reshape(-1, 3), triangles[kept][:, ::-1], Material.HAIR, shade=shade.ravel())


def _locks(hair: NaturalHair, skull: Array, room: Callable[[Array], Array] | None, rng: Rng) -> Mesh:
    """Strips of two by STEPS vertices along grown locks."""
    line, outward, length = _grown(hair, skull, rng)
    count, along = len(line), np.linspace(0, 1, STEPS)
    bends: Values = np.asarray(np.gradient(line, axis=1))
    across = unit(np.cross(unit(bends.reshape(-1, 3)), outward.reshape(-1, 3))).reshape(line.shape)
    phase, turns = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.9, 2.0, count)
    swing = np.sin(phase[:, None] + (turns * length)[:, None] * along) * hair.curl * np.clip(along * 3, 0, 1)
    taper = np.clip((1.08 - along) * 2.2, 0.1, 1)
    half = 0.5 * hair.width * rng.uniform(0.6, 1.4, count)[:, None] * taper
    edges = np.stack([swing - half, swing + half], 2)[..., None]
    points = _held(line[:, :, None] + across[:, :, None] * edges, skull, room)  # (count, STEPS, 2, 3)
    # Darker at its root and end; each lock has a tone of its own.
    tone = np.exp(0.12 * rng.normal(size=count)) * np.where(rng.random(count) < hair.grey, 2.0, 1.0)
    bright = 0.6 + 0.45 * np.sin(np.pi * np.clip(along * 1.3 + 0.2 * rng.normal(size=(count, 1)), 0, 1))
    shade = (tone[:, None] * bright)[..., None] * rng.uniform(0.85, 1.15, (count, 1, 2))
    corner = np.arange(count * STEPS * 2).reshape(count, STEPS, 2)
    a, b, c, d = corner[:, :-1, 0], corner[:, :-1, 1], corner[:, 1:, 0], corner[:, 1:, 1]
    triangles = np.concatenate([np.stack(each, -1).reshape(-1, 3) for each in ((a, c, b), (b, c, d))])
    mesh = surface(points.reshape(-1, 3), triangles, Material.HAIR, shade=np.clip(shade, 0.3, 3).ravel())
    # A lock is round, and lit as the head is on which it lies.
    normals = outward[:, :, None] + 0.6 * np.stack([-across, across], 2)
    return replace(mesh, normals=unit(normals.reshape(-1, 3)).astype(np.float32))


def _grown(hair: NaturalHair, skull: Array, rng: Rng) -> tuple[Values, Values, Values]:
    """Middle lines of n locks, (n, STEPS, 3); the directions out of the head there; lengths (n,), cm."""
    # Roots lie evenly over the sphere above the neck; those outside the hairline are left out.
    count = hair.locks * 2
    azimuth = rng.uniform(-180, 180, count)
    elevation = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-50)), 1, count)))
    rooted = _inside(hair, azimuth, elevation) > np.abs(rng.normal(size=count)) * 2
    azimuth, elevation = azimuth[rooted], elevation[rooted]
    out = direction(np.radians(azimuth), np.radians(elevation))
    count = len(out)
    length = np.full(count, hair.length)
    if hair.fringe < 90:
        frontal = np.clip((62 - np.abs(azimuth)) / 25, 0, 1) * (elevation < hair.hairline + 35)
        arc = np.radians(np.maximum(elevation - hair.fringe, 4)) * 11  # cm, over a little hair
        length += (np.minimum(arc, hair.length) - length) * frontal
    length *= rng.uniform(0.75, 1.1, count)
    opening = hair.opening + 9 * rng.normal(size=count)
    lift = hair.lift * rng.uniform(0.2, 1.0, count)
    at = CENTRE + out * (_radius(out, skull) + 0.4 * hair.cap)[:, None]
    side = np.sign(at[:, :1] - hair.part + 0.3 * rng.normal(size=(count, 1)))
    combed = (
        hair.away * unit(out - _CROWN)
        + hair.aside * side * [1.0, 0.0, 0.0]
        + hair.forward * np.array([hair.sweep, 0.0, 1.0])
        + hair.unrest * rng.normal(size=(count, 3))
    )
    line, outward = np.empty((2, count, STEPS, 3))
    for k, along in enumerate(np.linspace(0, 1, STEPS)):
        out = unit(at - CENTRE)
        if k:
            lowest = _radius(out, skull) + 0.6 * hair.cap + lift * np.sin(np.pi * min(1.2 * along + 0.1, 0.9))
            at = CENTRE + out * np.maximum(np.linalg.norm(at - CENTRE, axis=1), lowest)[:, None]
        line[:, k], outward[:, k] = at, out
        weight = hair.fall * max(2.2 * along, 0.15) * (1 + 0.1 * length[:, None])
        heading = combed * (1 - 0.5 * hair.fall * along) + weight * [0.0, -1.0, 0.0]
        flat = heading - (heading * out).sum(1, keepdims=True) * out
        way = unit(np.where(heading[:, 1:2] < 0, 0.35 * heading + 0.65 * flat, flat))
        at = _beside_the_face(at + way * (length / (STEPS - 1))[:, None], opening)
    return line, outward, length


def _beside_the_face(at: Values, opening: Values) -> Values:
    """Turn points (n, 3) that lie before the face aside, the farther the lower they are."""
    offset = at - CENTRE
    level = np.hypot(offset[:, 0], offset[:, 2])
    azimuth = np.degrees(np.arctan2(offset[:, 0], offset[:, 2]))
    elevation = np.degrees(np.arctan2(offset[:, 1], level))
    least = opening * np.clip((22 - elevation) / 22, 0, 1) ** 0.7
    turned = np.radians(np.where(azimuth < 0, -1, 1) * np.maximum(np.abs(azimuth), least))
    aside = np.stack([np.sin(turned) * level, offset[:, 1], np.cos(turned) * level], 1)
    return np.asarray(CENTRE + aside)


def _radius(out: Values, values: Array) -> Values:
    """Interpolate a grid over the skull (ROWS, COLUMNS) at unit directions (n, 3): (n,)."""
    elevation = np.degrees(np.arcsin(np.clip(out[:, 1], -1, 1)))
    row = (elevation - ELEVATION[0]) / (ELEVATION[1] - ELEVATION[0])
    column = (np.degrees(np.arctan2(out[:, 0], out[:, 2])) + 180) / 360 * COLUMNS
    rows = np.clip(row, 0, ROWS - 1)
    return np.asarray(map_coordinates(values, [rows, column], order=1, mode="grid-wrap"))


def _held(points: Values, skull: Array, room: Callable[[Array], Array] | None) -> Values:
    """Press points (..., 3) into the room that a hat leaves above the skin."""
    if room is None:
        return points
    offset = points.reshape(-1, 3) - CENTRE
    out = unit(offset)
    skin = _radius(out, skull)
    most = skin + room((CENTRE + out * skin[:, None]).astype(np.float32))
    radius = np.minimum(np.linalg.norm(offset, axis=1), most)
    return np.asarray((CENTRE + out * radius[:, None]).reshape(points.shape))
