"""The pictures of a person for `rendered-accessories`: bare, in three hats, in three pairs of glasses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np

from facedata.labels import LabelRow
from facedata.rendered.camera import View
from facedata.rendered.crops import Shots, Stream, crop_view, render_views, sample_distance, sample_lights
from facedata.rendered.glasses import sample_kind
from facedata.rendered.hats import KINDS as HATS
from facedata.rendered.hats import sample_hat
from facedata.rendered.light import Light
from facedata.rendered.mesh import Caster
from facedata.rendered.person import Head, Person, Shape, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import Variety
from faces.crop import CropGeometry
from faces.errors import DataError

BARE = "none"
ACCESSORIES = (BARE, "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3")
PROTOCOL_PEOPLE = 438
PROTOCOL_TRAIN = 350  # the first so many people train, the rest test (paper, section 4.2)
PROTOCOL_LIGHTS = 5
LIGHTS_PER_EXPRESSION = 2  # and turn of the head, if these vary
MOVEMENT = 2.0  # degrees (standard deviation) that a head moves while something is put on
WILD = 2.5  # how much more accessories differ if everything does
# The rig's lights in the order in which a smaller number of them is chosen: all flashes, none, from the
# left, from the right, from above the forehead, from the front, from both sides, ...
CHOSEN_LIGHTS = (19, 0, 4, 10, 16, 7, 1, 13, 14, 18, 2, 12, 15, 17, 5, 9, 3, 11, 6, 8)


@dataclass(frozen=True)
class AccessoryRecipe:
    """What determines the pictures of every person: two equal recipes give equal pictures.

    ``lights`` 1..20 are of the rig, chosen spread over it and called by their numbers there; the default
    five come from nowhere, the left, the right, above and everywhere.  With free lights each is drawn at
    random.
    """

    seed: int = 0
    geometry: CropGeometry = field(default_factory=CropGeometry)
    lights: int = PROTOCOL_LIGHTS
    variety: Variety = field(default_factory=Variety)

    def __post_init__(self) -> None:
        if not 1 <= self.lights <= len(CHOSEN_LIGHTS):
            raise DataError(f"The rig has {len(CHOSEN_LIGHTS)} lights, not {self.lights}; choose 1 to 20.")

    @property
    def numbers(self) -> list[int]:
        """The numbers of the lights, ascending; those of the rig unless lights are free."""
        return sorted(CHOSEN_LIGHTS[: self.lights]) if self.rig else list(range(self.lights))

    @property
    def rig(self) -> bool:
        """Whether the lights are the rig's."""
        return self.variety.free_light == 0

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other."""
        return {"kind": "accessories", **asdict(self)}

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person so called: by accessory, then light."""
        return [
            LabelRow(
                file=f"{person}/{accessory}_light{light:02d}.png",
                person=person,
                pose="" if self.variety.turned else "0",
                light=f"{light:02d}",
                accessory=accessory,
            )
            for accessory in ACCESSORIES
            for light in self.numbers
        ]

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render the pictures of person ``index`` in one row, in the order of ``rows``."""
        return render_accessories(self, head, index, large=large).in_one_row()


def wardrobe(recipe: AccessoryRecipe, head: Head, index: int) -> list[Person]:
    """Dress person ``index`` in every one of ACCESSORIES; other people than a rotation set's.

    Everyone has their own copy of each accessory and their own way of wearing it.
    """
    rng = Stream.ACCESSORY_PERSON.of(recipe.seed, index)
    person = sample_person(rng, head, low_hair_share=recipe.variety.low_hair)
    rng = Stream.ACCESSORIES.of(recipe.seed, index)
    spread = WILD if recipe.variety.camera else 1.0
    hats = [replace(person, hat=sample_hat(rng, kind, spread=spread)) for kind in HATS]
    glasses = [replace(person, glasses=sample_kind(rng, kind, spread=spread)) for kind in range(3)]
    return [person, *hats, *glasses]


def render_accessories(recipe: AccessoryRecipe, head: Head, index: int, *, large: bool = False) -> Shots:
    """Render all pictures (7 accessories, lights) of person ``index``, larger ones too if ``large``."""
    people = wardrobe(recipe, head, index)
    shape = Shape(people[0].coefficients, head)
    rng = Stream.ACCESSORY_PICTURES.of(recipe.seed, index)
    lights = sample_lights(rng, recipe.variety, recipe.lights, numbers=recipe.numbers if recipe.rig else None)
    step = recipe.lights if recipe.variety.expression == 0 else LIGHTS_PER_EXPRESSION
    groups = [
        _render_group(recipe, head, people, shape, lights[first : first + step], rng, large)
        for first in range(0, recipe.lights, step)
    ]
    return Shots.joined(groups, axis=1)


def _render_group(
    recipe: AccessoryRecipe,
    head: Head,
    people: list[Person],
    shape: Shape,
    lights: list[Light],
    rng: np.random.Generator,
    large: bool,
) -> Shots:
    """Pictures (7, len(lights)): one expression and turn, seven meshes, cameras that stand nearly alike."""
    variety = recipe.variety
    expression = sample_expression(rng, variety.expression) if variety.expression else {}
    distance = sample_distance(rng, variety)
    wall = float(rng.uniform(0.05, 0.5))
    # Drawn only if wanted: a further draw would change the pictures of the protocol.
    turn = variety.turned * float(np.clip(rng.normal(), -2, 2)) if variety.turned else 0.0
    views: list[View] = []
    studio: list[View] = []
    for person in people:
        posed = pose_person(person, head, _with_unrest(expression, rng), shape=shape)
        look = partial(crop_view, posed, Caster(posed.mesh), recipe.geometry, distance=distance)
        view = look(
            yaw=float(rng.normal(turn, variety.yaw or MOVEMENT)),
            pitch=float(rng.normal(0, variety.pitch or MOVEMENT)),
            roll=float(rng.normal(0, variety.roll)),
        )
        views.append(view)
        studio += [look(yaw=turn)] if variety.camera else []
    return render_views(
        views,
        lights,
        recipe.geometry,
        variety,
        metered=ACCESSORIES.index(BARE),
        wall=wall,
        rng=rng,
        large=large,
        studio=studio,
    )


def _with_unrest(expression: dict[str, float], rng: np.random.Generator) -> dict[str, float]:
    """An expression as the face keeps it while something is put on."""
    unrest = sample_expression(rng, 0.0)
    names = [*expression, *(name for name in unrest if name not in expression)]
    return {name: min(1.0, expression.get(name, 0.0) + unrest.get(name, 0.0)) for name in names}
