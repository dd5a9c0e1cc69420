from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, readable_faces

from evaluation.cmu_faces import SPECTACLES_WEARERS, SUNGLASSES, as_worn, parse_name
from evaluation.estimates import (
    DETECTIONS,
    Estimates,
    at_most,
    bare_taken_for_worn,
    confusion,
    detected,
    estimates_in,
    labelled_yaw,
    measured,
    recognised,
    side_recognised,
    yaw_error,
)
from facedata.labelled import FaceSet, LabelRow, face_set
from faces.types import Bools, Doubles
from generator.projection import Projection
from retrieval.calibration import Calibration
from retrieval.engine import Engine
from retrieval.estimates import worth_saying
from retrieval.parts import Encoding

WORN = ("none", "glasses-1", "glasses-2", "glasses-3", "hat-1")
NAMED = {one.name: one for one in DETECTIONS}


def faces_labelled(**columns: list[str]) -> FaceSet:
    """Faces of one person each, with these labels."""
    rows = [
        LabelRow(str(number), f"person {number}", **dict(zip(columns, words, strict=True)))
        for number, words in enumerate(zip(*columns.values(), strict=True))
    ]
    return face_set("made", np.zeros((len(rows), 8, 8), np.uint8), rows)


def certain(attribute: str, values: tuple[str, ...], words: list[str]) -> Estimates:
    """Estimates that are sure of one word for each face."""
    posterior = np.array([[float(word == value) for value in values] for word in words])
    return Estimates({attribute: values}, {attribute: posterior}, None)


def share_in_order(scores: Doubles, shown: Bools) -> float:
    """The AUC by its definition: of all pairs, those in which the face that shows it has more."""
    apart = scores[shown][:, None] - scores[~shown][None]
    return float(np.mean((apart > 0) + 0.5 * (apart == 0)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("glasses of any kind", ["glasses-1", "glasses-2", "glasses-3"]),
        ("spectacles", ["glasses-1", "glasses-2"]),
        ("sunglasses", ["glasses-3"]),
        ("hats", ["hat-1"]),
    ],
)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(name: str, shown: list[str]) -> None:
    random = np.random.default_rng(3)
    faces = faces_labelled(accessory=random.choice(WORN, 200).tolist())
    posterior = np.round(random.dirichlet(np.full(5, 0.3), 200), 1)  # rounded, so that there are ties
    estimates = Estimates({"accessory": WORN}, {"accessory": posterior}, None)
    judged = np.isin(faces.accessories, ["none", *shown])
    scores = posterior[:, [WORN.index(value) for value in shown]].sum(axis=1)[judged]
    found = detected(estimates, faces, NAMED[name])
    assert found is not None
    assert found.value == pytest.approx(share_in_order(scores, faces.accessories[judged] != "none"))
    assert found.faces == judged.sum()


def test_spectacles_of_either_frame_are_spectacles() -> None:
    faces = faces_labelled(accessory=["spectacles", "spectacles", "spectacles", "none"])
    estimates = certain("accessory", WORN, ["glasses-1", "glasses-2", "glasses-3", "none"])
    found = detected(estimates, faces, NAMED["spectacles"])
    assert found is not None
    assert found.value == pytest.approx((1 + 1 + 0.5) / 3)
    share, _ = recognised(estimates, faces, "accessory")
    assert (share.value, share.faces) == (75.0, 4)


def test_what_is_not_labelled_or_not_known_is_not_detected() -> None:
    faces = faces_labelled(accessory=["none", "mask", "none"])
    estimates = certain("accessory", WORN, ["none"] * 3)
    assert detected(estimates, faces, NAMED["mask"]) is None  # the weights do not know it
    assert detected(estimates, faces, NAMED["hats"]) is None  # no face shows it
    assert detected(estimates, faces, NAMED["smile or laugh"]) is None


def test_bare_faces_are_counted_that_are_taken_for_something_worn() -> None:
    faces = faces_labelled(accessory=["none", "none", "none", "none", "hat-1", ""])
    estimates = certain("accessory", WORN, ["none", "glasses-1", "none", "none", "glasses-1", "hat-1"])
    found = bare_taken_for_worn(estimates, faces)
    assert found is not None
    assert (found.value, found.faces) == (25.0, 4)


def test_the_error_of_the_yaw_is_of_faces_whose_yaw_is_known() -> None:
    estimates = Estimates({}, {}, np.array([10.0, -20.0, 3.0]))
    found = yaw_error(estimates, labelled_yaw(faces_labelled(pose=["+30", "-15", "up"])))
    assert found is not None
    assert (found.value, found.faces) == (12.5, 2)
    assert yaw_error(estimates, np.full(3, np.nan)) is None


def test_a_straight_face_is_within_15_degrees_and_a_turned_one_beyond_on_its_side() -> None:
    expected = np.array([15.0, 15.1, -15.0, -40.0, 40.0, 12.0, 90.0])
    yaw = np.array([0.0, 0.0, 30.0, -45.0, -45.0, 15.0, np.nan])  # the last two are not judged
    found = side_recognised(Estimates({}, {}, expected), yaw)
    assert found is not None
    assert found.value == pytest.approx(40.0)
    assert found.faces == 5


def test_poses_beyond_what_labels_know_count_as_the_farthest() -> None:
    values = ("-60", "-45", "0", "+45", "+60")
    posterior = np.array([[0.5, 0.1, 0.1, 0.1, 0.2], [0.0, 0.2, 0.3, 0.1, 0.4]])
    folded = at_most(Estimates({"pose": values}, {"pose": posterior}, None), 45)
    assert folded.values["pose"] == ("-45", "0", "+45")
    assert folded.posteriors["pose"] == pytest.approx(np.array([[0.6, 0.1, 0.3], [0.2, 0.3, 0.5]]))
    assert at_most(folded, 45) is folded


def test_the_log_loss_is_that_of_the_labelled_value() -> None:
    faces = faces_labelled(pose=["30", "-15", "up"])
    posterior = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    share, loss = recognised(Estimates({"pose": ("-15", "+30")}, {"pose": posterior}, None), faces, "pose")
    assert share.value == 0.0  # of equal ones the first counts
    assert loss.value == pytest.approx((np.log(2) + np.log(1000)) / 2)
    assert loss.faces == 2


def test_faces_are_counted_by_what_they_are_taken_for() -> None:
    faces = faces_labelled(accessory=["none", "none", "spectacles", ""])
    estimates = certain("accessory", WORN, ["none", "hat-1", "glasses-2", "none"])
    columns, rows = confusion(estimates, faces, "accessory")
    assert columns == ("accessory", *WORN)
    assert rows == [("none", "1", "0", "0", "0", "1"), ("spectacles", "0", "0", "1", "0", "0")]


def test_an_engine_of_perfect_weights_is_measured_as_perfect() -> None:
    faces = readable_faces(people=3, lights=2)
    projection = Projection(np.zeros(64, np.float32), np.eye(4, 64, dtype=np.float16))
    engine = Engine(
        [Encoding(PerfectGenerator(), projection, "perfect")],
        None,
        Calibration(temperatures={"pose": 0.1}),
    )
    estimates = estimates_in(engine, engine.embed(faces.crops, None))
    assert estimates.posteriors["pose"].sum(axis=1) == pytest.approx(np.ones(len(faces)))
    found = {one.name: one for one in measured(estimates, faces, labelled_yaw(faces))}
    assert found["pose recognised"].value == 100.0
    assert found["straight or turned to which side"].value == 100.0
    assert found["straight or turned to which side"].faces == 3 * 2 * 5
    assert found["expected yaw, mean absolute error"].value == pytest.approx(0.0, abs=0.01)
    assert estimates.likeliest("pose").tolist() == list(POSES) * 6


def test_a_cmu_name_tells_tilt_and_smile_and_the_list_tells_spectacles() -> None:
    names = ["at33_up_happy_open", "at33_left_sad_sunglasses", "an2i_straight_neutral_open"]
    faces = face_set(
        "cmu", np.zeros((3, 8, 8), np.uint8), [parse_name(Path(f"{name}.pgm")) for name in names]
    )
    assert faces.tilts.tolist() == ["up", "level", "level"]
    assert faces.expressions.tolist() == ["smile", "", "neutral"]
    assert as_worn(faces).accessories.tolist() == ["spectacles", SUNGLASSES, "none"]
    assert faces.accessories.tolist() == ["none", SUNGLASSES, "none"]


def test_spectacles_wearers_are_people_of_the_photographs(photos_path: Path) -> None:
    people = {path.name.split("_")[0] for path in (photos_path / "cmu_faces").glob("*.pgm")}
    assert set(SPECTACLES_WEARERS) < people


def test_what_most_faces_show_is_not_worth_saying() -> None:
    usual = {"pose": "+30", "accessory": "none", "light": "even", "tilt": "level", "expression": "neutral"}
    assert worth_saying(usual) == "+30"
    worn = {**usual, "accessory": "glasses-3", "light": "left", "expression": "smile"}
    assert worth_saying(worn) == "+30, sunglasses, light left, smile"
    assert worth_saying({"accessory": "none"}) == "none"
