"""People's names to and from other programs: XMP beside the photographs, and what others have written."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from PIL import Image

from faces.boxes import overlap
from faces.errors import PeopleError, RegionError
from faces.files import write_durably
from faces.photo import known_formats
from faces.types import Box
from index import KnownPhoto, PlacedFace, Snapshot
from retrieval.people import People
from retrieval.regions import LARGEST, Region, read_picasa, read_xmp, stored, upright, with_regions

_Faces = TypeVar("_Faces")

_ORIENTATION = 0x0112
_PICASA = (".picasa.ini", "Picasa.ini")
_NEAR = 0.25  # intersection / union from which somebody else's box is the same face: theirs are larger


@dataclass(slots=True)
class Exchanged:
    """What was written or read: photographs, faces, and what was left alone, each file with the reason."""

    photographs: int = 0
    faces: int = 0
    names: set[str] = field(default_factory=set)
    left_alone: list[tuple[str, str]] = field(default_factory=list)


def export_names(
    people: People, snapshot: Snapshot, *, below: Path | None = None, suggested: bool = False
) -> Exchanged:
    """Write the names of faces into a sidecar ``PHOTO.jpg.xmp`` beside each photograph.

    The photographs themselves are not touched.  What a sidecar holds already stays, and faces keep the names
    that they have there.  Only confirmed faces are written, or with ``suggested`` all that are in a person's
    group.
    """
    by_photo: dict[int, list[tuple[PlacedFace, str]]] = defaultdict(list)
    for name, group in people.names.items():
        for face in group.faces if suggested else group.confirmed:
            by_photo[people.faces[face].photo_id].append((people.faces[face], name))
    result = Exchanged()
    for photo, faces in _photos_of(by_photo, snapshot, below):
        path = Path(photo.path)
        sidecar = path.with_name(path.name + ".xmp")
        try:
            turned, width, height = _as_stored(path)
            places = [(_parts(face.box, photo.width, photo.height), name) for face, name in faces]
            regions = [Region(name, stored(place, turned)) for place, name in places]
            before = _read(sidecar) if sidecar.exists() else None
            after = with_regions(before, regions, width, height)
            if before is None or read_xmp(before) != read_xmp(after):
                write_durably(sidecar, after)
                result.photographs += 1
                result.faces += len(faces)
                result.names |= {name for _, name in faces}
        except RegionError as error:
            result.left_alone.append((str(sidecar), str(error)))
        except OSError as error:
            result.left_alone.append((str(path), (error.strerror or "cannot be read").lower()))
    return result


def import_names(people: People, snapshot: Snapshot, *, below: Path | None = None) -> Exchanged:
    """Take over the names that other programs have given to faces, as what was said of them.

    Sidecars ``PHOTO.jpg.xmp`` and ``PHOTO.xmp``, XMP in the photographs, and ``.picasa.ini`` are read.  Faces
    that somebody has named here keep their names.  Those that only the other program has found are passed
    over.
    """
    by_photo: dict[int, list[PlacedFace]] = defaultdict(list)
    for face in people.faces.values():
        by_photo[face.photo_id].append(face)
    result = Exchanged()
    found: dict[str, list[int]] = defaultdict(list)
    picasa: dict[Path, dict[str, list[Region]]] = {}
    for photo, faces in _photos_of(by_photo, snapshot, below):
        path = Path(photo.path)
        regions = list(_regions_of(path, picasa, result))
        if not regions:
            continue
        try:
            turned, _, _ = _as_stored(path)
        except OSError:
            continue
        named = 0
        for face in faces:
            place = _parts(face.box, photo.width, photo.height)
            name = _name_for(place, regions, turned)
            if name and face.id not in people.of_face[face.id].confirmed:
                found[name].append(face.id)
                named += 1
        result.photographs += named > 0
        result.faces += named
    for name, ids in found.items():
        try:
            people.confirm(ids, name)
            result.names.add(name)
        except PeopleError as error:
            result.left_alone.append((people.faces[ids[0]].path, str(error)))
            result.faces -= len(ids)
    return result


def _photos_of(
    by_photo: Mapping[int, list[_Faces]], snapshot: Snapshot, below: Path | None
) -> Iterator[tuple[KnownPhoto, list[_Faces]]]:
    """Give the photographs that are there, or those below a folder, with what is kept of each."""
    inside = "" if below is None else os.path.realpath(below).rstrip("/") + "/"
    for photo_id, faces in sorted(by_photo.items()):
        photo = snapshot.photo(photo_id)
        if photo is not None and photo.path.startswith(inside):
            yield photo, faces


def _regions_of(
    path: Path, picasa: dict[Path, dict[str, list[Region]]], result: Exchanged
) -> Iterator[Region]:
    """Read what other programs have said of a photograph."""
    for sidecar in (path.with_name(path.name + ".xmp"), path.with_suffix(".xmp")):
        if sidecar.is_file():
            try:
                yield from read_xmp(_read(sidecar))
            except (RegionError, OSError) as error:
                result.left_alone.append((str(sidecar), str(error)))
    try:
        packet = _packet(path)
        yield from read_xmp(packet) if packet else ()
    except RegionError as error:
        result.left_alone.append((str(path), str(error)))
    if path.parent not in picasa:
        picasa[path.parent] = {}
        for own in (path.parent / name for name in _PICASA):
            if own.is_file():
                try:
                    picasa[path.parent] = read_picasa(_read(own).decode("utf-8", "replace"))
                except (RegionError, OSError) as error:
                    result.left_alone.append((str(own), str(error)))
    yield from picasa[path.parent].get(path.name, [])


def _read(file: Path) -> bytes:
    """Read a small file of another program; raises RegionError if it is none, or OSError."""
    if file.stat().st_size > LARGEST:
        raise RegionError(f"it is larger than {LARGEST >> 20} MB")
    return file.read_bytes()


def _packet(path: Path) -> bytes:
    """Give the XMP in a photograph; empty if there is none, or it cannot be read as a picture."""
    with suppress(Exception):  # Pillow has no end of them, and whatever ails a picture is told when indexing
        with Image.open(path, formats=known_formats()) as image:
            found = image.info.get("xmp") or b""
        return found if isinstance(found, bytes) else str(found).encode()
    return b""


def _name_for(place: Box, regions: Iterable[Region], turned: int) -> str:
    """Give the name of the region that is this face; "" if none is.

    Regions belong to the picture as it is stored, but not all programs keep to that.
    """
    best, name = _NEAR, ""
    for region in regions:
        for box in (upright(region.box, turned), region.box):
            share = overlap(place, box)
            if share > best:
                best, name = share, region.name
    return name


def _parts(box: Box, width: int, height: int) -> Box:
    """Give a box of a photograph in parts of its sides."""
    left, top, right, bottom = box.sides
    return Box(left / width, top / height, right / width, bottom / height)


def _as_stored(path: Path) -> tuple[int, int, int]:
    """Give the EXIF orientation of a photograph, and its width and height as it is stored; raises OSError."""
    with Image.open(path, formats=known_formats()) as image:
        turned = image.getexif().get(_ORIENTATION, 1)
        # A HEIC is turned as it is decoded, whatever its EXIF says.
        if not isinstance(turned, int) or not 1 <= turned <= 8 or image.format in ("HEIF", "AVIF"):
            turned = 1
        return turned, image.width, image.height
