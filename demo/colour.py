"""Light and colour: from what a camera sees of a head to linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from outfit import Shirt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from facedata.rendered.camera import View
from facedata.rendered.mesh import Array, Material, Rng, direction, unit
from facedata.rendered.person import Posed
from facedata.rendered.skin import LIPS, Skin, inside_polygon, noise, off_axis, soft_step

RGB = tuple[float, float, float]
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
SKY_RAYS = 3


@dataclass(frozen=True)
class Lamp:
    """A lamp ``right`` of and ``up`` from the camera's line of sight, degrees."""

    right: float
    up: float
    colour: RGB  # linear
    softness: float = 0.1  # the sine of half the angle it fills

    def direction(self) -> Array:
        """Unit vector (3,) from the head, in camera coordinates."""
        return direction(*np.radians([self.right, self.up])).astype(np.float32)


@dataclass(frozen=True)
class Lighting:
    """Lamps, and the light of the surroundings from above and below."""

    lamps: tuple[Lamp, ...]
    above: RGB
    below: RGB


@dataclass(frozen=True)
class Palette:
    """The colours of one person, linear RGB; ``pink`` -1 (olive) .. 1 (rosy)."""

    hair: RGB
    iris: RGB
    pink: float
    shirt: Shirt
    frame: RGB = (0.05, 0.04, 0.04)


def shade(view: View, palette: Palette, roots: Array, lighting: Lighting, rng: Rng) -> Array:
    """Linear RGB (hits, 3) of all that ``view`` sees; ``roots`` (n, 3) are where hair leaves the skin."""
    hits, axes = view.hits, view.camera.axes()
    albedo = surface_colour(view, palette, roots)
    gloss, power = _highlights(view.posed.person.skin)[hits.material].T
    normal = _rough_normals(view)
    above, below = np.array(lighting.above, np.float32), np.array(lighting.below, np.float32)
    sky = np.zeros_like(hits.point)
    for _ in range(SKY_RAYS):
        towards = unit(rng.normal(size=hits.point.shape).astype(np.float32))
        towards = unit(towards + normal * 1.001)
        height = ((towards @ axes[1]) * 0.5 + 0.5)[:, None]
        light = below + (above - below) * height
        open_ = view.posed.caster.lit(hits.point, hits.normal, towards)[:, None]
        # What is hidden from the sky still gets light from the skin and cloth that hide it.
        sky += np.where(open_, light, light * 0.22 * np.array([1.15, 0.95, 0.85], np.float32)) / SKY_RAYS
    lamps, shine = np.zeros_like(sky), np.zeros_like(sky)
    for lamp in lighting.lamps:
        colour = np.array(lamp.colour, np.float32)
        jitter = rng.normal(size=normal.shape).astype(np.float32) * lamp.softness
        seen, cosine, halfway = view.glint(normal, unit(lamp.direction() @ axes + jitter))
        lamps[seen] += cosine[:, None] * colour
        shine[seen] += (cosine * (gloss[seen] * halfway ** power[seen]))[:, None] * colour
    light = _calmed(view, sky, 3.0) + _calmed(view, lamps, 1.2)
    return np.asarray(albedo * light + shine, np.float32)


def _calmed(view: View, light: Array, radius: float) -> Array:
    """Light (hits, 3) averaged over ``radius`` rays of one material: few rays then give little noise."""
    side, ray = view.camera.side, view.hits.ray
    calm = light.copy()
    for kinds in ((Material.SKIN, Material.MOUTH), (Material.CLOTH,)):
        at = np.isin(view.hits.material, kinds)
        rows, columns = np.divmod(ray[at], side)
        if len(rows) == 0:
            continue
        rows, columns = rows - rows.min(), columns - columns.min()
        grid = np.zeros((rows.max() + 1, columns.max() + 1, 4), np.float32)
        grid[rows, columns, :3], grid[rows, columns, 3] = light[at], 1
        grid = gaussian_filter(grid, (radius, radius, 0), mode="constant", truncate=2.5)
        calm[at] = grid[rows, columns, :3] / grid[rows, columns, 3:]
    return calm


def surface_colour(view: View, palette: Palette, roots: Array) -> Array:
    """Albedo (hits, 3): the renderer's grey paint, coloured by what it is on."""
    hits, posed = view.hits, view.posed
    at = (hits.material == material for material in Material)
    skin, eye, teeth, inside, hair, frame, _, cloth, _ = at
    colour = np.repeat(view.albedo[:, None], 3, axis=1)
    colour[skin] = _skin_colour(posed, palette, roots, hits.rest[skin], hits.point[skin], view.albedo[skin])
    colour[eye] = _eye_colour(posed, palette, hits.rest[eye], view.albedo[eye])
    # Lighter strands are also warmer.
    colour[hair] = np.array(palette.hair) * hits.shade[hair, None] ** np.array([1.0, 1.05, 1.1])
    mouth = posed.head.landmarks[LIPS].mean(0)
    gums = (np.abs(hits.rest[teeth, 1] - mouth[1]) > 1.6)[:, None]
    colour[teeth] = np.where(gums, [0.35, 0.12, 0.11], [0.62, 0.57, 0.48])
    colour[inside] = [0.16, 0.05, 0.045]
    colour[frame] = palette.frame
    colour[cloth] = _cloth_colour(palette.shirt, hits.rest[cloth])
    return np.asarray(np.clip(colour, 0.004, 0.95), np.float32)


def tint(colour: RGB) -> Array:
    """A colour (3,) of luminance 1."""
    value = np.array(colour, np.float32)
    return np.asarray(value / (value @ LUMINANCE), np.float32)


def _skin_colour(
    posed: Posed, palette: Palette, roots: Array, rest: Array, point: Array, grey: Array
) -> Array:
    skin = posed.person.skin
    fair = np.clip((skin.tone - 0.12) / 0.45, 0, 1)
    base = np.array([1.62, 0.88, 0.52]) * (1 - fair) + np.array([1.36, 0.93, 0.74]) * fair
    base *= 1 + palette.pink * np.array([0.05, -0.02, 0.05])
    hue = np.repeat(tint(tuple(base))[None], len(rest), 0)
    # Blood shows in cheeks, nose, ears and lips.
    blush = np.zeros(len(rest))
    for x, y, z, size, strength in (
        (-4.8, 0.3, 9.0, 2.3, 0.55), (4.8, 0.3, 9.0, 2.3, 0.55), (0, 0.2, 12.8, 1.3, 0.5),
        (-7.8, 3, 0, 2.2, 0.6), (7.8, 3, 0, 2.2, 0.6), (0, -7, 10, 1.6, 0.2),
    ):  # fmt: skip
        blush += strength * np.exp(-((rest - [x, y, z]) ** 2).sum(1) / size**2)
    hue *= 1 + blush[:, None] * np.array([0.10, -0.12, -0.06]) * (0.5 + 0.5 * fair)
    polygon = posed.head.landmarks[LIPS, :2]
    middle = polygon.mean(0)
    lips = np.zeros(len(rest))
    for size in (0.88, 0.94, 1.0, 1.06):  # a soft edge
        inside = inside_polygon(rest[:, :2], (middle + (polygon - middle) * size).astype(np.float32))
        lips += 0.25 * (inside & (rest[:, 2] > 6))
    lips_hue = tint((1.65, 0.72, 0.68) if fair > 0.3 else (1.5, 0.8, 0.66))
    amount = (lips * 0.75)[:, None]
    hue = hue * (1 - amount) + lips_hue * amount
    hairy = soft_step((0.62 - grey / skin.tone).astype(np.float32), 9) * (1 - lips) * (rest[:, 2] > -3)
    hairy = hairy * min(1.0, skin.tone / 0.3)  # on dark skin brows are darker skin to the eye
    hue = hue * (1 - hairy[:, None]) + tint(palette.hair) * hairy[:, None]
    colour = hue * grey[:, None]
    return _with_roots(roots, palette, rest, point, colour)


def _with_roots(roots: Array, palette: Palette, rest: Array, point: Array, colour: Array) -> Array:
    """Blend skin into hair where the hair begins."""
    high = np.flatnonzero(rest[:, 1] > 1)
    if len(roots) == 0 or len(high) == 0:
        return colour
    gap, _ = cKDTree(roots).query(point[high], k=3, distance_upper_bound=1.2)
    gap = np.minimum(gap, 1.2).mean(1)
    grain = noise(np.random.default_rng(3), 0.05, 8)(rest[high])
    cover = np.clip(1.2 * np.exp(-((gap / 0.42) ** 2)) * (0.9 + 0.2 * grain), 0, 0.95)[:, None]
    colour[high] = colour[high] * (1 - cover) + np.array(palette.hair) * cover
    return colour


def _eye_colour(posed: Posed, palette: Palette, rest: Array, grey: Array) -> Array:
    away, degrees = off_axis(rest, posed.head.eye_centres)
    degrees = degrees[:, None]
    white = grey[:, None] * np.array([1.04, 1.0, 0.97]) * min(0.9, 0.55 + 0.8 * posed.person.skin.tone)
    rays = 1 + 0.25 * np.cos(14 * np.arctan2(away[:, 1], away[:, 0]))[:, None]
    iris = np.array(palette.iris) * rays * (1 - 0.6 * np.clip((degrees - 21) / 7, 0, 1))
    return np.where(degrees < 11.5, 0.006, np.where(degrees < 28, iris, white))


def _cloth_colour(shirt: Shirt, rest: Array) -> Array:
    colour = np.repeat(np.array(shirt.colour)[None], len(rest), 0)
    weave = noise(np.random.default_rng(5), 0.12, 8)(rest)
    if shirt.pattern == "stripes":
        band = soft_step(np.sin(rest[:, 1] * 2 * np.pi / 2.6).astype(np.float32), 12)[:, None]
        colour = colour * band + np.array(shirt.second) * (1 - band)
    if shirt.pattern == "knit":
        turn = np.arctan2(rest[:, 0], rest[:, 2] + 2.4)
        colour *= (0.85 + 0.15 * np.cos(turn * 110))[:, None]
    return colour * (1 + 0.05 * weave[:, None])


def _highlights(skin: Skin) -> Array:
    """Strength and exponent of highlights, (9, 2) in the order of Material."""
    face, hair = (0.05 + 0.35 * skin.gloss, min(skin.gloss_power, 18)), (0.08 + 0.2 * skin.hair_tone, 10)
    none, lens = (0, 12), (0.6, 60)
    return np.array([face, (1.2, 120), (0.3, 40), none, hair, (0.35, 30), lens, none, none], np.float32)


def _rough_normals(view: View) -> Array:
    """Normals (hits, 3) with the pores of skin and the folds of cloth, which no mesh has."""
    hits = view.hits
    normal = hits.normal.copy()
    for kind, scale, strength in ((Material.SKIN, 0.12, 0.02), (Material.CLOTH, 2.2, 0.16)):
        at = hits.material == kind
        for axis in range(3):
            bump = noise(np.random.default_rng([9, kind, axis]), scale, 6)
            normal[at, axis] += strength * bump(hits.rest[at])
    return unit(normal)
