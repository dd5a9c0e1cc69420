"""The application: guard, pages, /api, static files, and what becomes of an error."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from faces.errors import (
    AnotherYouError,
    CollectionError,
    FilterError,
    NoFaceError,
    PeopleError,
    PhotoError,
    WishError,
)
from pages import api, people, views
from pages.access import Access
from pages.album import Album
from pages.guard import Guard
from pages.indexing import Indexing
from retrieval.location import collection_place
from retrieval.workers import default_workers

_STATIC = Path(__file__).parent / "static"
_THREADS = 6  # that read the catalogue; each has up to 64 MB of it in memory
_DECODING = 2  # photographs at a time, each up to 400 MB
_STATUS = {
    WishError: 400,
    FilterError: 400,
    CollectionError: 409,
    NoFaceError: 404,
    PeopleError: 400,
    PhotoError: 404,
}


def create_app(collection: Path | str | None, access: Access, *, warm: bool = True) -> Guard:
    """Make the application that serves a collection, which need not be there yet.

    ``collection`` is its folder or address, by default ``default_collection()``.  ``warm`` loads what the
    first search needs as soon as the server runs.
    """
    album = Album(collection_place(collection))
    closed = threading.Event()
    indexing = Indexing(None if collection is None else str(collection))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        app.state.turn = anyio.CapacityLimiter(1)
        app.state.drawing = anyio.CapacityLimiter(default_workers())
        app.state.decoding = anyio.CapacityLimiter(_DECODING)
        if warm:
            threading.Thread(target=_warmed, args=(album,), daemon=True).start()
        yield
        closed.set()
        await anyio.to_thread.run_sync(indexing.close)
        album.close()

    app = FastAPI(
        title="anotheryou",
        summary="Find the photo of this person: turned, or wearing what you ask for.",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.album, app.state.indexing, app.state.access = album, indexing, access
    app.state.closed = closed
    app.include_router(api.router)
    app.include_router(people.api)
    app.include_router(people.drawn)
    app.include_router(views.router, include_in_schema=False)
    app.include_router(people.views, include_in_schema=False)
    app.mount("/static", _Static(directory=_STATIC))
    app.add_exception_handler(AnotherYouError, _told)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told)
    return Guard(app, access, closed.set)


class _Static(StaticFiles):
    """The stylesheet and scripts; browsers ask each time whether they have changed."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def _warmed(album: Album) -> None:
    with suppress(AnotherYouError):  # whoever asks is told
        album.warm()


def _told(request: Request, error: Exception) -> Response:
    """Tell one clear sentence, as JSON or as a page."""
    status, headers = 400, None
    if isinstance(error, HTTPException):
        status, sentence, headers = error.status_code, str(error.detail), error.headers
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        status, sentence = 422, f"{where}: {first['msg']}"
    else:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        if status == 404 and request.method == "POST":
            status = 422
        sentence = str(error)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": sentence}, status, dict(headers or {}))
    return views.error_page(request, sentence, status)
