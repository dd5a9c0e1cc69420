"""The pages themselves: search, a photograph, the library, and how to begin and sign in."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import jinja2
from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from faces.errors import AnotherYouError, PhotoError
from pages import api, asking, models
from pages.access import Access, is_loopback
from pages.album import Album
from pages.api import album_of, in_turn, indexing_of
from pages.asking import Question
from pages.guard import SIGN_IN, session_of, signed_in

_SOME = 24  # faces to pick from
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

router = APIRouter(default_response_class=HTMLResponse)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Fill a template."""
    own = {
        "path": request.url.path,
        "here": _is_here(request),
        "may_sign_out": _access(request).asks_password,
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render(**own, **values), status)


def error_page(request: Request, sentence: str, status: int) -> HTMLResponse:
    """Tell what went wrong."""
    return page(request, "error.html", status, sentence=sentence)


@router.get("/")
async def search(request: Request) -> HTMLResponse:
    album = album_of(request)
    if await anyio.to_thread.run_sync(lambda: album.is_empty):
        working = models.Indexing(**indexing_of(request).state())
        return page(request, "first.html", indexing=working, suggested=_pictures_folder())
    question = Question.of(request.query_params)
    people = await in_turn(request, album.people_so_far)
    named = {} if people is None else people.names
    values: dict[str, Any] = {"question": question, "attributes": [], "wished": dict(question.wish)}
    values["named"] = [(name, asking.face_address(album, one.faces[0])) for name, one in named.items()]
    if not question.is_asked:
        some = await anyio.to_thread.run_sync(_some_faces, album)
        return page(request, "search.html", answer=None, sentence="", some=some, others=[], **values)
    answer, sentence = None, ""
    try:
        answer = await in_turn(request, question.ask, album)
    except AnotherYouError as error:
        sentence = str(error)
    values["attributes"] = await anyio.to_thread.run_sync(lambda: asking.attributes_of(album))
    others, portrait, photo = [], "", None
    if question.picture is not None and answer is not None:
        others = asking.uploaded_boxes(question.picture, album.uploaded(question.picture))
        portrait = others[question.number - 1].image
    elif question.face is not None and answer is not None:
        portrait = asking.face_address(album, question.face)
        photo = (await anyio.to_thread.run_sync(album.face_of, question.face)).photo_id
    elif question.person is not None and answer is not None:
        group = (await in_turn(request, album.people)).find(question.person)
        portrait = asking.face_address(album, group.faces[0])
    status = 200 if answer is not None else 400
    return page(
        request,
        "search.html",
        status,
        answer=answer,
        sentence=sentence,
        some=[],
        others=others,
        portrait=portrait,
        photo=photo,
        **values,
    )


@router.post("/pictures")
async def upload(request: Request, picture: UploadFile) -> RedirectResponse:
    """Take a picture from a form, where no script does it."""
    content = await picture.read()
    if not content:
        raise PhotoError("the picture", "file is empty")
    name, _ = await in_turn(request, album_of(request).upload, content)
    return RedirectResponse(f"/?picture={name}", 303)


@router.get("/photo/{photo_id}")
def photo(request: Request, photo_id: api.Id, face: int | None = None) -> HTMLResponse:
    return page(request, "photo.html", opened=api.photo(request, photo_id), chosen=face)


@router.get("/library")
def library(request: Request, start: str | None = None, below: str | None = None) -> HTMLResponse:
    album = album_of(request)
    below = below and os.path.abspath(below)  # noqa: PTH100  (the folder may be gone)
    shown = api.photo_page(album, start, api.PIECE, below)
    with album.snapshot() as snapshot:
        summary, listing = snapshot.summary(), snapshot.listing()
        count = listing.count(below=below)
    return page(
        request,
        "library.html",
        shown=shown,
        below=below,
        count=count,
        summary=summary,
        pieces=math.ceil(count / api.PIECE),
        indexing=models.Indexing(**indexing_of(request).state()),
        suggested=_pictures_folder(),
    )


@router.get("/library/folders")
def folders(request: Request) -> HTMLResponse:
    with album_of(request).snapshot() as snapshot:
        summary = snapshot.summary()
    return page(request, "folders.html", folders=api.folders(request), summary=summary)


@router.get("/library/skipped")
def skipped(request: Request, after: str = "") -> HTMLResponse:
    with album_of(request).snapshot() as snapshot:
        summary = snapshot.summary()
    return page(request, "skipped.html", shown=api.skipped(request, after, 100), summary=summary)


@router.post("/library/index")
def index(request: Request, folder: Annotated[str, Form()]) -> RedirectResponse:
    """Begin to index from a form, where no script does it."""
    api.only_from_here(request)
    indexing_of(request).start([folder])
    return RedirectResponse("/" if album_of(request).is_empty else "/library", 303)


@router.post("/library/index/{change}")
def change_index(request: Request, change: str) -> RedirectResponse:
    """Pause, go on with or stop the indexing from a form."""
    api.change_indexing(request, change)
    return RedirectResponse("/" if album_of(request).is_empty else "/library", 303)


@router.get(SIGN_IN)
def sign_in(request: Request) -> Response:
    if not _access(request).asks_password:
        return RedirectResponse("/", 303)
    return page(request, "sign_in.html", sentence="")


@router.post(SIGN_IN)
def check_password(request: Request, password: Annotated[str, Form()] = "") -> Response:
    access = _access(request)
    address = request.client.host if request.client else ""
    wait = math.ceil(access.throttle.wait(address))
    if wait:
        answer: Response = page(request, "sign_in.html", 429, sentence=f"Too many tries; wait {wait} s.")
        answer.headers["Retry-After"] = str(wait)
        return answer
    if not access.is_password(password):
        access.throttle.failed(address)
        return page(request, "sign_in.html", 403, sentence="That is not the password.")
    access.throttle.succeeded(address)
    return signed_in(RedirectResponse("/", 303), access)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    access = _access(request)
    access.end(session_of(request.headers, access))
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(access.cookie)
    return answer


def _some_faces(album: Album) -> list[tuple[int, str]]:
    """Give faces to begin with, each with the address of its picture."""
    with album.snapshot() as snapshot:
        found = snapshot.listing().faces_from_all_over(_SOME)
    return [(one, asking.face_address(album, one)) for one in found]


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


def _is_here(request: Request) -> bool:
    """Tell whether whoever asks may name folders of this machine."""
    return request.client is not None and is_loopback(request.client.host)


def _pictures_folder() -> str:
    """Suggest where photographs usually are."""
    usual = Path.home() / "Pictures"
    return str(usual) if usual.is_dir() else ""
