"""Hats as geometry: a peaked cap, a brimmed hat and a knitted hat, fitted to a head and casting shadows.

A hat has a frame of its own: its origin lies on the head's axis in the plane of the hatband, x points to
the picture's right, y up out of the head and z out of the forehead.  Around the y axis runs an azimuth, 0 at
the forehead; heights are measured above the plane of the band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from facedata.rendered.mesh import Array, Caster, Material, Mesh, grid_triangles, join, surface

KINDS = ("cap", "brimmed", "knitted")
AXIS = 1.0  # z in cm of the head's vertical axis
PRESSED = 0.12  # cm of hair that stay between the edge of a hat and the skin
SUNK = 0.7  # cm by which hair lies lower farther up, where nobody sees that it is inside the head
LINING = 0.15  # cm between the outside of a hat and the hair in it
PUFF = 0.75  # cm that hair gains per cm below a hat's edge
_COLUMNS, _ROWS = 144, 28
_FAR = 40.0  # cm: outside every head
_PEAK = 64.0  # degrees to which the peak of a cap reaches on either side
_CUFF = 4.4  # cm: height of a knitted hat's turned-up edge


@dataclass(frozen=True)
class Hat:
    """One hat and how it is worn; lengths in cm, angles in degrees.

    ``kind`` one of KINDS; ``lift`` of the band's front above the brows; ``tilt`` by which the back hangs
    lower; ``lean`` to the picture's right; ``turn`` of its front to the right; ``room`` between head and hat;
    ``reach`` of the peak or brim; ``droop`` of its front below the band; ``cover`` of the ears by a knitted
    hat below the band; ``tone`` and ``trim`` albedo of the cloth and of its band or stripe; ``ribs`` of the
    knitting.
    """

    kind: str
    lift: float
    tilt: float
    lean: float
    turn: float
    room: float
    reach: float
    droop: float
    cover: float
    tone: float
    trim: float
    ribs: int


def sample_hat(rng: np.random.Generator, kind: str, *, spread: float = 1.0) -> Hat:
    """Draw a hat of a kind, worn by somebody; ``spread`` multiplies how much one differs from another."""

    def around(middle: float, deviation: float) -> float:
        return float(middle + spread * deviation * np.clip(rng.normal(), -2, 2))

    lift = {"cap": 1.75, "brimmed": 1.9, "knitted": 1.35}[kind]
    tone = {"cap": 0.035, "brimmed": 0.5, "knitted": 0.16}[kind]
    trim = {"cap": 0.035, "brimmed": 0.05, "knitted": 0.5}[kind]
    return Hat(
        kind=kind,
        lift=max(around(lift, 0.3), 0.5),
        tilt=around(13.0 if kind == "knitted" else 7.0, 2.5),
        lean=around(0.0, 2.0),
        turn=around(0.0, 4.0),
        room=max(around(0.6, 0.12), 0.4),
        reach=max(around(7.0, 0.5), 4.0),
        droop=max(around(1.9 if kind == "cap" else 2.4, 0.35), 0.2),
        cover=max(around(5.0, 0.7), 1.0),
        tone=_shifted(tone, around(0.0, 0.22)),
        trim=_shifted(trim, around(0.0, 0.22)),
        ribs=round(max(around(40, 5), 12)),
    )


def _shifted(albedo: float, by: float) -> float:
    """An albedo brighter or darker by the natural logarithm ``by``, within what cloth has."""
    return float(np.clip(albedo * np.exp(by), 0.01, 0.8))


class FittedHat:
    """A hat on one head: where hair may still be, and its mesh.

    ``head`` casts rays at the bald head, whose 68 ``landmarks`` (68, 3) place the hat.
    """

    def __init__(self, hat: Hat, head: Caster, landmarks: Array) -> None:
        self.hat = hat
        self._axes = _axes(hat)
        brows = float(landmarks[[19, 24], 1].mean())
        front = np.array([0, brows + hat.lift, landmarks[27, 2]], np.float32)
        forward = self._axes[2]
        self._origin = front - forward * ((front[2] - AXIS) / forward[2])
        self._azimuth = np.linspace(-180, 180, _COLUMNS, endpoint=False)
        self._top, self._heights, self._head = self._measured(head)
        self._crown, self._tone = self._shaped()

    def room_for_hair(self, points: Array) -> Array:
        """How far hair may rise (n,), cm, above points (n, 3) of the skin: hardly under the hat's edge, not
        at all farther up, and more with every cm below."""
        seen = (points - self._origin) @ self._axes.T
        azimuth = np.degrees(np.arctan2(seen[:, 0], seen[:, 2]))
        below = self._edge(azimuth) - seen[:, 1]
        free = PRESSED + PUFF * np.clip(below - 0.3, 0, None) - SUNK * np.clip(-below - 1, 0, 1)
        share = np.clip(-below / (self._top - self._edge(azimuth)), 0, 1)
        row = np.arcsin(share) / (np.pi / 2) * (_ROWS - 1)
        column = (azimuth + 180) / 360 * _COLUMNS
        crown = map_coordinates(self._crown, [row, column], order=1, mode="grid-wrap")
        inside = crown - np.hypot(seen[:, 0], seen[:, 2]) - LINING
        return np.asarray(np.minimum(free, inside + 2 * np.clip(below, 0, None)), np.float32)

    def mesh(self) -> Mesh:
        """Build the hat in head coordinates."""
        parts = [self._sheet(self._crown, self._heights, self._azimuth, self._tone, wrap=True)]
        if self.hat.kind == "cap":
            parts.append(self._peak(self._crown[0]))
        elif self.hat.kind == "brimmed":
            parts.append(self._brim(self._crown[0]))
        return join(parts)

    def _edge(self, azimuth: NDArray[np.floating]) -> NDArray[np.floating]:
        """Height of the hat's lower edge above the plane of the band, cm."""
        if self.hat.kind != "knitted":
            return np.zeros_like(azimuth)
        aside = np.clip((np.abs(azimuth) - 28) / 44, 0, 1)
        return np.asarray(-self.hat.cover * aside * aside * (3 - 2 * aside))

    def _measured(self, head: Caster) -> tuple[float, NDArray[np.floating], NDArray[np.floating]]:
        """Height of the hat's top, heights of its rows and the head's distance from the axis there."""
        up = self._axes[1]
        above = (self._origin + up * _FAR)[None].astype(np.float32)
        skull = _FAR - float(head.distance(above, -up[None])[0])
        top = skull + {"cap": 1.2, "brimmed": 2.5, "knitted": 1.6}[self.hat.kind]
        edge = self._edge(self._azimuth)
        # Closer rows at the top, where the crown is round.
        share = np.sin(np.linspace(0, np.pi / 2, _ROWS))[:, None]
        heights = edge + (top - edge) * share
        out = self._outward(self._azimuth)
        start = self._origin + heights[..., None] * up + out * _FAR
        aim = np.broadcast_to(-out, start.shape)
        gap = head.distance(start.reshape(-1, 3).astype(np.float32), _rows(aim)).reshape(heights.shape)
        return top, heights, np.where(np.isfinite(gap), np.clip(_FAR - gap, 0, 14), 0.0)

    def _outward(self, azimuth: NDArray[np.floating]) -> NDArray[np.floating]:
        """Unit vectors (n, 3), head coordinates, from the axis outwards in the plane of the band."""
        angle = np.radians(azimuth)[:, None]
        return np.asarray(np.sin(angle) * self._axes[0] + np.cos(angle) * self._axes[2])

    def _shaped(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Distance of the crown from the axis and its albedo, both (_ROWS, _COLUMNS)."""
        hat = self.hat
        share = np.clip(self._heights / self._top, 0, 1)
        band = gaussian_filter1d(self._head[0], 3, mode="wrap") + hat.room
        tone = np.full(share.shape, hat.tone)
        if hat.kind == "cap":
            full = band * _dome(share, 2.6)
            seams = np.abs((self._azimuth + 30) % 60 - 30) < 1.5
            tone[:, seams] *= 0.7
        elif hat.kind == "brimmed":
            full = band * _dome(share, 7.0) * (1 - 0.14 * share)
            tone[self._heights < 3.2] = hat.trim
        else:
            broad = gaussian_filter(self._head, (2, 3), mode=("nearest", "wrap")) + hat.room
            full = np.maximum(broad, (broad.max(0)) * _dome(share, 2.3)) * (share < 1)
            rise = self._heights - self._heights[0]
            cuff = np.clip(np.minimum(rise / 0.6, (_CUFF - rise) / 0.4), 0, 1)
            ribs = np.cos(np.radians(self._azimuth) * hat.ribs)
            full = full + (0.5 * np.sqrt(cuff) + 0.1 * ribs) * (share < 0.97)
            tone[np.abs(rise - 0.6 * _CUFF) < 0.75] = hat.trim
            tone = tone * (1 + 0.2 * ribs)
        hidden = np.where(self._head > 0, self._head + 0.35, 0)
        return np.maximum(full, hidden), tone

    def _peak(self, band: NDArray[np.floating]) -> Mesh:
        """The peak of a cap from its band, whose distances from the axis are ``band`` (_COLUMNS,)."""
        hat = self.hat
        front = np.linspace(-_PEAK, _PEAK, 49)
        start = np.interp(front, self._azimuth, band) - 0.1
        out = np.linspace(0, 1, 9)[:, None]
        reach = hat.reach * np.cos(np.radians(front / _PEAK * 90)) ** 0.6
        x = np.sin(np.radians(front)) * start * (1 + 0.06 * out)
        z = np.cos(np.radians(front)) * start + reach * out
        height = 0.1 - hat.droop * out - 1.3 * (x / 7) ** 2 * out
        return self._sheet(np.hypot(x, z), height, np.degrees(np.arctan2(x, z)), np.full(x.shape, hat.tone))

    def _brim(self, band: NDArray[np.floating]) -> Mesh:
        """The brim of a hat from its band, whose distances from the axis are ``band`` (_COLUMNS,)."""
        hat = self.hat
        out = np.linspace(0, 1, 9)[:, None]
        angle = np.radians(self._azimuth)
        height = 0.1 - hat.droop * out * np.cos(angle) ** 2 + 0.6 * out**3 * np.sin(angle) ** 2
        distance = band - 0.1 + hat.reach * out
        return self._sheet(distance, height, self._azimuth, np.full(height.shape, hat.tone), wrap=True)

    def _sheet(
        self,
        distance: NDArray[np.floating],
        height: NDArray[np.floating],
        azimuth: NDArray[np.floating],
        tone: NDArray[np.floating],
        *,
        wrap: bool = False,
    ) -> Mesh:
        """A surface through a grid of points (rows, columns) given around the axis."""
        rows, columns = distance.shape
        angle = np.radians(np.broadcast_to(azimuth, distance.shape))
        inside = np.stack([np.sin(angle) * distance, height, np.cos(angle) * distance], -1)
        vertices = self._origin + inside.reshape(-1, 3) @ self._axes
        triangles = grid_triangles(rows, columns, wrap=wrap)
        return surface(vertices, triangles, Material.HAT, shade=_rows(tone[..., None])[:, 0])


def _axes(hat: Hat) -> Array:
    """Rows (3, 3): the hat's right, up and forward in head coordinates."""
    tilt, lean, turn = np.radians([hat.tilt, hat.lean, hat.turn])
    about_y = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def _dome(share: NDArray[np.floating], power: float) -> NDArray[np.floating]:
    """1 at the bottom (0), 0 at the top (1): a superellipse, rounder the smaller its ``power``."""
    return np.asarray((1 - share**power) ** (1 / power))


def _rows(array: NDArray[np.floating]) -> Array:
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]), np.float32)
