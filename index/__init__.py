"""The collection on disk: ``catalog.sqlite`` holds the truth, ``vectors.faiss`` makes it fast to search."""

from index.collection import Collection, Snapshot
from index.inserts import Beginning
from index.paths import PathSet
from index.records import (
    Encoding,
    Features,
    KnownPhoto,
    NewFace,
    NewPhoto,
    Status,
    StoredFace,
    Summary,
)
from index.reencode import Reencoding
from index.writer import CollectionWriter, check_weights

__all__ = [
    "Beginning",
    "Collection",
    "CollectionWriter",
    "Encoding",
    "Features",
    "KnownPhoto",
    "NewFace",
    "NewPhoto",
    "PathSet",
    "Reencoding",
    "Snapshot",
    "Status",
    "StoredFace",
    "Summary",
    "check_weights",
]
