"""An answer as one HTML file that needs nothing beside it: to keep, to print, to send."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from faces.files import write_durably
from faces.sheet import enlarge
from faces.text import shown
from faces.types import Box
from generator.attributes import everyday
from retrieval.answers import Answer
from retrieval.estimates import worth_saying
from retrieval.query import Picture
from retrieval.sheet import percent, region

_SIDE = 320  # pixels of a picture
_QUALITY = 82


def write_page(answer: Answer, path: Path | str) -> None:
    """Write an answer as an HTML page: query, drawing, and the hits, each leading to its photograph.

    The pictures in it are small copies, without anything else that the photographs' files hold.  Raises
    OSError if it cannot be written.
    """
    environment = Environment(loader=PackageLoader("retrieval"), autoescape=True, undefined=StrictUndefined)
    wished = [f"{name} {everyday(word)}" for name, word in answer.wish.items()]
    wished += [f"not {everyday(word)}" for word in answer.unwished]
    hits = [
        {
            "rank": hit.rank,
            "percent": percent(hit.probability),
            "seems": worth_saying(hit.estimates),
            "date": f"{hit.date:%Y-%m-%d}",
            "name": shown(Path(hit.path).name),
            "path": shown(hit.path),
            "address": Path(hit.path).as_uri() if hit.exists else "",
            "image": _region(hit.path, hit.box),
        }
        for hit in answer.hits
    ]
    query = answer.query
    page = environment.get_template(
        "answer.html"
    ).render(
        title=f"This person, but {', '.join(wished)}" if wished else "This person",
        query=shown(os.path.basename(query.path)),  # noqa: PTH119  (it may be no path)
        query_image=_region(query.picture, query.box),
        drawing=_encoded(enlarge(answer.portrait, _SIDE)),
        drawn=", ".join(everyday(answer.wish[name]) for name in answer.drawn if name in answer.wish),
        remarks=list(filter(None, (answer.doubt, *answer.remarks))),
        probable=hits[: answer.probable],
        others=hits[answer.probable :],
    )
    write_durably(Path(path), page.encode())


def _region(photo: Picture, box: Box) -> str:
    return _encoded(region(photo, box, _SIDE))


def _encoded(picture: Image.Image) -> str:
    """Give a picture as an address that holds it."""
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
