"""A store of vectors: it finds candidates fast, beside a catalogue that stays the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from faces.errors import CollectionError
from faces.types import Floats, Halves, Ints

Read = Callable[[Ints], Iterator[tuple[Ints, Halves]]]
"""Reads vectors from the catalogue: ids (n,) ascending to blocks of (ids (m,), vectors (m, D))."""


@dataclass(frozen=True, slots=True)
class CatalogState:
    """Which state of which catalogue a store of vectors shows."""

    token: str
    layout_id: int
    generation: int

    def fits(self, other: CatalogState) -> bool:
        """Whether these are states of one collection with one layout, if not of one moment."""
        return (self.token, self.layout_id) == (other.token, other.layout_id)


class StoreChangedError(CollectionError):
    """A store was changed so that it cannot answer any more for the moment at which it was opened."""


class VectorStore(Protocol):
    """The vectors of a collection, opened for searching.

    A face id keeps its vector for ever, so a store that shows another moment is of use as well: what came
    later is read from the catalogue, and what was deleted since is passed over by who asks.  Where a store
    is not a file that others replace but is changed in place, what reads it raises StoreChangedError.
    """

    @property
    def state(self) -> CatalogState:
        """The catalogue's state that the store was last brought in line with."""

    @property
    def newest(self) -> int:
        """The highest face id of that moment; 0 if there was none."""

    @property
    def only_alive(self) -> bool:
        """Whether no face in it was gone at that moment."""

    @property
    def kind(self) -> str:
        """How the store searches, in plain words for the user."""

    def changed(self) -> bool:
        """Tell whether there is another version of it than the one that was opened."""

    def search(self, queries: Floats, k: int, *, exact: bool) -> tuple[Floats, Ints]:
        """Find vectors of the largest inner product with each query (Q, D) float32.

        Returns scores (Q, k') float32, right up to rounding, and face ids (Q, k') int64, k' = min(k, faces
        here).  Unless ``exact``, some of the best may be missing.
        """

    def search_among(self, queries: Floats, k: int, ids: Ints) -> tuple[Floats, Ints]:
        """As an exact ``search``, among these faces (n,) int64 ascending, as far as they are here."""

    def vectors(self, ids: Ints) -> tuple[Ints, Halves] | None:
        """Give the faces (n,) that are here of some, in any order, and their vectors (n, D) float16.

        None if the store does not vouch for every bit of them.
        """

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give everything, some at a time: ids (n,) int64 and vectors (n, D) float16."""
