"""What was said and taken back is as if it had never been said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from faces.types import Box
from index import Decision, FacesByName, PlacedFace
from retrieval.decisions import holding_decisions, replayed

FACES = tuple(
    PlacedFace(number, number, f"/album/{number}.jpg", f"{number:064x}", Box(0, 0, 50, 60))
    for number in range(1, 7)
)
KINDS = ("name", "not", "rename", "same", "apart", "split", "noface", "hide", "show")

faces = st.lists(st.sampled_from([[*face.name] for face in FACES]), min_size=1, max_size=4, unique_by=str)
names = st.sampled_from(["Ann", "Bob", "Cleo"])


@st.composite
def sayings(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> list[tuple[str, dict[str, Any]]]:
    """Draw what people may say, in any order, sense or not."""
    details = st.fixed_dictionaries(
        {"faces": faces, "others": faces, "name": names, "from": names, "to": names}
    )
    return draw(st.lists(st.tuples(st.sampled_from(kinds), details), max_size=12))


def numbered(said: list[tuple[str, dict[str, Any]]]) -> list[Decision]:
    return [Decision(number, "2026-12-01T12:00:00+00:00", *one) for number, one in enumerate(said, start=1)]


@given(sayings(), st.data())
def test_what_was_taken_back_was_never_said(
    said: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    undone = data.draw(st.sets(st.sampled_from(range(len(said))) if said else st.nothing()))
    every = numbered([*said, *(("undo", {"of": one + 1}) for one in sorted(undone))])
    kept = [one for one in every[: len(said)] if one.id - 1 not in undone]
    assert holding_decisions(every) == kept
    assert replayed(every, FacesByName(FACES)) == replayed(kept, FacesByName(FACES))


@given(sayings(), faces, names)
def test_what_was_said_last_holds(
    said: list[tuple[str, dict[str, Any]]], chosen: list[Any], name: str
) -> None:
    ids = {face.id for face in FACES if [*face.name] in chosen}
    details = {"faces": chosen, "name": name}
    found = replayed(numbered([*said, ("name", details)]), FacesByName(FACES))
    assert {found.names[face] for face in ids} == {name}
    assert not any(name in found.rejected.get(face, ()) for face in ids)
    found = replayed(numbered([*said, ("not", details)]), FacesByName(FACES))
    assert all(found.names.get(face) != name and name in found.rejected[face] for face in ids)


@given(sayings(), st.integers(0, 6))
def test_faces_that_are_gone_are_passed_over(said: list[tuple[str, dict[str, Any]]], left: int) -> None:
    found = replayed(numbered(said), FacesByName(FACES[:left]))
    there = {face.id for face in FACES[:left]}
    assert {*found.names} | {*found.rejected} | found.no_faces | found.hidden_faces <= there
