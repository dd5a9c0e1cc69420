"""The public interface: index folders of photographs, find those of a person, changed as wished.

from retrieval import Finder, index_folders

index_folders(["~/Pictures"])
with Finder() as finder:
    answer = finder.search("me.jpg", wish={"pose": "+30"}, k=20)
for hit in answer.hits:
    print(hit.rank, hit.path, hit.distance)
"""

from retrieval.finder import Answer, Drawn, Finder, Hit, QueryFace, search
from retrieval.forgetting import forget
from retrieval.indexing import IndexSummary, index_folders
from retrieval.places import default_collection, open_collection
from retrieval.reindexing import ReindexSummary, reindex
from retrieval.sheet import draw_sheet

__all__ = [
    "Answer",
    "Drawn",
    "Finder",
    "Hit",
    "IndexSummary",
    "QueryFace",
    "ReindexSummary",
    "default_collection",
    "draw_sheet",
    "forget",
    "index_folders",
    "open_collection",
    "reindex",
    "search",
]
