"""Who is who, as pages and under /api: groups to name, questions, a person's faces, what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from faces.errors import PeopleError
from faces.types import Box
from pages import asking, models
from pages.album import Album
from pages.api import Id, album_of, in_turn
from pages.views import page
from retrieval.decisions import holding_decisions, words_of
from retrieval.people import Group, People

GROUPS = 60
"""Groups of a page."""
_SHOWN = 8  # faces of a group in a list
_MOST_FACES = 600  # of a person on one page

api = APIRouter(prefix="/api/people")
drawn = APIRouter(prefix="/api/photos")
views = APIRouter(default_response_class=HTMLResponse)


@api.get("", summary="The people and groups of the collection, the largest first")
async def people(
    request: Request,
    start: Annotated[int, Query(ge=0, description="How many groups to pass over.")] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = GROUPS,
    alone: Annotated[bool, Query(description="Faces that are in no group with another.")] = False,
    hidden: Annotated[bool, Query(description="Also what was hidden.")] = False,
) -> models.PeoplePage:
    album = album_of(request)
    found = await in_turn(request, album.people)
    return _listed(album, found, start, count, alone, hidden)


@api.get("/questions", summary="Whether two groups are one person, what helps most first")
async def questions(request: Request, count: Annotated[int, Query(ge=1, le=100)] = 10) -> list[models.Asked]:
    album = album_of(request)
    found = await in_turn(request, album.people)
    return [_asked(album, found, one) for one in found.questions(count)]


@api.get("/{face}", summary="The person or group that a face is in, with all of its faces")
async def person(request: Request, face: Id) -> models.Person:
    album = album_of(request)
    found = await in_turn(request, album.people)
    return _person(album, found, _group(found, face), _MOST_FACES)


@api.post("", summary="Say something of people or faces; it can be taken back")
async def say(request: Request, said: models.Say) -> models.Said:
    album = album_of(request)
    found = await in_turn(request, album.people)
    return await anyio.to_thread.run_sync(_write, found, said)


@drawn.post("/{photo_id}/faces", summary="Draw a face where none was found; it can be taken back")
async def draw_face(request: Request, photo_id: Id, asked: models.Drawn) -> models.DrawnFace:
    album = album_of(request)
    found = await in_turn(request, album.draw_face, photo_id, Box(*asked.box))
    return models.DrawnFace(id=found)


@views.get("/people")
async def people_page(
    request: Request, start: int = 0, alone: bool = False, hidden: bool = False, skip: int = 0
) -> HTMLResponse:
    album = album_of(request)
    found = await in_turn(request, album.people)
    asked = found.questions(skip + 1)[skip:]
    return page(
        request,
        "people.html",
        shown=_listed(album, found, max(0, start), GROUPS, alone, hidden),
        names=list(found.names),
        question=_asked(album, found, asked[0]) if asked else None,
        start=start,
        alone=alone,
        hidden=hidden,
        skip=skip,
    )


@views.get("/people/{face}")
async def person_page(request: Request, face: Id) -> Response:
    album = album_of(request)
    found = await in_turn(request, album.people)
    if face not in found.of_face:  # it was said to be none, or its photograph is gone
        return RedirectResponse("/people", 303)
    shown = _person(album, found, _group(found, face), _MOST_FACES)
    return page(request, "person.html", person=shown, names=list(found.names), undoable=_undoable(found))


@views.post("/people")
async def say_in_a_form(
    request: Request,
    kind: Annotated[str, Form()],
    group: Annotated[int | None, Form()] = None,
    other: Annotated[int | None, Form()] = None,
    name: Annotated[str, Form()] = "",
    face: Annotated[list[int] | None, Form()] = None,
    back: Annotated[str, Form()] = "/people",
) -> RedirectResponse:
    """Say something from a form, where no script does it, and go back to where it was said."""
    said = models.Say(kind=kind, group=group, other=other, name=name, faces=face or [])
    await say(request, said)
    # Only to a page of ours: an address from elsewhere could lead anywhere.
    return RedirectResponse(back if back.startswith("/people") else "/people", 303)


def _group(found: People, face: int) -> Group:
    group = found.of_face.get(face)
    if group is None:
        raise HTTPException(404, f"there is no face {face} in any group (any more)")
    return group


def _listed(
    album: Album, found: People, start: int, count: int, alone: bool, hidden: bool
) -> models.PeoplePage:
    shown = [one for one in found.groups if hidden or not one.hidden]
    single = [one for one in shown if len(one.faces) == 1 and not one.name]
    groups = [one for one in shown if len(one.faces) > 1 or one.name]
    # Whoever has a name comes first, then what is worth naming.
    groups.sort(key=lambda one: not one.name)
    listed = single if alone else groups
    return models.PeoplePage(
        people=[_person(album, found, one, _SHOWN) for one in listed[start : start + count]],
        named=len(found.names),
        unnamed=sum(not one.name for one in groups),
        alone=len(single),
        hidden=sum(one.hidden for one in found.groups),
        undoable=_undoable(found),
        next=start + count if len(listed) > start + count else None,
    )


def _person(album: Album, found: People, group: Group, count: int) -> models.Person:
    return models.Person(
        id=group.id,
        label=group.label,
        name=group.name,
        count=len(group.faces),
        confirmed=len(group.confirmed),
        hidden=group.hidden,
        faces=[
            models.PersonFace(
                id=face,
                photo=found.faces[face].photo_id,
                confirmed=face in group.confirmed,
                image=asking.face_address(album, face),
            )
            for face in group.faces[:count]
        ],
    )


def _asked(album: Album, found: People, question: Any) -> models.Asked:
    return models.Asked(
        one=_person(album, found, question.one, _SHOWN),
        other=_person(album, found, question.other, _SHOWN),
        probability=round(question.probability, 6),
    )


def _undoable(found: People) -> str:
    """Say in words what would be taken back."""
    holding = holding_decisions(found.decisions)
    return words_of(holding[-1]) if holding else ""


def _write(found: People, said: models.Say) -> models.Said:
    """Write down what was said; raises PeopleError."""

    def one(face: int | None) -> Group:
        if face is None or face not in found.of_face:
            raise PeopleError(f"there is no group with face {face} (any more)")
        return found.of_face[face]

    name = said.name.strip()
    kinds: dict[str, Callable[[], int]] = {
        "name": lambda: found.name(one(said.group), name),
        "merge": lambda: found.merge(one(said.group), found.find(name) if name else one(said.other)),
        "apart": lambda: found.keep_apart(one(said.group), one(said.other)),
        "split": lambda: found.split(one(said.group), said.faces),
        "confirm": lambda: found.confirm(said.faces, name),
        "reject": lambda: found.reject(said.faces, name),
        "no-face": lambda: found.no_face(said.faces),
        "hide": lambda: found.hide(one(said.group)),
        "show": lambda: found.hide(one(said.group), hidden=False),
        "undo": lambda: found.undo().id,
    }
    if said.kind not in kinds:
        raise PeopleError(f"people can be told: {', '.join(kinds)}")
    return models.Said(decision=kinds[said.kind]())
