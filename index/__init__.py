"""The collection on disk: ``catalog.sqlite`` holds the truth, ``vectors.faiss`` makes it fast to search."""

from index.collection import Collection, Snapshot
from index.database import outdated
from index.inserts import NewCollection
from index.paths import PathSet
from index.records import (
    FaceVector,
    KnownPhoto,
    Layout,
    NewFace,
    NewPhoto,
    Status,
    StoredFace,
    Summary,
)
from index.reindex import Reindexing
from index.writer import CollectionWriter

__all__ = [
    "Collection",
    "CollectionWriter",
    "FaceVector",
    "KnownPhoto",
    "Layout",
    "NewCollection",
    "NewFace",
    "NewPhoto",
    "PathSet",
    "Reindexing",
    "Snapshot",
    "Status",
    "StoredFace",
    "Summary",
    "outdated",
]
