"""Where a collection is: in a folder, or in a PostgreSQL database with its vectors beside it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from faces.errors import CollectionError, CollectionMissingError, CollectionWeightsError

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_EXAMPLE = "postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Address:
    """A catalogue in PostgreSQL.  Its text is for messages and logs: the password is left out."""

    url: URL
    vectors: Path | str = field(repr=False)  # a folder, or the address of Milvus

    def __str__(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)


Place = Path | Address


def place_of(named: Place | str) -> Place:
    """Read where a collection is: a folder, or ``postgresql://user@host/database?vectors=WHERE``.

    WHERE is a folder for FAISS, ``http://host:19530`` for a Milvus server, or a file of Milvus Lite whose
    name ends in .db; the latter two may end in an index's name, as in ``#IVF_SQ8``.  Without it the vectors,
    which can always be made again, lie in the user's cache folder.  Whatever else libpq knows may stand
    beside it (``sslmode``, or ``host`` for a socket).  Raises CollectionError for the address of anything but
    PostgreSQL, or one that cannot be read.
    """
    if isinstance(named, Address):
        return named
    if isinstance(named, Path) or not re.match(r"[\w+.-]+://", named):
        return Path(named).expanduser()
    try:
        url = make_url(named)
    except (ArgumentError, ValueError):  # which may quote a part of the password
        raise CollectionError(f"the address of the collection cannot be read; write {_EXAMPLE}") from None
    if url.drivername not in _SCHEMES:
        raise CollectionError(
            f"a collection cannot be kept in {url.drivername}; name a folder, or write {_EXAMPLE}"
        )
    vectors, password = (url.query.get(name) for name in ("vectors", "password"))
    if isinstance(vectors, tuple) or isinstance(password, tuple):
        raise CollectionError("the address of the collection names vectors or password twice; name one")
    # The password goes where it is never shown.
    url = url.set(drivername="postgresql+psycopg", password=password or url.password)
    url = url.difference_update_query(["vectors", "password"])
    if vectors is None:
        return Address(url, _cached_vectors(url))
    is_milvus = "://" in vectors or vectors.partition("#")[0].endswith(".db")
    return Address(url, vectors if is_milvus else Path(vectors).expanduser())


def missing(place: Place) -> CollectionMissingError:
    """Make the error for a place without a collection."""
    advice = "make one with `anotheryou index FOLDER`"
    return CollectionMissingError(f"there is no collection in {place}; {advice}")


def outdated(place: Place) -> CollectionWeightsError:
    """Make the error for a collection whose vectors do not fit what is asked of it."""
    return CollectionWeightsError(
        f"the collection in {place} was made by an older version or with other weights; "
        "`anotheryou reindex` makes its vectors again, without searching the photographs for faces"
    )


def _cached_vectors(url: URL) -> Path:
    """The user's own folder for the vectors of a database."""
    name = hashlib.sha256(str(Address(url, "")).encode()).hexdigest()[:16]
    return user_cache_path("anotheryou", appauthor=False) / "vectors" / name
