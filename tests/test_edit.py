"""``anotheryou edit`` as a user meets it, with an untrained network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from generators_made import POSES, network_for, pose_config
from PIL import Image
from typer.testing import Result

from anotheryou import edit
from faces.errors import WishError
from faces.sheet import enlarge
from faces.types import Box, DetectedFace, Floats, Landmarks, Photo
from generator.checkpoint import load_generator, save_checkpoint
from generator.sheet import draw_strip

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "turner"
    save_checkpoint(folder, network_for((32, 8, False)), pose_config(32, 8))
    return folder


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "combined"
    save_checkpoint(folder, network_for((32, 8, True)), pose_config(32, 8, two_groups=True))
    return folder


@pytest.fixture
def crop(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "crop.png"
    Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(path)
    return path


class TwoFaces:
    """Finds a large and a small face in every photograph."""

    name = "two faces"
    found = (
        DetectedFace(Box(20, 20, 80, 80), Landmarks((35, 40), (65, 40), (50, 58)), 1.0),
        DetectedFace(Box(90, 20, 120, 50), Landmarks((97, 30), (112, 30), (105, 39)), 0.5),
    )

    def detect(self, photo: Photo) -> list[DetectedFace]:
        return list(self.found)


@pytest.fixture
def photo(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph in which a stand-in finds two faces."""
    monkeypatch.setattr("retrieval.examine.open_detector", lambda *_, **__: TwoFaces())
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (100, 140, 3), dtype=np.uint8)).save(path)
    return path


def one_hots(*poses: str) -> Floats:
    """The attribute vectors of poses."""
    return np.eye(7, dtype=np.float32)[[POSES.index(pose) for pose in poses]]


def failed(result: Result, *words: str, status: int = 1) -> None:
    assert result.exit_code == status, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    "wish", [["--pose", "-30"], ["--pose=-30"], ["--wish", "pose=-30"], ["--pose", "-30.0"]]
)
def test_the_altered_face_is_what_the_second_network_draws(
    run_cli: Run, weights: Path, crop: Path, tmp_path: Path, wish: list[str]
) -> None:
    out = tmp_path / "face.png"
    options = ("--cropped", "--out", out, "--weights", weights, "--size", "32", "--flow", "none")
    result = run_cli("edit", crop, *wish, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    source = np.asarray(Image.open(crop))
    expected = load_generator(weights).draw(source[None], one_hots("-30")).stage2[0]
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_the_face_is_enlarged_to_the_size_asked_for(
    run_cli: Run, weights: Path, crop: Path, tmp_path: Path
) -> None:
    for arguments, side in (([], 160), (["--size", "300"], 300)):
        out = tmp_path / f"{side}.jpg"
        run_cli("edit", crop, "--cropped", "--pose", "0", "--out", out, "--weights", weights, *arguments)
        with Image.open(out) as picture:
            assert picture.size == (side, side)


def test_all_poses_become_a_strip_with_both_stages(
    run_cli: Run, weights: Path, crop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "strip.png"
    result = run_cli(
        "edit", crop, "--cropped", "--pose", "ALL", "--out", out, "--weights", weights, "--size", "32"
    )
    assert result.exit_code == 0, result.stderr
    strip = np.asarray(Image.open(out).convert("L"))
    source = np.asarray(Image.open(crop))
    drawing = load_generator(weights).draw(np.repeat(source[None], 7, 0), one_hots(*POSES))
    for face in (source, *drawing.stage1, *drawing.stage2):
        assert holds(strip, face)


def holds(picture: np.ndarray, face: np.ndarray) -> bool:
    """Whether a face stands somewhere in a picture, pixel by pixel."""
    corners = np.argwhere(picture[: -face.shape[0] + 1, : -face.shape[1] + 1] == face[0, 0])
    return any(np.array_equal(picture[y : y + len(face), x : x + len(face)], face) for y, x in corners)


def test_the_strip_is_labelled_and_as_large_as_its_faces(rng: np.random.Generator) -> None:
    faces = rng.integers(0, 256, (7, 32, 32), dtype=np.uint8)
    rows = [("stage 1", faces), ("stage 2", faces)]
    strip = draw_strip(faces[0], rows, [f"pose {pose}" for pose in POSES], note="pose seems 0")
    bare = draw_strip(faces[0], rows, [""] * 7)
    assert strip.size == bare.size
    assert strip.width > 8 * 160
    assert strip.height > 2 * 160
    coloured = [*rows, ("with its detail", np.repeat(faces[..., None], 3, axis=3))]
    assert draw_strip(faces[0], coloured, [""] * 7).height > strip.height + 160
    assert (np.asarray(strip) != np.asarray(bare)).any()
    with pytest.raises(ValueError, match="1 captions"):
        draw_strip(faces[0], rows, ["pose"])


def test_enlarging_is_smooth_and_leaves_the_right_size_alone() -> None:
    face = np.zeros((32, 32), np.uint8)
    face[:, 16:] = 200
    assert np.array_equal(np.asarray(enlarge(face, 32)), face)
    assert len(np.unique(np.asarray(enlarge(face, 320))[160])) > 8


def test_what_a_wish_leaves_open_stays_as_it_is_estimated(
    run_cli: Run, combined: Path, crop: Path, tmp_path: Path
) -> None:
    generator = load_generator(combined)
    source = np.asarray(Image.open(crop))
    before = generator.vocabulary.words(generator.canonicalise(source[None]).values[0])
    out = tmp_path / "face.png"
    options = ("--cropped", "--out", out, "--weights", combined, "--size", "32", "--flow", "none")
    assert run_cli("edit", crop, "--wish", "accessory=hat", *options).exit_code == 0
    wished = generator.vocabulary.vector({**before, "accessory": "hat"})
    expected = generator.draw(source[None], wished[None]).stage2[0]
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_a_strip_may_be_asked_for_with_another_wish_besides(
    run_cli: Run, combined: Path, crop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "strip.png"
    options = ("--cropped", "--out", out, "--weights", combined, "--size", "32")
    assert run_cli("edit", crop, "--pose", "all", "--wish", "accessory=hat", *options).exit_code == 0
    generator, source = load_generator(combined), np.asarray(Image.open(crop))
    wishes = [generator.vocabulary.vector({"pose": pose, "accessory": "hat"}) for pose in ("-30", "0", "+30")]
    drawing = generator.draw(np.repeat(source[None], 3, 0), np.stack(wishes))
    strip = np.asarray(Image.open(out).convert("L"))
    assert all(holds(strip, face) for face in drawing.stage2)
    others = ("--cropped", "--out", tmp_path / "other.png", "--weights", combined)
    result = run_cli("edit", crop, "--pose", "all", "--accessory", "all", *others)
    failed(result, "Only one attribute at a time")
    failed(run_cli("edit", crop, "--pose", "all", "--wish", "pose=0", *others), "pose is wished for twice")


def test_the_largest_of_several_faces_is_taken_and_another_can_be_named(
    run_cli: Run, weights: Path, photo: Path, tmp_path: Path
) -> None:
    first, named, second = tmp_path / "1.png", tmp_path / "1b.png", tmp_path / "2.png"
    result = run_cli("edit", photo, "--pose", "0", "--weights", weights, "--out", first)
    assert result.exit_code == 0, result.stderr
    assert "shows 2 faces; taking the largest" in result.stderr
    result = run_cli("edit", photo, "--pose", "0", "--weights", weights, "--out", named, "--face", "1")
    assert "faces" not in result.stderr
    assert (
        run_cli("edit", photo, "--pose", "0", "--weights", weights, "--out", second, "--face", "2").exit_code
        == 0
    )
    assert first.read_bytes() == named.read_bytes() != second.read_bytes()
    out = tmp_path / "3.png"
    result = run_cli("edit", photo, "--pose", "0", "--weights", weights, "--out", out, "--face", "3")
    failed(result, "there is no face 3, there are only 2 faces")


def test_a_photograph_without_a_face_says_so(
    run_cli: Run, weights: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TwoFaces, "found", ())
    out = tmp_path / "face.png"
    failed(run_cli("edit", photo, "--pose", "0", "--weights", weights, "--out", out), "no face was found")
    assert not out.exists()


def test_wrong_wishes_weights_and_files_are_one_plain_line(
    run_cli: Run, weights: Path, crop: Path, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "face.png"
    options = ("--cropped", "--weights", weights, "--out", out)
    failed(run_cli("edit", crop, "--pose", "53", *options), "no pose '53'; the nearest is +45")
    failed(run_cli("edit", crop, "--wish", "hat=red", *options), "know no 'hat'; choose one of: pose")
    failed(run_cli("edit", crop, *options), "say what to change", status=2)
    failed(
        run_cli("edit", crop, "--pose", "0", "--cropped", "--out", out, "--weights", "no"), "no weights 'no'"
    )
    failed(run_cli("edit", tmp_path / "gone.png", "--pose", "0", *options), "gone.png")
    failed(run_cli("edit", photo, "--pose", "0", *options), "is 140 × 100 pixels, but a crop is square")
    failed(run_cli("edit", crop, "--pose", "0", *options[:3], "--out", tmp_path / "a.doc"), "a.doc", status=2)
    failed(
        run_cli("edit", crop, "--pose", "0", *options[:3], "--out", tmp_path / "no" / "a.png"),
        "not exist",
        status=2,
    )
    assert not out.exists()


def test_a_picture_that_exists_is_only_replaced_by_force(
    run_cli: Run, weights: Path, crop: Path, photo: Path
) -> None:
    before = photo.read_bytes()
    options = ("--cropped", "--pose", "0", "--weights", weights, "--out", photo)
    failed(run_cli("edit", crop, *options), "photo.png exists already; name another file, or give --force")
    assert photo.read_bytes() == before
    assert run_cli("edit", crop, *options, "--force").exit_code == 0
    assert photo.read_bytes() != before


def test_any_angle_between_the_values_can_be_drawn(
    run_cli: Run, weights: Path, crop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "face.png"
    options = ("--cropped", "--out", out, "--weights", weights, "--size", "32", "--flow", "none")
    assert run_cli("edit", crop, "--pose", "-20", *options).exit_code == 0
    generator, source = load_generator(weights), np.asarray(Image.open(crop))
    drawn = generator.draw(source[None], generator.vocabulary.vector({"pose": "-20"})[None]).stage2[0]
    assert np.array_equal(np.asarray(Image.open(out)), drawn)
    whole = [generator.draw(source[None], one_hots(pose)).stage2[0] for pose in POSES]
    assert not any(np.array_equal(drawn, one) for one in whole)


def test_a_face_can_be_drawn_from_python_in_every_form(weights: Path, photo: Path) -> None:
    with Image.open(photo) as picture:
        forms = (photo, photo.read_bytes(), picture, np.asarray(picture))
        made = [edit(form, {"pose": 30}, weights=weights, detector=TwoFaces) for form in forms]
    assert all(np.array_equal(one.image, made[0].image) for one in made)
    assert (made[0].number, made[0].count, made[0].values, made[0].attribute) == (1, 2, ("+30",), "")
    strip = edit(photo, {"pose": "all"}, weights=weights, face=2, detector=TwoFaces)
    assert (strip.number, strip.values, strip.attribute, strip.stage2.shape) == (
        2,
        POSES,
        "pose",
        (7, 32, 32),
    )
    with pytest.raises(WishError, match="Say what to change"):
        edit(photo, {}, weights=weights, detector=TwoFaces)


def test_the_help_has_examples(run_cli: Run) -> None:
    result = run_cli("edit", "--help")
    assert "anotheryou edit me.jpg --pose -30 --out face.png" in result.stdout
