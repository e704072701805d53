"""One object of a protocol, taken apart member by member, with a pointer for every refusal."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import time
from itertools import pairwise
from typing import Final, TypeVar

# Neither can be shown, and a database refuses two of them: controls, halves of a character,
# line and paragraph separators.
_NO_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_Word = TypeVar("_Word", bound=str)


class Table:
    """One object, taken apart member by member, so that what is left over is unknown.

    A member that is wrong is noted in `errors` and read as some right value, so that the rest
    is read too; nothing made of such a value leaves this module.
    """

    def __init__(self, content: object, pointer: str, errors: list[tuple[str, str]]) -> None:
        self._pointer = pointer
        self._errors = errors
        self._asked: set[str] = set()
        self._content = content if isinstance(content, Mapping) else None
        if self._content is None:
            errors.append((pointer, "must be an object"))

    def refuse(self, place: str, reason: str) -> None:
        """Note what is wrong; place: a member, "hours/2", or "" for the object itself."""
        if self._content is not None:
            self._errors.append((f"{self._pointer}/{place}".rstrip("/"), reason))

    @property
    def faults(self) -> int:
        """How much was noted so far, here and elsewhere: what follows from a fault is none."""
        return len(self._errors)

    def has(self, member: str) -> bool:
        self._asked.add(member)
        return self._content is not None and member in self._content

    def take(self, member: str) -> object:
        self._asked.add(member)
        return None if self._content is None else self._content.get(member)

    def text(self, member: str, longest: int) -> str:
        value = self.take(member)
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.refuse(member, f"must be a text of 1 to {longest} characters")
            return ""
        if any(unicodedata.category(character) in _NO_TEXT for character in value):
            self.refuse(member, "must be a single line without control characters")
        return value

    def slug(self, member: str) -> str:
        value = self.take(member)
        if not isinstance(value, str) or not re.fullmatch(r"(?!-)[a-z0-9-]{1,40}(?<!-)", value):
            self.refuse(member, "must be 1 to 40 lower-case letters, digits and inner hyphens")
            return ""
        return value

    def truth(self, member: str) -> bool:
        value = self.take(member)
        if not isinstance(value, bool):
            self.refuse(member, "must be true or false")
        return value is True

    def whole(self, member: str, low: int, high: int) -> int:
        return self._whole(member, self.take(member), low, high)

    def whole_or_none(self, member: str, low: int, high: int) -> int | None:
        """A whole number that may be left out."""
        return self.whole(member, low, high) if self.has(member) else None

    def one_of(self, member: str, words: Sequence[_Word]) -> _Word:
        """One of these words; the first of them if it is none."""
        value = self.take(member)
        for word in words:
            if isinstance(value, str) and value == word:
                return word
        self.refuse(member, "must be one of: " + ", ".join(words))
        return words[0]

    def code(self, member: str) -> str:
        """A drug's code, as administrations are recorded with it."""
        value = self.take(member)
        if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", value):
            self.refuse(member, "must be a code of lower-case letters, digits, dots and hyphens")
            return ""
        return value

    def span(self, member: str, low: int, high: int) -> tuple[int, int]:
        """Two whole numbers, from and to."""
        value = self.take(member)
        if not isinstance(value, list) or len(value) != 2:
            self.refuse(member, "must be a list of two: from, to")
            return low, high
        before = len(self._errors)
        first, last = (
            self._whole(f"{member}/{place}", one, low, high) for place, one in enumerate(value)
        )
        if len(self._errors) == before and first > last:
            self.refuse(f"{member}/1", "must not be less than the number before it")
        return first, last

    def ascending(self, member: str, low: int, high: int, at_most: int) -> tuple[int, ...]:
        """A list of one or more whole numbers, each greater than the one before."""
        before = len(self._errors)
        numbers = [
            self._whole(f"{member}/{place}", one, low, high)
            for place, one in enumerate(self.entries(member, at_most))
        ]
        if len(self._errors) > before:
            return ()
        for place, (earlier, later) in enumerate(pairwise(numbers), 1):
            if later <= earlier:
                self.refuse(f"{member}/{place}", "must be greater than the number before it")
        return tuple(numbers)

    def keyed(self, member: str, at_most: int) -> "list[Table]":
        """As `tables`, each with a key of its own."""
        seen: set[object] = set()
        found = self.tables(member, at_most)
        for table in found:
            key = table.take("key")
            if isinstance(key, str) and key in seen:
                table.refuse("key", "is also the key of an earlier one")
            elif isinstance(key, str):
                seen.add(key)
        return found

    def wholes(self, member: str, low: int, high: int) -> tuple[int, int, int]:
        """Three whole numbers; if one is wrong, three that nothing else is wrong with."""
        before = len(self._errors)
        first, second, third = (
            self._whole(f"{member}/{place}", value, low, high)
            for place, value in enumerate(self._three(member, low))
        )
        if len(self._errors) > before:
            return high - 1, high - 1, high
        return first, second, third

    def clock_times(self, member: str) -> tuple[time, time, time]:
        """Three clock times such as "18:00"."""
        first, second, third = (
            self._clock_time(f"{member}/{place}", value)
            for place, value in enumerate(self._three(member, "00:00"))
        )
        return first, second, third

    def entries(self, member: str, at_most: int, at_least: int = 1) -> list[object]:
        """A list of values of any kind."""
        value = self.take(member)
        if not isinstance(value, list) or not at_least <= len(value) <= at_most:
            self.refuse(member, f"must be a list of {at_least} to {at_most}")
            return []
        return value

    def tables(self, member: str, at_most: int) -> "list[Table]":
        """A list of one or more objects."""
        return [
            Table(value, f"{self._pointer}/{member}/{place}", self._errors)
            for place, value in enumerate(self.entries(member, at_most))
        ]

    def table(self, member: str) -> "Table":
        """An object of its own."""
        return Table(self.take(member), f"{self._pointer}/{member}", self._errors)

    def close(self) -> None:
        """Refuse the object if it has a member that was not asked for."""
        if self._content is not None and set(self._content) - self._asked:
            self.refuse("", "may only have: " + ", ".join(sorted(self._asked)))

    def _three(self, member: str, filler: object) -> list[object]:
        value = self.take(member)
        if not isinstance(value, list) or len(value) != 3:
            self.refuse(member, "must be a list of three: opens, due, expires")
            return [filler] * 3
        return value

    def _whole(self, place: str, value: object, low: int, high: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(place, f"must be a whole number from {low} to {high}")
            return low
        return value

    def _clock_time(self, place: str, value: object) -> time:
        if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            self.refuse(place, "must be a clock time from 00:00 to 23:59")
            return time()
        return time.fromisoformat(value)
