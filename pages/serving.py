"""Serve the pages: on this machine alone, unless an address is named together with a password."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

import uvicorn

from faces.errors import AnotherYouError
from pages.access import Access, is_loopback, read_password
from pages.app import create_app

LOOPBACK = "127.0.0.1"
PORT = 8391
_ANY = ("0.0.0.0", "::")  # all addresses of this machine
_BACKLOG = 128
_AT_ONCE = 200  # connections; more are told to come again


def serve(
    collection: Path | str | None = None,
    *,
    host: str | None = None,
    port: int = PORT,
    password_file: Path | None = None,
    open_browser: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a collection until interrupted; ``say`` is told the address, with its token.

    Without a ``host`` only programs of this machine reach it.  ``port`` 0 takes any that is free.  Raises
    AnotherYouError if a host beyond this machine is named without a password, or the port is taken.
    """
    named = LOOPBACK if host is None else host
    if password_file is None and not is_loopback(named):
        raise AnotherYouError(
            f"{named} can be reached from other machines; give --password-file as well, or leave --host out"
        )
    password = None if password_file is None else read_password(password_file)
    listening = _listen(named, port)
    access = Access(named, listening.getsockname()[1], password)
    shown = socket.gethostname() if named in _ANY else named
    shown = f"[{shown}]" if ":" in shown else shown
    address = f"http://{shown}:{access.port}/" + ("" if access.token is None else f"?token={access.token}")
    app = create_app(collection, access)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # nobody in front of it is to be believed
        ws="none",
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=3,
    )
    say(f"open {address}")
    if open_browser:
        webbrowser.open(address)
    with suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end
        _Server(config, app.close_events).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends what is sent without end as soon as it is asked to stop, and does not wait for it in vain."""

    def __init__(self, config: uvicorn.Config, close_events: Callable[[], None]) -> None:
        super().__init__(config)
        self._close_events = close_events

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._close_events()
        super().handle_exit(sig, frame)


def _listen(host: str, port: int) -> socket.socket:
    """Open the port; raises AnotherYouError if that cannot be."""
    with ExitStack() as stack:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            # With the protocol: else asyncio would hold small answers back.
            opened = stack.enter_context(socket.socket(family, kind, protocol))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(_BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise AnotherYouError(f"{host}:{port} cannot be used ({reason}); name another --port") from None
        stack.pop_all()  # it stays open
    return opened
