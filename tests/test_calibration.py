"""The file that turns similarities into probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faces.errors import WeightsError
from retrieval.calibration import (
    CALIBRATION_FILE,
    Calibration,
    IdentityCalibration,
    InDomain,
    read_calibration,
)
from retrieval.identity import DlibIdentity

FULL = Calibration(
    identities={
        "0123456789ab": IdentityCalibration(slope=31.5, midpoint=0.61, steepness=25.0, enough=0.8),
        "ba9876543210": IdentityCalibration(12.0, 0.31, steepness=9.0, enough=0.5, scaled=False),
    },
    prior=0.02,
    appearance={"pose": 2.5, "accessory": 4.0},
    in_domain={"pose": InDomain(12.5, near=6.0, far=8.0, level=0.5)},
    alone=11.0,
    temperatures={"pose": 280.0},
    landmarks={"pose": 11.0},
    deviations={"pose": 8.5},
    doubt=0.01,
    odds=(0.9, -0.3),
    odds_alone=(1.1, -9.0),
    fitted_on="made up",
)


@pytest.mark.parametrize("calibration", [FULL, Calibration()])
def test_what_is_saved_is_read_back(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    calibration.save(path)
    assert read_calibration(path) == calibration
    assert json.loads(path.read_text()) == json.loads(json.dumps(calibration.to_json()))


def test_what_was_not_calibrated_has_a_usual_value() -> None:
    assert [float(one) for one in FULL.weight("accessory", 3.0)] == [4.0, 0.0]
    assert [float(one) for one in FULL.weight("smile", 3.0)] == [5.0, 0.0]
    assert (FULL.temperature("pose"), FULL.temperature("smile")) == (280.0, 300.0)
    assert (FULL.deviation("pose", 15.0), FULL.deviation("age", 10.0)) == (8.5, 10.0)


def test_a_drawing_counts_more_the_closer_the_own_drawing_comes() -> None:
    weights, taken = FULL.weight("pose", np.array([0.0, 6.0, 7.0, 8.0, 30.0]))
    np.testing.assert_allclose(weights, [12.5, 12.5, 7.5, 2.5, 2.5])
    np.testing.assert_allclose(taken, [5.0, 5.0, 2.5, 0.0, 0.0])


def test_a_model_is_known_by_its_content() -> None:
    assert FULL.identity("ba9876543210", "any.onnx").scaled is False
    with pytest.raises(WeightsError, match=r"nobody has calibrated the identity model my/face\.onnx; run "):
        FULL.identity("feedfeedfeed", "my/face.onnx")
    with pytest.raises(WeightsError, match=r"`anotheryou calibrate FACES --identity my/face\.onnx`"):
        FULL.identity("feedfeedfeed", "my/face.onnx")


def test_a_calibration_made_before_domains_were_told_apart_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(changed(lambda content: (content.pop("in_domain"), content.pop("landmarks"))))
    assert read_calibration(path) == replace(FULL, in_domain={}, landmarks={})


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(json.dumps(FULL.to_json()))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        changed(lambda content: content.update(format=2)),
        changed(lambda content: content.pop("format")),
        changed(lambda content: content.pop("identities")),
        changed(lambda content: content.pop("odds")),
        changed(lambda content: content.update(odds=3)),
        changed(lambda content: content.update(odds=["a", "b"])),
        changed(lambda content: content.update(unknown=3)),
        changed(lambda content: content.update(prior=0)),
        changed(lambda content: content.update(prior=1)),
        changed(lambda content: content.update(prior="much")),
        changed(lambda content: content.update(doubt=-0.1)),
        changed(lambda content: content.update(alone=math.nan)),
        changed(lambda content: content.update(odds=[1.0, math.inf])),
        changed(lambda content: content.update(identities=[])),
        changed(lambda content: content["in_domain"]["pose"].update(near=8.0)),
        changed(lambda content: content["in_domain"]["pose"].pop("weight")),
        changed(lambda content: content.update(in_domain={"pose": 3})),
        changed(lambda content: content.update(identities={"a": 3})),
        changed(lambda content: content["identities"]["0123456789ab"].pop("slope")),
        changed(lambda content: content["identities"]["0123456789ab"].update(colour=3)),
    ],
)
def test_a_file_that_is_no_calibration_is_refused_in_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(WeightsError) as caught:
        read_calibration(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no calibration (")
    assert message.endswith("; make one with `anotheryou calibrate`, or install again.")
    assert "\n" not in message


@pytest.mark.parametrize("damage", ["missing", "folder", "bytes"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "calibration.json"
    if damage == "folder":
        path.mkdir()
    elif damage == "bytes":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="is no calibration"):
        read_calibration(path)


@pytest.mark.parametrize(("name", "value"), [("prior", 0.0), ("doubt", 1.0), ("alone", math.inf)])
def test_numbers_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"finite|between 0 and 1"):
        Calibration(**{name: value})  # type: ignore[arg-type]


def test_the_users_own_calibration_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHERYOU_CALIBRATION", str(tmp_path / "own.json"))
    shipped = read_calibration()
    assert shipped != FULL
    FULL.save(tmp_path / "own.json")
    known = {**shipped.identities, **FULL.identities}  # models it does not know are as they come along
    assert read_calibration() == replace(FULL, identities=known)


def test_the_calibration_that_comes_along_knows_the_descriptor_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOTHERYOU_CALIBRATION", str(tmp_path / "none.json"))
    shipped = read_calibration()
    known = shipped.identity(DlibIdentity().digest, DlibIdentity().name)
    assert known.scaled
    assert known.slope > 0
    assert known.steepness > 0
    assert -1 < known.midpoint < known.enough <= 1
    assert set(shipped.temperatures) >= {"pose", "accessory"}
    assert set(shipped.appearance) >= {"pose", "accessory"}
    assert "pose" in shipped.deviations and "pose" in shipped.landmarks
    for name, domain in shipped.in_domain.items():
        assert domain.weight > shipped.appearance[name] and 0 < domain.level < 1
    assert set(shipped.in_domain) == {"pose", "accessory"}
    assert shipped.odds[0] > 0
    assert shipped.odds_alone[0] > 0
    import retrieval.calibration

    assert Path(retrieval.calibration.__file__).with_name(CALIBRATION_FILE).is_file()
