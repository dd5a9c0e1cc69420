"""What a search is asked with and what it answers, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from faces.types import Box, Floats, Landmarks, Pixels
from retrieval.query import Picture, Source

SHOWS = 0.5
"""From this probability on a face counts as showing a value, or the person, and a hit as probable."""


@dataclass(frozen=True, slots=True)
class QueryFace:
    """The face that was searched for.

    ``number`` (from 1, the largest first) of ``count`` faces in the photograph; ``crop`` (S, S) uint8 grey;
    ``estimates`` what it seems to show; ``known`` tells that the collection has it, so that nothing was
    detected; ``picture`` is what was handed in, and ``path`` its name.
    """

    picture: Picture
    path: str
    number: int
    count: int
    box: Box
    landmarks: Landmarks
    crop: Pixels
    estimates: Mapping[str, str]
    known: bool


@dataclass(frozen=True)
class Prepared:
    """A face ready to be searched with, again and again: nothing is looked for any more.

    ``vector`` (D,) float32 is the face's own; ``source`` tells which photographs are its own; ``look`` reads
    ``colours``.
    """

    face: QueryFace
    vector: Floats
    source: Source
    look: Callable[[], Pixels | None] = field(repr=False, compare=False)

    @cached_property
    def colours(self) -> Pixels | None:
        """The face with its photograph's own detail, (P, P, 3) uint8 RGB; None if that is gone."""
        return self.look()


@dataclass(frozen=True, slots=True)
class Hit:
    """A face that was found.

    ``rank`` counts from 1; ``probability`` that it is the right person, as wished; ``same_person`` of the
    first alone; ``met`` how likely it meets each wish, by attribute, or ``not sunglasses`` for what shall not
    be shown; ``similarity`` of the descriptors (NaN without a model).  ``number`` and ``count`` as in
    ``QueryFace``; ``exists`` tells whether the file is still there; ``date`` when the photograph was taken,
    as its ``camera`` says (``dated_by`` is "exif") or else its file ("file"); ``estimates`` what the face
    seems to show; ``crop`` (S, S) uint8 grey.
    """

    rank: int
    probability: float
    same_person: float
    met: Mapping[str, float]
    similarity: float
    path: str
    exists: bool
    date: datetime
    dated_by: str
    camera: str
    number: int
    count: int
    face_id: int
    photo_id: int
    box: Box
    landmarks: Landmarks
    estimates: Mapping[str, str]
    crop: Pixels


@dataclass(frozen=True)
class Answer:
    """The answer to a search, the best hit first.

    ``wish`` holds the wished words by attribute, empty without a wish, ``unwished`` what shall not be shown;
    ``remarks`` are sentences about what could not be met; ``draw`` makes the drawing, with the
    photograph's own detail if told so; it follows the wishes called ``drawn``, as far as the networks can.
    """

    query: QueryFace
    wish: Mapping[str, str]
    unwished: tuple[str, ...]
    hits: tuple[Hit, ...]
    remarks: tuple[str, ...]
    drawn: tuple[str, ...]
    draw: Callable[[bool], Pixels] = field(repr=False, compare=False)

    @cached_property
    def drawing(self) -> Pixels:
        """Draw the face (S, S) uint8 as wished, or as it is; only when somebody looks."""
        return self.draw(False)

    @cached_property
    def portrait(self) -> Pixels:
        """The drawing with the photograph's own detail, (P, P, 3) uint8 RGB; the drawing (S, S) uint8 if no
        appearance flow has learned from such, or if the photograph is gone."""
        return self.draw(True)

    @property
    def probable(self) -> int:
        """Count the hits that are probably right."""
        return sum(hit.probability >= SHOWS for hit in self.hits)

    @property
    def doubt(self) -> str:
        """Say in words that no hit is probably right; "" if one is."""
        if self.probable:
            return ""
        person = any(hit.same_person >= SHOWS for hit in self.hits)
        found = "this person is here, but probably not as wished" if person else "probably nobody here"
        return f"{found}: every hit is less likely than not"
