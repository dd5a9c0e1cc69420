"""A labelled folder, or some people of it, as one .zip that is read in place."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from facedata.labels import LABELS_FILE, LabelRow, clean_name, format_labels, parse_labels
from facedata.large_pictures import LARGE_FILE, format_large, large_name, parse_large
from faces.errors import DataError
from faces.files import replacing
from faces.progress import Progress, underway

_NUMBERS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MOST_NUMBERS = 1_000_000
# Pictures that are compressed already; deflating them again gains nothing.
_STORED = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".heic"})


def parse_people(text: str) -> list[int]:
    """Parse ``"100-123,130"`` to ascending numbers; raises DataError if it names none."""
    numbers: set[int] = set()
    for word in text.split(","):
        found = _NUMBERS.fullmatch(word.strip())
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not 0 <= high - low < _MOST_NUMBERS:
            raise DataError(f"{word.strip()!r} names no people; write numbers such as 100-123,130.")
        numbers.update(range(low, high + 1))
    return sorted(numbers)


def pack_labelled(
    folder: Path, out: Path, *, people: Sequence[int] | None = None, progress: Progress | None = None
) -> int:
    """Write the labelled folder to the .zip ``out``; returns its number of pictures.

    ``people`` chooses those whose names are these numbers; None takes all.  Equal folders give equal bytes
    (with the same zlib).  Pictures go in as they are, with their larger and clean versions if the folder
    keeps some.  A reader sees the old archive or the new, never a half.  Raises LabelError for wrong labels,
    DataError if people or pictures are missing or ``out`` cannot be written.
    """
    labels = folder / LABELS_FILE
    if not labels.is_file():
        raise DataError(f"{labels} is missing; a labelled folder has one beside its pictures.")
    if out.suffix.lower() != ".zip":
        raise DataError(f"{out} does not end in .zip; readers know the archive by that.")
    try:
        rows = _chosen(parse_labels(labels.read_bytes(), labels), people, labels)
        listed = folder / LARGE_FILE
        known = parse_large(listed.read_bytes(), listed) if listed.is_file() else {}
        points = {row.file: known[row.file][1] for row in rows if row.file in known}
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            underway(progress, "packing", len(rows), "pictures") as packing,
            replacing(out) as part,
            zipfile.ZipFile(part, "w") as archive,
        ):
            _add(archive, LABELS_FILE, format_labels(rows, labels))
            if points:
                _add(archive, LARGE_FILE, format_large(points))
            for row in rows:
                names = [row.file]
                names += [clean_name(row.file)] if (folder / clean_name(row.file)).is_file() else []
                names += [large_name(row.file)] if row.file in points else []
                for name in names:
                    _add(archive, name, (folder / name).read_bytes())
                packing.advance()
    except OSError as error:
        raise DataError(f"{error.filename or out} cannot be packed: {error.strerror or error}.") from error
    return len(rows)


def _chosen(rows: list[LabelRow], people: Sequence[int] | None, labels: Path) -> list[LabelRow]:
    if people is not None:
        numbers = {row.person: int(row.person) for row in rows if re.fullmatch("[0-9]{1,9}", row.person)}
        missing = set(people) - set(numbers.values())
        if missing:
            raise DataError(f"{labels} has nobody with the number {min(missing)}; choose among its people.")
        wanted = set(people)
        rows = [row for row in rows if numbers.get(row.person) in wanted]
    if not rows:
        raise DataError(f"{labels} lists no pictures to pack; add a line for each.")
    return rows


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o100644 << 16  # the same wherever it is packed
    stored = Path(name).suffix.lower() in _STORED
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, compresslevel=9)
