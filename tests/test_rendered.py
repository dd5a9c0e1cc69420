"""Rendered people: what the pictures promise, checked on the real head model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.accessories import sample_glasses
from facedata.rendered.camera import N_LIGHTS, Camera, View, flash_directions, rig_lights
from facedata.rendered.hair import STYLES, Hair
from facedata.rendered.head_model import load_head_model
from facedata.rendered.locks import STYLES as NATURAL_STYLES
from facedata.rendered.locks import sample_natural_hair
from facedata.rendered.mesh import Caster, Material
from facedata.rendered.person import Head, Posed, both_sides, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import VARIETIES, Variety
from facedata.rendered.recipes import YAWS, RotationRecipe, crop_view
from facedata.rendered.skin import eye_albedo, skin_albedo
from faces.crop import CropGeometry, crop_transform
from faces.types import Pixels

SMALL = CropGeometry(size=16)
FRONT = YAWS.index(0)
POSE_MEANS = [104.13, 107.88, 110.4, 112.38, 110.52, 107.96, 104.0]
LIGHT_MEANS = [
    *[96.37, 93.47, 100.68, 106.48, 113.27, 118.97, 122.12, 123.91, 121.96, 118.65],
    *[113.04, 106.41, 100.53, 93.47, 94.46, 101.13, 103.0, 100.43, 94.34, 140.92],
]
LEFT, RIGHT = 1, 13  # lights from the picture's left and from its right


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.fixture(scope="module")
def pictures(head: Head) -> Pixels:
    """Person 0 of the protocol's set: (7, 20, 32, 32)."""
    return RotationRecipe().render(head, 0).crops


@pytest.fixture(scope="module")
def posed(head: Head) -> Posed:
    """Person 0 without hair, so that light meets nothing but the face."""
    person = RotationRecipe().people(head, 0)[0]
    return pose_person(replace(person, hair=replace(person.hair, style="bald")), head, {})


@pytest.fixture(scope="module")
def caster(posed: Posed) -> Caster:
    return posed.caster


def camera(posed: Posed, yaw: float, *, pitch: float = 0.0, roll: float = 0.0, side: int = 64) -> Camera:
    """Shows the whole face."""
    target = posed.landmarks[[36, 39, 42, 45]].mean(0) - np.array([0, 2.5, 0], np.float32)
    return Camera(yaw, pitch, roll, 180.0, side, side / 20, target)


def test_the_protocols_pictures_are_those_of_every_earlier_version(pictures: Pixels) -> None:
    """Sets are known by recipe and seed, so a change of these pictures is a change of every set."""
    means = pictures.mean((2, 3))
    assert pictures.shape == (7, 20, 32, 32) and pictures.dtype == np.uint8
    # The mean grey of each pose and of each light; rounding may differ from machine to machine.
    assert means.mean(1) == pytest.approx(POSE_MEANS, abs=0.05)
    assert means.mean(0) == pytest.approx(LIGHT_MEANS, abs=0.05)


@pytest.mark.parametrize("variety", ["none", "full"])
def test_a_recipe_and_a_number_determine_the_pictures(head: Head, variety: str) -> None:
    recipe = RotationRecipe(seed=3, geometry=SMALL, lights=2, variety=VARIETIES[variety])
    twin = RotationRecipe(seed=3, geometry=SMALL, lights=2, variety=replace(VARIETIES[variety]))
    first = recipe.render(head, 5).crops
    assert np.array_equal(first, twin.render(head, 5).crops)
    others = [
        replace(recipe, seed=4).render(head, 5).crops,
        recipe.render(head, 6).crops,
    ]
    for other in others:
        assert np.abs(first.astype(int) - other).mean() > 5


def test_no_picture_is_empty_flat_or_twice_there(pictures: Pixels) -> None:
    flat = pictures.reshape(-1, 32 * 32)
    assert (flat.std(1) > 8).all()
    assert len({hashlib.sha256(one.tobytes()).hexdigest() for one in flat}) == len(flat)


def test_variety_changes_the_pictures_but_not_who_is_on_them(head: Head) -> None:
    plain = RotationRecipe(seed=9).people(head, 1)[0]
    varied = RotationRecipe(seed=9, variety=Variety(camera=True, yaw=4.0)).people(head, 1)[0]
    assert np.array_equal(plain.coefficients, varied.coefficients)
    assert plain.hair == varied.hair and plain.skin.tone == varied.skin.tone


# Pose


@pytest.mark.parametrize("yaw", [yaw for yaw in YAWS if yaw])
def test_positive_yaw_turns_the_nose_to_the_right_of_the_picture(posed: Posed, head: Head, yaw: int) -> None:
    marks = camera(posed, yaw).project(posed.landmarks)
    tip, corners = marks[30], marks[[36, 39, 42, 45]]
    assert np.sign(tip[0] - corners[:, 0].mean()) == np.sign(yaw)


def test_a_head_turned_to_the_right_looks_like_the_mirror_of_one_turned_to_the_left(
    pictures: Pixels,
) -> None:
    grey = pictures.astype(float)
    mirrored = grey[:, :, :, ::-1]
    even = (0, N_LIGHTS - 1)  # without a flash and with all of them: light that knows no side
    for light in even:
        same = np.abs(grey[6, light] - grey[0, light]).mean()
        mirror = np.abs(grey[6, light] - mirrored[0, light]).mean()
        assert mirror < 0.7 * same
        # Halves of a frontal face resemble each other more than those of a turned one.
        halves = np.abs(grey[:, light] - mirrored[:, light]).mean((1, 2))
        assert halves[FRONT] < min(halves[0], halves[6])


def test_pitch_lifts_the_nose_and_roll_turns_clockwise(posed: Posed) -> None:
    level = camera(posed, 0).project(posed.landmarks)
    lifted = camera(posed, 0, pitch=15).project(posed.landmarks)
    middle = [36, 39, 42, 45]
    assert lifted[30, 1] - lifted[middle, 1].mean() < level[30, 1] - level[middle, 1].mean() - 1
    rolled = camera(posed, 0, roll=10).project(posed.landmarks)
    right_eye, left_eye = rolled[[42, 45]].mean(0), rolled[[36, 39]].mean(0)
    step = right_eye - left_eye
    assert np.degrees(np.arctan2(step[1], step[0])) == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize("yaw", YAWS)
def test_the_camera_sees_a_point_where_it_projects_it(posed: Posed, caster: Caster, yaw: int) -> None:
    eye = camera(posed, yaw)
    hits = caster.cast(*eye.rays())
    at = eye.project(hits.point)
    pixel = np.stack([hits.ray % eye.side, hits.ray // eye.side], 1) + 0.5
    assert np.allclose(at, pixel, atol=0.01)


# Crop


@pytest.mark.parametrize("yaw", YAWS)
def test_crops_put_eyes_and_nose_where_the_geometry_says(posed: Posed, yaw: int) -> None:
    geometry = CropGeometry()
    eye = camera(posed, yaw, roll=5)
    marks = eye.project(posed.landmarks)
    matrix = crop_transform(eye.landmarks(posed.landmarks), geometry)

    def in_crop(point: np.ndarray) -> np.ndarray:
        return np.linalg.solve(matrix[:, :2], point - matrix[:, 2]) / geometry.size

    eyes = [in_crop(marks[[a, b]].mean(0)) for a, b in ((36, 39), (42, 45))]
    assert np.allclose(np.mean(eyes, axis=0), [0.5, geometry.eye_y], atol=1e-4)
    assert eyes[0][1] == pytest.approx(eyes[1][1], abs=1e-4)
    assert in_crop(marks[33])[1] == pytest.approx(geometry.eye_y + geometry.nose_distance, abs=1e-4)


# Light


def halves(picture: Pixels) -> tuple[float, float]:
    """Mean grey of the left and of the right half of a face's middle."""
    face = picture[8:26].astype(float)
    return float(face[:, 8:16].mean()), float(face[:, 16:24].mean())


def test_the_first_flash_shines_from_the_left_and_the_thirteenth_from_the_right(pictures: Pixels) -> None:
    left, right = halves(pictures[FRONT, LEFT])
    assert left > 1.3 * right
    left, right = halves(pictures[FRONT, RIGHT])
    assert right > 1.3 * left
    left, right = halves(pictures[FRONT, 7])
    assert left == pytest.approx(right, rel=0.25)


def test_the_lamps_stay_where_they_are_when_the_camera_moves(pictures: Pixels) -> None:
    """The picture's right half of a head seen at -45 shows the side that light 13 shines on."""
    assert pictures[0, RIGHT].mean() > pictures[0, LEFT].mean()
    assert pictures[6, LEFT].mean() > pictures[6, RIGHT].mean()


def test_there_are_twenty_lights_of_which_eighteen_are_one_flash() -> None:
    lights = rig_lights(0.1)
    assert len(lights) == N_LIGHTS == 20
    assert [len(light.directions) for light in lights] == [0, *[1] * 18, 18]
    assert np.allclose(np.linalg.norm(flash_directions(), axis=1), 1, atol=1e-6)
    assert np.argmin(flash_directions()[:, 0]) == 0 and np.argmax(flash_directions()[:, 0]) == 12
    assert len(np.unique(flash_directions().round(4), axis=0)) == 18


def test_more_lamps_give_more_light_and_none_gives_the_rooms(posed: Posed, caster: Caster) -> None:
    view = View(posed, camera(posed, 0))
    none, *single, every = (
        view.radiance(light, np.random.default_rng(0)).mean() for light in rig_lights(0.1)
    )
    assert none > 0
    assert every > np.mean(single)


def test_the_nose_casts_a_shadow(posed: Posed, caster: Caster, monkeypatch: pytest.MonkeyPatch) -> None:
    view = View(posed, camera(posed, 0, side=96))
    light = rig_lights(0.1)[RIGHT - 2]  # 60 degrees to the right: the nose shades the left cheek
    light = replace(light, softness=0.0)
    with_shadows = view.radiance(light, np.random.default_rng(0))
    monkeypatch.setattr(caster, "lit", lambda points, normals, towards: np.ones(len(points), bool))
    without = view.radiance(light, np.random.default_rng(0))
    assert (with_shadows <= without + 1e-6).all()
    # Points beside the nose, between it and the middle of the left cheek, that face the lamp.
    marks = posed.landmarks
    cheek = (np.abs(view.hits.point[:, 1] - marks[30, 1]) < 1.0) & (view.hits.point[:, 2] > 4)
    left = cheek & (view.hits.point[:, 0] < marks[31, 0]) & (view.hits.point[:, 0] > marks[31, 0] - 2.5)
    right = cheek & (view.hits.point[:, 0] > marks[35, 0]) & (view.hits.point[:, 0] < marks[35, 0] + 2.5)
    assert (with_shadows[left] < 0.7 * without[left]).mean() > 0.3
    assert (with_shadows[right] < 0.7 * without[right]).mean() < 0.1


def test_skin_shines_where_the_lamp_is_mirrored(posed: Posed, caster: Caster) -> None:
    eye = camera(posed, 0)
    skin = posed.person.skin
    matt, shiny = (
        View(replace(posed, person=replace(posed.person, skin=replace(skin, gloss=gloss))), eye)
        for gloss in (0.0, 0.3)
    )
    light = replace(rig_lights(0.1)[7], softness=0.0)
    extra = shiny.radiance(light, np.random.default_rng(0)) - matt.radiance(light, np.random.default_rng(0))
    assert (extra >= -1e-6).all()
    assert extra.max() > 0.1
    assert np.median(extra) < 0.5 * extra.max()


# People


@pytest.mark.parametrize("style", STYLES)
def test_every_haircut_can_be_rendered(head: Head, posed: Posed, style: str) -> None:
    assert isinstance(posed.person.hair, Hair)
    person = replace(posed.person, hair=replace(posed.person.hair, style=style, thickness=1.0))
    built = pose_person(person, head, {})
    view = View(built, camera(built, 0, side=48))
    assert np.isfinite(built.mesh.vertices).all()
    assert (Material.HAIR in view.hits.material) == (style != "bald")
    face = view.hits.rest[view.hits.material == Material.SKIN]
    assert len(face) > 200, "hair hides the face"
    assert ((view.albedo > 0) & (view.albedo <= 1)).all()


def test_every_natural_haircut_can_be_rendered_and_leaves_the_face_free(head: Head, posed: Posed) -> None:
    rng = np.random.default_rng(5)
    seen: set[str] = set()
    while len(seen) < len(NATURAL_STYLES):
        hair = sample_natural_hair(rng)
        if hair.style in seen:
            continue
        seen.add(hair.style)
        built = pose_person(replace(posed.person, hair=hair), head, {})
        view = View(built, camera(built, 0, side=48))
        assert np.isfinite(built.mesh.vertices).all()
        assert (Material.HAIR in built.mesh.material) == (hair.style != "bald")
        # The nose, the mouth and most of what lies between the ears are seen.
        marks = (camera(built, 0, side=48).project(built.landmarks)[[30, 33, 51, 57, 8]] - 0.5).round()
        kinds = dict(zip(view.hits.ray.tolist(), view.hits.material.tolist(), strict=True))
        assert all(kinds[int(y) * 48 + int(x)] != Material.HAIR for x, y in marks), hair


def test_natural_people_are_the_same_again_and_differ_from_the_protocols_only_in_looks(head: Head) -> None:
    plain, natural, again = (
        sample_person(np.random.default_rng(8), head, natural=wished) for wished in (False, True, True)
    )
    assert np.array_equal(plain.coefficients, natural.coefficients)
    assert isinstance(plain.hair, Hair) and not isinstance(natural.hair, Hair)
    assert natural.hair == again.hair
    meshes = [pose_person(each, head, {}).mesh for each in (natural, again)]
    assert np.array_equal(meshes[0].vertices, meshes[1].vertices)
    assert np.array_equal(meshes[0].shade, meshes[1].shade)


def test_natural_eyes_are_brighter_than_lids_and_shine_and_brows_are_darker_than_skin(
    head: Head, posed: Posed
) -> None:
    eyes = posed.mesh.rest[np.unique(posed.mesh.triangles[posed.mesh.material == Material.EYE])]
    for seed in range(5):
        skin = sample_person(np.random.default_rng(seed), head, natural=True).skin
        assert skin.sclera >= 0.5 and skin.brow_shade * skin.tone <= 0.6 * skin.tone
        bright, dull = (
            eye_albedo(each, eyes, head.eye_centres) for each in (skin, replace(skin, highlight=None))
        )
        shining = bright != dull
        assert 0 < shining.mean() < 0.1 and bright[shining].min() > skin.sclera


def test_a_natural_persons_shirt_covers_the_shoulders_and_not_the_chin(head: Head, posed: Posed) -> None:
    skin = replace(sample_person(np.random.default_rng(1), head, natural=True).skin, cloth=0.7)
    chin, shoulder = posed.landmarks[8], np.array([9.0, -15.0, 1.0], np.float32)
    at = np.stack([chin, shoulder])
    dressed, bare = (skin_albedo(each, head.landmarks, at) for each in (skin, replace(skin, cloth=0.0)))
    assert dressed[0] == bare[0]
    assert dressed[1] == pytest.approx(0.7, rel=0.6) and dressed[1] != bare[1]


def test_teeth_are_bright_between_dark_gums_in_an_open_natural_mouth(head: Head, posed: Posed) -> None:
    skin = sample_person(np.random.default_rng(1), head, natural=True).skin
    laughing = both_sides(mouthSmile=0.9, jawOpen=0.3, mouthUpperUp=0.6)
    built = pose_person(replace(posed.person, skin=skin), head, laughing)
    view = View(built, camera(built, 0, side=128))
    seen = view.albedo[view.hits.material == Material.TEETH]
    assert (seen == np.float32(skin.teeth)).sum() > 30 and skin.gums < 0.5 * skin.teeth
    assert set(np.unique(seen)) <= {np.float32(skin.teeth), np.float32(skin.gums)}


@pytest.mark.parametrize("dark", [False, True])
def test_glasses_sit_before_the_eyes(head: Head, posed: Posed, rng: np.random.Generator, dark: bool) -> None:
    person = replace(posed.person, glasses=sample_glasses(rng, dark=dark))
    built = pose_person(person, head, {})
    view = View(built, camera(built, 0, side=96))
    assert Material.FRAME in view.hits.material
    assert (Material.LENS in view.hits.material) == dark
    assert (Material.EYE in view.hits.material) == (not dark)


def test_a_whole_expression_moves_the_face(head: Head, posed: Posed, rng: np.random.Generator) -> None:
    weights = sample_expression(rng, 1.0)
    assert all(0 <= weight <= 1 for weight in weights.values())
    moved = pose_person(posed.person, head, weights)
    assert np.abs(moved.landmarks - posed.landmarks).max() > 0.1


def test_hair_of_photographs_reaches_into_the_crop_where_the_protocols_hardly_does(head: Head) -> None:
    def seen(variety: Variety) -> list[float]:
        """Share of a frontal crop that is hair, of each of 12 people."""
        shares = []
        for index in range(12):
            person = RotationRecipe(variety=variety).people(head, index)[0]
            built = pose_person(replace(person, glasses=None), head, {})
            view = crop_view(built, SMALL, distance=180.0)
            shares.append(float(np.mean(view.hits.material == Material.HAIR)))
        return shares

    low = seen(Variety(low_hair=1.0))
    assert np.mean(low) > 1.5 * np.mean(seen(Variety()))
    assert max(low) < 0.5, "hair hides the face"


def test_people_differ_in_shape_paint_and_hair(head: Head) -> None:
    people = [RotationRecipe().people(head, index)[0] for index in range(60)]
    assert {person.skin.beard for person in people} >= {"none", "stubble", "full"}
    assert len({person.hair.style for person in people}) >= 7
    tones = [person.skin.tone for person in people]
    assert min(tones) < 0.22 and max(tones) > 0.6
    assert all(person.glasses is None for person in people), "the protocol's people wear none"
    wearing = [
        RotationRecipe(variety=VARIETIES["full"]).people(head, i)[0].glasses is not None for i in range(60)
    ]
    assert 3 <= sum(wearing) <= 25
