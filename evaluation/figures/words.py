"""How people, values and lights are written on the pictures."""

from __future__ import annotations

from facedata.labelled import FaceSet, number_of


def value_word(value: str, attribute: str) -> str:
    """A value as it is read: degrees for a pose, otherwise the word itself."""
    if not value:
        return "unknown"
    return f"{value.replace('-', '−')}°" if attribute == "pose" and number_of(value) is not None else value


def person_word(faces: FaceSet, index: int) -> str:
    """Who is on a face; a number alone is said to be a person's."""
    person = str(faces.persons[index])
    return f"person {person}" if person.isdigit() else person


def light_word(faces: FaceSet, index: int) -> str:
    """The light on a face, or nothing where it is not known."""
    light = str(faces.lights[index])
    return f"light {light}" if light else ""


_WHOLE = {"cpi": "CPI (Yim et al.)", "ours-all-values": "ours, 2nd network, every value drawn"}
_METHODS = {
    "ours": "ours",
    "two-step": "two-step",
    "arithmetic": "arithmetic",
    "two-step-arithmetic": "two-step arithmetic",
}
_FEATURES = {
    "image": "image",
    "features": "our 2nd network",
    "vgg16-fc7": "VGG-16 fc7",
    "deep-fc6": "Deep (VGG-Face fc6)",
    "dlib": "Deep (dlib)",
}


def row_words(row: str) -> str:
    """A row of the tables as a reader understands it: ``two-step-dlib-true-pose`` is two-step, Deep (dlib),
    true pose told.  A row that is not known keeps its name."""
    name, _, weights = row.partition("@")
    name, _, told = name.partition("-true-")
    words = _WHOLE.get(name, name)
    for method, method_words in _METHODS.items():
        features = name.removeprefix(f"{method}-")
        if features != name and features in _FEATURES:
            words = f"{method_words}, {_FEATURES[features]}".replace("ours, our", "ours,")
    if told:
        words += f", true {told} told"
    return f"{words} ({weights})" if weights else words


def sentence(text: str) -> str:
    """The text with a capital letter at its start; the rest stays as it is."""
    return text[:1].upper() + text[1:]
