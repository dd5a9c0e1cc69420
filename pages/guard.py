"""What every request passes before anything else sees it: Host, Origin, session, size; and safe headers.

Kept to plain ASGI, so that it can be read from top to bottom and nothing is let in on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pages.access import Access

LARGEST_PICTURE = 64 << 20
"""Bytes of the largest upload."""
PICTURE_PATHS = ("/api/pictures", "/pictures")
"""What takes pictures; nothing else reads more than a few lines."""
SIGN_IN = "/sign-in"
_LARGEST_TEXT = 64 << 10
_OPEN = (SIGN_IN, "/static/")  # without a session: there is nothing of anybody's
_READING = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Let requests pass to ``app`` that ``access`` allows; ``close_events`` ends its endless answers."""

    def __init__(self, app: ASGIApp, access: Access, close_events: Callable[[], None]) -> None:
        self.app, self.access, self.close_events = app, access, close_events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        left = _most(scope["path"])

        async def counted() -> Message:
            """Count what is received: a request need not tell its length, nor the truth."""
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        if answer is not None:
            await answer(scope, receive, send_safely)
            return

        async def send_unless_cut(message: Message) -> None:
            if left >= 0:  # else the application only complains of what was cut off
                await send_safely(message)

        with suppress(ClientDisconnect):
            await self.app(scope, counted, send_unless_cut)
        if left < 0:
            await _too_large(scope)(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        """Answer a request that must not pass; None if it may."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        host = headers.get("host", "")
        if not self.access.names(host):
            return _refuse(scope, 403, "this address is not the server's own; open the one that it printed")
        site = headers.get("sec-fetch-site", "none")
        if method not in _READING:
            origin = headers.get("origin")
            # Browsers send Origin with all that changes something; programs that have the session send none.
            foreign = site not in ("none", "same-origin") if origin is None else not _same(origin, host)
            if foreign:
                return _refuse(scope, 403, "the request comes from another site")
        elif site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return _refuse(scope, 403, "the request comes from another site")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _most(path):
            return _too_large(scope)
        return self._stranger(scope, headers)

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """Answer whoever has no session: let in by a token, else told how to come in."""
        path = scope["path"]
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for name, value in query if name == "token"), None)
        if token is not None and scope["method"] == "GET" and self.access.is_token(token):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            # A path with two slashes at its beginning would lead to another machine.
            answer = RedirectResponse(f"/{path.lstrip('/')}{'?' if rest else ''}{rest}", 303)
            return signed_in(answer, self.access)
        if path.startswith(_OPEN) or self.access.knows(session_of(headers, self.access)):
            return None
        if self.access.asks_password:
            if scope["method"] in _READING and not path.startswith("/api/"):
                return RedirectResponse(SIGN_IN, 303)
            return _refuse(scope, 401, "sign in first")
        return _refuse(scope, 401, "open the whole address that `anotheryou serve` printed, with its token")


def session_of(headers: Headers, access: Access) -> str | None:
    """Read the session's cookie."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(access.cookie)
    except CookieError:
        return None
    return None if found is None else found.value


def signed_in(answer: Response, access: Access) -> Response:
    """Begin a session with an answer; no script can read its cookie, no other site sends it."""
    answer.set_cookie(
        access.cookie, access.begin(), max_age=access.lasting, httponly=True, samesite="strict", path="/"
    )
    return answer


def _most(path: str) -> int:
    return LARGEST_PICTURE if path in PICTURE_PATHS else _LARGEST_TEXT


def _same(origin: str, host: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.casefold() == host.casefold()


def _too_large(scope: Scope) -> Response:
    return _refuse(scope, 413, f"more than {_most(scope['path']) >> 10:,} KB are not taken")


def _refuse(scope: Scope, status: int, sentence: str) -> Response:
    if scope["path"].startswith("/api/"):
        return Response(json.dumps({"detail": sentence}), status, media_type="application/json")
    return PlainTextResponse(f"anotheryou: {sentence}\n", status)
