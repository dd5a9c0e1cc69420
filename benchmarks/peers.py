"""anotheryou beside deepface and face_recognition: time, memory, and how often the right person comes first.

    python benchmarks/peers.py [--folder PHOTOS] [--megapixels 12 --photographs 40] [--work DIR] [--json OUT]

Makes an environment for the others in the work folder, once, which needs the Python package index and nothing
else: dlib's descriptor, which all of them use here, comes from there too.  Then each program indexes the
demo's album, and the folder that is named, in a process of its own and answers the same questions in another,
one after the other.  The first question is timed from the start of the process.

The questions are photographs of the folder, written anew without loss, so that no program can know them by
their path or content; the photograph itself does not count among the answers.  Who is on a photograph is
told by a ``labels.csv`` (columns ``file,person``) or, without one, by the name of its sub-folder; in a folder
with neither nobody is right or wrong.  Files that DeepFace.find does not read are handed to all as PNG.
Nothing is written into the folder.  Needs Linux, whose /proc tells how much memory the processes take.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import platformdirs
from peer import PROGRAMS, SUFFIXES
from PIL import Image

from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from facedata.labels import LABELS_FILE, parse_labels
from faces.errors import AnotherYouError, PhotoError
from faces.photo import PHOTO_SUFFIXES, read_photo
from faces.progress import underway
from retrieval.workers import default_workers

ALBUM = Path(__file__).resolve().parent.parent / "demo" / "album"
PACKAGES = (
    *("deepface==0.0.103", "onnxruntime==1.32.0", "pandas==3.1.1", "numpy==2.4.6", "pillow==13.0.0"),
    "werkzeug==3.1.9",  # deepface imports it without asking for it
    "opencv-contrib-python-headless==4.14.0.94",  # before 5: with the files of its face detector
    *("dlib-bin==20.0.1.post1", "face_recognition_models==0.3.0"),
    "setuptools<81",  # later ones lack pkg_resources, which face_recognition_models imports
)
UNRESOLVED = ("face_recognition==1.3.0",)  # it asks for dlib to be compiled, which dlib-bin has done
WEIGHTS = ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat")
OURS = "anotheryou"
MEASURES = (  # how it is called, the attribute of a result, how it is written, and whether more is better
    ("photographs/s", "photographs_per_second", "{:.2f}", True),
    ("processor s each", "processor_seconds", "{:.2f}", False),
    ("folder to answer", "from_folder", "{:.1f} s", False),
    ("first answer", "first_answer", "{:.2f} s", False),
    ("warm answer", "warm_answer", "{:.3f} s", False),
    ("MB indexing", "index_megabytes", "{:.0f}", False),
    ("MB asking", "ask_megabytes", "{:.0f}", False),
)
RIGHT = "right person first"


class PeerError(AnotherYouError):
    """A program cannot be installed, or failed while it was measured."""


@dataclass(frozen=True)
class Result:
    """What one program took for one folder: seconds of wall time, of processor time, and megabytes.

    ``processor_seconds`` are those of one photograph, of all cores.  ``first_answer`` counts from the start
    of the process, ``warm_answer`` is the median of all but the first.  ``unanswered`` are the questions
    without a hit.  ``right_first`` is the percentage of all questions, None if none is answerable.
    """

    program: str
    photographs: int
    index_seconds: float
    processor_seconds: float
    index_megabytes: float
    first_answer: float
    warm_answer: float
    ask_megabytes: float
    questions: int
    unanswered: int
    right_first: float | None

    @property
    def photographs_per_second(self) -> float:
        return self.photographs / self.index_seconds

    @property
    def from_folder(self) -> float:
        """Seconds from a folder that nobody has looked at to the first answer."""
        return self.index_seconds + self.first_answer


def environment(work: Path) -> Path:
    """Give the Python that has the others, and make it if need be; raises PeerError if that fails."""
    place, python = work / "environment", work / "environment" / "bin" / "python"
    made, wanted = place / "made-of.txt", "\n".join((*PACKAGES, *UNRESOLVED))
    if made.is_file() and made.read_text() == wanted:
        return python
    say(f"installing deepface and face_recognition into {place}")
    venv.create(place, clear=True, with_pip=True)
    for packages in (PACKAGES, ("--no-deps", *UNRESOLVED)):
        command = [python, "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = done.stderr.strip().rpartition("ERROR: ")[2]
            raise PeerError(f"the others cannot be installed, which needs the Python package index: {reason}")
    [models] = place.glob("lib/python*/site-packages/face_recognition_models/models")
    weights = work / ".deepface" / "weights"  # below $DEEPFACE_HOME
    weights.mkdir(parents=True, exist_ok=True)
    for name in WEIGHTS:
        shutil.copy(models / name, weights)
    made.write_text(wanted)
    return python


def people(folder: Path, photographs: Sequence[Path]) -> dict[Path, str]:
    """Tell who is on the photographs, as far as that is known; raises LabelError as ``parse_labels`` does."""
    labels = folder / LABELS_FILE
    if labels.is_file():
        rows = parse_labels(labels.read_bytes(), labels)
        return {folder / row.file: row.person for row in rows}
    inside = {path: path.relative_to(folder).parts for path in photographs}
    return {path: parts[0] for path, parts in inside.items() if len(parts) > 1}


def lay_out(folder: Path, gallery: Path, limit: int, megapixels: float) -> dict[Path, str]:
    """Make a gallery that all programs can read: links to the photographs, or files made of them.

    Takes at most ``limit`` of the photographs, evenly by name, and enlarges those of fewer ``megapixels``.
    Gives the real path of each entry and who is on it, "" for unknown.  Reading each photograph once also
    brings it into the disk's cache, so that the first program has no worse start than the last.
    Raises PhotoError if there is no photograph in the folder.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    files = files[:: -(-len(files) // limit) or 1]
    known, laid_out = people(folder, files), {}
    gallery.mkdir()
    with underway(RichProgress(), "reading", len(files), "photographs") as reading:
        for number, path in enumerate(files):
            reading.advance()
            try:
                photo = read_photo(path)
            except PhotoError as error:
                say(f"left out: {error}")
                continue
            image, suffix = Image.fromarray(photo.pixels), path.suffix.lower()
            larger = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            if larger > 1:
                entry = gallery / f"{number:06d}.jpg"
                size = round(image.width * larger), round(image.height * larger)
                image.resize(size, Image.Resampling.BICUBIC).save(entry, quality=90)
            elif suffix in SUFFIXES:
                entry = gallery / f"{number:06d}{suffix}"
                entry.symlink_to(path.resolve())
            else:
                entry = gallery / f"{number:06d}.png"
                image.save(entry)
            laid_out[entry.resolve()] = known.get(path, "")
    if not laid_out:
        raise PhotoError(folder, "there is no photograph in it that can be read")
    return laid_out


def answerable(gallery: dict[Path, str]) -> list[Path]:
    """List the photographs whose person is on others too."""
    often = Counter(filter(None, gallery.values()))
    return [path for path, person in gallery.items() if often[person] > 1]


def draw_questions(gallery: dict[Path, str], count: int, place: Path) -> dict[Path, Path]:
    """Choose photographs at random, and write each anew; gives the path of the new file and of the old one.

    They are answerable if any are.
    """
    fit = answerable(gallery) or list(gallery)
    chosen = np.random.default_rng(0).permutation(len(fit))[:count]
    place.mkdir()
    questions = {}
    for number in chosen.tolist():
        question = place / f"{number:06d}.png"
        Image.fromarray(read_photo(fit[number]).pixels).save(question, compress_level=1)
        questions[question] = fit[number]
    return questions


def judge(hits: Sequence[Path], own: Path, gallery: dict[Path, str]) -> bool:
    """Tell whether the first hit shows the right person.

    The photograph itself does not count, nor do those of which it is not known who is on them.
    """
    others = [gallery[hit] for hit in hits if hit != own and gallery[hit]]
    return bool(others) and others[0] == gallery[own]


class Watched:
    """Watches how much memory and processor time a process and all that it starts take together.

    What they have mapped from files is mostly the same in all, and counts once.
    """

    def __init__(self, process: int) -> None:
        self.peak_megabytes = 0.0
        self._used: dict[int, float] = {}  # by process, also those that have ended
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def processor_seconds(self) -> float:
        """Sum up what was used."""
        return sum(self._used.values())

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        while not self._over.wait(0.1):
            with suppress(OSError):  # one of them has just ended
                tree = self._tree()
                for process in tree:
                    used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
                    self._used[process] = sum(map(int, used)) / tick
                sizes = [Path(f"/proc/{process}/statm").read_text().split()[1:3] for process in tree]
                resident, shared = np.array(sizes, np.int64).T  # in pages
                taken = (resident - shared).sum() + shared.max()
                self.peak_megabytes = max(self.peak_megabytes, float(taken) * page / 2**20)

    def _tree(self) -> list[int]:
        tree = [self._process]
        for process in tree:  # grows on the way
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                tree += map(int, children.read_text().split())
        return tree


@contextmanager
def started(
    program: str, task: str, place: Path, python: Path
) -> Iterator[tuple[subprocess.Popen[str], Watched]]:
    """Run one program in a process of its own until it ends; raises PeerError if it fails."""
    log = place / "log.txt"
    script = Path(__file__).with_name("peer.py")
    command: list[Path | str] = [python, script, program, task, place / "gallery", place / program]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "DEEPFACE_HOME": str(place.parent)},
        ) as process,
    ):
        try:
            with Watched(process.pid) as watched:
                yield process, watched
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise PeerError(f"{program} failed while it was to {task}: {last}")


def measure(
    program: str, place: Path, python: Path, gallery: dict[Path, str], questions: dict[Path, Path]
) -> Result:
    """Let one program index the gallery and answer the questions; raises PeerError if it fails."""
    begun = time.perf_counter()
    with started(program, "index", place, python) as (process, indexing):
        process.wait()
    seconds = time.perf_counter() - begun
    answers: list[list[Path]] = []
    times = []
    begun = time.perf_counter()
    with started(program, "ask", place, python) as (process, asking):
        assert process.stdin is not None and process.stdout is not None
        for question in questions:
            print(question, file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:  # it has failed
                break
            times.append(time.perf_counter() - begun)
            answers.append([Path(hit).resolve() for hit in json.loads(line)])
            begun = time.perf_counter()
        process.stdin.close()
    right = [judge(hits, own, gallery) for hits, own in zip(answers, questions.values(), strict=True)]
    return Result(
        program=program,
        photographs=len(gallery),
        index_seconds=seconds,
        processor_seconds=indexing.processor_seconds / len(gallery),
        index_megabytes=indexing.peak_megabytes,
        first_answer=times[0],
        warm_answer=statistics.median(times[1:] or times),
        ask_megabytes=asking.peak_megabytes,
        questions=len(questions),
        unanswered=sum(not hits for hits in answers),
        right_first=100 * statistics.mean(right) if answerable(gallery) else None,
    )


def compare(folder: Path, work: Path, python: Path, wanted: argparse.Namespace) -> list[Result]:
    """Measure all programs on one folder."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        place = Path(name)
        gallery = lay_out(folder, place / "gallery", wanted.photographs, wanted.megapixels)
        questions = draw_questions(gallery, wanted.questions, place / "questions")
        load = os.getloadavg()[0]
        print(f"\n{folder}: {len(gallery)} photographs, {len(questions)} questions; ", end="")
        print(f"{default_workers()} cores, load {load:.1f} beforehand\n", flush=True)
        results = []
        for program in PROGRAMS:
            say(f"measuring {program}")
            own = Path(sys.executable) if program == OURS else python
            results.append(measure(program, place, own, gallery, questions))
        return results


def print_figures(results: Sequence[Result]) -> None:
    """Print what was measured, and how many times better or worse the first program is than each other.

    Of the right person the latter is the difference in percentage points.
    """
    columns = (*(title for title, *_ in MEASURES), RIGHT)
    rows = []
    for one in results:
        row = [one.program, *(form.format(getattr(one, name)) for _, name, form, _ in MEASURES)]
        row.append("not known" if one.right_first is None else f"{one.right_first:.1f} %")
        rows.append([*row, f"{one.unanswered} of {one.questions}"])
    print_table(("", *columns, "without an answer"), rows, right=(*columns, "without an answer"))
    ours, rows = results[0], []
    for one in results[1:]:
        row = [one.program]
        for _, name, _, more_is_better in MEASURES:
            times = getattr(ours, name) / getattr(one, name)
            times = times if more_is_better else 1 / times
            row.append(f"{times:.1f} × better" if times >= 1 else f"{1 / times:.1f} × worse")
        if ours.right_first is None or one.right_first is None:
            row.append("not known")
        else:
            points = ours.right_first - one.right_first
            row.append(f"{abs(points):.1f} {'better' if points > 0 else 'worse'}" if points else "equal")
        rows.append(row)
    print()
    print_table((f"{ours.program} against", *columns), rows, right=columns)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure anotheryou beside deepface and face_recognition.")
    parser.add_argument("--folder", type=Path, metavar="PHOTOS", help="measure on this folder as well")
    words = "where the others are installed (1 GB); by default in the user's cache"
    cache = platformdirs.user_cache_path("anotheryou", appauthor=False) / "peers"
    parser.add_argument("--work", type=Path, default=cache, metavar="DIR", help=words)
    parser.add_argument("--photographs", type=int, default=1000, metavar="N", help="at most so many a folder")
    parser.add_argument("--questions", type=int, default=120, metavar="N", help="at most so many a folder")
    words = "enlarge smaller photographs to this size, such as 12, that of a camera's"
    parser.add_argument("--megapixels", type=float, default=0, metavar="SIZE", help=words)
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures here")
    wanted = parser.parse_args()
    if min(wanted.photographs, wanted.questions) < 2:
        parser.error("--photographs and --questions must be 2 or more")
    folders = [ALBUM, *([wanted.folder] if wanted.folder else [])]
    for folder in folders:
        if not folder.is_dir():
            raise PhotoError(folder, "there is no such folder")
    wanted.work.mkdir(parents=True, exist_ok=True)
    work = wanted.work.resolve()
    python = environment(work)
    written = {}
    for folder in folders:
        results = compare(folder, work, python, wanted)
        print_figures(results)
        written[str(folder)] = [asdict(one) for one in results]
    if wanted.json:
        wanted.json.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(run_script(main))
