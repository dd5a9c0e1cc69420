"""Faces that somebody has drawn into photographs, where none was found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from faces.boxes import SAME_FACE, overlap
from faces.dlib_detector import model_file
from faces.errors import PeopleError, PhotoError
from faces.landmarks import FivePoints
from faces.photo import read_photo
from faces.types import Box
from index import FaceName, FaceVector, NewFace, Place, PlacedFace, Snapshot, add_decision, add_face
from retrieval.decisions import drawn_faces

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.finder import Finder

_SMALLEST = 8.0  # pixels


def draw_face(finder: Finder, photo: Path | str, box: Box) -> int:
    """Take in a face of a photograph of the collection and give its id; what was drawn is a decision.

    ``box`` is in pixels of the upright photograph.  Raises PeopleError if the collection does not have the
    photograph, a face is there already, or nothing in the box can be a face; PhotoError.
    """
    path = os.path.realpath(Path(photo).expanduser())
    with finder.collection.snapshot() as snapshot:
        known = next((one for one in snapshot.photos_like(path, None)), None)
        record = None if known is None else snapshot.photo(known)
        if record is None or record.path != path:
            raise PeopleError(f"the collection does not have {photo}; run `anotheryou index` on its folder")
        here = [face.id for face in snapshot.faces_in(record.id) if overlap(face.box, box) >= SAME_FACE]
    place = finder.collection.place
    if not here:
        found = add_face(place, record.id, _seen(finder.engine, Path(path), box))
    elif here[0] in finder.people().no_faces:
        found = here[0]
    else:
        raise PeopleError("there is a face at this place already")
    name = PlacedFace(found, record.id, path, record.content or "", box).name
    add_decision(place, "face", {"faces": [name]})
    return found


def restore_faces(place: Place, engine: Callable[[], Engine], snapshot: Snapshot) -> int:
    """Take in again what was drawn into photographs that were read anew since; returns how many faces.

    ``engine`` is only called if there are some.
    """
    drawn = drawn_faces(snapshot)
    if not drawn:
        return 0
    faces, count = snapshot.placed_faces(), 0
    for name in drawn:
        here = [face for face in faces if face.content == name.content]
        if any(overlap(face.box, name.box) >= SAME_FACE for face in here):
            continue
        for photo_id in snapshot.photos_like(None, name.content) if name.content else []:
            record = snapshot.photo(photo_id)
            if record is not None:
                count += _restored(place, engine(), record.path, photo_id, name)
    return count


def _restored(place: Place, engine: Engine, path: str, photo_id: int, name: FaceName) -> bool:
    try:
        add_face(place, photo_id, _seen(engine, Path(path), name.box))
    except (PhotoError, PeopleError):  # gone meanwhile
        return False
    return True


def _seen(engine: Engine, path: Path, box: Box) -> NewFace:
    """Look at what is in a box of a photograph as at any face."""
    photo = read_photo(path)
    inside = 0 <= box.left < box.right <= photo.width and 0 <= box.top < box.bottom <= photo.height
    if not inside or min(box.width, box.height) < _SMALLEST:
        raise PeopleError(
            f"a box is {_SMALLEST:.0f} pixels or more, and inside of {photo.width} x {photo.height}"
        )
    points = FivePoints(model_file("shape_predictor_5_face_landmarks.dat"))
    marks = points.find(Image.fromarray(photo.pixels).convert("L"), box)
    try:
        if marks is None:
            raise ValueError("there are no eyes and nose in it")
        crop, vector = engine.embed_face(photo.pixels, marks)
    except ValueError as error:
        raise PeopleError(f"nothing in this box can be a face ({error})") from None
    return NewFace(box, marks, 0.0, FaceVector(crop, vector))
