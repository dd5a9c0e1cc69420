"""Text from outside, such as names of files and what stands in them, made fit to be shown and kept."""

from __future__ import annotations


def shown(text: str) -> str:
    """Give a path as text that can be shown, whatever bytes its name has."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Give what can be printed of a text, with single spaces between words."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
