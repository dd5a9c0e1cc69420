"""What decisions about faces say, played back in order; ``index.decisions`` keeps them.

name     these faces show NAME                  not     these faces do not show NAME
rename   FROM is called TO, and so are its faces            (merges two people if TO is known)
same     these faces show one person            apart   these faces and those others show two
split    these faces show one person, which is not that of the others, nor NAME
noface   these are no faces                     face    there are faces at these places (``drawn_faces``)
hide     this person is not to be listed        show    it is
undo     decision OF is taken back
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from faces.errors import PeopleError
from faces.text import one_line
from faces.types import Ints
from index import Decision, FaceName, FacesByName, Snapshot

_LONGEST = 200  # letters of a name


@dataclass
class Said:
    """What the decisions that hold say, faces as ids."""

    names: dict[int, str] = field(default_factory=dict)
    rejected: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    same: list[list[int]] = field(default_factory=list)
    apart: list[tuple[list[int], list[int]]] = field(default_factory=list)
    no_faces: set[int] = field(default_factory=set)
    drawn: list[FaceName] = field(default_factory=list)
    hidden_names: set[str] = field(default_factory=set)
    hidden_faces: set[int] = field(default_factory=set)

    def untie(self, faces: Sequence[int], others: Sequence[int] | None = None) -> None:
        """Let what is said now hold: faces leave sets of one person, those with ``others`` in them or all."""
        for number, tied in enumerate(self.same):
            if others is None or not {*others}.isdisjoint(tied):
                self.same[number] = [face for face in tied if face not in faces]


def replayed(decisions: Iterable[Decision], find: FacesByName) -> Said:
    """Play back what was said; what is no decision as this version knows them is passed over."""
    said, every = Said(), list(decisions)
    holding = holding_decisions(every)
    kept = {one.id for one in holding}
    # A face that was drawn stays in the catalogue when that is taken back, as one that is none.
    for one in every:
        if one.kind == "face" and one.id not in kept:
            said.no_faces.update(find(map(FaceName.read, one.details.get("faces", []))))
    for one in holding:
        details = one.details
        faces, others = (
            list(find(map(FaceName.read, details.get(name, [])))) for name in ("faces", "others")
        )
        name = str(details.get("name", ""))
        match one.kind:
            case "name":
                said.untie(faces, [face for face, known in said.names.items() if known != name])
                for face in faces:
                    said.names[face] = name
                    said.rejected[face].discard(name)
            case "rename":
                before, after = str(details.get("from", "")), str(details.get("to", ""))
                said.names = {face: after if old == before else old for face, old in said.names.items()}
                for names in said.rejected.values():
                    names |= {after} if before in names else set()
                if before in said.hidden_names:
                    said.hidden_names.add(after)
            case "not" | "split":
                said.untie(faces)
                for face in faces:
                    if name and said.names.get(face) == name:
                        del said.names[face]
                    said.rejected[face] |= {name} - {""}
                if one.kind == "split":
                    said.same.append(faces)
                    said.apart.append((faces, others))
            case "same":
                said.same.append(faces)
            case "apart":
                said.untie(faces, others)
                said.apart.append((faces, others))
            case "noface":
                said.no_faces.update(faces)
            case "face":
                said.drawn.extend(map(FaceName.read, details.get("faces", [])))
                said.no_faces.difference_update(faces)
            case "hide" | "show":
                change = set.update if one.kind == "hide" else set.difference_update
                change(said.hidden_names, {name} - {""})
                change(said.hidden_faces, set() if name else set(faces))
    return said


def ids_of_no_faces(snapshot: Snapshot) -> Ints:
    """Give the ids (n,) of what was said to be no face."""
    decisions = snapshot.decisions()
    if not any(one.kind in ("noface", "face") for one in decisions):
        return np.empty(0, np.int64)
    found = replayed(decisions, FacesByName(snapshot.placed_faces()))
    return np.array(sorted(found.no_faces), np.int64)


def drawn_faces(snapshot: Snapshot) -> list[FaceName]:
    """Give the faces that were drawn by hand."""
    said = [one for one in holding_decisions(snapshot.decisions()) if one.kind == "face"]
    return replayed(said, FacesByName([])).drawn


def holding_decisions(decisions: Iterable[Decision]) -> list[Decision]:
    """Give the decisions that were not taken back, without those that take back."""
    every = list(decisions)
    undone = {one.details.get("of") for one in every if one.kind == "undo"}
    return [one for one in every if one.kind != "undo" and one.id not in undone]


def words_of(decision: Decision) -> str:
    """Say a decision in words: ``12 faces show Anna``."""
    said, count = decision.details, len(decision.details.get("faces", []))
    faces, show = ("1 face", "shows") if count == 1 else (f"{count:,} faces", "show")
    name = said.get("name") or "them"
    return {
        "name": f"{faces} {show} {name}",
        "not": f"{faces}, which {show} somebody else than {name}",
        "rename": f"{said.get('from')} is {said.get('to')}",
        "same": f"{faces} {show} one person",
        "apart": "two groups show two people",
        "split": f"{faces} {show} somebody else than {said.get('name') or 'the rest'}",
        "face": "a face was drawn",
        "noface": "1 find is no face" if count == 1 else f"{count:,} finds are no faces",
        "hide": f"{said.get('name') or 'a group'} is hidden",
        "show": f"{said.get('name') or 'a group'} is listed again",
    }.get(decision.kind, decision.kind)


def checked_name(name: str) -> str:
    """Give a name without needless spaces; raises PeopleError if it is none."""
    found = one_line(name)
    if not found or found.startswith("#") or len(found) > _LONGEST:
        raise PeopleError(
            f"{name[:40]!r} is no name; write one of up to {_LONGEST} letters, without # before it"
        )
    return found
