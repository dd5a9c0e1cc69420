import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facedata.labelled import Attribute, FaceSet, LabelRow, face_set
from facedata.pairs import ordered_pairs

POSES = ("-45", "-30", "-15", "0", "+15", "+30", "+45")


def faces_of(rows: list[LabelRow]) -> FaceSet:
    return face_set("made", np.zeros((len(rows), 2, 2), np.uint8), rows)


def grid(people: int, poses: tuple[str, ...], lights: int) -> FaceSet:
    return faces_of(
        [
            LabelRow(f"{person}/{pose}/{light}.png", f"person {person}", pose, f"{light:02}")
            for person in range(people)
            for pose in poses
            for light in range(lights)
        ]
    )


def plain_pairs(faces: FaceSet, attribute: Attribute) -> list[tuple[int, int]]:
    """The definition, word for word."""
    others = [name for name in ("pose", "light", "accessory") if name != attribute]
    own = faces.attribute(attribute)
    return [
        (a, b)
        for a in range(len(faces))
        for b in range(len(faces))
        if faces.persons[a] == faces.persons[b]
        and own[a] != own[b]
        and own[a] != ""
        and own[b] != ""
        and all(faces.attribute(name)[a] == faces.attribute(name)[b] for name in others)  # type: ignore[arg-type]
    ]


def test_the_papers_training_set_has_84000_pairs() -> None:
    pairs = ordered_pairs(grid(100, POSES, 20), "pose")
    assert pairs.shape == (84_000, 2)
    assert pairs.dtype == np.int64
    assert len(np.unique(pairs, axis=0)) == 84_000


def test_seven_accessories_of_a_person_make_42_pairs() -> None:
    rows = [LabelRow(f"{value}.png", "ann", accessory=str(value)) for value in range(7)]
    assert len(ordered_pairs(faces_of(rows), "accessory")) == 42


def test_a_pair_differs_in_the_attribute_and_in_nothing_else() -> None:
    faces = grid(3, POSES[:3], 2)
    source, target = ordered_pairs(faces, "pose").T
    assert np.all(faces.persons[source] == faces.persons[target])
    assert np.all(faces.lights[source] == faces.lights[target])
    assert np.all(faces.poses[source] != faces.poses[target])


words = st.sampled_from(["", "a", "b", "c"])
rows_of_faces = st.lists(st.tuples(st.sampled_from(["ann", "bob"]), words, words, words), max_size=14)


@given(rows_of_faces, st.sampled_from(["pose", "light", "accessory"]))
def test_pairs_are_those_of_the_plain_definition(
    labels: list[tuple[str, str, str, str]], attribute: Attribute
) -> None:
    faces = faces_of([LabelRow(f"{number}.png", *label) for number, label in enumerate(labels)])
    assert [tuple(pair) for pair in ordered_pairs(faces, attribute).tolist()] == plain_pairs(faces, attribute)
