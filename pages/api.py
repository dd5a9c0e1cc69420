"""The collection as JSON and pictures, under /api; the pages use nothing else."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, StreamingResponse

from faces.errors import PhotoError, WishError
from faces.text import shown
from index import Cursor, local_time
from pages import asking, models, pictures
from pages.access import is_loopback
from pages.album import Album
from pages.asking import Question
from pages.indexing import Indexing
from retrieval.query import read_picture

T = TypeVar("T")

PIECE = 120
"""Photographs of a page of the library."""
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # an id is never used twice
_WAITING = 64  # questions that may wait for their turn
_DRAWN_AT_MOST = 16
_LOOKED_EVERY = 0.2  # seconds between two looks whether the indexing has got on

Id = Annotated[int, PathParameter(ge=0, lt=2**63)]
"""What the catalogue can have as an id."""

router = APIRouter(prefix="/api")


def album_of(request: Request) -> Album:
    """Give the album that is served."""
    album: Album = request.app.state.album
    return album


def indexing_of(request: Request) -> Indexing:
    """Give what indexes."""
    indexing: Indexing = request.app.state.indexing
    return indexing


async def in_turn(request: Request, work: Callable[..., T], *asked: Any, draws: bool = False) -> T:
    """Run what searches, one after the other, or what ``draws``, as many at once as there are cores; raises
    HTTPException if too many wait already."""
    turn: anyio.CapacityLimiter = request.app.state.drawing if draws else request.app.state.turn
    if turn.statistics().tasks_waiting >= _WAITING:
        raise HTTPException(503, "too many questions at once; try again soon", {"Retry-After": "2"})
    return await anyio.to_thread.run_sync(work, *asked, limiter=turn)


@router.get("/state", summary="What the collection holds, and what can be wished for")
def state(request: Request) -> models.State:
    album = album_of(request)
    with album.snapshot() as snapshot:
        summary = snapshot.summary()
    attributes = []
    if summary.faces:
        attributes = asking.attributes_of(album)
    return models.State(
        collection=str(album.place),
        photographs=summary.photos,
        skipped=summary.skipped,
        faces=summary.faces,
        attributes=attributes,
    )


@router.post(
    "/pictures",
    summary="Hand in a picture to search with: the bytes of its file as the body",
    openapi_extra={
        "requestBody": {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(request: Request) -> models.Upload:
    content = await request.body()
    if not content:
        raise PhotoError("the picture", "file is empty")
    name, faces = await in_turn(request, album_of(request).upload, content)
    return models.Upload(picture=name, faces=asking.uploaded_boxes(name, faces))


@router.get(
    "/pictures/{name}/{number}",
    summary="A face of a picture that was handed in",
    responses=_PICTURE,
    response_class=Response,
)
def uploaded_face(request: Request, name: str, number: int) -> Response:
    face = Question(picture=name, number=number).prepared(album_of(request)).face
    return Response(
        pictures.face_of(read_picture(face.picture).pixels, face.box),
        media_type="image/jpeg",
        headers=_FOREVER,
    )


@router.get("/search", summary="Find the photographs of a person, as wished")
async def search(
    request: Request,
    face: Annotated[int | None, Query(description="A face of the collection, by its id.")] = None,
    picture: Annotated[str | None, Query(description="Or a picture that was handed in.")] = None,
    number: Annotated[int, Query(description="Which face of that picture, from 1.", ge=1)] = 1,
    person: Annotated[str | None, Query(description="Or somebody with a name.")] = None,
    wish: Annotated[list[str] | None, Query(description="NAME=VALUE, such as pose=-30.")] = None,
    not_: Annotated[list[str] | None, Query(alias="not", description="What shall not be shown.")] = None,
    k: Annotated[int, Query(description="How many faces to find.", ge=1, le=200)] = 24,
    only: Annotated[bool, Query(description="Keep to faces that seem to meet every wish.")] = False,
    below: Annotated[str | None, Query(description="Keep to a folder and what is below it.")] = None,
    since: Annotated[
        str | None, Query(description="Keep to photographs from this year, month or day on.")
    ] = None,
    until: Annotated[
        str | None, Query(description="Keep to those up to this year, month or day, included.")
    ] = None,
    with_: Annotated[
        list[str] | None, Query(alias="with", description="Keep to photographs that show them too.")
    ] = None,
    without: Annotated[list[str] | None, Query(description="Leave out photographs that show them.")] = None,
) -> models.Answer:
    # Documented and checked here; read as for the pages.
    del face, picture, number, person, wish, not_, k, only, below, since, until, with_, without
    return await in_turn(request, Question.of(request.query_params).ask, album_of(request))


@router.get(
    "/drawing",
    summary="The face as wished, drawn by the networks",
    responses=_PICTURE,
    response_class=Response,
)
async def drawing(
    request: Request,
    face: int | None = None,
    picture: str | None = None,
    number: Annotated[int, Query(ge=1)] = 1,
    person: str | None = None,
    wish: Annotated[list[str] | None, Query(description="NAME=VALUE, such as pose=-30.")] = None,
    vary: Annotated[
        str | None, Query(description="An attribute of which several values are drawn, side by side.")
    ] = None,
    values: Annotated[
        str | None, Query(description="These values, with commas between; an empty one draws it as it is.")
    ] = None,
    side: Annotated[int, Query(description="Pixels of a drawing's side.", ge=32, le=512)] = 256,
) -> Response:
    del face, picture, number, person, wish
    question, album = Question.of(request.query_params), album_of(request)
    words = [word.strip() for word in (values or "").split(",")] if vary else [""]
    if not 1 <= len(words) <= _DRAWN_AT_MOST:
        raise WishError(f"Name 1 to {_DRAWN_AT_MOST} values to draw.")
    wishes = [{**question.wish, **({vary: word} if vary and word else {})} for word in words]
    prepared = await in_turn(request, question.prepared, album)
    made = await in_turn(request, album.draw, prepared, wishes, side, draws=True)
    return Response(made, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/photos", summary="Photographs, the newest first, some at a time")
def photos(
    request: Request,
    start: Annotated[str | None, Query(description="Where to begin: ``next`` of the answer before.")] = None,
    count: Annotated[int, Query(ge=1, le=500)] = PIECE,
    below: Annotated[str | None, Query(description="Keep to a folder and what is below it.")] = None,
) -> models.PhotoPage:
    return photo_page(album_of(request), start, count, below)


def photo_page(album: Album, start: str | None, count: int, below: str | None) -> models.PhotoPage:
    """Give some photographs, and where the next begin."""
    with album.snapshot() as snapshot:
        found = snapshot.listing().photos(
            count + 1,
            start=asking.read_cursor(start),
            below=below and os.path.abspath(below),  # noqa: PTH100
        )
    further = asking.written(Cursor(found[count].date_ns, found[count].id)) if len(found) > count else None
    listed = [asking.photograph(album, photo) for photo in found[:count]]
    return models.PhotoPage(photographs=listed, next=further)


@router.get("/pieces", summary="The list of all photographs in pieces, before they are read")
def pieces(request: Request, below: str | None = None) -> list[models.Piece]:
    with album_of(request).snapshot() as snapshot:
        found = snapshot.listing().pieces(PIECE, below=below and os.path.abspath(below))  # noqa: PTH100
    return [
        models.Piece(
            start=asking.written(piece.start),
            count=piece.count,
            month=f"{local_time(piece.start.when):%B %Y}",
        )
        for piece in found
    ]


@router.get("/photos/{photo_id}", summary="A photograph with its faces")
def photo(request: Request, photo_id: Id) -> models.Opened:
    album = album_of(request)
    found, faces = album.photo(photo_id)
    return models.Opened(
        photograph=asking.photograph(album, found),
        exists=Path(found.path).is_file(),
        faces=asking.face_boxes(album, faces) if faces else [],
    )


@router.get(
    "/photos/{photo_id}/image",
    summary="A photograph in small",
    responses=_PICTURE,
    response_class=Response,
)
async def photo_image(request: Request, photo_id: Id, size: str = "small") -> Response:
    if size not in pictures.SIZES:
        raise HTTPException(422, f"size is {' or '.join(pictures.SIZES)}")
    return await _image(request, f"{photo_id}-{size}", album_of(request).photo_image, photo_id, size)


@router.get("/faces/{face_id}/image", summary="A face in small", responses=_PICTURE, response_class=Response)
async def face_image(request: Request, face_id: Id) -> Response:
    return await _image(request, f"face{face_id}", album_of(request).face_image, face_id)


async def _image(request: Request, name: str, make: Callable[..., bytes], *asked: int | str) -> Response:
    """Answer with a picture, or with nothing if the browser has it."""
    headers = {**_FOREVER, "ETag": f'"{album_of(request).token}-{name}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = await anyio.to_thread.run_sync(make, *asked, limiter=request.app.state.decoding)
    return Response(content, media_type="image/jpeg", headers=headers)


@router.get(
    "/photos/{photo_id}/file",
    summary="The photograph's own file",
    response_class=FileResponse,
)
def file(request: Request, photo_id: Id) -> FileResponse:
    found, _ = album_of(request).photo(photo_id)
    path = Path(found.path)
    if not path.is_file():
        raise PhotoError(shown(found.path), "the file is not there (any more)")
    # Handed out as a file whatever is in it: a browser never runs it as a page.
    return FileResponse(path, media_type="application/octet-stream", filename=shown(path.name))


@router.get("/folders", summary="The folders with photographs")
def folders(request: Request) -> list[models.Folder]:
    with album_of(request).snapshot() as snapshot:
        found = snapshot.listing().folders()
    return [models.Folder(path=shown(path), photographs=count) for path, count in found.items()]


@router.get("/faces/newest", summary="The faces that were taken in last")
def newest_faces(request: Request, count: Annotated[int, Query(ge=1, le=200)] = 24) -> list[models.FaceBox]:
    album = album_of(request)
    with album.snapshot() as snapshot:
        return [
            models.FaceBox(id=one, number=1, box=[], seems="", image=asking.face_address(album, one))
            for one in snapshot.listing().newest_faces(count)
        ]


@router.get("/skipped", summary="What could not be read, and why")
def skipped(
    request: Request,
    after: str = "",
    count: Annotated[int, Query(ge=1, le=500)] = 100,
) -> models.SkippedPage:
    with album_of(request).snapshot() as snapshot:
        found = snapshot.listing().skipped(count + 1, after=after)
    listed = [models.Skipped(path=shown(one.path), reason=one.reason) for one in found[:count]]
    return models.SkippedPage(skipped=listed, next=listed[-1].path if len(found) > count else None)


@router.get("/indexing", summary="How far the indexing of folders is")
def indexing(request: Request) -> models.Indexing:
    return models.Indexing(**indexing_of(request).state())


@router.post("/indexing", summary="Begin to index folders of this machine")
def start_indexing(request: Request, asked: models.Folders) -> models.Indexing:
    only_from_here(request)
    indexing_of(request).start(asked.folders)
    return models.Indexing(**indexing_of(request).state())


@router.post("/indexing/{change}", summary="Pause, go on with or stop the indexing")
def change_indexing(request: Request, change: str) -> models.Indexing:
    only_from_here(request)
    working = indexing_of(request)
    changes = {"pause": working.pause, "resume": working.go_on, "stop": working.stop}
    if change not in changes:
        raise HTTPException(404, f"indexing can be told: {', '.join(changes)}")
    changes[change]()
    return models.Indexing(**working.state())


@router.get("/indexing/events", summary="The same as server-sent events, one for each change")
async def indexing_events(request: Request) -> StreamingResponse:
    working = indexing_of(request)

    async def events() -> AsyncIterator[str]:
        seen = -1
        while not await request.is_disconnected() and not request.app.state.closed.is_set():
            if working.version != seen:
                seen = working.version
                yield f"data: {json.dumps(working.state())}\n\n"
            await asyncio.sleep(_LOOKED_EVERY)

    return StreamingResponse(events(), media_type="text/event-stream")


def only_from_here(request: Request) -> None:
    """Raise HTTPException unless the request comes from this machine: only its user may name folders."""
    if request.client is None or not is_loopback(request.client.host):
        raise HTTPException(403, "folders can be indexed from the machine itself only")
