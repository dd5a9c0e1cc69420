"""Group faces by who they show: agglomerative clustering of descriptors, a component at a time.

Two faces are the more alike the more they have in common besides the person: turned heads of two people look
more alike than a straight and a turned one of the same.  So what faces that are turned or dressed alike have
in common is taken off first, by yaw and sunglasses (``common.npz``, learned from real people), and then the
mean of the collection's own people, each counting once.  The rest is compared by average linkage
(scikit-learn), as far as the nearest neighbours of each face connect them, so that nothing grows with the
square of the collection.  Clear faces make the groups, and turned, small or covered ones join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np

from faces.types import Bools, Doubles, Floats, Ints
from index.search import neighbours
from retrieval.identity import unit_length

COMMON_FILE = Path(__file__).with_name("common.npz")
ALIKE = 0.565
"""Average similarity, of what is left of descriptors, from which two groups are one person."""
_NEIGHBOURS = 48
_LOOSER = 0.165  # by so much less similar neighbours may belong together
_STEP = 0.05  # by which that is raised where it connects too many
_MOST = 1500  # faces compared each with each
_STRANGER = 0.95  # similarity of whole descriptors from which two faces count as one person for the mean
_OWN = 20  # people who speak for the mean that comes along, beside those of the collection
_APART = 1e6  # distance of two faces that are not one person; no average of it is small
_CLEAR_YAW, _CLEAR_SIZE = 35.0, 40.0  # degrees, pixels


@dataclass(frozen=True)
class FaceLooks:
    """N faces to be grouped.

    ``descriptors`` (N, I) of length one; ``photos`` (N,) of which photograph each is; ``yaws`` (N,) in
    degrees; ``sunglasses`` (N,) 0 to 1; ``sizes`` (N,) the width of each face in pixels.
    """

    descriptors: Floats
    photos: Ints
    yaws: Doubles
    sunglasses: Doubles
    sizes: Doubles

    def select(self, which: Bools) -> FaceLooks:
        """Choose some faces by a mask (N,)."""
        return FaceLooks(*(getattr(self, one.name)[which] for one in fields(self)))

    @property
    def clear(self) -> Bools:
        """(N,): which faces are clear enough to make groups."""
        straight = (np.abs(self.yaws) <= _CLEAR_YAW) & (self.sizes >= _CLEAR_SIZE)
        return np.asarray(straight & (self.sunglasses < 0.5))


class Grouper:
    """Groups N faces, again and again, as ever more is known of them.

    ``digest`` names the model of the descriptors, ``alike`` is the average similarity from which two groups
    are one person.  ``vectors`` (N, I) of length one are what is compared.
    """

    def __init__(self, looks: FaceLooks, digest: str = "", alike: float = ALIKE) -> None:
        self.looks, self.alike = looks, alike
        self.vectors = distinct(looks, digest)
        self._neighbours = _nearest(self.vectors)

    def group(
        self,
        same: Iterable[Sequence[int]] = (),
        different: Iterable[Sequence[Sequence[int]]] = (),
        left_out: Iterable[int] = (),
    ) -> Ints:
        """Give (N,) int64, equal numbers for faces that seem to show one person.

        ``same`` are sets of places of faces that show one person; each of ``different`` holds sets that all
        show other people.
        Two faces of one photograph are not one person unless they are in one of ``same``.  Those ``left_out``
        stay alone.
        """
        labels, clear = np.arange(len(self.vectors)), self.looks.clear
        if not len(labels):
            return labels
        apart = _Apart(self.looks.photos, [list(one) for one in same], different)
        kept = np.ones(len(labels), np.bool_)
        kept[list(left_out)] = False
        for taken in (clear & kept, kept):
            # What is grouped already stays so, and the rest joins.
            labels = _agglomerated(self.vectors, self._neighbours, taken, labels, apart, self.alike)
        return labels


def distinct(looks: FaceLooks, digest: str = "") -> Floats:
    """Give what tells faces apart, (N, I) of length one: descriptors without what many have in common, if
    that is known of their model."""
    known = known_common(digest)
    if known is None or not len(looks.descriptors):
        return looks.descriptors
    descriptors = looks.descriptors.astype(np.float64) - known.shift(looks.yaws, looks.sunglasses)
    people = _components(len(descriptors), _nearest(looks.descriptors, few=8), _STRANGER)
    counts = np.bincount(people)
    sums = np.zeros((len(counts), descriptors.shape[1]))
    np.add.at(sums, people, descriptors)
    # Each person counts once, lest the mean look like whoever has the most photographs.
    mean = (known.mean * _OWN + (sums / counts[:, None]).sum(0)) / (_OWN + len(counts))
    return unit_length(descriptors - mean)


@dataclass(frozen=True)
class Common:
    """What faces have in common: ``mean`` (I,), and by yaw and sunglasses what is added to it.

    ``yaws`` (Y,) ascending; ``shifts`` (2, Y, I) without and with sunglasses.
    """

    mean: Doubles
    yaws: Doubles
    shifts: Doubles

    def shift(self, yaws: Doubles, sunglasses: Doubles) -> Doubles:
        """Give what is added (N, I) for faces with these yaws and sunglasses (N,), between the known ones in
        straight lines."""
        place = np.interp(yaws, self.yaws, np.arange(len(self.yaws)))
        low = np.minimum(place.astype(np.int64), len(self.yaws) - 2)
        part = (place - low)[:, None]
        without, worn = (one[low] * (1 - part) + one[low + 1] * part for one in self.shifts)
        share = np.clip(sunglasses, 0, 1)[:, None]
        return np.asarray(without * (1 - share) + worn * share)


@cache
def known_common(digest: str) -> Common | None:
    """Read what comes along for a model; None if nothing is known of it."""
    with np.load(COMMON_FILE, allow_pickle=False) as stored:
        if str(stored["digest"]) != digest:
            return None
        return Common(*(stored[name].astype(np.float64) for name in ("mean", "yaws", "shifts")))


Edges = tuple[Ints, Ints, Floats]
"""Pairs of places (E,) and (E,), and how similar they are (E,)."""


def _nearest(vectors: Floats, few: int = _NEIGHBOURS) -> Edges:
    """Find the nearest neighbours of N faces."""
    if not len(vectors):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    scores, ids = neighbours(vectors, min(few + 1, len(vectors)))
    one = np.repeat(np.arange(len(vectors)), ids.shape[1])
    other, similar = ids.ravel(), scores.ravel()
    kept = one != other
    return one[kept], other[kept], similar[kept]


def _joined(*edges: Edges) -> Edges:
    one, other, similar = (np.concatenate([part[place] for part in edges]) for place in range(3))
    return one, other, similar


def _components(count: int, edges: Edges, least: float) -> Ints:
    """Number the parts (N,) that edges of at least this similarity connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other, similar = edges
    kept = similar >= least
    graph = coo_array((np.ones(int(kept.sum())), (one[kept], other[kept])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


class _Apart:
    """Who is one person and who is not, whatever faces look like."""

    def __init__(
        self, photos: Ints, same: list[list[int]], different: Iterable[Sequence[Sequence[int]]]
    ) -> None:
        count = len(photos)
        pairs = [(group[0], other) for group in same for other in group[1:]]
        one, other = (np.array(part, np.int64) for part in (zip(*pairs, strict=True) if pairs else ((), ())))
        self.told = _components(count, (one, other, np.ones(len(one), np.float32)), 0.0)
        self.edges: Edges = one, other, np.ones(len(one), np.float32)
        self._photos, pairs = photos, []
        for people in different:
            # All that a face is known to be with is apart from all that the other is with.
            known = [np.unique(self.told[list(faces)]).tolist() for faces in people]
            for first, second in combinations(known, 2):
                pairs += product(first, second)
        self._different = np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)

    def distances(self, places: Ints, similarity: Doubles) -> Doubles:
        """Turn the similarities of some faces (n, n) into distances, by what is known."""
        found = 1 - similarity
        told, photos = self.told[places], self._photos[places]
        found[photos[:, None] == photos] = _APART
        here = np.zeros(len(self.told), np.bool_)
        here[told] = True
        for first, second in self._different[here[self._different].all(axis=1)]:
            one, other = told == first, told == second
            found[np.ix_(one, other)] = found[np.ix_(other, one)] = _APART
        found[told[:, None] == told] = 0
        np.fill_diagonal(found, 0)
        return np.asarray(found)


def _agglomerated(
    vectors: Floats, neighbours: Edges, taken: Bools, labels: Ints, apart: _Apart, alike: float
) -> Ints:
    """Group the faces that are ``taken`` (N,), going on from the groups there are (N,)."""
    one, other, similar = _joined(neighbours, apart.edges)
    both = taken[one] & taken[other]
    # Groups that there are already hang together whatever their neighbours are.
    _, at_first, which = np.unique(labels, return_index=True, return_inverse=True)
    tied = np.flatnonzero(taken)
    edges = _joined(
        (one[both], other[both], similar[both]),
        (tied, at_first[which][tied], np.ones(len(tied), np.float32)),
    )
    found, at = labels.copy(), int(labels.max()) + 1
    for places in _pieces(np.flatnonzero(taken), edges, alike - _LOOSER):
        if len(places) > 1:
            numbers = _linked(vectors[places], labels[places], apart, places, alike)
            found[places] = numbers + at
            at += int(numbers.max()) + 1
    return np.unique(found, return_inverse=True)[1]


def _pieces(places: Ints, edges: Edges, least: float) -> list[Ints]:
    """Cut faces into pieces that hang together, none larger than can be compared each with each."""
    one, other, similar = edges
    index = np.full(int(max(one.max(initial=0), other.max(initial=0), places.max(initial=0))) + 1, -1)
    index[places] = np.arange(len(places))
    inside = (index[one] >= 0) & (index[other] >= 0)
    local = index[one[inside]], index[other[inside]], similar[inside]
    parts = _components(len(places), local, least)
    order = np.argsort(parts, kind="stable")
    found = []
    for piece in np.split(places[order], np.cumsum(np.bincount(parts))[:-1]):
        # Faces that are known to be together, with a similarity of 1, may be more than that.
        if len(piece) > _MOST and least + _STEP < 1:
            found += _pieces(piece, (one[inside], other[inside], similar[inside]), least + _STEP)
        else:
            found.append(piece)
    return found


def _linked(vectors: Floats, labels: Ints, apart: _Apart, places: Ints, alike: float) -> Ints:
    """Group n faces by average linkage, going on from groups (n,); returns numbers from 0 (n,)."""
    from sklearn.cluster import AgglomerativeClustering

    exact: Doubles = vectors.astype(np.float64)
    distances = apart.distances(places, np.asarray(exact @ exact.T))
    _, at_first = np.unique(labels, return_inverse=True)
    begun = np.bincount(at_first)
    if (begun > 1).any():
        distances[(at_first[:, None] == at_first) & (distances < _APART)] = 0
    fitted = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - alike
    ).fit(distances)
    return np.asarray(fitted.labels_, np.int64)
