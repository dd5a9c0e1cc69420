"""What /api says, as FastAPI documents and checks it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Value(BaseModel):
    """A value of an attribute."""

    value: str = Field(description="What a wish names it by.")
    label: str = Field(description="What people call it.")
    drawn: bool = Field(description="Whether a network draws it; else what photographs show decides.")


class Attribute(BaseModel):
    """What can be wished for."""

    name: str
    drawn: bool = Field(description="Whether a network draws some of its values.")
    values: list[Value]
    smallest: float | None = Field(description="Of an attribute that is a number; any between can be wished.")
    largest: float | None


class State(BaseModel):
    """What the collection holds, and what can be wished for."""

    collection: str
    photographs: int
    skipped: int
    faces: int
    attributes: list[Attribute] = Field(description="Empty before there are faces.")


class FaceBox(BaseModel):
    """A face in its photograph; the box is in pixels of the upright photograph."""

    id: int | None = Field(description="None for a face of a picture that was handed in.")
    number: int = Field(description="From 1, the largest first.")
    name: str = Field(default="", description="Who it seems to show; empty if nobody has a name.")
    box: list[float] = Field(description="Left, top, right, bottom.")
    seems: str = Field(description="What it seems to show, in words.")
    image: str = Field(description="Where its picture is.")


class Upload(BaseModel):
    """A picture that was handed in; the server keeps the last ones until it ends."""

    picture: str = Field(description="Its name, for questions.")
    faces: list[FaceBox]


class Photograph(BaseModel):
    """A photograph of the collection."""

    id: int
    name: str = Field(description="The file's name.")
    folder: str
    path: str
    taken: str = Field(description="When it was taken, or else last changed; ISO 8601.")
    camera: str = Field(description="What took it; empty if its file does not say.")
    width: int
    height: int
    image: str = Field(description="Where a small picture of it is; ?size=large gives a larger one.")


class Opened(BaseModel):
    """A photograph with its faces."""

    photograph: Photograph
    exists: bool = Field(description="Whether the file is still there.")
    faces: list[FaceBox]


class Hit(BaseModel):
    """A face that was found."""

    rank: int
    probability: float = Field(description="That it is the right person, as wished.")
    percent: str = Field(description="The same in words.")
    same_person: float = Field(description="That it is the right person.")
    met: dict[str, float] = Field(description="How likely it meets each wish.")
    seems: str
    face: int
    photo: int
    name: str
    path: str
    exists: bool
    image: str


class Answer(BaseModel):
    """The answer to a question, the best hit first."""

    words: str = Field(description="What was wished, in words.")
    seems: str = Field(description="What the query's face seems to show.")
    wish: dict[str, str]
    unwished: list[str]
    filtered: str = Field(description="What the answer keeps to, in words; empty if to nothing.")
    drawn: list[str] = Field(description="The wishes that the drawing follows.")
    drawing: str = Field(description="Where the drawing is.")
    probable: int = Field(description="How many hits are more likely right than not.")
    doubt: str = Field(description="What to know if none is; empty if one is.")
    remarks: list[str]
    hits: list[Hit]
    milliseconds: float


class PhotoPage(BaseModel):
    """Some photographs; ``next`` is where the following ones begin, None at the end."""

    photographs: list[Photograph]
    next: str | None


class Piece(BaseModel):
    """A piece of the list of all photographs, before it is read."""

    start: str
    count: int
    month: str = Field(description="Of its first photograph, in words.")


class Folder(BaseModel):
    """A folder with photographs."""

    path: str
    photographs: int


class Skipped(BaseModel):
    """A photograph that could not be read."""

    path: str
    reason: str


class SkippedPage(BaseModel):
    """Some photographs that could not be read; ``next`` is where the following ones begin."""

    skipped: list[Skipped]
    next: str | None


class Indexing(BaseModel):
    """How far the indexing of folders is."""

    status: str = Field(description="idle, running, pausing, paused, stopping, done or failed.")
    folders: list[str]
    what: str = Field(description="What is being done.")
    done: int
    total: int | None
    note: str
    faces: int
    seconds: float
    message: str = Field(description="How it ended.")


class Folders(BaseModel):
    """Folders on this machine that shall be indexed."""

    folders: list[str] = Field(min_length=1, max_length=20)


class PersonFace(BaseModel):
    """A face of a person or group."""

    id: int
    photo: int = Field(description="The id of its photograph.")
    confirmed: bool = Field(description="Whether somebody said that it shows this person.")
    image: str


class Person(BaseModel):
    """Faces that seem to show one person."""

    id: int = Field(description="The smallest id of its faces; any of them names it.")
    label: str = Field(description="The name, or # and the id.")
    name: str = Field(description="Empty until somebody gives one.")
    count: int = Field(description="How many faces there are.")
    confirmed: int = Field(description="Of how many of these somebody said so.")
    hidden: bool
    faces: list[PersonFace] = Field(description="The clearest first; in lists only some.")


class PeoplePage(BaseModel):
    """Some people and groups; those with names first, then the largest."""

    people: list[Person]
    named: int
    unnamed: int = Field(description="Groups without a name.")
    alone: int = Field(description="Faces that are in no group with another.")
    hidden: int
    undoable: str = Field(description="What was said last, in words; empty if nothing can be taken back.")
    next: int | None = Field(description="``start`` of the next ones; none if these are the last.")


class Asked(BaseModel):
    """Whether two groups are one person; yes is ``merge``, no is ``apart``."""

    one: Person
    other: Person
    probability: float


class Say(BaseModel):
    """Something that is said of people or faces."""

    kind: str = Field(description="name, merge, apart, split, confirm, reject, no-face, hide, show or undo.")
    group: int | None = Field(default=None, description="A group, by the id of any of its faces.")
    other: int | None = Field(default=None, description="Another one, for merge and apart.")
    name: str = Field(default="", description="For name, confirm and reject; for merge instead of ``other``.")
    faces: list[int] = Field(default=[], description="For split, confirm, reject and no-face.")


class Drawn(BaseModel):
    """A box around a face that was not found, in pixels of the upright photograph."""

    box: list[float] = Field(description="Left, top, right, bottom.", min_length=4, max_length=4)


class DrawnFace(BaseModel):
    """The face that was taken in."""

    id: int


class Said(BaseModel):
    """What was written down, by its number."""

    decision: int
