"""A collection: its catalogue holds the truth, and an index of the vectors makes it fast to search."""

from index.collection import Collection as Collection
from index.collection import Snapshot as Snapshot
from index.copying import CopySummary as CopySummary
from index.copying import copy_collection as copy_collection
from index.listing import Cursor as Cursor
from index.listing import Piece as Piece
from index.place import Address as Address
from index.place import Place as Place
from index.place import outdated as outdated
from index.place import place_of as place_of
from index.records import FaceVector as FaceVector
from index.records import KnownPhoto as KnownPhoto
from index.records import Layout as Layout
from index.records import NewCollection as NewCollection
from index.records import NewFace as NewFace
from index.records import NewPhoto as NewPhoto
from index.records import Status as Status
from index.records import StoredFace as StoredFace
from index.records import Summary as Summary
from index.records import local_time as local_time
from index.thumbnails import Thumbnails as Thumbnails
from index.writer import CollectionWriter as CollectionWriter
from index.writer import Reindexing as Reindexing
