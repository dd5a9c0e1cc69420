"""Which pictures of a person a set has, and how they are taken.

`rendered-rotation` has people turned, `rendered-accessories` as they wear things.  Larger pictures, for
networks of others, show the person, the light and the expression of a crop, from the same place, a little
wider and without what a cheap camera does to it; clean crops are as a studio would have taken them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from enum import IntEnum
from functools import partial
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from facedata.labels import LabelRow, pose_word
from facedata.rendered.accessories import HATS, sample_hat, sample_kind
from facedata.rendered.camera import DOME, EYE_TO_NOSE_BASE, N_LIGHTS, Camera, View, sample_lights
from facedata.rendered.mesh import Array, Material, Rng
from facedata.rendered.person import Head, Person, Posed, Shape, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import Tone, Variety, misplaced, photograph, sample_background, sample_tone
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.types import Floats, Pixels

RAYS_PER_PIXEL = 2.5  # rays per crop pixel and direction
MARGIN = 1.15  # the frame rendered is so much wider than the crop
STUDIO_WALL = 0.28  # the grey behind clean pictures, always the same: a network cannot guess it

LARGE_SIDE = 176  # pixels: dlib's chips of 150 keep their size
LARGE_WIDER = 1.15  # than the crop: what is cut by five points on a turned head reaches beyond it
LARGE_RAYS_PER_PIXEL = 1.1  # in each direction; more costs more than it shows
LARGE_POINTS = (45, 42, 36, 39, 33)  # of the 68, in the order of dlib's five

YAWS = (-45, -30, -15, 0, 15, 30, 45)
ACCESSORIES = ("none", "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3")
WILD = 2.5  # how much more accessories differ if everything does
# The rig's lights in the order in which a smaller number of them is chosen: all flashes, none, from the
# left, from the right, from above the forehead, from the front, from both sides, ...
CHOSEN_LIGHTS = (19, 0, 4, 10, 16, 7, 1, 13, 14, 18, 2, 12, 15, 17, 5, 9, 3, 11, 6, 8)

Weights = dict[str, float]  # of an expression
Pose = Callable[..., Posed]  # pose(person, expression=...)
Look = tuple[Posed, float, float]  # a head, its yaw as it was wished and as it comes out, degrees


class Stream(IntEnum):
    """Streams of random numbers of one person of a set."""

    ROTATION_PERSON = 0  # NumPy pads a seed with zeros: [seed, person] is the same stream
    ROTATION_PICTURES = 1
    ACCESSORY_PERSON = 2
    ACCESSORIES = 3
    ACCESSORY_PICTURES = 4
    WISHES_PERSON = 5
    WISHES_PICTURES = 6
    WISHES_PROGRAMME = 7  # not of a person, but of all with equal numbers modulo ``wishes.PROGRAMMES``

    def of(self, seed: int, person: int) -> Rng:
        """Open the numbers of person ``person`` in the set with this seed."""
        return np.random.default_rng([seed, person, self.value])


@dataclass(frozen=True)
class Shots:
    """Pictures of one person, in any arrangement "...", such as (poses, lights); some only if wished."""

    crops: Pixels  # (..., S, S) uint8
    large: Pixels | None = None  # (..., 176, 176) uint8
    points: Floats | None = None  # (..., 5, 2) float32, on the larger pictures
    clean: Pixels | None = None  # (..., S, S) uint8, crops as they were in a studio

    def in_one_row(self) -> Shots:
        """Return the same pictures one after another: (n, S, S), (n, 176, 176), (n, 5, 2) and (n, S, S)."""
        found: list[Any] = [getattr(self, each.name) for each in fields(self)]
        rows: list[Any] = [None if each is None else each.reshape(-1, *each.shape[-2:]) for each in found]
        return Shots(*rows)


@dataclass(frozen=True)
class Recipe(ABC):
    """What determines the pictures of every person: two equal recipes give equal pictures."""

    kind: ClassVar[str]
    stream: ClassVar[Stream]
    lights_per_expression: ClassVar[int]  # and turn of the head, if these vary
    metered: ClassVar[int]  # the view by which the camera is exposed
    fewer_of_rig: ClassVar[bool] = False  # if they are less than twenty, the lights are still of the rig
    movement: ClassVar[float] = 0.0  # degrees (standard deviation) that a head moves if pitch does not vary

    seed: int = 0
    geometry: CropGeometry = field(default_factory=CropGeometry)
    lights: int = N_LIGHTS
    variety: Variety = field(default_factory=Variety)

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other."""
        return {"kind": self.kind, **asdict(self)}

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render all pictures (views, lights) of a person; ``large`` does not change the crops."""
        variety, geometry, shape = self.variety, self.geometry, (len(self.views), self.lights)
        crops, clean = np.zeros((2, *shape, geometry.size, geometry.size), np.uint8)
        pictures = np.zeros((*shape, LARGE_SIDE, LARGE_SIDE), np.uint8)
        points = np.zeros((*shape, 5, 2), np.float32)
        people = self.people(head, index)
        pose = partial(pose_person, head=head, shape=Shape(people[0].coefficients, head))
        rng = self.stream.of(self.seed, index)
        lights = sample_lights(rng, variety.free_light, self.lights, self.numbers if self.rig else None)
        step = self.lights_per_expression if variety.expression else self.lights
        for first in range(0, self.lights, step):
            expression = sample_expression(rng, variety.expression) if variety.expression else {}
            distance = rng.uniform(60, 250) if variety.camera else 180.0
            wall = rng.uniform(0.05, 0.5)
            views: list[View] = []
            studio: list[View] = []  # how a studio's camera would have looked
            for posed, wished, yaw in self.looks(people, pose, expression, rng):
                look = partial(crop_view, posed, geometry, distance)
                pitch, roll = rng.normal(0, variety.pitch or self.movement), rng.normal(0, variety.roll)
                views.append(look(yaw=yaw, pitch=pitch, roll=roll))
                if variety.camera:
                    studio.append(look(yaw=wished))
            larger = [larger_view(view, geometry) for view in views] if large else []
            noise, grain = rng.spawn(2)  # leaves the numbers of ``rng`` as they are
            for at, light in enumerate(lights[first : first + step], first):
                shaded = [view.radiance(light, rng) for view in views]
                # One exposure serves all views under a light.
                bright = skin_light(views[self.metered], shaded[self.metered])
                tone = sample_tone(rng, bright) if variety.camera else Tone()
                for number, (view, radiance) in enumerate(zip(views, shaded, strict=True)):
                    crops[number, at] = take_crop(view, tone(radiance), geometry, variety, wall, rng)
                for number, view in enumerate(larger):
                    grey = tone(view.radiance(light, noise))
                    taken = larger_picture(view, grey, variety, wall, noise)
                    pictures[number, at], points[number, at] = taken
                for number, view in enumerate(studio):
                    grey = tone(view.radiance(light, grain))
                    clean[number, at] = take_crop(view, grey, geometry, Variety(), STUDIO_WALL, grain)
        return Shots(
            crops,
            large=pictures if large else None,
            points=points if large else None,
            clean=clean if variety.camera else None,
        )

    @property
    def rig(self) -> bool:
        """Whether the lights are of the rig."""
        return self.variety.free_light == 0 and (self.fewer_of_rig or self.lights == N_LIGHTS)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the lights, ascending; those that they have in the rig if they are of it."""
        return sorted(CHOSEN_LIGHTS[: self.lights]) if self.rig else list(range(self.lights))

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person so called, in whose folder their files lie."""
        return [
            LabelRow(f"{person}/{view}_light{light:02d}.png", person, light=f"{light:02d}", **words)
            for view, words in self.views
            for light in self.numbers
        ]

    @property
    @abstractmethod
    def views(self) -> list[tuple[str, dict[str, Any]]]:
        """What the views are called, and the words of each."""

    @abstractmethod
    def people(self, head: Head, index: int) -> list[Person]:
        """Draw person ``index`` of the set, once or in everything that they wear."""

    @abstractmethod
    def looks(self, people: list[Person], pose: Pose, expression: Weights, rng: Rng) -> Iterator[Look]:
        """Yield what each view shows."""


@dataclass(frozen=True)
class RotationRecipe(Recipe):
    """Seven poses under each of several lights, the same for all poses.

    20 lights are the protocol's; with another number, or with free lights, each is drawn at random.
    """

    kind = "rotation"
    stream = Stream.ROTATION_PICTURES
    lights_per_expression = 4
    metered = YAWS.index(0)

    @property
    def views(self) -> list[tuple[str, dict[str, Any]]]:
        return [(f"pose{pose_word(yaw)}", {"pose": pose_word(yaw)}) for yaw in YAWS]

    def people(self, head: Head, index: int) -> list[Person]:
        rng, variety = Stream.ROTATION_PERSON.of(self.seed, index), self.variety
        return [sample_person(rng, head, glasses_share=variety.glasses, low_hair_share=variety.low_hair)]

    def looks(self, people: list[Person], pose: Pose, expression: Weights, rng: Rng) -> Iterator[Look]:
        """One head, seven cameras."""
        posed = pose(people[0], expression=expression)
        for yaw in YAWS:
            turned = yaw + rng.normal(0, self.variety.yaw)
            if abs(yaw) == max(YAWS):
                turned += np.sign(yaw) * rng.uniform(0, self.variety.beyond)
            yield posed, yaw, turned


@dataclass(frozen=True)
class AccessoryRecipe(Recipe):
    """Seven accessories under each of several lights; other people than a rotation set's.

    ``lights`` 1..20 are of the rig, called by their numbers there; the default five come from nowhere, the
    left, the right, above and everywhere.  Free ones are drawn at random.  Raises DataError for others.
    """

    kind = "accessories"
    stream = Stream.ACCESSORY_PICTURES
    lights_per_expression = 2
    metered = ACCESSORIES.index("none")
    movement = 2.0
    fewer_of_rig = True

    lights: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.lights <= len(CHOSEN_LIGHTS):
            raise DataError(f"The rig has {len(CHOSEN_LIGHTS)} lights, not {self.lights}; choose 1 to 20.")

    @property
    def views(self) -> list[tuple[str, dict[str, Any]]]:
        pose = "" if self.variety.turned else "0"
        return [(accessory, {"pose": pose, "accessory": accessory}) for accessory in ACCESSORIES]

    def people(self, head: Head, index: int) -> list[Person]:
        """Dress person ``index`` in their own copies of ACCESSORIES, worn in their own way."""
        rng = Stream.ACCESSORY_PERSON.of(self.seed, index)
        person = sample_person(rng, head, low_hair_share=self.variety.low_hair)
        rng = Stream.ACCESSORIES.of(self.seed, index)
        spread = WILD if self.variety.camera else 1.0
        hats = [replace(person, hat=sample_hat(rng, kind, spread=spread)) for kind in HATS]
        glasses = [replace(person, glasses=sample_kind(rng, kind, spread=spread)) for kind in range(3)]
        return [person, *hats, *glasses]

    def looks(self, people: list[Person], pose: Pose, expression: Weights, rng: Rng) -> Iterator[Look]:
        """Seven heads of one expression and turn, cameras that stand nearly alike."""
        variety = self.variety
        # Drawn only if wanted: a further draw would change the pictures of the protocol.
        turn = variety.turned * float(np.clip(rng.normal(), -2, 2)) if variety.turned else 0.0
        for person in people:
            # The face is not quite still while something is put on.
            kept, unrest = expression.copy(), sample_expression(rng, 0.0)
            for name, weight in unrest.items():
                kept[name] = min(1.0, kept.get(name, 0.0) + weight)
            yield pose(person, expression=kept), turn, rng.normal(turn, variety.yaw or self.movement)


def skin_light(view: View, radiance: Array) -> float:
    """Meter the brighter part of the skin that is seen, in ``radiance`` (hits,)."""
    skin = radiance[view.hits.material == Material.SKIN]
    return float(np.percentile(skin, 85)) if len(skin) else 0.5


def crop_view(
    posed: Posed,
    geometry: CropGeometry,
    distance: float,
    yaw: float = 0,
    pitch: float = 0,
    roll: float = 0,
    rays_per_pixel: float = RAYS_PER_PIXEL,
    dome: int = DOME,
) -> View:
    """Look at a head (degrees, cm, as ``Camera`` has them) so that a little more than its crop is seen.

    ``dome`` is as for ``View``.
    """
    pixels = geometry.size * rays_per_pixel
    # The crop's centre lies midway between the eyes and lower.
    eyes = posed.landmarks[[36, 39, 42, 45]].mean(0)
    drop = float(eyes[1] - posed.landmarks[33, 1]) / geometry.nose_distance * (0.5 - geometry.eye_y)
    target = np.asarray(eyes - np.array([0, drop, 0]), np.float32)
    scale = pixels * geometry.nose_distance / EYE_TO_NOSE_BASE
    return View(posed, Camera(yaw, pitch, roll, distance, round(pixels * MARGIN), scale, target), dome)


def larger_view(view: View, geometry: CropGeometry) -> View:
    """Look at the same head in the same way for its larger picture."""
    side = round(LARGE_SIDE * LARGE_RAYS_PER_PIXEL)
    crop_width = EYE_TO_NOSE_BASE / geometry.nose_distance  # cm
    return View(view.posed, replace(view.camera, side=side, scale=side / (LARGE_WIDER * crop_width)))


def larger_picture(view: View, grey: Array, variety: Variety, wall: float, rng: Rng) -> tuple[Pixels, Floats]:
    """Take the larger picture (176, 176), each pixel the mean over its area, and its points (5, 2)."""
    frame = _frame(view, grey, variety, wall, rng)
    picture = Image.fromarray(frame).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BOX)
    points = view.camera.project(view.landmarks[list(LARGE_POINTS)]) * (LARGE_SIDE / view.camera.side)
    return (np.asarray(picture) * 255 + 0.5).astype(np.uint8), points


def take_crop(
    view: View, grey: Array, geometry: CropGeometry, variety: Variety, wall: float, rng: Rng
) -> Pixels:
    """Take a picture of the head's ``grey`` (hits,) and crop it, (S, S); ``wall`` is the plain background."""
    frame = _frame(view, grey, variety, wall, rng)
    landmarks = view.camera.landmarks(view.landmarks)
    if variety.camera:
        rays_per_pixel = view.camera.side / (geometry.size * MARGIN)
        pixels, landmarks = photograph(frame, landmarks, rng, rays_per_pixel=rays_per_pixel)
    else:
        pixels = (frame * 255 + 0.5).astype(np.uint8)
    if variety.crop_error:
        landmarks = misplaced(landmarks, variety.crop_error, rng)
    return crop_face(pixels, landmarks, geometry)


def _frame(view: View, grey: Array, variety: Variety, wall: float, rng: Rng) -> Array:
    """What a camera sees, (side, side) grey 0..1: the head's ``grey`` (hits,) before a background."""
    side = view.camera.side
    frame = sample_background(rng, side) if variety.camera else np.full((side, side), wall, np.float32)
    frame.reshape(-1)[view.hits.ray] = grey
    return frame
