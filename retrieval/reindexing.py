"""A collection's vectors made again, with other weights or by a newer version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from faces.chips import five_points
from faces.errors import PhotoError
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Pixels
from index import CollectionWriter, FaceVector, Layout, Place, Reindexing, StoredFace
from retrieval.engine import Engine
from retrieval.loading import is_outdated, load_engine
from retrieval.location import collection_place

_FACES = 64


@dataclass(slots=True)
class ReindexSummary:
    """What a reindex did."""

    faces: int = 0  # made again
    lost: int = 0  # photographs that must be indexed again
    coarse: int = 0  # faces of lost photographs: who they show was seen on the stored crop alone
    interrupted: bool = False  # it was asked to stop, and the same command goes on


def reindex(
    *,
    collection: Place | str | None = None,
    weights: Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    classifier: str | Path | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> ReindexSummary:
    """Make all vectors again with ``weights``, ``identity`` and ``classifier`` (see ``load_engine``), by
    default those that made the collection.

    Crops and what they were embedded as stay if that is the same; for another identity model the photographs
    are read again, but not searched for faces.  If a photograph is gone or has changed, the identity of its
    faces is seen on their stored crops; for weights of another crop geometry such photographs lose their
    faces, and the next ``index_folders`` reads them.  Until everything is made, searches use the old vectors.
    Raises as ``index_folders`` does.
    """
    summary = ReindexSummary()
    with CollectionWriter(collection_place(collection)) as writer:
        before = writer.layout
        engine = engine or load_engine(weights, identity, classifier, layout=before)
        kept = _kept_identity(before, engine)
        work = Reindexing(writer, engine.layout)
        with underway(progress, "Making the vectors again", work.remaining, "faces") as making:
            for faces in work.pending(_FACES):
                if stop is not None and stop():
                    summary.interrupted = True
                    break
                needs_chips = engine.identity is not None and kept is None
                cut = list(_cut_again(writer, engine, before, faces, needs_chips, summary))
                if cut:
                    if kept is None:
                        descriptors = engine.describe([chip for _, _, chip in cut if chip is not None])
                    else:
                        descriptors = np.stack([face.vector[kept] for face, _, _ in cut]).astype(np.float32)
                    points = np.stack([five_points(face.landmarks) for face, _, _ in cut])
                    vectors = engine.embed(np.stack([crop for _, crop, _ in cut]), descriptors, points)
                    made = zip(cut, vectors, strict=True)
                    work.store([(face.id, FaceVector(crop, vector)) for (face, crop, _), vector in made])
                summary.faces += len(cut)
                making.advance(len(faces))
        if not summary.interrupted:
            summary.lost = work.finish()
            writer.refresh_vectors(progress=progress)
    return summary


def _kept_identity(before: Layout, engine: Engine) -> slice | None:
    """Find the descriptors that the new vectors need in the old ones; None if they are not there."""
    known, model = None if is_outdated(before) else before.description["identity"], engine.identity
    if model is None or known is None or known["digest"] != model.digest:
        return None
    return slice(0, model.dimension)


def _cut_again(
    writer: CollectionWriter,
    engine: Engine,
    before: Layout,
    faces: list[StoredFace],
    needs_chips: bool,
    summary: ReindexSummary,
) -> Iterator[tuple[StoredFace, Pixels, Pixels | None]]:
    """Cut faces as this engine wants them: from what is stored if that does, else from photographs."""
    same_crops = before.geometry == engine.geometry
    for path, group in groupby(faces, key=lambda face: face.path):
        pixels = None if same_crops and not needs_chips else _unchanged(writer, path)
        for face in group:
            if pixels is not None:
                crop, chip = engine.cut(pixels, face.landmarks)
                yield face, face.crop if same_crops else crop, chip
            elif same_crops:
                summary.coarse += needs_chips
                yield face, face.crop, engine.old_chip(face.crop, face.landmarks) if needs_chips else None


def _unchanged(writer: CollectionWriter, path: str) -> Pixels | None:
    """Read a photograph's pixels (H, W, 3); None unless it is still as it was."""
    known = writer.known([path])[path]
    try:
        status = Path(path).stat()
        same = (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)
        return read_photo(Path(path)).pixels if same else None
    except (OSError, PhotoError):
        return None
