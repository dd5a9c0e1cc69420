"""A rendered person: the shape and paint of one head, and its mesh under any expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from facedata.rendered.accessories import FittedHat, Glasses, Hat, glasses_mesh, panes_mesh, sample_glasses
from facedata.rendered.extras import Extra, extra_mesh
from facedata.rendered.hair import Hair, hair_mesh, lowered, sample_hair, skull_radius
from facedata.rendered.head_model import HINT, HeadModel
from facedata.rendered.locks import NaturalHair, natural_hair_mesh, sample_natural_hair
from facedata.rendered.mesh import Array, Caster, Material, Mesh, Rng, Triangles, join, surface
from facedata.rendered.skin import Skin, natural_skin, sample_skin
from facedata.rendered.wraps import FittedWrap, Mask, Wrap, mask_mesh
from faces.errors import HeadModelError

# Quad ranges of ICT-FaceKit's light mesh; lashes, tear fluid and the like are painted instead.
_PARTS = (
    (slice(0, 11144), Material.SKIN),  # face, head and neck
    (slice(11144, 13226), Material.MOUTH),  # mouth socket
    (slice(13226, 14034), Material.SKIN),  # eye sockets
    (slice(14034, 21496), Material.TEETH),  # gums, tongue, teeth
    (slice(21496, 24692), Material.EYE),
)
_GUMS = slice(14062, 17039)  # vertices of gums and tongue
GUMS = 0.75  # less shade than that marks gums among what is made as teeth are
_EYES = (slice(21451, 23021), slice(23021, 24591))  # vertices of both eyeballs
_SUNK_EYE = 0.5  # cm by which an eyeball gives way to a lid that is shut
_FACE_VERTICES = 6706  # the first so many are the narrow face
_SKIN_VERTICES = 11248  # and so many face, head and neck

Expression = dict[str, float]
"""Weights 0..1 of blendshapes, by their names; lids that blink by more than 1 are shut on every head."""


def both_sides(**weights: float) -> Expression:
    """Give the left and the right of each blendshape the same weight; those of the middle have no sides."""
    middle = ("jawOpen", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthShrugLower")
    sides = {name: ("",) if name in middle else ("_L", "_R") for name in weights}
    return {name + side: weight for name, weight in weights.items() for side in sides[name]}


_EXPRESSIONS = (
    both_sides(mouthSmile=0.8, cheekRaiser=0.5),
    both_sides(mouthSmile=0.9, jawOpen=0.25, mouthUpperUp=0.4),
    both_sides(mouthFrown=0.8, browInnerUp=0.7),
    both_sides(browDown=0.9, mouthPress=0.5, noseSneer=0.3),
    both_sides(jawOpen=0.6, browOuterUp=0.6, eyeWide=0.6),
    both_sides(eyeSquint=0.8, mouthStretch=0.3),
    both_sides(eyeBlink=0.9),
    both_sides(mouthPucker=0.6),
)

# Mouths of faces that are at rest: silent, talking, pressed together, sad, ...
_QUIET = (
    both_sides(),
    both_sides(mouthFrown=0.5, browDown=0.3),
    both_sides(jawOpen=0.18, mouthLowerDown=0.3),
    both_sides(jawOpen=0.15, mouthFunnel=0.4),
    both_sides(mouthPress=0.6, mouthDimple=0.3),
    both_sides(mouthRollLower=0.5, mouthShrugLower=0.3),
    both_sides(mouthPucker=0.45),
)
# What each word may look like at full strength, and the range of strengths.
_NAMED: dict[str, tuple[tuple[Expression, ...], float, float]] = {
    "neutral": (
        (
            *_QUIET,
            both_sides(browDown=0.6, eyeSquint=0.3),
            both_sides(eyeSquint=0.6, cheekSquint=0.3),
            both_sides(browInnerUp=0.5, mouthFrown=0.4),
        ),
        0.0,
        1.0,
    ),
    "smile": (
        (
            both_sides(mouthSmile=0.85, cheekRaiser=0.5, mouthDimple=0.3),
            both_sides(mouthSmile=0.95, cheekRaiser=0.7, eyeSquint=0.3),
            both_sides(mouthSmile=0.85, cheekRaiser=0.5, mouthUpperUp=0.2, jawOpen=0.05),
        ),
        0.65,
        1.05,
    ),
    "laugh": (
        (
            both_sides(mouthSmile=0.85, cheekRaiser=0.8, mouthUpperUp=0.5, jawOpen=0.4, eyeSquint=0.4),
            both_sides(mouthSmile=0.9, cheekRaiser=0.6, mouthUpperUp=0.6, mouthLowerDown=0.5, jawOpen=0.2),
            both_sides(mouthSmile=0.7, mouthStretch=0.3, mouthUpperUp=0.4, jawOpen=0.6, eyeSquint=0.5),
        ),
        0.75,
        1.1,
    ),
    "eyes-closed": (_QUIET, 0.0, 1.0),
    "surprised": (
        (
            both_sides(browInnerUp=0.9, browOuterUp=0.9, eyeWide=0.9, jawOpen=0.5),
            both_sides(browInnerUp=0.8, browOuterUp=0.9, eyeWide=0.8, jawOpen=0.35, mouthFunnel=0.5),
        ),
        0.75,
        1.1,
    ),
}
_SIDE = {"_L": 0, "_R": 1}


class Head:
    """What all persons share of the head model; raises HeadModelError if it lacks an expression."""

    def __init__(self, model: HeadModel) -> None:
        named = [weights for kinds, *_ in _NAMED.values() for weights in kinds]
        known = {name for weights in (*_EXPRESSIONS, *named) for name in weights}
        lacking = known - {*model.expression_names}
        if lacking:
            raise HeadModelError(f"The head model has no expression {min(lacking)}; {HINT}.")
        self.model = model
        quads = np.concatenate([model.faces[part] for part, _ in _PARTS])
        material = np.repeat([kind for _, kind in _PARTS], [len(model.faces[part]) for part, _ in _PARTS])
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        whole = (triangles[:, 1] != triangles[:, 2]) & (triangles[:, 0] != triangles[:, 2])
        self.triangles: Triangles = triangles[whole]
        self.material = np.tile(material, 2)[whole].astype(np.int8)
        self.shade = np.ones(len(model.vertices), np.float32)
        self.shade[_GUMS] = 0.5
        self.skin_triangles = self.triangles[self.material == Material.SKIN]
        self.landmarks = model.vertices[model.landmarks68]  # (68, 3) of the mean head
        eyes = np.stack([model.vertices[part].mean(0) for part in _EYES])
        self.eye_centres = eyes[::-1].copy() if eyes[0, 0] > 0 else eyes
        front = model.vertices[:_FACE_VERTICES]
        self.face_points = front[front[:, 2] > 2]  # (n, 3) of the mean face


@dataclass(frozen=True)
class Person:
    """Everything that stays the same from picture to picture of one person."""

    coefficients: Array  # (100,) float32 of the identity modes
    skin: Skin
    hair: Hair | NaturalHair
    glasses: Glasses | None = None
    hat: Hat | None = None
    mask: Mask | None = None
    wrap: Wrap | None = None
    extras: tuple[Extra, ...] = ()
    lids: float = 0.0  # how far the upper lids hang when the eyes are open, 0..1


def sample_person(
    rng: Rng, head: Head, *, glasses_share: float = 0.0, low_hair_share: float = 0.0, natural: bool = False
) -> Person:
    """Draw a person; shares 0..1 of all wear glasses and have hair that comes down as on photographs.

    ``natural`` people look more as photographs show people, in hair of many more kinds, and eyes and skin.
    """
    coefficients = np.clip(rng.normal(size=100), -2.5, 2.5).astype(np.float32)  # beyond, heads look damaged
    skin = sample_skin(rng, head.face_points)
    if natural:
        return Person(
            coefficients, natural_skin(rng, skin), sample_natural_hair(rng), lids=rng.uniform(0, 0.35)
        )
    hair = sample_hair(rng)
    # Drawn only if wanted: a further draw would change the people of the protocol.
    if low_hair_share and rng.random() < low_hair_share:
        hair = lowered(hair, rng)
    wears = rng.random() < glasses_share
    glasses = sample_glasses(rng, dark=rng.random() < 0.25)
    return Person(coefficients, skin, hair, glasses if wears else None)


def sample_expression(rng: Rng, strength: float) -> Expression:
    """Draw blendshape weights: with chance ``strength`` an expression, always a little unrest."""
    weights: Expression = {}
    if rng.random() < strength:
        chosen = _EXPRESSIONS[rng.integers(len(_EXPRESSIONS))]
        amount = rng.uniform(0.4, 1.1)
        weights = {name: value * amount for name, value in chosen.items()}
    for name in ("eyeBlink", "mouthSmile", "mouthFrown", "browDown"):
        extra = max(0.0, rng.normal(0, 0.12))
        for side in ("_L", "_R"):
            weights[name + side] = min(1.0, weights.get(name + side, 0.0) + extra)
    return weights


def named_expression(rng: Rng, word: str) -> Expression:
    """Draw the weights of neutral, smile, laugh, eyes-closed or surprised; raises KeyError for other words.

    Strength, sides and gaze differ from draw to draw, and no muscle is quite still.
    """
    kinds, low, high = _NAMED[word]
    chosen, amount = kinds[rng.integers(len(kinds))], rng.uniform(low, high)
    uneven = rng.normal(1, 0.1, 2)
    weights = {name: amount * value * uneven[_SIDE.get(name[-2:], 0)] for name, value in chosen.items()}
    if word == "eyes-closed":
        weights |= both_sides(eyeBlink=rng.uniform(1.15, 1.3))
    else:
        weights |= both_sides(eyeBlink=0.0 if word == "surprised" else abs(rng.normal(0, 0.1)))
        aside, up = rng.normal(0, 0.2), rng.normal(0, 0.15)
        out, into = ("_L", "_R") if aside > 0 else ("_R", "_L")
        weights |= {f"eyeLookOut{out}": abs(aside), f"eyeLookIn{into}": abs(aside)}
        weights |= both_sides(**{"eyeLookUp" if up > 0 else "eyeLookDown": abs(up)})
    for name in ("mouthFrown", "browDown", "mouthPress", "mouthLowerDown", "cheekPuff"):
        for side in ("_L", "_R"):
            weights[name + side] = weights.get(name + side, 0.0) + abs(rng.normal(0, 0.05))
    return {name: max(0.0, float(weight)) for name, weight in weights.items()}


def usual_expression(word: str) -> Expression:
    """Give the weights that ``named_expression`` means on average; raises KeyError likewise."""
    kinds, low, high = _NAMED[word]
    amount = 0.0 if word == "neutral" else (low + high) / 2
    weights = {name: amount * value for name, value in kinds[0].items()}
    return weights | (both_sides(eyeBlink=1.2) if word == "eyes-closed" else {})


@dataclass(frozen=True)
class Posed:
    """A person's head under one expression: the whole ``mesh`` and the 68 ``landmarks`` (68, 3), cm."""

    person: Person
    head: Head
    mesh: Mesh
    landmarks: Array
    panes: Mesh | None = None  # lenses that light passes through

    @cached_property
    def caster(self) -> Caster:
        """Casts rays at the mesh."""
        return Caster(self.mesh)

    @cached_property
    def pane_caster(self) -> Caster | None:
        """Casts rays at the ``panes``."""
        return None if self.panes is None else Caster(self.panes)


class Shape:
    """The head of somebody with these identity ``coefficients`` (100,), bald and at rest."""

    def __init__(self, coefficients: Array, head: Head) -> None:
        model = head.model
        self.vertices = model.vertices + np.tensordot(coefficients, model.identity_modes, 1)  # (V, 3) cm
        self.caster = Caster(surface(self.vertices, head.skin_triangles, Material.SKIN))
        self.landmarks: Array = self.vertices[model.landmarks68]
        self.skull = skull_radius(self.caster)


def pose_person(person: Person, head: Head, expression: Expression, shape: Shape | None = None) -> Posed:
    """Build the mesh: head, eyes, hair and all that is worn; ``shape`` is the person's, to pose again."""
    model, shape = head.model, shape or Shape(person.coefficients, head)
    vertices = shape.vertices
    if person.lids:
        blinks = {lid: expression.get(lid, 0.0) for lid in both_sides(eyeBlink=1.0)}
        hang = {lid: weight + person.lids * max(0.0, 1 - weight) for lid, weight in blinks.items()}
        expression = expression | hang
    for name, weight in expression.items():
        vertices = vertices + np.float32(weight) * model.expression_modes[model.expression_names.index(name)]
    vertices = vertices.astype(np.float32)
    for part, lid in zip(_EYES, ("eyeBlink_L", "eyeBlink_R"), strict=True):
        # Lids that sink in a straight line would cut through the eyeball.
        if expression.get(lid, 0.0) > 1:
            vertices[part, 2] -= _SUNK_EYE
    skin = surface(vertices, head.triangles, Material.SKIN)
    landmarks = vertices[model.landmarks68]
    cover: FittedHat | FittedWrap | None = None
    if person.hat is not None:
        cover = FittedHat(person.hat, shape.caster, shape.landmarks)
    elif person.wrap is not None:
        cover = FittedWrap(person.wrap, vertices[:_SKIN_VERTICES], landmarks)
    glasses, room = person.glasses, cover.room_for_hair if cover else None
    parts = [
        replace(skin, rest=model.vertices, shade=head.shade, material=head.material),
        None if person.wrap and person.wrap.close else _hair(person.hair, shape.skull, room),
        cover.mesh() if cover else None,
        glasses_mesh(glasses, landmarks) if glasses else None,
        mask_mesh(person.mask, vertices[:_FACE_VERTICES], landmarks) if person.mask else None,
        *(extra_mesh(extra, landmarks, head.landmarks) for extra in person.extras),
    ]
    panes = panes_mesh(glasses, landmarks) if glasses and glasses.pane else None
    return Posed(person, head, join([part for part in parts if part is not None]), landmarks, panes)


def _hair(hair: Hair | NaturalHair, skull: Array, room: Callable[[Array], Array] | None) -> Mesh | None:
    if isinstance(hair, NaturalHair):
        return natural_hair_mesh(hair, skull, room)
    return hair_mesh(hair, skull, room)
