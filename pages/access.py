"""Who may see the pages: the token of the address, sessions, the password and how often it may be tried."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
import stat
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faces.errors import AnotherYouError

_SESSIONS = 1000  # kept at a time, the oldest go
_LASTING = 30 * 24 * 3600.0  # seconds that a session lasts
_WATCHED = 10_000  # addresses whose wrong passwords are remembered
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 300.0  # seconds, doubled with each wrong password
_SHORTEST = 8  # signs of a password
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine reach an address."""
    return host in _LOOPBACK


def read_password(file: Path) -> str:
    """Read the first line of a password's file; raises AnotherYouError if it is short, or for all to read."""
    try:
        mode, lines = file.stat().st_mode, file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise AnotherYouError(f"{file}: the password cannot be read ({reason})") from None
    # On Windows these bits say nothing.
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise AnotherYouError(f"{file} can be read by others; run: chmod 600 {file}")
    password = lines[0] if lines else ""
    if len(password) < _SHORTEST:
        raise AnotherYouError(f"{file}: a password has {_SHORTEST} or more signs, on the first line")
    return password


@dataclass
class Throttle:
    """Make whoever gives wrong passwords wait, twice as long each time; ``clock`` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    _failures: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def wait(self, address: str) -> float:
        """Give the seconds before this address may try again; 0 if it may now."""
        failures, last = self._failures.get(address, (0, 0.0))
        if not failures:
            return 0.0
        delay = min(_FIRST_DELAY * 2.0 ** min(failures - 1, 30), _LONGEST_DELAY)
        return max(0.0, last + delay - self.clock())

    def failed(self, address: str) -> None:
        """Note a wrong password."""
        failures, _ = self._failures.pop(address, (0, 0.0))
        self._failures[address] = (failures + 1, self.clock())
        while len(self._failures) > _WATCHED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the wrong passwords of an address."""
        self._failures.pop(address, None)


class Access:
    """Decide who is let in: by the token in the address, or on other machines by the password.

    ``host`` and ``port`` are what the server listens on.
    """

    def __init__(self, host: str, port: int, password: str | None = None) -> None:
        self.host, self.port = host, port
        self.token = None if password is not None else secrets.token_urlsafe(32)
        self._password = None if password is None else _digest(password)
        self.throttle = Throttle()
        self._sessions: OrderedDict[str, float] = OrderedDict()
        own = socket.gethostname().casefold()
        self._names = {*_LOOPBACK, host.casefold()}
        if not is_loopback(host):
            self._names |= {own, f"{own.partition('.')[0]}.local"}

    @property
    def cookie(self) -> str:
        """The cookie's name; cookies know no ports, so it has the port in it."""
        return f"anotheryou-{self.port}"

    @property
    def asks_password(self) -> bool:
        """Whether people sign in with a password."""
        return self._password is not None

    @property
    def lasting(self) -> int:
        """Seconds that a session lasts."""
        return int(_LASTING)

    def names(self, host_header: str) -> bool:
        """Tell whether a request's Host is this server.

        A page elsewhere whose name was made to lead here (DNS rebinding) sends its own name.  Numeric
        addresses are no names that anybody could redirect, and fine if the server listens beyond loopback.
        """
        name = host_header.casefold().rsplit("]", 1)[0].lstrip("[")
        if not host_header.startswith("["):
            name = name.partition(":")[0]
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return not is_loopback(self.host)

    def begin(self) -> str:
        """Begin a session and give the cookie's value."""
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session).hex()] = time.time() + _LASTING
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def knows(self, session: str | None) -> bool:
        """Tell whether a cookie's value is that of a session that lasts."""
        # Looked up by its digest, so that the time it takes tells nothing about sessions there are.
        return session is not None and self._sessions.get(_digest(session).hex(), 0.0) > time.time()

    def end(self, session: str | None) -> None:
        """End a session."""
        if session is not None:
            self._sessions.pop(_digest(session).hex(), None)

    def is_token(self, given: str) -> bool:
        """Compare the token of an address, in constant time."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def is_password(self, given: str) -> bool:
        """Compare a password, in constant time whatever its length."""
        return self._password is not None and hmac.compare_digest(_digest(given), self._password)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
