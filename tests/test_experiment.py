"""What is measured of a set of faces if the user does not say."""

from dataclasses import replace

import numpy as np
import pytest
from fake_generators import PerfectGenerator, readable_faces

from evaluation.protocol import best_studios
from evaluation.studio import Studio
from facedata.labelled import FaceSet
from faces.errors import DataError
from generator.attributes import AttributeGroup, Vocabulary


class Bars(PerfectGenerator):
    """Takes bars off eyes, and knows nothing else."""

    vocabulary = Vocabulary((AttributeGroup("accessory", ("none",)),))  # type: ignore[assignment]


def barred_faces() -> FaceSet:
    """Faces in all poses, every other with a bar."""
    faces = readable_faces(people=2, lights=2)
    words = np.where(np.arange(len(faces)) % 2, "bar", "none")
    return replace(faces, accessories=words)


def test_bars_are_there_to_be_taken_off_though_the_poses_differ() -> None:
    studios = {"turning": Studio(PerfectGenerator()), "bars": Studio(Bars())}
    assert best_studios(barred_faces(), studios) == ("accessory", ["bars"])
    assert best_studios(barred_faces(), studios, "pose") == ("pose", ["turning"])
    assert best_studios(readable_faces(), studios) == ("pose", ["turning"])


def test_bars_without_weights_for_them_are_one_clear_error() -> None:
    with pytest.raises(DataError, match="can change the accessory"):
        best_studios(barred_faces(), {"turning": Studio(PerfectGenerator())})
