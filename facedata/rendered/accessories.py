"""Hats and spectacles as geometry: they are fitted to a head and cast shadows.

A hat has a frame of its own: its origin lies on the head's axis in the plane of the hatband, x points to
the picture's right, y up out of the head and z out of the forehead.  Around the y axis runs an azimuth, 0 at
the forehead; heights are measured above the plane of the band.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from facedata.rendered.mesh import Array, Caster, Material, Mesh, Values, grid_triangles, join, surface, unit

HATS = ("cap", "brimmed", "knitted")
PRESSED = 0.12  # cm of hair that stay between the edge of a hat and the skin
_AXIS = 1.0  # z in cm of the head's vertical axis
_SUNK = 0.7  # cm by which hair lies lower farther up, where nobody sees that it is inside the head
_LINING = 0.15  # cm between the outside of a hat and the hair in it
_PUFF = 0.75  # cm that hair gains per cm below a hat's edge
_COLUMNS, _ROWS = 144, 28
_PEAK = 64.0  # degrees to which the peak of a cap reaches on either side


@dataclass(frozen=True)
class Pane:
    """What a lens that light passes through does to it; places are in half lenses from a lens's middle."""

    through: float  # share 0..1 of the light that passes at the top
    below: float  # and at the bottom: less of it above is a gradient
    veil: float  # brightness that it reflects everywhere, as a share of the light on the face
    mirror: float  # and of a bright sky above a dark ground
    gleam: float  # and of a window or a lamp
    x: float  # where the window is seen
    y: float
    width: float
    height: float
    slant: float


def pane_paint(pane: Pane, places: Array) -> tuple[Array, Array]:
    """Return what passes a lens and how bright it is itself, (n,) each, at places (n, 3) on it."""
    x, y = places[:, 0], places[:, 1]
    across, up = (x - pane.x - pane.slant * (y - pane.y)) / pane.width, (y - pane.y) / pane.height
    window = np.exp(-(across**4) - up**4)
    through = pane.through + (pane.below - pane.through) * np.clip((1 - y) / 2, 0, 1)
    sky = 0.2 + 0.8 * np.clip(0.5 + 2.5 * (y - 0.3 * x), 0, 1)
    bright = pane.veil + pane.mirror * sky + pane.gleam * window
    return np.asarray(through, np.float32), np.asarray(bright, np.float32)


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses."""

    width: float  # cm of a lens, as all lengths
    height: float
    square: float  # the superellipse's exponent: 2 round, 5 square
    wire: float
    drop: float
    tone: float  # albedo
    dark: bool  # sunglasses, whose lenses are opaque
    tilt: float = 0.0  # degrees that the picture's right side hangs lower
    corner: float = 0.0  # by which the outer corners are drawn up, as a cat's eyes
    rim: str = "full"  # or "upper" or "none"
    pane: Pane | None = None  # lenses that are seen; they lie before dark ones


# Round wire; thick and square; dark: width, height, square, wire, drop and tone of each.
_GLASSES = (
    (5.0, 4.7, 2.0, 0.11, 0.25, 0.05),
    (5.6, 3.9, 4.5, 0.27, 0.2, 0.015),
    (6.2, 4.9, 2.7, 0.15, 0.3, 0.02),
)


def sample_glasses(rng: np.random.Generator, *, dark: bool) -> Glasses:
    """Draw a random pair."""
    return Glasses(
        width=rng.uniform(4.6, 6.0),
        height=rng.uniform(3.8, 5.4) if dark else rng.uniform(3.2, 5.0),
        square=rng.uniform(2.0, 4.5),
        wire=rng.uniform(0.07, 0.3),
        drop=rng.uniform(-0.1, 0.6),
        tone=float(np.exp(rng.uniform(np.log(0.01), np.log(0.4)))),
        dark=dark,
    )


def sample_kind(rng: np.random.Generator, kind: int, *, spread: float = 1.0) -> Glasses:
    """Draw glasses of kind 0 (round wire), 1 (thick and square) or 2 (dark), as ``sample_hat`` does."""
    width, height, square, wire, drop, tone = _GLASSES[kind]
    return Glasses(
        width=_around(rng, width, spread * 0.12),
        height=_around(rng, height, spread * 0.12),
        square=max(_around(rng, square, spread * 0.12), 1.8),
        wire=float(wire * np.exp(_around(rng, 0.0, spread * 0.06))),
        drop=_around(rng, drop, spread * 0.12),
        tone=float(np.clip(tone * np.exp(_around(rng, 0.0, spread * 0.2)), 0.005, 0.5)),
        dark=kind == 2,
        tilt=_around(rng, 0.0, spread * 0.8),
    )


def _around(rng: np.random.Generator, middle: float, deviation: float) -> float:
    return float(middle + deviation * np.clip(rng.normal(), -2, 2))


def _rims(glasses: Glasses, landmarks: Array) -> tuple[list[Array], float]:
    """Outlines (41, 3) of both lenses before a face with these 68 landmarks (68, 3), and their height."""
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    front = float(landmarks[36:48, 2].max()) + 1.3
    level = float((left[1] + right[1]) / 2) - glasses.drop
    spread = max(float(right[0] - left[0]) / 2, glasses.width / 2 + 0.7)
    angle, power = np.linspace(0, 2 * np.pi, 41), 2 / glasses.square
    rims = []
    for side in (-1.0, 1.0):
        x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * glasses.width / 2 + side * spread
        y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * glasses.height / 2 + level
        if glasses.corner:
            outer = np.clip(side * np.cos(angle), 0, 1) ** 2
            y += glasses.corner * outer * (0.6 + 0.4 * np.sin(angle))
        z = front - 0.035 * x**2 + 0.06 * (y - level)
        rims.append(np.stack([x, y, z], 1).astype(np.float32))
    return rims, level


def glasses_mesh(glasses: Glasses, landmarks: Array) -> Mesh:
    """Build the glasses, all but lenses that light passes, on a face with these 68 landmarks (68, 3)."""
    rims, level = _rims(glasses, landmarks)
    parts = []
    for side, rim in zip((-1.0, 1.0), rims, strict=True):
        if glasses.rim == "full":
            parts.append(tube(rim, glasses.wire))
        elif glasses.rim == "upper":
            parts.append(tube(rim[:21], glasses.wire))
        ear = landmarks[0 if side < 0 else 16]
        hinge = rim[np.argmax(side * rim[:, 0] + 0.3 * rim[:, 1])]
        bend, end = [ear[0] + side * 0.5, level + 0.4, ear[2] + 3], [ear[0] + side * 0.4, level, ear[2] - 3]
        parts.append(tube(np.array([hinge, bend, end]), glasses.wire))
        if glasses.dark:
            # A fan from the middle of the lens.
            order = np.arange(40)
            fan = np.stack([np.full(40, 40), order, (order + 1) % 40], 1).astype(np.int32)
            corners = np.concatenate([rim[:-1], rim[:-1].mean(0, keepdims=True)])
            parts.append(surface(corners, fan, Material.LENS))
    inner = [rims[0][np.argmax(rims[0][:, 0])], rims[1][np.argmin(rims[1][:, 0])]]
    middle = (inner[0] + inner[1]) / 2 + np.array([0, 0.35, 0.15])
    parts.append(tube(np.stack([inner[0], middle, inner[1]]), glasses.wire))
    return _hung(join(parts), glasses.tilt, level)


def panes_mesh(glasses: Glasses, landmarks: Array) -> Mesh:
    """Build the lenses that light passes; their ``rest`` is where on a lens its paint is, as in ``Pane``."""
    rims, level = _rims(glasses, landmarks)
    parts = []
    out = np.linspace(0, 1, 6)[:, None, None]
    for rim in rims:
        middle = rim[:-1].mean(0)
        corners = middle + out * (rim[:-1] - middle) + [0, 0, 0.05] + 0.3 * (1 - out * out) * [0, 0, 1]
        places = (corners - middle) / [glasses.width / 2, glasses.height / 2, 1]
        mesh = surface(corners.reshape(-1, 3), grid_triangles(6, 40, wrap=True), Material.LENS)
        parts.append(replace(mesh, rest=places.reshape(-1, 3).astype(np.float32)))
    return _hung(join(parts), glasses.tilt, level)


def _hung(mesh: Mesh, tilt: float, level: float) -> Mesh:
    """Turn glasses by ``tilt`` degrees about the middle of the face at this height."""
    if tilt == 0:
        return mesh
    angle, pivot = np.radians(tilt), np.array([0, level, 0])
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    vertices = ((mesh.vertices - pivot) @ turn + pivot).astype(np.float32)
    return replace(mesh, vertices=vertices, normals=(mesh.normals @ turn).astype(np.float32))


def tube(line: Values, radius: float, material: Material = Material.FRAME, tone: float = 1.0) -> Mesh:
    """A tube of six sides along a polyline (k, 3)."""
    line = line.astype(np.float32)
    tangent = unit(np.gradient(line, axis=0))
    helper = np.where(np.abs(tangent[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = unit(np.cross(tangent, helper))
    second = np.cross(tangent, first)
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ring = first[:, None] * np.cos(turn)[:, None] + second[:, None] * np.sin(turn)[:, None]
    vertices = (line[:, None] + radius * ring).reshape(-1, 3)
    shade = np.full(len(vertices), tone, np.float32)
    triangles = grid_triangles(len(line), 6, wrap=True)
    return surface(vertices.astype(np.float32), triangles, material, shade=shade)


@dataclass(frozen=True)
class Hat:
    """One hat and how it is worn; lengths in cm, angles in degrees."""

    kind: str  # one of HATS
    lift: float  # of the band's front above the brows
    tilt: float  # by which the back hangs lower
    lean: float  # to the picture's right
    turn: float  # of its front to the right
    room: float  # between head and hat
    reach: float  # of the peak or brim
    droop: float  # of its front below the band
    cover: float  # of the ears by a knitted hat below the band
    tone: float  # albedo of the cloth
    trim: float  # albedo of its band or stripe
    ribs: int  # of the knitting
    crown: float = 0.0  # by which it is higher than its kind
    curl: float = 0.6  # by which a brim's sides rise
    cuff: float = 4.4  # height of a knitted hat's turned-up edge
    stripes: float = 0.0  # width of a knitted hat's stripes in ``trim``
    aside: float = 0.0  # degrees by which a cap's peak is turned to the right
    logo: float = 0.0  # degrees to which a patch in ``trim`` reaches on either side of a cap's front


# Lift, tilt, droop, tone and trim of each kind, and how far its top is from the skull.
_HATS = {
    "cap": (1.75, 7.0, 1.9, 0.035, 0.035, 1.2),
    "brimmed": (1.9, 7.0, 2.4, 0.5, 0.05, 2.5),
    "knitted": (1.35, 13.0, 2.4, 0.16, 0.5, 1.6),
}


def sample_hat(rng: np.random.Generator, kind: str, *, spread: float = 1.0) -> Hat:
    """Draw a hat of a kind, worn by somebody; ``spread`` multiplies how much one differs from another."""
    lift, tilt, droop, tone, trim, _ = _HATS[kind]

    def shade(albedo: float) -> float:
        return float(np.clip(albedo * np.exp(_around(rng, 0.0, spread * 0.22)), 0.01, 0.8))

    return Hat(
        kind=kind,
        lift=max(_around(rng, lift, spread * 0.3), 0.5),
        tilt=_around(rng, tilt, spread * 2.5),
        lean=_around(rng, 0.0, spread * 2.0),
        turn=_around(rng, 0.0, spread * 4.0),
        room=max(_around(rng, 0.6, spread * 0.12), 0.4),
        reach=max(_around(rng, 7.0, spread * 0.5), 4.0),
        droop=max(_around(rng, droop, spread * 0.35), 0.2),
        cover=max(_around(rng, 5.0, spread * 0.7), 1.0),
        tone=shade(tone),
        trim=shade(trim),
        ribs=round(max(_around(rng, 40, spread * 5), 12)),
    )


class FittedHat:
    """A hat on one bald ``head``, whose 68 ``landmarks`` (68, 3) place it: room for hair, and its mesh."""

    def __init__(self, hat: Hat, head: Caster, landmarks: Array) -> None:
        self.hat = hat
        tilt, lean, turn = np.radians([hat.tilt, hat.lean, hat.turn])
        about_y = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        about_z = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
        self._axes = (about_z @ about_y @ about_x).astype(np.float32)  # rows: its right, up and forward
        brows = float(landmarks[[19, 24], 1].mean())
        front = np.array([0, brows + hat.lift, landmarks[27, 2]], np.float32)
        forward = self._axes[2]
        self._origin = front - forward * ((front[2] - _AXIS) / forward[2])
        self._azimuth = np.linspace(-180, 180, _COLUMNS, endpoint=False)
        self._top, self._heights, self._head = self._measured(head)
        self._crown, self._tone = self._shaped()

    def room_for_hair(self, points: Array) -> Array:
        """How far hair may rise (n,), cm, above points (n, 3) of the skin: hardly under the hat's edge, not
        at all farther up, and more with every cm below."""
        seen = (points - self._origin) @ self._axes.T
        azimuth = np.degrees(np.arctan2(seen[:, 0], seen[:, 2]))
        below = self._edge(azimuth) - seen[:, 1]
        free = PRESSED + _PUFF * np.clip(below - 0.3, 0, None) - _SUNK * np.clip(-below - 1, 0, 1)
        share = np.clip(-below / (self._top - self._edge(azimuth)), 0, 1)
        row = np.arcsin(share) / (np.pi / 2) * (_ROWS - 1)
        column = (azimuth + 180) / 360 * _COLUMNS
        crown = map_coordinates(self._crown, [row, column], order=1, mode="grid-wrap")
        inside = crown - np.hypot(seen[:, 0], seen[:, 2]) - _LINING
        return np.asarray(np.minimum(free, inside + 2 * np.clip(below, 0, None)), np.float32)

    def mesh(self) -> Mesh:
        """Build the hat in head coordinates."""
        crown = self._sheet(self._crown, self._heights, self._azimuth, self._tone, wrap=True)
        if self.hat.kind == "knitted":
            return crown
        return join([crown, self._peak() if self.hat.kind == "cap" else self._brim()])

    def _edge(self, azimuth: Values) -> Values:
        """Height of the hat's lower edge above the plane of the band, cm."""
        if self.hat.kind != "knitted":
            return np.zeros_like(azimuth)
        aside = np.clip((np.abs(azimuth) - 28) / 44, 0, 1)
        return np.asarray(-self.hat.cover * aside * aside * (3 - 2 * aside))

    def _measured(self, head: Caster) -> tuple[float, Values, Values]:
        """Height of the hat's top, heights of its rows and the head's distance from the axis there."""
        up = self._axes[1]
        top = float(head.reach(self._origin, up)) + _HATS[self.hat.kind][5] + self.hat.crown
        edge = self._edge(self._azimuth)
        # Closer rows at the top, where the crown is round.
        share = np.sin(np.linspace(0, np.pi / 2, _ROWS))[:, None]
        heights = edge + (top - edge) * share
        angle = np.radians(self._azimuth)[:, None]
        out = np.sin(angle) * self._axes[0] + np.cos(angle) * self._axes[2]  # in the plane of the band
        reach = head.reach(self._origin + heights[..., None] * up, out)
        return top, heights, np.clip(reach, 0, 14)

    def _shaped(self) -> tuple[Values, Values]:
        """Distance of the crown from the axis and its albedo, both (_ROWS, _COLUMNS)."""
        hat = self.hat
        share = np.clip(self._heights / self._top, 0, 1)
        band = gaussian_filter1d(self._head[0], 3, mode="wrap") + hat.room
        tone = np.full(share.shape, hat.tone)
        if hat.kind == "cap":
            full = band * _dome(share, 2.6)
            seams = np.abs((self._azimuth + 30) % 60 - 30) < 1.5
            tone[:, seams] *= 0.7
            patch = (np.abs(self._azimuth) < hat.logo) & (np.abs(self._heights - 3.5) < 2.2)
            tone[patch] = hat.trim
        elif hat.kind == "brimmed":
            full = band * _dome(share, 7.0) * (1 - 0.14 * share)
            tone[self._heights < 3.2] = hat.trim
        else:
            broad = gaussian_filter(self._head, (2, 3), mode=("nearest", "wrap")) + hat.room
            full = np.maximum(broad, (broad.max(0)) * _dome(share, 2.3)) * (share < 1)
            rise = self._heights - self._heights[0]
            cuff = np.clip(np.minimum(rise / 0.6, (hat.cuff - rise) / 0.4), 0, 1)
            ribs = np.cos(np.radians(self._azimuth) * hat.ribs)
            full = full + (0.5 * np.sqrt(cuff) + 0.1 * ribs) * (share < 0.97)
            tone[np.abs(rise - 0.6 * hat.cuff) < min(0.75, 0.2 * hat.cuff)] = hat.trim
            if hat.stripes:
                tone[rise % (2 * hat.stripes) < hat.stripes] = hat.trim
            tone = tone * (1 + 0.2 * ribs)
        hidden = np.where(self._head > 0, self._head + 0.35, 0)
        return np.maximum(full, hidden), tone

    def _peak(self) -> Mesh:
        """The peak of a cap, from its band."""
        hat = self.hat
        front = np.linspace(-_PEAK, _PEAK, 49)
        start = np.interp(front + hat.aside, self._azimuth, self._crown[0]) - 0.1
        out = np.linspace(0, 1, 9)[:, None]
        reach = hat.reach * np.cos(np.radians(front / _PEAK * 90)) ** 0.6
        x = np.sin(np.radians(front)) * start * (1 + 0.06 * out)
        z = np.cos(np.radians(front)) * start + reach * out
        height = 0.1 - hat.droop * out - 1.3 * (x / 7) ** 2 * out
        return self._sheet(np.hypot(x, z), height, np.degrees(np.arctan2(x, z)) + hat.aside, hat.tone)

    def _brim(self) -> Mesh:
        """The brim of a hat, from its band."""
        hat = self.hat
        out = np.linspace(0, 1, 9)[:, None]
        angle = np.radians(self._azimuth)
        height = 0.1 - hat.droop * out * np.cos(angle) ** 2 + hat.curl * out**3 * np.sin(angle) ** 2
        distance = self._crown[0] - 0.1 + hat.reach * out
        return self._sheet(distance, height, self._azimuth, hat.tone, wrap=True)

    def _sheet(
        self, distance: Values, height: Values, azimuth: Values, tone: Values | float, *, wrap: bool = False
    ) -> Mesh:
        """A surface through a grid of points (rows, columns) given around the axis."""
        angle = np.radians(np.broadcast_to(azimuth, distance.shape))
        inside = np.stack([np.sin(angle) * distance, height, np.cos(angle) * distance], -1)
        vertices = self._origin + inside.reshape(-1, 3) @ self._axes
        shade = np.broadcast_to(tone, distance.shape).astype(np.float32)
        triangles = grid_triangles(*distance.shape, wrap=wrap)
        return surface(vertices, triangles, Material.HAT, shade=shade.ravel())


def _dome(share: Values, power: float) -> Values:
    """1 at the bottom (0), 0 at the top (1): a superellipse, rounder the smaller its ``power``."""
    return np.asarray((1 - share**power) ** (1 / power))
