"""Hair as geometry: a star-shaped shell round the skull that casts shadows and changes the outline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter

from facedata.rendered.mesh import Array, Caster, Material, Mesh, Values, direction, grid_triangles, surface

CENTRE = np.array([0.0, 4.5, -0.5], np.float32)  # inside the skull, at ear height
COLUMNS, ROWS = 144, 80
_AZIMUTH = np.linspace(-180, 180, COLUMNS, endpoint=False)  # 0 is the front, + the picture's right
ELEVATION = np.linspace(-66.0, 90.0, ROWS)
_PHI, _THETA = np.meshgrid(np.radians(_AZIMUTH), np.radians(ELEVATION))
DIRECTIONS = direction(_PHI, _THETA).astype(np.float32)  # (ROWS, COLUMNS, 3), from CENTRE
STYLES = ("bald", "ring", "cropped", "short", "bowl", "bob", "long", "tied", "curly")


@dataclass(frozen=True)
class Hair:
    """One haircut; angles in degrees of elevation over CENTRE, lengths in cm."""

    style: str  # one of STYLES
    thickness: float  # on top
    hairline: float  # at the forehead's middle
    fringe: float  # degrees that it comes down over the forehead
    parting: float  # -1..1, to which side it is combed
    length: float  # y at which long hair ends
    opening: float  # degrees from the middle of the face at which long hair begins
    sideburn: float  # to which hair comes down before the ear
    strands: float  # relief
    seed: int  # of the strands
    sweep: float = 3.0  # degrees by which it comes down lower on the side to which it is combed


def sample_hair(rng: np.random.Generator) -> Hair:
    """Draw a random haircut."""
    style = str(rng.choice(STYLES, p=[0.05, 0.05, 0.14, 0.24, 0.08, 0.11, 0.17, 0.08, 0.08]))
    uniform = rng.uniform
    thickness = {
        "cropped": uniform(0.15, 0.5),
        "ring": uniform(0.2, 0.6),
        "curly": uniform(1.5, 4.0),
        "tied": uniform(0.3, 0.8),
    }.get(style, uniform(0.6, 2.2))
    hangs = style in ("short", "bowl", "bob", "long")
    return Hair(
        style=style,
        thickness=thickness,
        hairline=uniform(23, 34) + (uniform(4, 20) if rng.random() < 0.2 else 0),
        fringe=uniform(6, 18) if hangs and rng.random() < 0.4 else 0.0,
        parting=uniform(-1, 1),
        length=uniform(-8, -1) if style == "bob" else uniform(-22, -8),
        opening=uniform(52, 80),
        sideburn=uniform(-22, 4),
        strands=uniform(0.04, 0.2) if style != "curly" else uniform(0.3, 0.7),
        seed=int(rng.integers(2**31)),
    )


def lowered(hair: Hair, rng: np.random.Generator) -> Hair:
    """Let hair come into the crop, as mostly on photographs; the brows lie at 2 degrees."""
    return replace(
        hair,
        hairline=rng.uniform(7, 25),
        fringe=min(hair.fringe, 4.0),
        sweep=rng.uniform(0, 9),
        opening=rng.uniform(45, 75),
    )


def hair_mesh(hair: Hair, skull: Array, room: Callable[[Array], Array] | None = None) -> Mesh | None:
    """Build the shell of ``hair`` on a head with this ``skull_radius``; None for the bald.

    ``room`` tells how far, cm (n,), hair may rise above points (n, 3) of the skin: little under a hat.
    """
    if hair.style == "bald":
        return None
    rng = np.random.default_rng(hair.seed)
    over_edge = _degrees_inside(hair, rng)
    full = np.clip(over_edge / (4 if hair.style in ("cropped", "ring") else 9), 0, 1)
    full = full * full * (3 - 2 * full)
    relief = _relief(hair, rng)
    lean = 1 + 0.35 * hair.parting * np.sin(_PHI) * np.clip(np.sin(_THETA), 0, 1)
    thickness = hair.thickness * lean * (0.45 + 0.55 * np.clip(ELEVATION / 60, 0, 1))[:, None]
    if hair.style == "curly":
        thickness = hair.thickness * (0.8 + 0.2 * lean)
    radius: Values = skull + (thickness + relief) * full - 0.12 * (1 - full)
    if hair.style in ("bob", "long"):
        radius = _hang(hair, radius, skull, full, relief)
    if room is not None:
        points = (CENTRE + DIRECTIONS * skull[..., None]).reshape(-1, 3)
        radius = np.minimum(radius, skull + room(points).reshape(ROWS, COLUMNS))
    vertices = (CENTRE + DIRECTIONS * radius[..., None]).reshape(-1, 3)
    shade = np.asarray(1 + 0.9 * relief / max(hair.strands, 0.05) * 0.25, np.float32)
    triangles = grid_triangles(ROWS, COLUMNS, wrap=True)
    triangles = triangles[(over_edge > 0).ravel()[triangles].any(1)]
    return surface(vertices, triangles[:, ::-1], Material.HAIR, shade=np.clip(shade, 0.4, 1.7).ravel())


def skull_radius(head: Caster) -> Array:
    """Measure how far, (ROWS, COLUMNS), a bald head's skin is from CENTRE, the ears smoothed away."""
    radius = head.reach(CENTRE, DIRECTIONS)
    radius = np.where(np.isfinite(radius), radius, 9.0)
    wrapped = np.pad(radius, ((0, 0), (8, 8)), mode="wrap")
    radius = median_filter(wrapped, size=13, mode="nearest")[:, 8:-8]
    return np.asarray(gaussian_filter(radius, (1.5, 1.5), mode=("nearest", "wrap")), np.float32)


def _degrees_inside(hair: Hair, rng: np.random.Generator) -> Array:
    """How far (degrees of elevation) each point of the grid lies above the lower edge of the hair."""
    side = np.abs(_AZIMUTH)
    front = hair.hairline - hair.fringe if hair.style != "ring" else 70.0
    if hair.style in ("bob", "long"):
        knots = [0, hair.opening - 22, hair.opening - 6, hair.opening + 4, 180]
        edge = np.interp(side, knots, [front, front - 1, min(front - 8, 16), -80, -80])
    elif hair.style == "bowl":
        edge = np.interp(side, [0, 45, 62, 75, 110, 180], [front, front, front - 6, -8, -14, -40])
    else:
        knots = [0, 38, 58, 70, 76, 83, 88, 106, 114, 135, 180]
        edge = np.interp(side, knots, [front, front, front - 6, 16, 0, hair.sideburn, 9, 9, -14, -36, -46])
    ragged = gaussian_filter1d(rng.normal(size=COLUMNS), 1.2, mode="wrap") * 2.0
    edge = edge + ragged - hair.sweep * hair.parting * np.sin(np.radians(_AZIMUTH)) * (side < 60)
    inside = ELEVATION[:, None] - edge[None, :]
    if hair.style == "ring":
        crown = 30 - ELEVATION[:, None] + 8 * (side[None, :] > 110)
        inside = np.minimum(inside, crown)
    return np.asarray(inside, np.float32)


def _relief(hair: Hair, rng: np.random.Generator) -> Array:
    """Locks and strands, cm, (ROWS, COLUMNS)."""

    def bumps(rows: float, columns: float) -> Array:
        smooth = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), (rows, columns), mode=("nearest", "wrap"))
        return np.asarray(smooth / smooth.std())

    if hair.style == "curly":
        return np.asarray(bumps(1.2, 1.2) * hair.strands * 0.5, np.float32)
    return np.asarray((bumps(7, 0.6) + bumps(9, 2.5)) * hair.strands * 0.7, np.float32)


def _hang(hair: Hair, radius: Values, skull: Array, full: Values, relief: Array) -> Array:
    """Let hair below the ears fall straight down instead of following the neck; cut it at its length."""
    cosine, sine = (way(np.radians(ELEVATION))[:, None] for way in (np.cos, np.sin))
    widest = skull[np.argmin(np.abs(ELEVATION))] + 0.9 + 0.5 * hair.thickness + relief * 0.8
    fall = np.maximum(radius * cosine, widest * (0.97 + 0.03 * full)) / cosine
    below = np.clip((10 - ELEVATION) / 15, 0, 1)[:, None]
    radius = radius * (1 - below) + fall * below * full + radius * below * (1 - full)
    lowest = np.where(sine < 0, (hair.length - CENTRE[1]) / np.minimum(sine, -1e-3), np.inf)
    return np.asarray(np.minimum(radius, lowest), np.float32)
