"""Collections that have lived the same life must give the same answers, wherever they are kept."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from collections_made import DIMENSION, layout, new_collection, photo, some_vectors, stored

from index import Collection, CollectionWriter, NewPhoto, Place, Reindexing, Status

# Names that sort in unlike ways: by letter, by code point, as bytes.
_FOLDERS = ("a", "B", "ä", "a0", "a.d", "a/inner", os.fsdecode(b"\xff"), "percent%20")


def live(place: Place, seed: int, steps: int = 30) -> None:
    """Make a collection and store, replace, move, remove and forget photographs, seeded."""
    rng = np.random.default_rng(seed)
    with CollectionWriter(place, new_collection()) as writer:
        for step in range(steps):
            known = [one for some in writer.below("/") for one in some]
            some = rng.permutation(len(known))[:2]
            match rng.choice(["store", "move", "remove", "forget", "refresh"], p=[0.6, 0.1, 0.1, 0.1, 0.1]):
                case "store":
                    new = [_photo(rng) for _ in range(rng.integers(1, 6))]
                    writer.store([*{photo.path: photo for photo in new}.values()])
                case "move":
                    here = f"/photos/moved/{step}"
                    moved = [replace(known[i], path=f"{here}-{i}.jpg", mtime_ns=step) for i in some]
                    writer.store([], moved)
                case "remove":
                    writer.remove([known[i].id for i in some])
                case "forget":
                    writer.forget([known[i].id for i in some])
                case "refresh":
                    writer.refresh_vectors(clean=True)
        writer.remember_detection("another detector", seed)
        if seed % 2:
            work = Reindexing(writer, layout("ffffffffffff"))
            for faces in work.pending(7):
                made = some_vectors(rng, len(faces))
                work.store([(face.id, stored(vector)) for face, vector in zip(faces, made, strict=True)])
            assert work.finish() == 0


def _photo(rng: np.random.Generator) -> NewPhoto:
    name = f"{rng.choice(_FOLDERS)}/{rng.integers(12)}.jpg"
    if rng.random() < 0.1:
        skipped = photo(name, np.empty((0, DIMENSION), np.float32))
        return replace(skipped, status=Status.SKIPPED, reason="file is empty")
    vectors = some_vectors(rng, int(rng.integers(0, 4)))
    if len(vectors) > 1:
        vectors[0] = vectors[1]  # a tie
    return photo(name, vectors, size=int(rng.integers(2**40)))


def _comparable(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value


def answers(place: Place, seed: int) -> dict[str, Any]:
    """What a collection says to many questions, all of it comparable with ``==``."""
    rng = np.random.default_rng(seed)
    asked = some_vectors(rng, 3)
    found: dict[str, Any] = {}
    with Collection(place) as collection, collection.snapshot() as snapshot:
        summary = snapshot.summary()
        found["summary"] = replace(summary, created="")
        photos = [one for status in Status for one in snapshot.photos(status)]
        found["photos"] = sorted(photos, key=lambda one: one.id)
        ids = np.sort(np.concatenate([block for block, _ in snapshot.blocks()]))
        found["ids"], found["count"] = ids.tolist(), len(snapshot)
        found["vectors"] = snapshot.vectors(ids).tobytes()
        found["faces"] = [
            {name: _comparable(getattr(face, name)) for name in face.__slots__}
            for face in snapshot.faces(ids.tolist())
        ]
        listing = snapshot.listing()
        for below in (None, "/photos"):
            pieces = listing.pieces(3, below=below)
            found[f"pieces below {below}"] = pieces
            found[f"listed below {below}"] = [
                listing.photos(3, start=piece.start, below=below) for piece in pieces
            ]
        found["folders"], found["skipped"] = listing.folders(), listing.skipped(5)
        found["some faces"] = listing.newest_faces(4), listing.faces_from_all_over(4)
        found["photographs of faces"] = [snapshot.photo_of(one) for one in ids[:5].tolist()]
        left_out = [one.id for one in photos[::3]]
        among = np.sort(rng.permutation(ids)[: len(ids) // 2])
        for number, query in enumerate(asked):
            for k in (1, 5, 1000):
                answered = {
                    "all": snapshot.best(query, k),
                    "other photographs": snapshot.best(query, k, exclude_photo_ids=left_out),
                    "among half": snapshot.best(query, k, among=among),
                }
                for name, best in answered.items():
                    found[f"query {number}, {k}, {name}"] = best.scores.tolist(), best.ids.tolist()
        for path in ("/", "/photos", "/photos/", *(f"/photos/{name}" for name in _FOLDERS), photos[0].path):
            found[path] = snapshot.count_below(path), snapshot.faces_among(below=path).tolist()
        for one in photos:
            found[f"same as {one.id}"] = (
                sorted(snapshot.photos_like(one.path, one.content)),
                [face.id for face in snapshot.faces_of(one.path, one.content)],
            )
    return found
