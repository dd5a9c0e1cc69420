"""The row ``ours-posterior``: canonicalisation with doubt, against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.searcher import QueryBatch
from evaluation.context import Context
from evaluation.methods import find_method
from evaluation.ours import OursPosterior
from evaluation.protocol import draw_queries
from evaluation.studio import Studio
from facedata.labelled import FaceSet, read_labelled, rendered_mini_path
from faces.types import Doubles
from generator.checkpoint import load_generator


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    found = read_labelled(rendered_mini_path(), cropped=True)
    return found.select(np.isin(found.persons, np.unique(found.persons)[:4]) & (found.lights == "00"))


@pytest.fixture(scope="module")
def fitted(faces: FaceSet) -> OursPosterior:
    context = Context(studio=Studio(load_generator("rotation-32-paper")), attribute="pose")
    row = find_method("ours-posterior", "pose").build(context).fit(faces)
    assert isinstance(row, OursPosterior)
    return row


def scores_of(fitted: OursPosterior, faces: FaceSet, batch: QueryBatch) -> Doubles:
    """Score every face (N,) for every query (Q,) as the row's docstring says it, one after the other."""
    generator = fitted.studio.generator
    words = list(fitted.studio.values("pose"))
    distances = generator.canonicalise(faces.crops).distances.astype(np.float64)
    likely = distances**-6.0 / (distances**-6.0).sum(1, keepdims=True)
    assert 0.1 < (likely.max(1) < 0.5).mean() < 0.9  # many are in doubt, and many are not
    found = np.empty((len(batch.crops), len(faces)))
    for query, (crop, target) in enumerate(zip(batch.crops, batch.targets, strict=True)):
        wished = np.eye(len(words), dtype=np.float32)[words.index(str(target))]
        asked = generator.draw(crop[None], wished[None]).features[0]
        for face, shown in enumerate(likely):
            drawn = generator.draw(faces.crops[face][None], shown[None].astype(np.float32)).features[0]
            log = np.log(max(shown[words.index(str(target))], 1e-3))
            found[query, face] = float(asked @ drawn) + 0.01 * log
    return found


def test_faces_are_ranked_by_similarity_and_the_wished_values_probability(
    fitted: OursPosterior, faces: FaceSet
) -> None:
    queries = draw_queries(faces, "pose", fitted.studio.values("pose"), count=12)
    batch = queries.batch(faces)
    scores = scores_of(fitted, faces, batch)
    found = fitted.rank(batch, 5)
    assert fitted.gallery_.shape == (len(faces), 16384 + 7)
    ordered = np.take_along_axis(scores, found, 1)
    np.testing.assert_allclose(ordered, -np.sort(-scores, axis=1)[:, :5], atol=5e-3)
    assert (faces.persons[found[:, 0]] == faces.persons[queries.faces]).mean() > 0.8


def test_it_is_a_row_of_every_attribute_and_asked_by_name() -> None:
    assert find_method("ours-posterior", "accessory").family == "ours"
