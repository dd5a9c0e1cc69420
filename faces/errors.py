"""Every error that anotheryou raises on purpose, in one tree.

AnotherYouError
├── PhotoError            a photograph cannot be read
├── NoFaceError           a photograph holds no usable face
├── DetectorError         a face detector or its model file is missing or broken
├── DataError             a set of faces cannot be read or made
│   ├── LabelError        a line of ``labels.csv`` is wrong; names file, line and column
│   ├── HeadModelError    the morphable head model is missing or damaged
│   └── RowUnavailable    a row of the tables needs what is not there; says what
├── WishError             a wish names an attribute or value that the weights do not know
├── FilterError           a filter of a search cannot be understood
├── WeightsError          weights are missing, damaged or do not fit
├── TrainingError         training cannot start or go on
├── ClusterError          a Ray cluster cannot be reached, or its nodes cannot do the work
└── CollectionError       a collection cannot be opened or used
    ├── CollectionMissingError   there is no collection in that place
    ├── CollectionLockedError    another process is writing to it
    └── CollectionWeightsError   it was made with other weights

Each message is one plain sentence that says what to do.  The command line prints it and
exits with status 1; nothing else is caught on the way.
"""

from __future__ import annotations

from pathlib import Path


class AnotherYouError(Exception):
    """Root of all errors raised on purpose."""


class PhotoError(AnotherYouError):
    """A photograph cannot be read; ``reason`` is a short plain phrase ("file is empty") without the path."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


class NoFaceError(AnotherYouError):
    """A photograph holds no usable face."""


class DetectorError(AnotherYouError):
    """A face detector or its model file is missing or broken."""


class DataError(AnotherYouError):
    """A set of faces cannot be read or made."""


class LabelError(DataError):
    """A line of a label file is wrong; ``line`` is 1-based and counts the header."""

    def __init__(self, path: Path | str, line: int, column: str, reason: str) -> None:
        super().__init__(f"{path}, line {line}, column {column!r}: {reason}")
        self.path, self.line, self.column, self.reason = Path(path), line, column, reason


class HeadModelError(DataError):
    """The morphable head model is missing or damaged."""


class RowUnavailable(DataError):  # noqa: N818  (a table goes on without the row)
    """A row of the tables cannot be computed, for want of weights or of larger pictures.

    ``reason`` is a short plain phrase that the table shows in its place ("weights not given").
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The row cannot be computed: {reason}.")
        self.reason = reason


class WishError(AnotherYouError):
    """A wish names an attribute or value that the weights do not know."""


class FilterError(AnotherYouError):
    """A filter of a search cannot be understood."""


class PeopleError(AnotherYouError):
    """What is said of people cannot be, such as a name that nobody has."""


class RegionError(AnotherYouError):
    """A file in which another program keeps faces cannot be read."""


class WeightsError(AnotherYouError):
    """Weights are missing, damaged or do not fit."""


class TrainingError(AnotherYouError):
    """Training cannot start or go on."""


class ClusterError(AnotherYouError):
    """A Ray cluster cannot be reached, or its nodes cannot do the work."""


class CollectionError(AnotherYouError):
    """A collection cannot be opened or used."""


class CollectionMissingError(CollectionError):
    """There is no collection in that place."""


class CollectionLockedError(CollectionError):
    """Another process is writing to the collection."""


class CollectionWeightsError(CollectionError):
    """The collection was made with other weights."""
