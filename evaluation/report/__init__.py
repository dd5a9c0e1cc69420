"""The report of a benchmark, made from a folder of results alone, so that it can be made again."""

from __future__ import annotations

from pathlib import Path

from evaluation.report.render import render_html, render_markdown
from evaluation.report.run_note import note_run
from evaluation.report.views import read_report
from faces.errors import DataError

__all__ = ["note_run", "write_report"]

HTML_FILE = "report.html"
MARKDOWN_FILE = "report.md"


def write_report(folder: Path) -> None:
    """Write ``report.html`` and ``report.md`` into a folder of results.

    Raises DataError where there are no results, something in the folder is damaged, or it cannot be written.
    """
    report = read_report(folder)
    pages = {HTML_FILE: render_html(report, folder), MARKDOWN_FILE: render_markdown(report)}
    try:
        for name, text in pages.items():
            partial = folder / f"{name}.part"
            partial.write_text(text, encoding="utf-8")
            partial.replace(folder / name)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}).") from None
