"""Templates in, pages out: ``report.html``, which needs nothing beside it, and ``report.md``."""

from __future__ import annotations

import base64
import math
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluation.figures.store import FOLDER
from evaluation.report.views import Report
from evaluation.results import Interval
from faces.errors import DataError


def render_html(report: Report, folder: Path) -> str:
    """One page with its style and its pictures inside; raises DataError where a picture is missing."""
    environment = _environment(html=True)

    def picture(name: str) -> str:
        path = folder / FOLDER / name
        try:
            return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); make the figures again.") from None

    environment.globals["picture"] = picture
    return environment.get_template("report.html").render(report=report)


def render_markdown(report: Report) -> str:
    """The same as Markdown; pictures are linked in ``figures/``."""
    text = _environment(html=False).get_template("report.md").render(report=report, figures=FOLDER)
    return text.strip() + "\n"


def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("evaluation.report"),
        autoescape=html,
        finalize=_for_html if html else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_markdown"] = _in_markdown
    environment.filters["number"] = _number
    environment.filters["between"] = _between
    return environment


def _for_html(value: object) -> object:
    """Words whose percent signs stay on the line of their number; whatever they hold is escaped later."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _in_markdown(text: str) -> str:
    """Words as Markdown shows them: on one line, and with nothing in them that is HTML or ends a cell."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _number(value: float | None, digits: int = 1) -> str:
    """``53.5``, or a dash for what does not exist."""
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _between(interval: Interval | None, digits: int = 1) -> str:
    """``51.0–55.9``, or nothing."""
    return f"{interval[0]:,.{digits}f}–{interval[1]:,.{digits}f}" if interval else ""
