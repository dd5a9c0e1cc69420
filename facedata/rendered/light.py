"""Lights: the twenty of Multi-PIE, and any others for variety."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facedata.rendered.mesh import Array

N_FLASHES = 18
N_LIGHTS = N_FLASHES + 2  # no flash; each flash alone; all flashes


def flash_directions() -> Array:
    """Return unit directions (18, 3) from the head to the flashes of the rig, in head coordinates.

    In the manner of Multi-PIE's (Gross et al. 2010, *Multi-PIE*): thirteen little above head height every
    15 degrees from the picture's left (-90) to its right (+90), then five higher up.
    """
    places = [(azimuth, 12.0) for azimuth in np.linspace(-90, 90, 13)]
    places += [(azimuth, 48.0) for azimuth in (-60.0, -30.0, 0.0, 30.0, 60.0)]
    azimuth, elevation = np.radians(np.array(places)).T
    return np.stack(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], 1
    ).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """One lighting: room light plus weighted directional lamps.

    ``directions`` (k, 3) unit, from the head; ``weights`` (k,) brightness of each; ``ambient`` brightness of
    the room; ``softness`` radius of the lamps as the sine of half their angle; ``follows_camera`` tells that
    directions are given with z towards the camera rather than out of the face.
    """

    directions: Array
    weights: Array
    ambient: float
    softness: float
    follows_camera: bool = False


def rig_lights(ambient: float) -> list[Light]:
    """Return the protocol's 20 lights: no flash, each of 18 alone, all; ``ambient`` is the room's share."""
    directions = flash_directions()
    none = Light(directions[:0], np.zeros(0, np.float32), 3.2 * ambient, 0.0)
    single = [Light(directions[i : i + 1], np.ones(1, np.float32), ambient, 0.03) for i in range(N_FLASHES)]
    every = Light(directions, np.full(N_FLASHES, 1.9 / N_FLASHES, np.float32), ambient, 0.03)
    return [none, *single, every]


def sample_light(rng: np.random.Generator, *, follows_camera: bool) -> Light:
    """Draw a lighting as photographs have: a key lamp or window, sometimes a fill, and room light."""
    count = int(rng.integers(1, 4))
    azimuth = np.radians(rng.normal(0, 45, count).clip(-110, 110))
    elevation = np.radians(rng.uniform(-10, 65, count))
    directions = np.stack(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], 1
    )
    weights = rng.uniform(0.2, 1.0, count) * np.array([1.0, 0.5, 0.4])[:count]
    return Light(
        directions.astype(np.float32),
        weights.astype(np.float32),
        float(np.exp(rng.uniform(np.log(0.06), np.log(0.5)))),
        float(rng.choice([0.03, 0.1, 0.25])),
        follows_camera,
    )
