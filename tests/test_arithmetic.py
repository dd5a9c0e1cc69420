"""Feature arithmetic: the plain formula, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from fake_generators import readable_faces
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from baselines import rivals
from baselines.rivals import ValueMeans
from baselines.searcher import QueryBatch, normalised
from baselines.two_step import Arithmetic
from facedata.labelled import Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.progress import Progress

VALUES = np.array(["-45", "0", "+45"])


def random_vectors(rows: int, width: int, seed: int) -> tuple[NDArray[np.float32], Words]:
    random = np.random.default_rng(seed)
    return normalised(random.normal(size=(rows, width))), np.resize(VALUES, rows)


@given(st.integers(3, 30), st.integers(1, 20), st.integers(2, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_moved_vectors_are_the_plain_formula(
    rows: int, asked: int, width: int, seed: int, half: bool
) -> None:
    vectors, words = random_vectors(rows, width, seed)
    queries, _ = random_vectors(asked, width, seed + 1)
    random = np.random.default_rng(seed)
    own, wished = random.choice(VALUES, asked), random.choice(VALUES, asked)
    queries = queries.astype(np.float16 if half else np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rivals, "_ROWS", 6)
        moved = ValueMeans().fit(vectors, words).moved(queries, own, wished)
    assert moved.dtype == queries.dtype
    for row in range(asked):
        plain = queries[row].astype(np.float64)
        plain -= vectors[words == own[row]].mean(axis=0, dtype=np.float64)
        plain += vectors[words == wished[row]].mean(axis=0, dtype=np.float64)
        length = np.linalg.norm(plain)
        # A sum of almost nothing points anywhere.
        assert length < 1e-2 or np.allclose(moved[row], plain / length, atol=2e-3 if half else 1e-4)


def test_who_already_has_the_wished_value_stays() -> None:
    vectors, words = random_vectors(9, 5, seed=3)
    assert np.allclose(ValueMeans().fit(vectors, words).moved(vectors, words, words), vectors, atol=1e-6)


class Sums:
    """Features in which person, light and pose add up."""

    name = "sums"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> NDArray[np.float32]:
        found = np.zeros((len(pictures), 60), np.float32)
        for part, start in enumerate((0, 20, 40)):
            found[np.arange(len(pictures)), start + pictures.crops[:, 0, part]] = 1
        return normalised(found)


def test_where_features_add_up_everything_is_found() -> None:
    learners, gallery = readable_faces(people=4, lights=3), readable_faces(people=6, lights=3)
    means = ValueMeans().fit(Sums()(learners.pictures), learners.poses)
    queries = np.arange(0, len(gallery), 4)
    wished = np.resize(np.array(["+45", "-15", "0"]), len(queries))

    def tell(pictures: Pictures) -> Words:
        return gallery.poses[queries]

    searcher = Arithmetic(name="arithmetic-sums", features=Sums(), means=means, tell=tell)
    batch = QueryBatch(gallery.pictures.select(queries), {"pose": wished})
    found = searcher.fit(gallery).rank(batch, 3)[:, 0]
    assert np.array_equal(gallery.persons[found], gallery.persons[queries])
    assert np.array_equal(gallery.lights[found], gallery.lights[queries])
    assert np.array_equal(gallery.poses[found], wished)


def test_what_does_not_fit_is_refused() -> None:
    vectors, words = random_vectors(9, 5, seed=3)
    means = ValueMeans().fit(vectors, words)
    with pytest.raises(DataError, match=r"shows '\+90'"):
        means.moved(vectors[:1], np.array(["0"]), np.array(["+90"]))
    with pytest.raises(DataError, match="means of 5 numbers"):
        means.moved(vectors[:, :4], words, words)
    with pytest.raises(DataError, match="a word each"):
        ValueMeans().fit(vectors, words[:3])
