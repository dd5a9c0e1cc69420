"""Pictures that differ in everything one can wish for: pose, tilt, accessory, light and expression.

A person is seen in *scenes*; within one, hair and camera stay as they are.  The pictures of a scene differ
in one or several attributes, so that a network learns to change each alone and several at once.  People
whose numbers agree modulo ``PROGRAMMES`` show the same values picture by picture: a training draws them with
the same wishes, to tell them apart by the person alone.  All scenes of a person show the same values too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from facedata.labels import ACCESSORIES, EXPRESSIONS, LIGHTS, LabelRow, pose_word
from facedata.rendered.camera import View
from facedata.rendered.lights import named_light, usual_light
from facedata.rendered.mesh import Array, Rng
from facedata.rendered.person import (
    Head,
    Posed,
    Shape,
    named_expression,
    pose_person,
    sample_person,
    usual_expression,
)
from facedata.rendered.photograph import Tone, Variety, sample_tone
from facedata.rendered.recipes import (
    STUDIO_WALL,
    Shots,
    Stream,
    crop_view,
    larger_picture,
    larger_view,
    skin_light,
    take_crop,
)
from facedata.rendered.wardrobe import dress, dress_alike
from faces.crop import CropGeometry
from faces.types import Floats, Pixels

PROGRAMMES = 48
YAWS = tuple(range(-60, 61, 15))
TILTS = {"level": 0.0, "up": 18.0, "down": -18.0}  # degrees
VALUES: dict[str, Sequence[str]] = {
    "pose": tuple(pose_word(yaw) for yaw in YAWS),
    "tilt": tuple(TILTS),
    "accessory": ACCESSORIES,
    "light": LIGHTS,
    "expression": EXPRESSIONS,
}
# How often each value is shown, in proportion; poses and the first of the others more often.
_SHARES: dict[str, Sequence[float]] = {
    "pose": (2, 3, 4, 5, 6, 5, 4, 3, 2),
    "tilt": (6, 2, 2),
    "accessory": (5, 2, 2, 2, 2, 2, 2, 1, 1),
    "light": (3, 2, 2, 1.5, 1, 1),
    "expression": (3, 2, 2, 1.5, 1),
}
VARIETY = Variety(yaw=4.0, beyond=20.0, pitch=6.0, roll=4.0, crop_error=0.015, camera=True)
_VERSION = 2  # of the pictures; sets of another are not gone on with
_EXPOSED = (0.5, 0.97)  # grey of the brighter part of the skin at the usual gamma
_DIM = (0.15, 0.45)  # what is left of the light in dim light
# Clean versions are taken alike, so that a network can foretell them.
_STUDIO_TONE = Tone(gain=0.78**2.2)
_STUDIO_DIM = 0.3
_STUDIO_DISTANCE = 140.0  # cm
_NOD = 11.0  # degrees, deviation of how much further heads look up or down than they are asked to
_STEEPEST = 38.0  # beyond, the nose base hides above the eyes
# Degrees of yaw and tilt together; beyond, one eye hides behind the other, and the crop lies askew.
_PROFILE = 76.0
# Rays per crop pixel and direction: half the time of the protocol's 2.5, for pictures of a cheap camera.
_RAYS = 2.0
_DOME = 6  # directions of the room's light
_SPOTS = 4  # of a lamp, by which its shadows are soft

Values = dict[str, Any]  # words, by attribute


@dataclass(frozen=True)
class WishesRecipe:
    """``scenes`` of twelve pictures each: four appearances, each from three views.

    Without a camera in ``variety`` all are taken as the protocol's pictures are: in a studio, at one
    distance, with exact angles, and without clean versions beside them.

    The first appearance is what the scene begins with; the second changes the accessory, the third the
    expression, the fourth both.  The first view is what the scene begins with; the second changes the pose,
    the third the light, the tilt or both.
    """

    kind: ClassVar[str] = "wishes"

    seed: int = 0
    geometry: CropGeometry = field(default_factory=CropGeometry)
    scenes: int = 2
    variety: Variety = field(default_factory=lambda: VARIETY)

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other."""
        return {"kind": self.kind, "version": _VERSION, **asdict(self)}

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person so called, a number, in whose folder they lie."""
        return [
            LabelRow(f"{person}/s{scene}_{number:02d}.png", person, scene=str(scene), **values)
            for scene in range(self.scenes)
            for number, values in enumerate(self.programme(int(person or 0)))
        ]

    def programme(self, index: int) -> list[Values]:
        """Give what the pictures of a scene of person ``index`` show, view by view of each appearance."""
        rng = Stream.WISHES_PROGRAMME.of(self.seed, index % PROGRAMMES)
        first = {name: _other(name, "", rng) for name in VALUES}
        changed = {name: _other(name, value, rng) for name, value in first.items()}
        third = {name: _other(name, first[name], rng) for name in ("accessory", "expression")}
        looks = [
            {},
            {"accessory": changed["accessory"]},
            {"expression": changed["expression"]},
            third,
        ]
        besides = (("light",), ("tilt",), ("light", "tilt"))[rng.choice(3, p=(0.45, 0.3, 0.25))]
        views = [{}, {"pose": changed["pose"]}, {name: changed[name] for name in besides}]
        return [{**first, **look, **view} for look in looks for view in views]

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render all pictures (n,) of a person, scene by scene; ``large`` does not change the crops."""
        person = sample_person(Stream.WISHES_PERSON.of(self.seed, index), head, natural=True)
        shape = Shape(person.coefficients, head)
        shots = []
        for scene in range(self.scenes):
            rng = np.random.default_rng([self.seed, index, Stream.WISHES_PICTURES.value, scene])
            # The same person with another haircut.
            combed = replace(person, hair=sample_person(rng, head, natural=True).hair)
            shown = _Scene(self.geometry, self.variety, rng)
            worn = {word: dress(rng, combed, word) for word in ACCESSORIES}
            faces = {word: named_expression(rng, word) for word in EXPRESSIONS}
            posed: dict[tuple[str, str], tuple[Posed, Posed]] = {}
            for values in self.programme(index):
                look = accessory, expression = values["accessory"], values["expression"]
                if look not in posed:
                    alike = dress_alike(combed, accessory)
                    posed = {
                        look: (
                            pose_person(worn[accessory], head, faces[expression], shape),
                            pose_person(alike, head, usual_expression(expression), shape),
                        )
                    }
                shots.append(shown.take(*posed[look], values, large=large))
        crops, clean, larger, points = zip(*shots, strict=True)
        return Shots(
            crops=np.stack(crops),
            clean=np.stack(clean) if self.variety.camera else None,
            large=np.stack(larger) if large else None,
            points=np.stack(points) if large else None,
        )


class _Scene:
    """A camera and its lights, for as long as they stay the same."""

    def __init__(self, geometry: CropGeometry, variety: Variety, rng: Rng) -> None:
        self._geometry, self._variety, self._rng = geometry, variety, rng
        self._lights = {word: named_light(rng, word) for word in LIGHTS}
        self._tone = replace(sample_tone(rng, 1.0), gain=rng.uniform(*_EXPOSED) ** 2.2)
        self._dim = rng.uniform(*_DIM)
        look = partial(crop_view, geometry=geometry, rays_per_pixel=_RAYS, dome=_DOME)
        self._look = partial(look, distance=rng.uniform(60, 250))
        self._studio = partial(look, distance=_STUDIO_DISTANCE)
        if not variety.camera:
            self._tone, self._dim, self._look = _STUDIO_TONE, _STUDIO_DIM, self._studio

    def take(
        self, posed: Posed, alike: Posed, values: Values, *, large: bool
    ) -> tuple[Pixels, Pixels, Pixels | None, Floats | None]:
        """Take one picture: crop and clean version (S, S); larger picture and its points if wished.

        The clean version shows the person dressed ``alike``.
        """
        rng, variety = self._rng, self._variety
        yaw, light = float(values["pose"]), self._lights[values["light"]]
        pitch = TILTS[values["tilt"]] * (1 - 0.5 * abs(yaw) / max(YAWS))  # as ``_PROFILE``
        turned = yaw + rng.normal(0, variety.yaw)
        if abs(yaw) == max(YAWS):
            turned += np.sign(yaw) * rng.uniform(0, variety.beyond)
        nod = _NOD if variety.camera else 0.0
        tilted = pitch + rng.normal(0, variety.pitch) + np.sign(pitch) * abs(rng.normal(0, nod))
        tilted = float(np.clip(tilted, -_STEEPEST, _STEEPEST))
        farthest = _PROFILE - abs(tilted)
        turned = float(np.clip(turned, -farthest, farthest))
        view = self._look(posed, yaw=turned, pitch=tilted, roll=rng.normal(0, variety.roll))
        radiance = view.radiance(light, rng, _SPOTS)
        tone = _exposed(self._tone, view, radiance, self._dim if values["light"] == "dim" else 1.0)
        picture: Pixels | None = None
        points: Floats | None = None
        noise, grain = rng.spawn(2)  # leaves the numbers of ``rng`` as they are
        if large:
            wider = larger_view(view, self._geometry)
            grey = tone(wider.radiance(light, noise, _SPOTS))
            picture, points = larger_picture(wider, grey, variety, STUDIO_WALL, noise)
        crop = take_crop(view, tone(radiance), self._geometry, variety, STUDIO_WALL, rng)
        studio = self._studio(alike, yaw=yaw, pitch=pitch)
        radiance = studio.radiance(usual_light(values["light"]), grain, _SPOTS)
        share = _STUDIO_DIM if values["light"] == "dim" else 1.0
        grey = _exposed(_STUDIO_TONE, studio, radiance, share)(radiance)
        clean = take_crop(studio, grey, self._geometry, Variety(), STUDIO_WALL, grain)
        return crop, clean, picture, points


def _exposed(tone: Tone, view: View, radiance: Array, share: float) -> Tone:
    """Expose for the skin that is seen, ``share`` 0..1 of which is left."""
    return replace(tone, gain=tone.gain * share / max(skin_light(view, radiance), 1e-3))


def _other(name: str, value: str, rng: Rng) -> str:
    """Draw another value of an attribute than ``value``."""
    shares = np.array(
        [0.0 if word == value else share for word, share in zip(VALUES[name], _SHARES[name], strict=True)]
    )
    return str(rng.choice(VALUES[name], p=shares / shares.sum()))
