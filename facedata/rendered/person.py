"""A rendered person: the shape and paint of one head, and its mesh under any expression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facedata.rendered.glasses import Glasses, glasses_mesh, sample_glasses
from facedata.rendered.hair import Hair, hair_mesh, lowered, sample_hair, skull_radius
from facedata.rendered.hats import FittedHat, Hat
from facedata.rendered.head_model import HINT, HeadModel
from facedata.rendered.mesh import Array, Caster, Material, Mesh, Triangles, grid_triangles, join, surface
from facedata.rendered.skin import FaceMap, Skin, sample_skin
from faces.errors import HeadModelError

# Quad ranges of ICT-FaceKit's light mesh; lashes, tear fluid and the like are painted instead.
_PARTS = (
    (slice(0, 11144), Material.SKIN),  # face, head and neck
    (slice(11144, 13226), Material.MOUTH),  # mouth socket
    (slice(13226, 14034), Material.SKIN),  # eye sockets
    (slice(14034, 21496), Material.TEETH),  # gums, tongue, teeth
    (slice(21496, 24692), Material.EYE),
)
_EYES = (slice(21451, 23021), slice(23021, 24591))  # vertices of both eyeballs
_FACE_VERTICES = 6706  # the first so many are the narrow face
LARGEST_COEFFICIENT = 2.5  # standard deviations; beyond it heads look damaged

_EXPRESSIONS: tuple[dict[str, float], ...] = (
    {"mouthSmile_L": 0.8, "mouthSmile_R": 0.8, "cheekRaiser_L": 0.5, "cheekRaiser_R": 0.5},
    {"mouthSmile_L": 0.9, "mouthSmile_R": 0.9, "jawOpen": 0.25, "mouthUpperUp_L": 0.4, "mouthUpperUp_R": 0.4},
    {"mouthFrown_L": 0.8, "mouthFrown_R": 0.8, "browInnerUp_L": 0.7, "browInnerUp_R": 0.7},
    {
        "browDown_L": 0.9,
        "browDown_R": 0.9,
        "mouthPress_L": 0.5,
        "mouthPress_R": 0.5,
        "noseSneer_L": 0.3,
        "noseSneer_R": 0.3,
    },
    {"jawOpen": 0.6, "browOuterUp_L": 0.6, "browOuterUp_R": 0.6, "eyeWide_L": 0.6, "eyeWide_R": 0.6},
    {"eyeSquint_L": 0.8, "eyeSquint_R": 0.8, "mouthStretch_L": 0.3, "mouthStretch_R": 0.3},
    {"eyeBlink_L": 0.9, "eyeBlink_R": 0.9},
    {"mouthPucker": 0.6},
)


class Head:
    """What all persons share of the head model: the triangles that are rendered and what they are made of.

    Raises HeadModelError if the model lacks an expression that is used.
    """

    def __init__(self, model: HeadModel) -> None:
        lacking = {name for weights in _EXPRESSIONS for name in weights} - {*model.expression_names}
        if lacking:
            raise HeadModelError(f"The head model has no expression {min(lacking)}; {HINT}.")
        self.model = model
        quads, materials = [], []
        for part, material in _PARTS:
            quads.append(model.faces[part])
            materials.append(np.full(len(model.faces[part]), material, np.int8))
        self.triangles, self.material = _split_quads(np.concatenate(quads), np.concatenate(materials))
        skin = self.triangles[self.material == Material.SKIN]
        self.skin_triangles: Triangles = skin
        self.face = FaceMap(model.vertices[model.landmarks68])
        self.eye_centres: Array = np.stack([model.vertices[part].mean(0) for part in _EYES])
        if self.eye_centres[0, 0] > 0:
            self.eye_centres = self.eye_centres[::-1].copy()

    @cached_property
    def face_points(self) -> Array:
        """Points (n, 3) of the mean face's front."""
        points = self.model.vertices[:_FACE_VERTICES]
        return np.asarray(points[points[:, 2] > 2], np.float32)


def _split_quads(quads: Triangles, material: NDArray[np.int8]) -> tuple[Triangles, NDArray[np.int8]]:
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    both = np.concatenate([material, material])
    whole = triangles[:, 1] != triangles[:, 2]
    whole &= triangles[:, 0] != triangles[:, 2]
    return triangles[whole], both[whole]


@dataclass(frozen=True)
class Person:
    """Everything that stays the same from picture to picture of one person.

    ``coefficients`` (100,) float32 of the identity modes; ``cloth`` albedo of the clothes, 0..1.
    """

    coefficients: Array
    skin: Skin
    hair: Hair
    glasses: Glasses | None
    cloth: float
    hat: Hat | None = None


def sample_person(
    rng: np.random.Generator, head: Head, *, glasses_share: float = 0.0, low_hair_share: float = 0.0
) -> Person:
    """Draw a person; ``glasses_share`` of all wear glasses, a quarter of these sunglasses, and the hair of
    ``low_hair_share`` comes down as it may on photographs."""
    coefficients = np.clip(rng.normal(size=100), -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT).astype(np.float32)
    skin = sample_skin(rng, head.face_points)
    hair = sample_hair(rng)
    # Drawn only if wanted: a further draw would change the people of the protocol.
    if low_hair_share and rng.random() < low_hair_share:
        hair = lowered(hair, rng)
    wears = rng.random() < glasses_share
    glasses = sample_glasses(rng, dark=rng.random() < 0.25)
    return Person(
        coefficients=coefficients,
        skin=skin,
        hair=hair,
        glasses=glasses if wears else None,
        cloth=float(np.exp(rng.uniform(np.log(0.02), np.log(0.7)))),
    )


def sample_expression(rng: np.random.Generator, strength: float) -> dict[str, float]:
    """Draw blendshape weights 0..1: with chance ``strength`` an expression, always a little unrest."""
    weights: dict[str, float] = {}
    if rng.random() < strength:
        chosen = _EXPRESSIONS[rng.integers(len(_EXPRESSIONS))]
        amount = rng.uniform(0.4, 1.1)
        weights = {name: float(value * amount) for name, value in chosen.items()}
    for name in ("eyeBlink", "mouthSmile", "mouthFrown", "browDown"):
        extra = float(max(0.0, rng.normal(0, 0.12)))
        for side in ("_L", "_R"):
            weights[name + side] = min(1.0, weights.get(name + side, 0.0) + extra)
    return weights


@dataclass(frozen=True)
class Posed:
    """A person's head under one expression: the whole ``mesh`` and the 68 ``landmarks`` (68, 3), cm."""

    person: Person
    head: Head
    mesh: Mesh
    landmarks: Array


class Shape:
    """The head of somebody with these identity ``coefficients`` (100,), bald and at rest.

    ``vertices`` (V, 3) float32 cm; ``caster`` casts rays at the skin; ``skull`` as ``skull_radius`` has it.
    """

    def __init__(self, coefficients: Array, head: Head) -> None:
        model = head.model
        self.vertices = model.vertices + np.tensordot(coefficients, model.identity_modes, 1)
        self.caster = Caster(surface(self.vertices, head.skin_triangles, Material.SKIN))
        self.landmarks: Array = self.vertices[model.landmarks68]
        self.skull = skull_radius(self.caster)


def pose_person(
    person: Person,
    head: Head,
    expression: dict[str, float],
    *,
    body: bool = False,
    shape: Shape | None = None,
) -> Posed:
    """Build the mesh: head, eyes, hair, hat, glasses and, for whole photographs, neck-down ``body``.

    ``shape`` is that of the person, for who poses more than once.
    """
    model = head.model
    shape = shape or Shape(person.coefficients, head)
    hat = None if person.hat is None else FittedHat(person.hat, shape.caster, shape.landmarks)
    vertices = shape.vertices
    for name, weight in expression.items():
        vertices = vertices + np.float32(weight) * model.expression_modes[model.expression_names.index(name)]
    vertices = vertices.astype(np.float32)
    skin = surface(vertices, head.triangles, Material.SKIN, rest=model.vertices)
    parts = [Mesh(skin.vertices, skin.triangles, skin.rest, skin.shade, head.material, skin.normals)]
    hair = hair_mesh(person.hair, shape.skull, None if hat is None else hat.room_for_hair)
    if hair is not None:
        parts.append(hair)
    if hat is not None:
        parts.append(hat.mesh())
    landmarks = vertices[model.landmarks68]
    if person.glasses is not None:
        parts.append(glasses_mesh(person.glasses, landmarks))
    if body:
        parts.append(_torso())
    return Posed(person, head, join(parts), landmarks)


def _torso() -> Mesh:
    """Neck opening, shoulders and chest as a loft of ellipses."""
    # y, half width, half depth, z; cm
    rings = np.array(
        [
            (-12.5, 6.6, 6.2, -2.2),
            (-14.0, 8.0, 7.0, -2.4),
            (-15.5, 12.5, 8.0, -2.6),
            (-17.5, 18.5, 9.0, -2.8),
            (-21.0, 21.5, 10.0, -2.8),
            (-30.0, 21.5, 11.0, -2.5),
            (-60.0, 21.0, 11.5, -2.5),
        ],
        np.float32,
    )
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = rings[:, 1:2] * np.sin(turn)
    z = rings[:, 2:3] * np.cos(turn) + rings[:, 3:4]
    y = np.broadcast_to(rings[:, :1], x.shape)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    return surface(vertices, grid_triangles(len(rings), 48, wrap=True), Material.CLOTH)
