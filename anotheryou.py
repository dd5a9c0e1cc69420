"""Find the photo of this person: turned, or wearing what you ask for.

    import anotheryou

    anotheryou.index_folders(["~/Pictures"])
    answer = anotheryou.search("me.jpg", wish={"pose": 30}, k=10)
    for hit in answer.hits:
        print(hit.rank, hit.path, f"{hit.probability:.0%}")
    face = anotheryou.edit("me.jpg", {"accessory": "sunglasses"}).image

Pictures are files, bytes, PIL pictures or arrays (H, W) or (H, W, 3) uint8 RGB.  ``Finder`` searches often
without loading anything twice; ``embed`` gives the vectors of the faces in a picture.  Every error raised on
purpose is an ``AnotherYouError`` (faces/errors.py draws the tree).
"""

from __future__ import annotations

from faces.errors import AnotherYouError
from index import Collection
from retrieval.answers import Answer, Hit, Prepared, QueryFace
from retrieval.editing import Edited, edit
from retrieval.embedding import Embedded, embed
from retrieval.finder import Finder, search
from retrieval.forgetting import forget
from retrieval.indexing import IndexSummary, index_folders
from retrieval.location import default_collection, open_collection
from retrieval.reindexing import ReindexSummary, reindex
from retrieval.sheet import draw_sheet

__all__ = [
    "AnotherYouError",
    "Answer",
    "Collection",
    "Edited",
    "Embedded",
    "Finder",
    "Hit",
    "IndexSummary",
    "Prepared",
    "QueryFace",
    "ReindexSummary",
    "default_collection",
    "draw_sheet",
    "edit",
    "embed",
    "forget",
    "index_folders",
    "open_collection",
    "reindex",
    "search",
]
