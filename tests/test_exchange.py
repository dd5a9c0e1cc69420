"""Names to and from other programs: nothing of theirs is lost, and hostile files do nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_faces import fake_engine, open_fake_detector, save_person
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from anotheryou import Finder, index_folders
from faces.errors import RegionError
from faces.types import Box
from retrieval.exchange import Exchanged, export_names, import_names
from retrieval.people import People
from retrieval.regions import Region, read_picasa, read_xmp, stored, upright, with_regions

# As digiKam writes it: regions in attributes, tags of its own beside them.
DIGIKAM = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
  xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
  xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4">
 <digiKam:TagsList><rdf:Seq><rdf:li>Holidays/Sea</rdf:li></rdf:Seq></digiKam:TagsList>
 <mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>
  <rdf:li><rdf:Description mwg-rs:Name="Zoë &amp; co" mwg-rs:Type="Face">
   <mwg-rs:Area stArea:x="0.5" stArea:y="0.25" stArea:w="0.2" stArea:h="0.1" stArea:unit="normalized"/>
  </rdf:Description></rdf:li>
  <rdf:li><rdf:Description mwg-rs:Name="a dog" mwg-rs:Type="Pet">
   <mwg-rs:Area stArea:x="0.1" stArea:y="0.1" stArea:w="0.1" stArea:h="0.1"/></rdf:Description></rdf:li>
 </rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
# As Lightroom does: all in elements.
LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
  xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#">
 <mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">
  <mwg-rs:Name>Ann</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area rdf:parseType="Resource">
  <stArea:x>0.5</stArea:x><stArea:y>0.5</stArea:y><stArea:w>0.5</stArea:w><stArea:h>1</stArea:h></mwg-rs:Area>
 </rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"""
MICROSOFT = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:MP="http://ns.microsoft.com/photo/1.2/"
  xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#">
 <MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li MPReg:Rectangle="0.25, 0.5, 0.1, 0.2"
  MPReg:PersonDisplayName="Ben"/></rdf:Bag></MPRI:Regions></MP:RegionInfo></rdf:Description></rdf:RDF></x:xmpmeta>"""
PICASA = """[one.jpg]
faces=rect64(40008000bfffffff),8e62398ebda8c1a5;rect64(1111),ffffffffffffffff
[Contacts2]
8e62398ebda8c1a5=Cleo;;
"""


def test_regions_of_other_programs_are_read() -> None:
    (zoe,) = read_xmp(DIGIKAM.encode())
    assert zoe.name == "Zoë & co"
    assert zoe.box.sides == pytest.approx((0.4, 0.2, 0.6, 0.3))
    (ann,) = read_xmp(LIGHTROOM.encode())
    assert ann.name == "Ann"
    assert ann.box.sides == pytest.approx((0.25, 0, 0.75, 1))
    (ben,) = read_xmp(MICROSOFT.encode())
    assert ben.name == "Ben"
    assert ben.box.sides == pytest.approx((0.25, 0.5, 0.35, 0.7))
    (cleo,) = read_picasa(PICASA)["one.jpg"]
    assert cleo.name == "Cleo"
    assert cleo.box.sides == pytest.approx((0.25, 0.5, 0.75, 1), abs=1e-4)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"\xff\xfe\x00",
        b"<a><b></a>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        b'<!DOCTYPE x SYSTEM "http://evil.example/x.dtd"><x/>',
        b"<x>" * 100_000,
        b"<x/>" + b" " * (5 << 20) + b"<y/>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><title>no XMP</title></svg>',
    ],
)
def test_hostile_files_are_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(RegionError) as refused:
        read_xmp(content)
    assert "\n" not in str(refused.value)
    with pytest.raises(RegionError):
        with_regions(content or b" ", [Region("Ann", Box(0, 0, 1, 1))], 10, 10)


boxes = st.tuples(*[st.floats(0, 0.7)] * 2, *[st.floats(0.05, 0.3)] * 2).map(
    lambda sides: Box(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3])
)
names = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=30).map(str.strip)


@given(boxes, names.filter(bool), st.sampled_from([None, DIGIKAM.encode(), MICROSOFT.encode()]))
def test_what_is_written_is_read_and_what_was_there_stays(box: Box, name: str, before: bytes | None) -> None:
    after = with_regions(before, [Region(name, box)], 400, 300)
    there = [] if before is None else read_xmp(before)
    found = read_xmp(after)
    assert [one for one in there if one not in found] == []
    if len(found) > len(there):
        (new,) = [one for one in found if one not in there]
        assert new.name == name
        assert new.box.sides == pytest.approx(box.sides, abs=2e-6)
        assert name.encode() in after or b"&" in after
    assert with_regions(after, [Region("another", box)], 400, 300) == after  # a face keeps its name
    if before == DIGIKAM.encode():
        for kept in (b"Holidays/Sea", b'Rating="4"', b"a dog"):
            assert kept in after


def test_a_face_without_a_name_gets_it_where_it_is() -> None:
    for nameless in (
        DIGIKAM.replace(' mwg-rs:Name="Zoë &amp; co"', ""),
        DIGIKAM.replace("Zoë &amp; co", ""),
        LIGHTROOM.replace("<mwg-rs:Name>Ann</mwg-rs:Name>", "").replace("0.5", "0.5"),
    ):
        box = Box(0.4, 0.2, 0.6, 0.3) if "digikam" in nameless else Box(0.25, 0, 0.75, 1)
        after = with_regions(nameless.encode(), [Region("Ann", box)], 400, 300)
        assert [one.name for one in read_xmp(after)] == ["Ann"]
        assert after.count(b"stArea:w") == nameless.count("stArea:w")
        assert with_regions(after, [Region("Ben", box)], 400, 300) == after


def test_names_are_tags_as_well_and_the_wrapper_stays() -> None:
    after = with_regions(DIGIKAM.encode(), [Region("Ann", Box(0, 0.5, 0.2, 0.9))], 400, 300).decode()
    assert after.startswith("<?xpacket begin") and after.rstrip().endswith('<?xpacket end="w"?>')
    for tag in ("<rdf:li>People/Ann</rdf:li>", "<rdf:li>Holidays/Sea</rdf:li>"):
        assert tag in after
    assert after.count("<rdf:li>Ann</rdf:li>") == 2  # keyword, and person that is shown


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_follow_every_orientation(tmp_path: Path, orientation: int) -> None:
    picture = np.zeros((40, 60), np.uint8)
    picture[4:12, 30:54] = 255  # as it is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path, exif=exif)
    with Image.open(path) as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    rows, columns = np.nonzero(shown)
    height, width = shown.shape
    seen = Box(
        columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height
    )
    kept = Box(30 / 60, 4 / 40, 54 / 60, 12 / 40)
    assert upright(kept, orientation).sides == pytest.approx(seen.sides)
    assert stored(seen, orientation).sides == pytest.approx(kept.sides)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for person, name in enumerate(("ann", "bob")):
        for number in range(3):
            save_person(tmp_path / "photos" / f"{name}{number}.png", person, "0", seed=number)
    index_folders(
        [tmp_path / "photos"],
        collection=tmp_path / "c",
        engine=fake_engine(),
        detector=open_fake_detector,
        workers=0,
    )
    return tmp_path / "c"


def with_people(place: Path, work: Callable[[People, object], object]) -> object:
    with (
        Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder,
        finder.collection.snapshot() as snapshot,
    ):
        return work(finder.people(), snapshot)


def names_of(place: Path) -> dict[str, int]:
    found = with_people(
        place, lambda people, _: {name: len(one.confirmed) for name, one in people.names.items()}
    )
    assert isinstance(found, dict)
    return found


def test_names_go_out_and_come_back(place: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    before = {path: path.read_bytes() for path in photos.iterdir()}
    (photos / "ann1.png.xmp").write_text(DIGIKAM)
    (photos / "ann2.png.xmp").write_text("not mine to read")
    with_people(place, lambda people, _: people.name(people.of_face[1], "Ann & Söhne"))
    done = with_people(place, lambda people, snapshot: export_names(people, snapshot))  # type: ignore[arg-type]
    assert isinstance(done, Exchanged)
    assert (done.photographs, done.faces, done.names) == (2, 2, {"Ann & Söhne"})
    assert [(Path(path).name, "no XMP" in why) for path, why in done.left_alone] == [("ann2.png.xmp", True)]
    assert (photos / "ann2.png.xmp").read_text() == "not mine to read"
    assert {path: path.read_bytes() for path in before} == before
    kept = (photos / "ann1.png.xmp").read_text()
    assert "Holidays/Sea" in kept and "Zoë &amp; co" in kept and "Ann &amp; Söhne" in kept
    again = with_people(place, lambda people, snapshot: export_names(people, snapshot))  # type: ignore[arg-type]
    assert isinstance(again, Exchanged) and again.photographs == 0
    # Into another collection of the same photographs.
    index_folders(
        [photos], collection=tmp_path / "other", engine=fake_engine(), detector=open_fake_detector, workers=0
    )
    back = with_people(tmp_path / "other", lambda people, snapshot: import_names(people, snapshot))  # type: ignore[arg-type]
    assert isinstance(back, Exchanged) and (back.faces, back.names) == (2, {"Ann & Söhne"})
    assert names_of(tmp_path / "other") == {"Ann & Söhne": 2}


def test_names_in_photographs_and_of_picasa_are_taken_over_but_for_those_given_here(
    place: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    whole = DIGIKAM.replace(
        'x="0.5" stArea:y="0.25" stArea:w="0.2" stArea:h="0.1"',
        'x="0.5" stArea:y="0.5" stArea:w="0.9" stArea:h="0.9"',
    )
    (photos / "ann0.xmp").write_text(whole)
    (photos / ".picasa.ini").write_text(
        PICASA.replace("one.jpg", "bob0.png").replace("40008000bfffffff", "00000000ffffffff")
    )
    with_people(place, lambda people, _: people.confirm([5], "Bob"))
    done = with_people(place, lambda people, snapshot: import_names(people, snapshot, below=photos))  # type: ignore[arg-type]
    assert isinstance(done, Exchanged) and done.names == {"Zoë & co", "Cleo"}
    assert names_of(place) == {"Bob": 1, "Cleo": 1, "Zoë & co": 1}
    (photos / "ann0.xmp").write_text(whole.replace("Zoë &amp; co", "#1"))
    (photos / "bob2.xmp").write_text(whole.replace("Zoë &amp; co", "Dora"))
    for _ in done.names:
        with_people(place, lambda people, _: people.undo())
    odd = with_people(place, lambda people, snapshot: import_names(people, snapshot))  # type: ignore[arg-type]
    assert isinstance(odd, Exchanged) and odd.names == {"Cleo", "Dora"}
    assert [why for _, why in odd.left_alone] == [
        "'#1' is no name; write one of up to 200 letters, without # before it"
    ]
    assert names_of(place) == {"Bob": 1, "Cleo": 1, "Dora": 1}
    nothing = with_people(
        place,
        lambda people, snapshot: import_names(people, snapshot, below=tmp_path / "elsewhere"),  # type: ignore[arg-type]
    )
    assert isinstance(nothing, Exchanged) and nothing.faces == 0
