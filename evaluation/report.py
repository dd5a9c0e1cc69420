"""The report of a benchmark, made from a folder of results alone, so that it can be made again.

``report.html`` needs nothing beside it; ``report.md`` links the pictures in ``figures/``.  ``run.json`` keeps
how the folder was made: commands and versions.
"""

from __future__ import annotations

import base64
import json
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluation.figures.figure import FOLDER, StoredFigure, read_figures, value_word
from evaluation.results import Results, SetHeader, read_results
from evaluation.tables import Table, missing_rows, set_tables, verdict_tables
from faces.errors import DataError

HTML_FILE = "report.html"
MARKDOWN_FILE = "report.md"
RUN_FILE = "run.json"
_PACKAGES = ("anotheryou", "torch", "numpy", "scikit-learn", "dlib-bin", "pillow")


@dataclass(frozen=True)
class Part:
    """Some tables and figures of a set under one heading."""

    heading: str
    tables: Sequence[Table]
    figures: Sequence[StoredFigure]


@dataclass(frozen=True)
class Section:
    """One set of faces; ``missing`` names the rows that could not be measured by why."""

    anchor: str
    title: str
    header: SetHeader
    values: tuple[str, ...]
    verdicts: Sequence[Table]
    missing: dict[str, list[str]]
    parts: Sequence[Part]


@dataclass(frozen=True)
class RunNote:
    """``commands`` as they are typed, in the order in which they last ran; ``versions`` by name."""

    commands: tuple[str, ...]
    versions: dict[str, str]


def write_report(folder: Path) -> None:
    """Write ``report.html`` and ``report.md`` into a folder of results.

    Raises DataError if there are no results, something in the folder is damaged, or it cannot be written.
    """
    results = read_results(folder)
    sections = [
        _section(number, header, results.of(header.set), read_figures(folder, header.set))
        for number, header in enumerate(results.sets, start=1)
    ]

    def picture(name: str) -> str:
        path = folder / FOLDER / name
        try:
            return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); make the figures again.") from None

    shown = {"sections": sections, "run": read_run(folder), "picture": picture, "figures": FOLDER}
    try:
        for name in (HTML_FILE, MARKDOWN_FILE):
            template = _environment(html=name == HTML_FILE).get_template(name)
            partial = folder / f"{name}.part"
            partial.write_text(template.render(shown).strip() + "\n", encoding="utf-8")
            partial.replace(folder / name)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}).") from None


def note_run(folder: Path, command: Sequence[str]) -> None:
    """Add a command, given word by word, to ``run.json`` in a folder of results, with today's versions.

    Raises DataError if the folder cannot be written.
    """
    before = read_run(folder)
    typed = shlex.join(command)
    commands = [one for one in (before.commands if before else ()) if one != typed]
    note = RunNote((*commands, typed), _versions())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(note), ensure_ascii=False, indent=1)
        (folder / RUN_FILE).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}).") from None


def read_run(folder: Path) -> RunNote | None:
    """Read what ``note_run`` wrote, None if nothing was; raises DataError if the file is damaged."""
    path = folder / RUN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return RunNote(tuple(map(str, content["commands"])), dict(content["versions"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it.") from None


def _section(number: int, header: SetHeader, results: Results, figures: Sequence[StoredFigure]) -> Section:
    tables = set_tables(header, results)
    headings = {
        "retrieval": "Retrieval",
        "drawing": "Drawings",
        "recognition": f"Telling the {header.attribute}",
        "misalignment": "Misaligned faces",
        "failures": "Failures",
    }
    tasks = {"pose": "Rotating faces", "light": "Another light", "accessory": "Accessories"}
    task = tasks[header.attribute] if header.queries or header.attribute != "accessory" else "Completion"
    parts = [
        Part(heading, tables.get(part, []), [figure for figure in figures if figure.part == part])
        for part, heading in headings.items()
    ]
    return Section(
        anchor=f"set-{number}",
        title=f"{task}: {header.set}",
        header=header,
        values=tuple(value_word(value, header.attribute) for value in header.values),
        verdicts=verdict_tables(header, results),
        missing=missing_rows(results, header.attribute),
        parts=[part for part in parts if part.tables or part.figures],
    )


def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("evaluation"),
        autoescape=html,
        finalize=_for_html if html else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_markdown"] = _in_markdown
    return environment


def _for_html(value: object) -> object:
    """Keep percent signs on the line of their number; whatever the words hold is escaped later."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _in_markdown(text: str) -> str:
    """Write words as Markdown shows them: on one line, with nothing in them that is HTML or ends a cell."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
