"""Results that go somewhere: copies and links, in which nothing of the user's is replaced."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_faces import fake_engine, open_fake_detector, save_person
from PIL import Image

from anotheryou import Answer, Finder, index_folders
from faces.errors import PhotoError
from retrieval.answer_page import write_page
from retrieval.delivering import copy_photographs, link_photographs


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """Pictures of one person: two of a name, and one that is gone."""
    query = save_person(tmp_path / "query.png", 0, seed=9)
    for number, name in enumerate(("a/x.png", "b/x.png", "y.png", "gone.png")):
        save_person(tmp_path / "photos" / name, 0, seed=number)
    index_folders(
        [tmp_path / "photos"],
        collection=tmp_path / "c",
        engine=fake_engine(),
        detector=open_fake_detector,
        workers=0,
    )
    (tmp_path / "photos" / "gone.png").unlink()
    with Finder(tmp_path / "c", engine=fake_engine(), detector=open_fake_detector) as finder:
        return finder.search(query)


@pytest.mark.parametrize("deliver", [copy_photographs, link_photographs])
def test_photographs_are_delivered_once_and_nothing_is_replaced(
    answer: Answer, tmp_path: Path, deliver: Callable[..., list[Path]]
) -> None:
    target = tmp_path / "new" / "found"
    target.mkdir(parents=True)
    (target / "y.png").write_text("mine")
    made = deliver(answer.hits, target)
    assert sorted(path.name for path in made) == ["x-2.png", "x.png", "y-2.png"]
    assert (target / "y.png").read_text() == "mine"
    sources = [Path(hit.path) for hit in answer.hits if hit.exists]
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in sources]
    assert all(path.is_symlink() == (deliver is link_photographs) for path in made)
    assert [path.stat().st_mtime_ns for path in made] == [path.stat().st_mtime_ns for path in sources]
    assert deliver(answer.hits, target) == made  # once more changes nothing
    assert len(list(target.iterdir())) == 4


def test_a_file_is_no_folder_to_deliver_to(answer: Answer, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="is a file"):
        copy_photographs(answer.hits, tmp_path / "query.png")


def test_a_page_holds_the_answer_and_needs_nothing_beside_it(answer: Answer, tmp_path: Path) -> None:
    odd = replace(answer.hits[0], path=str(tmp_path / "<script>.png"), exists=False)
    write_page(replace(answer, hits=(odd, *answer.hits[1:])), tmp_path / "answer.html")
    page = (tmp_path / "answer.html").read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 2 + len(answer.hits)
    for source in sources:
        with Image.open(
            io.BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,")))
        ) as shown:
            assert shown.size == (320, 320)
    assert "<script>" not in page
    assert "&lt;script&gt;.png, which is gone" in page
    there = [hit for hit in answer.hits[1:] if hit.exists]
    assert re.findall(r'href="([^"]*)"', page) == [Path(hit.path).as_uri() for hit in there]
    assert page.count("less likely than not") == (answer.probable < len(answer.hits))
