"""From the parameters of an address to a question, and from its answer to what /api and pages show."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

from faces.errors import NoFaceError, WishError
from faces.text import shown
from generator.attributes import everyday
from index import Cursor, KnownPhoto, StoredFace
from pages import models
from pages.album import Album
from retrieval.answers import Prepared
from retrieval.detail import IN_PLACE
from retrieval.estimates import worth_saying
from retrieval.sheet import percent

WISH = "wish-"
"""Begins the parameter of a wish in forms: ``wish-pose=-30``; /api takes ``wish=pose=-30`` as well."""
_MOST_HITS = 200
_FRONTAL = 8  # degrees up to which a head is not called turned
_UNSAID = ("", "none", "even", "level", "neutral")
_SAID = {
    ("accessory", "none"): "without hat or glasses",
    ("light", "left"): "lit from the left",
    ("light", "right"): "lit from the right",
    ("light", "above"): "lit from above",
    ("light", "below"): "lit from below",
    ("light", "even"): "in even light",
    ("light", "dim"): "in dim light",
    ("tilt", "up"): "looking up",
    ("tilt", "down"): "looking down",
    ("tilt", "level"): "looking ahead",
    ("expression", "neutral"): "with a calm face",
    ("expression", "smile"): "smiling",
    ("expression", "laugh"): "laughing",
    ("expression", "surprised"): "surprised",
    ("expression", "eyes-closed"): "with closed eyes",
}
_USUAL_HITS = 24


@dataclass(frozen=True)
class Question:
    """Whom to look for, a ``face`` of the collection, face ``number`` of a ``picture`` or a ``person`` with a
    name, and how."""

    face: int | None = None
    picture: str | None = None
    person: str | None = None
    number: int = 1
    wish: Mapping[str, str] = field(default_factory=dict)
    unwished: tuple[str, ...] = ()
    k: int = _USUAL_HITS
    only: bool = False
    below: str | None = None
    since: str | None = None
    until: str | None = None
    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, asked: QueryParams) -> Self:
        """Read a question; raises WishError or NoFaceError for what is no question."""
        wish = {name.removeprefix(WISH): asked[name] for name in asked if name.startswith(WISH)}
        for pair in asked.getlist("wish"):
            name, separator, word = pair.partition("=")
            if not separator:
                raise WishError(f"A wish has the form NAME=VALUE, such as pose=+30, not {pair!r}.")
            wish[name] = word
        words = {name: asked.get(name, "").strip() or None for name in ("person", "below", "since", "until")}
        people = {
            name: tuple(filter(None, map(str.strip, asked.getlist(name)))) for name in ("with", "without")
        }
        return cls(
            _number(asked.get("face"), "face") or None,
            asked.get("picture") or None,
            words["person"],
            _number(asked.get("number"), "number") or 1,
            {name.strip(): word.strip() for name, word in wish.items() if word.strip()},
            tuple(word for word in asked.getlist("not") if word.strip()),
            min(_number(asked.get("k"), "k") or _USUAL_HITS, _MOST_HITS),
            asked.get("only", "") not in ("", "0", "false"),
            words["below"],
            words["since"],
            words["until"],
            people["with"],
            people["without"],
        )

    @property
    def filtered(self) -> str:
        """Say in words what the answer keeps to; "" if to nothing."""
        parts = {"in": self.below, "since": self.since, "until": self.until}
        parts |= {"with": " and ".join(self.with_), "without": " and ".join(self.without)}
        return ", ".join(f"{word} {value}" for word, value in parts.items() if value)

    @property
    def is_asked(self) -> bool:
        """Whether there is a face to look for."""
        return self.face is not None or self.picture is not None or self.person is not None

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Write the face that is meant as the parameters of an address."""
        if self.face is not None:
            return [("face", str(self.face))]
        if self.person is not None:
            return [("person", self.person)]
        return [("picture", self.picture or ""), ("number", str(self.number))]

    def prepared(self, album: Album) -> Prepared:
        """Give the face that is meant; raises NoFaceError."""
        if self.face is not None:
            return album.face(self.face)
        if self.person is not None:
            return album.person(self.person)
        if self.picture is None:
            raise NoFaceError("choose a face first: a picture of yours, or one of a photograph")
        faces = album.uploaded(self.picture)
        if not 1 <= self.number <= len(faces):
            raise NoFaceError(f"there is no face {self.number} in this picture")
        return faces[self.number - 1]

    def ask(self, album: Album) -> models.Answer:
        """Search, and give the answer as it is shown; raises as ``Finder.search`` does."""
        prepared, begun = self.prepared(album), time.perf_counter()
        answer = album.search(
            prepared,
            self.wish,
            not_=self.unwished,
            k=self.k,
            only=self.only,
            below=self.below,
            since=self.since,
            until=self.until,
            with_=self.with_,
            without=self.without,
        )
        took = 1000 * (time.perf_counter() - begun)
        hits = [
            models.Hit(
                rank=hit.rank,
                probability=round(hit.probability, 6),
                percent=percent(hit.probability),
                same_person=round(hit.same_person, 6),
                met={name: round(value, 6) for name, value in hit.met.items()},
                seems=seems_of(hit.estimates),
                face=hit.face_id,
                photo=hit.photo_id,
                name=shown(os.path.basename(hit.path)),  # noqa: PTH119  (it need not be a path of this system)
                path=shown(hit.path),
                exists=hit.exists,
                image=face_address(album, hit.face_id),
            )
            for hit in answer.hits
        ]
        asked = [*self.parameters, *((f"{WISH}{name}", word) for name, word in self.wish.items())]
        said = [said_of(name, word) for name, word in answer.wish.items()]
        said += [f"not {label_of('', word)}" for word in answer.unwished]
        return models.Answer(
            words=", ".join(said),
            seems=seems_of(answer.query.estimates),
            wish=dict(answer.wish),
            unwished=list(answer.unwished),
            filtered=self.filtered,
            drawn=list(answer.drawn),
            drawing=f"/api/drawing?{urlencode(asked)}",
            probable=answer.probable,
            doubt=answer.doubt,
            remarks=list(answer.remarks),
            hits=hits,
            milliseconds=round(took, 1),
        )


def said_of(name: str, word: str) -> str:
    """Write a wish as people say it: ``turned 30° to the left``, ``with sunglasses``, ``lit from above``."""
    if name == "pose":
        turned = float(word)
        side = "left" if turned < 0 else "right"
        return f"turned {abs(turned):g}° to the {side}" if turned else "facing the camera"
    label = label_of(name, word)
    return _SAID.get((name, word)) or (f"with {label}" if name == "accessory" else f"{name} {label}")


def seems_of(estimates: Mapping[str, str]) -> str:
    """Write what a face seems to show, without the usual: ``30° left, smile``."""
    others = {name: word for name, word in estimates.items() if name != "pose"}
    said = [word for word in worth_saying(others).replace("-", " ").split(", ") if word not in _UNSAID]
    if "pose" in estimates:
        turned = round(float(estimates["pose"]))
        side = "left" if turned < 0 else "right"
        said.insert(0, "frontal" if abs(turned) < _FRONTAL else f"{abs(turned)}° {side}")
    return ", ".join(said)


def label_of(name: str, value: str) -> str:
    """Give a value's name for people: ``round glasses``."""
    return f"{float(value):+g}°" if name == "pose" else everyday(value).replace("-", " ")


def attributes_of(album: Album) -> list[models.Attribute]:
    """List what can be wished for, light and expression last."""
    with album.finder() as finder:
        engine, draws = finder.engine, finder.draws
    found = []
    for name, values in sorted(engine.vocabulary.items(), key=lambda one: one[0] in IN_PLACE):
        known = engine.attributes[name.casefold()].group.numbers
        listed = [
            models.Value(
                value=value,
                label=label_of(name, value),
                drawn=draws(engine.wanted({name: value})[0]),
            )
            for value in values
        ]
        edges = (None, None) if known is None else (min(known), max(known))
        found.append(
            models.Attribute(
                name=name,
                drawn=any(one.drawn for one in listed),
                values=listed,
                smallest=edges[0],
                largest=edges[1],
            )
        )
    return found


def face_boxes(album: Album, faces: Iterable[StoredFace]) -> list[models.FaceBox]:
    """Describe the faces of a photograph."""
    engine, people = album.engine, album.people_so_far()
    named = {} if people is None else {face: group.name for face, group in people.of_face.items()}
    no_faces = frozenset[int]() if people is None else people.no_faces
    return [
        models.FaceBox(
            id=face.id,
            number=face.number,
            name=named.get(face.id, ""),
            box=[round(side, 1) for side in face.box.sides],
            seems=seems_of(engine.estimates(face.vector)),
            image=face_address(album, face.id),
        )
        for face in faces
        if face.id not in no_faces
    ]


def uploaded_boxes(name: str, faces: Iterable[Prepared]) -> list[models.FaceBox]:
    """Describe the faces of a picture that was handed in."""
    return [
        models.FaceBox(
            id=None,
            number=place,
            box=[round(side, 1) for side in face.face.box.sides],
            seems=seems_of(face.face.estimates),
            image=f"/api/pictures/{quote(name)}/{place}",
        )
        for place, face in enumerate(faces, 1)
    ]


def photograph(album: Album, photo: KnownPhoto) -> models.Photograph:
    """Describe a photograph."""
    folder, name = os.path.split(photo.path)
    return models.Photograph(
        id=photo.id,
        name=shown(name),
        folder=shown(folder),
        path=shown(photo.path),
        taken=photo.date.isoformat(),
        camera=photo.camera,
        width=photo.width,
        height=photo.height,
        image=photo_address(album, photo.id),
    )


def photo_address(album: Album, photo_id: int) -> str:
    """Give the address of a photograph's picture.  It has the collection in it: browsers keep what they got,
    and the next collection may be served at the same port."""
    return f"/api/photos/{photo_id}/image?of={album.token}"


def face_address(album: Album, face_id: int) -> str:
    """Give the address of a face's picture."""
    return f"/api/faces/{face_id}/image?of={album.token}"


def written(cursor: Cursor) -> str:
    """Write a place in the list of photographs for an address."""
    return f"{cursor.when}.{cursor.id}"


def read_cursor(text: str | None) -> Cursor | None:
    """Read what ``written`` wrote; None if it is no place."""
    when, _, number = (text or "").partition(".")
    try:
        found = Cursor(int(when), int(number))
    except ValueError:
        return None
    return found if all(abs(one) < 2**63 for one in found) else None


def _number(text: str | None, name: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NoFaceError(f"{name} is a number, not {text[:40]!r}")
    return int(text)
