"""The engine and what is done with it: index folders, find people as wished, edit faces."""

from retrieval.finder import SHOWS, Answer, Finder, Hit, QueryFace, search
from retrieval.forgetting import count_known, forget
from retrieval.indexing import IndexSummary, index_folders
from retrieval.location import default_collection, open_collection
from retrieval.reindexing import ReindexSummary, reindex
from retrieval.sheet import draw_sheet

__all__ = [
    "SHOWS",
    "Answer",
    "Finder",
    "Hit",
    "IndexSummary",
    "QueryFace",
    "ReindexSummary",
    "count_known",
    "default_collection",
    "draw_sheet",
    "forget",
    "index_folders",
    "open_collection",
    "reindex",
    "search",
]
