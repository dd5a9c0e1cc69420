"""A collection's features made again with other weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from faces.crop import crop_face
from faces.errors import PhotoError
from faces.photo import read_photo
from faces.progress import NoProgress, Progress
from faces.types import Pixels
from index import CollectionWriter, Reencoding, StoredFace
from retrieval.batch import encode
from retrieval.encoder import Encoder, encoding_of, load_encoder
from retrieval.places import default_collection

_FACES = 64


@dataclass(slots=True)
class ReindexSummary:
    """What a reindex did: ``faces`` made again; ``lost`` photographs must be indexed again.

    ``interrupted``: it was asked to stop, and the same command goes on.
    """

    faces: int = 0
    lost: int = 0
    interrupted: bool = False


def reindex(
    *,
    collection: Path | str | None = None,
    weights: str | Path | None = None,
    encoder: Encoder | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> ReindexSummary:
    """Make all features again with ``weights`` (by default those that made the collection).

    Faces are taken from the crops in the catalogue, or, for weights of another crop geometry, cropped again
    from their photographs with the landmarks found before; photographs that are gone or have changed since
    lose their faces then, and the next ``index_folders`` reads them.  Until everything is made, searches use
    the old features.  Raises as ``index_folders`` does.
    """
    place = default_collection() if collection is None else Path(collection).expanduser()
    progress, summary = progress or NoProgress(), ReindexSummary()
    with CollectionWriter(place) as writer:
        before = writer.encoding
        encoder = encoder or load_encoder(weights, before)
        encoding = encoding_of(
            encoder, weights or (None if encoder.name != before.weights_name else before.source)
        )
        work = Reencoding(writer, encoding)
        again = encoding.geometry != before.geometry
        progress.start("Encoding the faces again", work.remaining, "faces")
        for faces in work.pending(_FACES):
            if stop is not None and stop():
                summary.interrupted = True
                break
            crops = _cropped_again(writer, encoder, faces) if again else [(face, face.crop) for face in faces]
            if crops:
                features = encode(encoder, np.stack([crop for _, crop in crops]))
                work.store([(face.id, new) for (face, _), new in zip(crops, features, strict=True)])
            summary.faces += len(crops)
            progress.advance(len(faces))
        progress.finish()
        if not summary.interrupted:
            summary.lost = work.finish()
            writer.refresh_vectors(always=True, progress=progress)
    return summary


def _cropped_again(
    writer: CollectionWriter, encoder: Encoder, faces: list[StoredFace]
) -> list[tuple[StoredFace, Pixels]]:
    """The faces whose photographs are still as they were, cropped as these weights want it."""
    cropped = []
    for path, inside in groupby(faces, key=lambda face: face.path):
        known = writer.known([path])[path]
        try:
            status = Path(path).stat()
            if (status.st_size, status.st_mtime_ns) != (known.size, known.mtime_ns):
                continue
            pixels = read_photo(Path(path)).pixels
        except (OSError, PhotoError):
            continue
        cropped += [(face, crop_face(pixels, face.landmarks, encoder.geometry)) for face in inside]
    return cropped
