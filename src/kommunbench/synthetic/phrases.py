"""Lists of words and phrases, written so that they can be read as text."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Words parted by white space."""
    return tuple(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """Phrases parted by '|'; line breaks and surrounding spaces do not count."""
    return tuple(" ".join(part.split()) for part in text.split("|"))


def capital(text: str) -> str:
    """The first letter as a capital and the rest untouched: 'enheten i Trällby' becomes 'Enheten i Trällby'."""
    return text[:1].upper() + text[1:]
