"""The projection of features to appearances, against scikit-learn used plainly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.decomposition import PCA

from faces.errors import WeightsError
from faces.types import Floats
from generator.available import SHIPPED
from generator.checkpoint import load_generator
from generator.projection import COMPONENTS, PROJECTION_FILE, Projection, load_projection

SIZE, DIMENSION = 40, 6


@pytest.fixture(scope="module")
def features() -> Floats:
    """A few strong directions and noise, so that the components are well determined."""
    rng = np.random.default_rng(3)
    strengths = np.array([9, 7, 5, 4, 3, 2.2, *[0.3] * 34])
    turned, _ = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))
    return np.asarray((rng.normal(size=(300, SIZE)) * strengths) @ turned + 2.5, np.float32)


@pytest.fixture(scope="module")
def projection(features: Floats) -> Projection:
    return Projection.fit(features, DIMENSION)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_it_is_a_principal_component_analysis_divided_by_a_power_of_the_singular_values(
    features: Floats, whitening: float
) -> None:
    found = Projection.fit(features, DIMENSION, whitening)
    assert found.dimension == DIMENSION
    assert found.mean.dtype == np.float32
    assert found.components.dtype == np.float16
    plain = PCA(DIMENSION, svd_solver="full").fit(features.astype(np.float64))
    scores = (features - plain.mean_) @ plain.components_.T  # (N, P)
    scores /= np.sqrt((scores**2).mean(0)) ** whitening
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    appearances = found(features)
    # A component may point the other way; inner products do not notice.
    np.testing.assert_allclose(appearances @ appearances.T, scores @ scores.T, atol=4e-3)


def test_appearances_have_length_one_however_many_there_are(
    features: Floats, projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = projection(features)
    assert crowd.dtype == np.float32
    assert crowd.shape == (300, DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(crowd, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(projection(features[7:8])[0], crowd[7], atol=1e-6)
    monkeypatch.setattr("generator.projection._ROWS", 64)
    np.testing.assert_allclose(projection(features), crowd, atol=1e-6)
    assert projection(features[:0]).shape == (0, DIMENSION)
    assert np.array_equal(projection(projection.mean[None]), np.zeros((1, DIMENSION)))  # no direction


def test_features_of_16_bits_are_as_good(features: Floats, projection: Projection) -> None:
    np.testing.assert_allclose(projection(features.astype(np.float16)), projection(features), atol=2e-3)


def test_fitting_again_gives_the_same_numbers(features: Floats, projection: Projection) -> None:
    again = Projection.fit(features, DIMENSION)
    assert again.digest == projection.digest
    assert len(again.digest) == 12
    assert Projection.fit(features, DIMENSION, whitening=0.6).digest != projection.digest
    assert Projection.fit(features[:200], DIMENSION).digest != projection.digest


@pytest.mark.parametrize("count", [0, 1, DIMENSION])
def test_too_few_faces_are_refused(features: Floats, count: int) -> None:
    with pytest.raises(WeightsError, match=f"^{count} faces are too few for a projection to 6 numbers; use"):
        Projection.fit(features[:count], DIMENSION)
    Projection.fit(features[: DIMENSION + 1], DIMENSION)


def test_its_first_components_are_a_projection_too(features: Floats, projection: Projection) -> None:
    few = projection.first(2)
    assert few.dimension == 2
    plain = (features - projection.mean) @ projection.components[:2].astype(np.float32).T
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(few(features), plain, atol=1e-5)
    again = Projection.fit(features, 2)
    np.testing.assert_allclose(
        few(features) @ few(features).T, again(features) @ again(features).T, atol=4e-3
    )


def test_what_is_saved_is_read_back(projection: Projection, features: Floats, tmp_path: Path) -> None:
    projection.save(tmp_path)
    found = load_projection(tmp_path, SIZE)
    assert np.array_equal(found.mean, projection.mean)
    assert np.array_equal(found.components, projection.components)
    assert found.digest == projection.digest
    np.testing.assert_allclose(found(features), projection(features), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [PROJECTION_FILE]


def test_weights_without_a_projection_are_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"missing, .* `anotheryou fit-projection {tmp_path} FACES`\.$"):
        load_projection(tmp_path, SIZE)


@pytest.mark.parametrize("damage", ["empty", "short", "text", "folder"])
def test_a_damaged_file_is_refused(projection: Projection, tmp_path: Path, damage: str) -> None:
    projection.save(tmp_path)
    path = tmp_path / PROJECTION_FILE
    content = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "short": content[:-9], "text": b"no tensors here"}[damage])
    with pytest.raises(WeightsError, match=rf"^{path} cannot be read \(.*copy the whole folder again\.$"):
        load_projection(tmp_path, SIZE)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": None},
        {"components": None},
        {"mean": np.zeros(SIZE + 1, np.float32)},
        {"mean": np.zeros((1, SIZE), np.float32)},
        {"mean": np.zeros(SIZE, np.float64)},
        {"mean": np.full(SIZE, np.nan, np.float32)},
        {"components": np.zeros((DIMENSION, SIZE), np.float32)},
        {"components": np.zeros((DIMENSION, SIZE - 1), np.float16)},
        {"components": np.zeros(SIZE, np.float16)},
        {"components": np.full((DIMENSION, SIZE), np.inf, np.float16)},
    ],
)
def test_a_projection_of_other_weights_is_refused(
    projection: Projection, tmp_path: Path, change: dict[str, np.ndarray | None]
) -> None:
    projection.save(tmp_path)
    path = tmp_path / PROJECTION_FILE
    tensors = {**load(path.read_bytes()), **change}
    path.write_bytes(save({name: tensor for name, tensor in tensors.items() if tensor is not None}))
    with pytest.raises(WeightsError, match=rf"^{path} does not fit the weights beside it; copy"):
        load_projection(tmp_path, SIZE)


@pytest.mark.parametrize("name", ["rotation-32", "accessories-32"])
def test_the_weights_that_come_along_have_theirs(name: str) -> None:
    size = load_generator(name, device="cpu").feature_size
    found = load_projection(SHIPPED / name, size)
    assert (found.dimension, size) == (COMPONENTS, 16_384)
    rng = np.random.default_rng(0)
    appearances = found(rng.normal(size=(3, size)).astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(appearances, axis=1), 1, atol=1e-6)
    # Principal components are at right angles to each other, and the first are divided by the most.
    lengths = np.linalg.norm(found.components.astype(np.float64), axis=1)
    directions = found.components / lengths[:, None]
    np.testing.assert_allclose(directions @ directions.T, np.eye(COMPONENTS), atol=1e-3)
    assert (np.diff(lengths) > -1e-2).all()
