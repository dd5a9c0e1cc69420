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
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluation.figures.figure import FOLDER, read_figures, value_word
from evaluation.results import Results, SetHeader, read_results, writing
from evaluation.tables import missing_rows, set_tables, verdict_tables
from faces.errors import DataError
from faces.files import write_atomically

HTML_FILE = "report.html"
MARKDOWN_FILE = "report.md"
RUN_FILE = "run.json"
_PACKAGES = ("anotheryou", "torch", "numpy", "scikit-learn", "dlib-bin", "pillow")


def write_report(folder: Path) -> None:
    """Write ``report.html`` and ``report.md`` into a folder of results.

    Raises DataError if there are no results, something in the folder is damaged, or it cannot be written.
    """
    results = read_results(folder)
    sections = [
        _section(folder, number, header, results.of(header.set))
        for number, header in enumerate(results.sets, start=1)
    ]

    def picture(name: str) -> str:
        path = folder / FOLDER / name
        try:
            return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); make the figures again.") from None

    shown = {"sections": sections, "run": read_run(folder), "picture": picture, "figures": FOLDER}
    for name, html in ((HTML_FILE, True), (MARKDOWN_FILE, False)):
        environment = Environment(
            loader=PackageLoader("evaluation"),
            autoescape=html,
            finalize=_for_html if html else None,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["in_markdown"] = _in_markdown
        text = environment.get_template(name).render(shown)
        with writing(folder):
            write_atomically(folder / name, f"{text.strip()}\n".encode())


def note_run(folder: Path, command: Sequence[str]) -> None:
    """Add a command, given word by word, to ``run.json`` in a folder of results, with today's versions.

    Raises DataError if the folder cannot be written.
    """
    before, typed = read_run(folder), shlex.join(command)
    commands = [one for one in (before["commands"] if before else ()) if one != typed]
    versions = {"Python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    text = json.dumps({"commands": [*commands, typed], "versions": versions}, ensure_ascii=False, indent=1)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN_FILE).write_text(text + "\n", encoding="utf-8")


def read_run(folder: Path) -> dict[str, Any] | None:
    """Read what ``note_run`` wrote, None if nothing was; raises DataError if the file is damaged.

    ``commands`` are as they are typed, in the order in which they last ran; ``versions`` are by name.
    """
    path = folder / RUN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"commands": list(map(str, content["commands"])), "versions": dict(content["versions"])}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it.") from None


def _section(folder: Path, number: int, header: SetHeader, results: Results) -> dict[str, object]:
    """What the templates show of one set of faces."""
    tables, figures = set_tables(header, results), read_figures(folder, header.set)
    tasks = {"pose": "Rotating faces", "light": "Another light", "accessory": "Accessories"}
    task = tasks[header.attribute] if header.queries or header.attribute != "accessory" else "Completion"
    headings = {
        "retrieval": "Retrieval",
        "drawing": "Drawings",
        "recognition": f"Telling the {header.attribute}",
        "misalignment": "Misaligned faces",
        "failures": "Failures",
    }
    parts = []
    for part, heading in headings.items():
        shown = tables.get(part, []), [figure for figure in figures if figure.part == part]
        if any(shown):
            parts.append({"heading": heading, "tables": shown[0], "figures": shown[1]})
    return {
        "anchor": f"set-{number}",
        "title": f"{task}: {header.set}",
        "header": header,
        "wished": [value_word(value, header.attribute) for value in header.values],
        "verdicts": verdict_tables(header, results),
        "missing": missing_rows(results, header.attribute),
        "parts": parts,
    }


def _for_html(value: object) -> object:
    """Keep percent signs on the line of their number; whatever the words hold is escaped later."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _in_markdown(text: str) -> str:
    """Write words as Markdown shows them: on one line, with nothing in them that is HTML or ends a cell."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
