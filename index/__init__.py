"""The collection on disk: ``catalog.sqlite`` holds the truth, ``vectors/`` makes it fast to search."""

from index.collection import Collection as Collection
from index.collection import Snapshot as Snapshot
from index.database import outdated as outdated
from index.records import FaceVector as FaceVector
from index.records import KnownPhoto as KnownPhoto
from index.records import Layout as Layout
from index.records import NewCollection as NewCollection
from index.records import NewFace as NewFace
from index.records import NewPhoto as NewPhoto
from index.records import Status as Status
from index.records import StoredFace as StoredFace
from index.records import Summary as Summary
from index.writer import CollectionWriter as CollectionWriter
from index.writer import Reindexing as Reindexing
