"""Index a folder and answer questions with one program, as its users would; started by peers.py.

    python benchmarks/peer.py PROGRAM index GALLERY INDEX
    python benchmarks/peer.py PROGRAM ask GALLERY INDEX

Runs in the environment of that program, which knows nothing of this project.  ``ask`` reads the paths of
photographs, one a line, and answers each by a line of JSON: the paths of the photographs found for its
largest face, the likeliest first, none if no face was found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ANSWERS = 20
SUFFIXES = (".jpg", ".jpeg", ".png")  # of the files that DeepFace.find reads
Ask = Callable[[str], list[str]]


def photographs(gallery: Path) -> list[Path]:
    """List the gallery; what DeepFace leaves in it is no photograph."""
    return sorted(path for path in gallery.iterdir() if path.suffix in SUFFIXES)


class AnotherYou:
    """anotheryou with its defaults."""

    def index(self, gallery: Path, index: Path) -> None:
        from anotheryou import index_folders

        index_folders([gallery], collection=index)

    def open(self, gallery: Path, index: Path) -> Ask:
        from anotheryou import Finder
        from faces.errors import NoFaceError

        finder = Finder(index)

        def ask(photo: str) -> list[str]:
            try:
                return [hit.path for hit in finder.search(photo, k=ANSWERS).hits]
            except NoFaceError:
                return []

        return ask


class DeepFace:
    """DeepFace.find with dlib's descriptor; ``detector`` as its detector_backend."""

    def __init__(self, detector: str) -> None:
        self.detector = detector

    def find(self, photo: str, gallery: Path, *, refresh: bool) -> list[list[dict[str, Any]]]:
        """Find the nearest faces for each face of a photograph; ``refresh`` looks for new photographs."""
        from deepface import DeepFace

        try:
            return DeepFace.find(  # type: ignore[no-any-return]
                photo,
                str(gallery),
                model_name="Dlib",
                detector_backend=self.detector,
                similarity_search=True,  # the nearest, however far they are, as in the others' answers
                k=ANSWERS,
                refresh_database=refresh,
                return_type="dict",  # the faster one
                silent=True,
            )
        except ValueError as error:  # it has no type of its own in all releases
            if "could not be detected" in str(error):
                return []
            raise

    def index(self, gallery: Path, index: Path) -> None:
        # The index is made, inside the gallery, by the first question.
        self.find(str(photographs(gallery)[0]), gallery, refresh=True)

    def open(self, gallery: Path, index: Path) -> Ask:
        def ask(photo: str) -> list[str]:
            faces = [found for found in self.find(photo, gallery, refresh=False) if found]
            if not faces:
                return []
            largest = max(faces, key=lambda found: found[0]["source_w"] * found[0]["source_h"])
            return [str(hit["identity"]) for hit in largest]

        return ask


class FaceRecognition:
    """face_recognition with its defaults, in the loop that its examples show."""

    def index(self, gallery: Path, index: Path) -> None:
        import face_recognition
        import numpy as np

        paths, encodings = [], []
        for path in photographs(gallery):
            found = face_recognition.face_encodings(face_recognition.load_image_file(path))
            paths += [str(path)] * len(found)
            encodings += found
        np.savez(index, paths=paths, encodings=np.reshape(encodings, (-1, 128)))

    def open(self, gallery: Path, index: Path) -> Ask:
        import face_recognition
        import numpy as np

        with np.load(index.with_suffix(".npz")) as stored:
            paths, encodings = stored["paths"].tolist(), stored["encodings"]

        def ask(photo: str) -> list[str]:
            pixels = face_recognition.load_image_file(photo)
            places = face_recognition.face_locations(pixels)  # (top, right, bottom, left)
            if not places:
                return []
            largest = max(places, key=lambda place: (place[2] - place[0]) * (place[1] - place[3]))
            encoding = face_recognition.face_encodings(pixels, [largest])[0]
            nearest = np.argsort(face_recognition.face_distance(encodings, encoding))
            return [paths[place] for place in nearest[:ANSWERS]]

        return ask


PROGRAMS: dict[str, AnotherYou | DeepFace | FaceRecognition] = {
    "anotheryou": AnotherYou(),
    "deepface, opencv": DeepFace("opencv"),
    "deepface, dlib": DeepFace("dlib"),
    "face_recognition": FaceRecognition(),
}


def main() -> None:
    """Read the command line and run."""
    program, task, gallery, index = PROGRAMS[sys.argv[1]], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    answers, sys.stdout = sys.stdout, sys.stderr  # the programs print this and that
    if task == "index":
        program.index(gallery, index)
        return
    ask = program.open(gallery, index)
    for line in sys.stdin:
        print(json.dumps(ask(line.rstrip("\n"))), file=answers, flush=True)


if __name__ == "__main__":
    main()
