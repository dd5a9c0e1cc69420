"""The pictures of one person for `rendered-rotation`: seven poses under each of several lights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np

from facedata.labels import LabelRow, pose_word
from facedata.rendered.crops import Shots, Stream, crop_view, render_views, sample_distance, sample_lights
from facedata.rendered.light import N_LIGHTS, Light
from facedata.rendered.mesh import Caster
from facedata.rendered.person import Head, Person, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import Variety
from faces.crop import CropGeometry

YAWS = (-45, -30, -15, 0, 15, 30, 45)
LIGHTS_PER_EXPRESSION = 4
PROTOCOL_PEOPLE = 249
PROTOCOL_TRAIN = 100  # the first so many people train, the rest test (paper, section 4.1)


@dataclass(frozen=True)
class RotationRecipe:
    """What determines the pictures of every person: two equal recipes give equal pictures.

    ``lights`` 20 are the protocol's; with another number, or with free lights, each is drawn at random, the
    same for all poses.
    """

    seed: int = 0
    geometry: CropGeometry = field(default_factory=CropGeometry)
    lights: int = N_LIGHTS
    variety: Variety = field(default_factory=Variety)

    @property
    def protocol(self) -> bool:
        """Whether the lights are the rig's twenty, in order."""
        return self.variety.free_light == 0 and self.lights == N_LIGHTS

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other."""
        return {"kind": "rotation", **asdict(self)}

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person so called: by pose, then light."""
        return [
            LabelRow(
                file=f"{person}/pose{pose_word(yaw)}_light{light:02d}.png",
                person=person,
                pose=pose_word(yaw),
                light=f"{light:02d}",
            )
            for yaw in YAWS
            for light in range(self.lights)
        ]

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render the pictures of person ``index`` in one row, in the order of ``rows``."""
        return render_rotation(self, head, index, large=large).in_one_row()


def recipe_person(recipe: RotationRecipe, head: Head, index: int) -> Person:
    """Draw person ``index`` of the set."""
    rng = Stream.ROTATION_PERSON.of(recipe.seed, index)
    variety = recipe.variety
    return sample_person(rng, head, glasses_share=variety.glasses, low_hair_share=variety.low_hair)


def render_rotation(recipe: RotationRecipe, head: Head, index: int, *, large: bool = False) -> Shots:
    """Render all pictures (7 poses, lights) of person ``index``, larger ones too if ``large``."""
    person = recipe_person(recipe, head, index)
    rng = Stream.ROTATION_PICTURES.of(recipe.seed, index)
    numbers = range(N_LIGHTS) if recipe.protocol else None
    lights = sample_lights(rng, recipe.variety, recipe.lights, numbers=numbers)
    step = recipe.lights if recipe.variety.expression == 0 else LIGHTS_PER_EXPRESSION
    groups = [
        _render_group(recipe, head, person, lights[first : first + step], rng, large)
        for first in range(0, recipe.lights, step)
    ]
    return Shots.joined(groups, axis=1)


def _render_group(
    recipe: RotationRecipe,
    head: Head,
    person: Person,
    lights: list[Light],
    rng: np.random.Generator,
    large: bool,
) -> Shots:
    """Pictures (7, len(lights)): one expression, one mesh, seven cameras."""
    variety = recipe.variety
    expression = sample_expression(rng, variety.expression) if variety.expression else {}
    posed = pose_person(person, head, expression)
    caster = Caster(posed.mesh)
    distance = sample_distance(rng, variety)
    wall = float(rng.uniform(0.05, 0.5))
    look = partial(crop_view, posed, caster, recipe.geometry, distance=distance)
    views = [
        look(
            yaw=_turn(yaw, variety, rng),
            pitch=float(rng.normal(0, variety.pitch)),
            roll=float(rng.normal(0, variety.roll)),
        )
        for yaw in YAWS
    ]
    return render_views(
        views,
        lights,
        recipe.geometry,
        variety,
        metered=YAWS.index(0),
        wall=wall,
        rng=rng,
        large=large,
        studio=[look(yaw=float(yaw)) for yaw in YAWS] if variety.camera else (),
    )


def _turn(yaw: int, variety: Variety, rng: np.random.Generator) -> float:
    """The yaw of a picture labelled ``yaw``, degrees."""
    turned = yaw + float(rng.normal(0, variety.yaw))
    if abs(yaw) == max(YAWS):
        turned += float(np.sign(yaw) * rng.uniform(0, variety.beyond))
    return turned
