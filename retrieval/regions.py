"""Named faces in XMP, as other programs write them and read them, and in Picasa's own files.

Regions of the Metadata Working Group (*Guidelines for Handling Image Metadata* 2.0, section 5.9), which
digiKam and Lightroom write; Microsoft's people tags (MP:RegionInfo) and ``.picasa.ini`` are read as well.
What comes from other files is read with neither entities nor anything from elsewhere.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from faces.boxes import SAME_FACE, overlap
from faces.errors import RegionError
from faces.types import Box

_NAMES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
LARGEST = 4 << 20
"""Bytes of the largest sidecar that is read."""
_RECT64 = re.compile(r"rect64\(([0-9a-fA-F]{1,16})\)\s*,\s*([0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True)
class Region:
    """A face that has a name; ``box`` in parts of the picture's sides, 0 to 1, as it is stored."""

    name: str
    box: Box


def read_xmp(content: bytes) -> list[Region]:
    """Read the named faces of an XMP packet or sidecar; raises RegionError if it is none."""
    tree = _parsed(content)
    found = [*(region for region, _ in _mwg(tree)), *_microsoft(tree)]
    return [one for place, one in enumerate(found) if one.name and one not in found[:place]]


def read_picasa(content: str) -> dict[str, list[Region]]:
    """Read the named faces of a ``.picasa.ini``, by the name of the photograph's file.

    Those of contacts that the file does not name are passed over.  Raises RegionError if it is none.
    """
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(content)
    except configparser.Error as error:
        raise RegionError(f"it is no .picasa.ini ({str(error).splitlines()[0]})") from None
    contacts = {
        key.lower(): value.split(";")[0].strip()
        for section in ("Contacts", "Contacts2")
        if parser.has_section(section)
        for key, value in parser.items(section)
    }
    found = {}
    for section in parser.sections():
        faces = _RECT64.findall(parser.get(section, "faces", fallback=""))
        regions = [
            Region(contacts[who.lower()], _rect64(sides)) for sides, who in faces if contacts.get(who.lower())
        ]
        if regions:
            found[section] = regions
    return found


def with_regions(content: bytes | None, regions: Iterable[Region], width: int, height: int) -> bytes:
    """Put named faces into a sidecar, which is made if there is none; all else in it stays as it is.

    ``width`` and ``height`` are those of the picture as it is stored, in pixels.  A face that has another
    name there keeps it, one that has none gets it.  Raises RegionError if the sidecar cannot be read.
    """
    tree = etree.Element(_q("x:xmpmeta"), nsmap={"x": _NAMES["x"]}) if content is None else _parsed(content)
    rdf = tree if tree.tag == _q("rdf:RDF") else tree.find(f".//{_q('rdf:RDF')}")
    if rdf is None:
        rdf = etree.SubElement(tree, _q("rdf:RDF"), nsmap={"rdf": _NAMES["rdf"]})
    there, microsoft = list(_mwg(tree)), list(_microsoft(tree))
    new, said = [], []
    for one in regions:
        same = [item for known, item in there if overlap(one.box, known.box) >= SAME_FACE]
        named = [known.name for known, item in there if item in same]
        named += [known.name for known in microsoft if overlap(one.box, known.box) >= SAME_FACE]
        if any(named):
            continue
        said.append(one.name)
        if same:
            _set_name(same[0], one.name)
        else:
            new.append(one)
    if content is not None and not said:
        return content
    if said:
        listed = _region_list(rdf, width, height) if new else None
        for one in new:
            item = etree.SubElement(etree.SubElement(listed, _q("rdf:li")), _q("rdf:Description"))
            item.set(_q("mwg-rs:Name"), one.name)
            item.set(_q("mwg-rs:Type"), "Face")
            area = etree.SubElement(item, _q("mwg-rs:Area"))
            for key, value in _area(one.box).items():
                area.set(_q(f"stArea:{key}"), value)
        _add_to_list(rdf, "Iptc4xmpExt:PersonInImage", "rdf:Bag", said)
        _add_to_list(rdf, "dc:subject", "rdf:Bag", said)
        _add_to_list(rdf, "digiKam:TagsList", "rdf:Seq", [f"People/{name}" for name in said])
    # With whatever stands around the packet, such as its wrapper.
    return bytes(etree.tostring(tree.getroottree(), encoding="UTF-8", xml_declaration=content is None))


def upright(box: Box, orientation: int) -> Box:
    """Turn a box in parts of a stored picture into one of the upright picture, by its EXIF orientation."""
    return _turned(box, _UPRIGHT[orientation])


def stored(box: Box, orientation: int) -> Box:
    """Turn a box in parts of an upright picture into one of the picture as it is stored."""
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return _turned(box, _UPRIGHT[back])


# Of a stored place (u, v): whether the upright x is taken from v, and which of both are counted backwards.
_UPRIGHT = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def _turned(box: Box, how: tuple[bool, bool, bool]) -> Box:
    swapped, x_back, y_back = how
    left, top, right, bottom = box.sides
    if swapped:
        left, top, right, bottom = top, left, bottom, right
    if x_back:
        left, right = 1 - right, 1 - left
    if y_back:
        top, bottom = 1 - bottom, 1 - top
    return Box(left, top, right, bottom)


def _q(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMES[prefix]}}}{local}"


def _parsed(content: bytes) -> Any:
    if len(content) > LARGEST:
        raise RegionError(f"it is larger than {LARGEST >> 20} MB")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(content.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RegionError(f"it is no XMP ({str(error).splitlines()[0]})") from None
    if tree.getroottree().docinfo.doctype:
        raise RegionError("it declares entities, which XMP never does")
    if tree.tag not in (_q("x:xmpmeta"), _q("rdf:RDF")):
        raise RegionError("it is no XMP, but other XML")
    return tree


def _mwg(tree: Any) -> Iterator[tuple[Region, Any]]:
    """Give the faces, also those without a name, each with its item of the list."""
    for item in tree.iterfind(f".//{_q('mwg-rs:RegionList')}/*/{_q('rdf:li')}"):
        kind = _value(item, "mwg-rs:Type") or "Face"
        area = next(item.iter(_q("mwg-rs:Area")), None)
        if area is None or kind != "Face":
            continue
        numbers = [_number(_value(area, f"stArea:{key}")) for key in ("x", "y", "w", "h")]
        if None not in numbers:
            x, y, w, h = (number or 0.0 for number in numbers)
            name = (_value(item, "mwg-rs:Name") or "").strip()
            yield Region(name, Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2)), item


def _microsoft(tree: Any) -> Iterator[Region]:
    for item in tree.iterfind(f".//{_q('MPRI:Regions')}/*/{_q('rdf:li')}"):
        sides = [_number(part) for part in (_value(item, "MPReg:Rectangle") or "").split(",")]
        if len(sides) == 4 and None not in sides:
            left, top, width, height = (side or 0.0 for side in sides)
            name = (_value(item, "MPReg:PersonDisplayName") or "").strip()
            yield Region(name, Box(left, top, left + width, top + height))


def _value(item: Any, name: str) -> str | None:
    """Find a property of a resource, written as an attribute or as an element, of it or its Description."""
    for node in (item, *item.iterchildren(_q("rdf:Description"))):
        if (found := node.get(_q(name))) is not None:
            return str(found)
        if (element := node.find(_q(name))) is not None:
            return str(element.text or "")
    return None


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if -1 <= found <= 2 else None


def _rect64(digits: str) -> Box:
    whole = digits.rjust(16, "0")
    left, top, right, bottom = (int(whole[place : place + 4], 16) / 65535 for place in range(0, 16, 4))
    return Box(left, top, right, bottom)


def _area(box: Box) -> dict[str, str]:
    left, top, right, bottom = box.sides
    numbers = {"x": (left + right) / 2, "y": (top + bottom) / 2, "w": right - left, "h": bottom - top}
    return {**{key: f"{value:.6f}" for key, value in numbers.items()}, "unit": "normalized"}


def _region_list(rdf: Any, width: int, height: int) -> Any:
    """Find the list of regions, or make it."""
    listed = rdf.find(f".//{_q('mwg-rs:RegionList')}")
    if listed is None:
        names = {key: _NAMES[key] for key in ("mwg-rs", "stDim", "stArea")}
        about = etree.SubElement(rdf, _q("rdf:Description"), nsmap=names)
        about.set(_q("rdf:about"), "")
        regions = etree.SubElement(about, _q("mwg-rs:Regions"))
        regions.set(_q("rdf:parseType"), "Resource")
        size = etree.SubElement(regions, _q("mwg-rs:AppliedToDimensions"))
        for key, value in (("w", str(width)), ("h", str(height)), ("unit", "pixel")):
            size.set(_q(f"stDim:{key}"), value)
        listed = etree.SubElement(regions, _q("mwg-rs:RegionList"))
    bag = next((child for child in listed if child.tag in (_q("rdf:Bag"), _q("rdf:Seq"))), None)
    return etree.SubElement(listed, _q("rdf:Bag")) if bag is None else bag


def _set_name(item: Any, name: str) -> None:
    """Give a face of the list a name, in the place where its others are."""
    node = next(item.iterchildren(_q("rdf:Description")), item)
    element = node.find(_q("mwg-rs:Name"))
    if element is not None:
        element.text = name
    elif node is item and node.get(_q("rdf:parseType")) == "Resource":
        etree.SubElement(node, _q("mwg-rs:Name")).text = name
    else:
        node.set(_q("mwg-rs:Name"), name)


def _add_to_list(rdf: Any, what: str, kind: str, words: Iterable[str]) -> None:
    """Add words to a list, such as IPTC's of the persons that are shown, that does not have them yet."""
    listed = rdf.find(f".//{_q(what)}")
    if listed is None:
        prefix = what.partition(":")[0]
        about = etree.SubElement(rdf, _q("rdf:Description"), nsmap={prefix: _NAMES[prefix]})
        about.set(_q("rdf:about"), "")
        listed = etree.SubElement(about, _q(what))
    inner = next((child for child in listed if child.tag in (_q("rdf:Bag"), _q("rdf:Seq"))), None)
    inner = etree.SubElement(listed, _q(kind)) if inner is None else inner
    known = {item.text for item in inner}
    for word in dict.fromkeys(words):
        if word not in known:
            etree.SubElement(inner, _q("rdf:li")).text = word
