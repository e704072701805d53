"""One TOML table, taken apart key by key, with every refusal naming file, line and key.

Hides where a key stood, and what makes a text unfit to be shown or stored.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from app.clinical.instruments.locator import TooDeep, locate

# The largest shipped definition has a tenth of this.
LARGEST_DEFINITION = 64 * 1024

# What an instrument's own key is bounded to where check-ins are received.
_LONGEST_SLUG = 64

# Marks that turn the direction of the text around them: a label could show another text
# than it is.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Panels: the code of a questionnaire as a whole, circulating as the code of its score.
# Source: LOINC, for PHQ-9, GAD-7, the C-SSRS screener, AUDIT-C, PHQ-2, PCL-5, PEG, DAST-10
# and the C-SSRS, in this order.
_PANELS = frozenset(
    {
        "44249-1",
        "69737-5",
        "93373-9",
        "72109-2",
        "55757-9",
        "101697-1",
        "91148-7",
        "82666-9",
        "93245-9",
    }
)

_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class DefinitionRefused(ValueError):
    """A questionnaire definition is wrong; the message names the file, the line and the key.

    line: from 1; None where something is missing at the top level.
    key: as in "items #2.scale.low"; None where the text is no TOML at all.
    """

    def __init__(self, name: str, line: int | None, key: str | None, reason: str) -> None:
        where = name if line is None else f"{name}:{line}"
        super().__init__(": ".join(part for part in (where, key, reason) if part is not None))
        self.line = line
        self.key = key
        self.reason = reason


def has_valid_check_digit(loinc: str) -> bool:
    """Whether a LOINC code is well formed; a right digit does not prove the meaning.

    Only for LOINC terms: answer (LA) and list (LL) codes do not follow this rule.
    Source: LOINC Users' Guide, mod 10 (Luhn) over the digits before the dash.
    """
    if not re.fullmatch(r"[0-9]{1,7}-[0-9]", loinc):
        return False
    digits, check = loinc.split("-")
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits[::-1], 1)]
    return (sum(n // 10 + n % 10 for n in doubled) + int(check)) % 10 == 0


@dataclass(frozen=True, slots=True)
class _Origin:
    name: str
    lines: dict[str, int]

    def line_of(self, path: str) -> int | None:
        """Where this stands; where it is missing, the table it is missing from."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return None


_T = TypeVar("_T")


class Table:
    """One TOML table; what was not taken out of it in the end is unknown."""

    def __init__(self, origin: _Origin, path: str, content: dict[str, object]) -> None:
        self._origin = origin
        self._path = path
        self._left = dict(content)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raises: DefinitionRefused about this key of the table, or ("") about the table."""
        path = f"{self._path}{key}" if key else self._path.removesuffix(".")
        shown = "".join(c if c.isprintable() else "?" for c in path)
        raise DefinitionRefused(self._origin.name, self._origin.line_of(path), shown, why)

    def has(self, key: str) -> bool:
        return key in self._left

    def keys(self) -> tuple[str, ...]:
        """What is still to be taken."""
        return tuple(self._left)

    def _take(self, key: str, kind: type[_T]) -> _T:
        if key not in self._left:
            self.refuse(key, "is missing")
        value = self._left.pop(key)
        # The exact type, because true would otherwise pass for the number 1.
        if type(value) is not kind:
            self.refuse(key, f"must be {_KINDS[kind]}")
        return value

    def text(self, key: str, longest: int | None = None) -> str:
        text = self._take(key, str).strip()
        if not text:
            self.refuse(key, "must not be empty")
        if longest is not None and len(text) > longest:
            self.refuse(key, f"must have at most {longest} characters")
        if any(map(_is_control, text)):
            self.refuse(key, "must not contain control characters")
        return text

    def text_or_none(self, key: str) -> str | None:
        return self.text(key) if self.has(key) else None

    def one_of(self, key: str, words: Collection[str]) -> str:
        text = self.text(key)
        if text not in words:
            self.refuse(key, f"must be one of {', '.join(words)}")
        return text

    def slug(self, key: str) -> str:
        text = self.text(key, _LONGEST_SLUG)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
            self.refuse(key, "must be lower-case letters, digits and single hyphens")
        return text

    def loinc(self, key: str) -> str | None:
        """The LOINC term under this key, if there is one."""
        if not self.has(key):
            return None
        code = self.text(key)
        if not has_valid_check_digit(code):
            self.refuse(key, "is not a LOINC code: the check digit does not match")
        return code

    def score_loinc(self, key: str, panel: str | None) -> str | None:
        """The LOINC term of something with a value, which a panel has not."""
        code = self.loinc(key)
        if code is not None and (code == panel or code in _PANELS):
            self.refuse(key, "is the code of a panel, which is not a score")
        return code

    def answer_loinc(self, key: str) -> str | None:
        """The LOINC answer code under this key, if there is one."""
        code = self.text_or_none(key)
        if code is not None and not re.fullmatch(r"LA[0-9]{1,8}-[0-9]", code):
            self.refuse(key, "is not a LOINC answer code (LA…)")
        return code

    def whole_number(self, key: str, low: int, high: int) -> int:
        number = self._take(key, int)
        if not low <= number <= high:
            self.refuse(key, f"must be from {low} to {high}")
        return number

    def truth(self, key: str) -> bool:
        return self._take(key, bool)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of at least one text, no two the same."""
        values = self._take(key, list)
        if not values or not all(isinstance(value, str) and value for value in values):
            self.refuse(key, "must be a list of texts")
        if len(set(values)) < len(values):
            self.refuse(key, "must not name anything twice")
        return tuple(values)

    def positions(self, key: str, keys: Sequence[str]) -> tuple[int, ...]:
        """A list of at least one of these keys, as their ascending positions."""
        named = self.texts(key)
        if not set(named) <= set(keys):
            self.refuse(key, f"must only name some of {', '.join(keys)}")
        return tuple(sorted(keys.index(one) for one in named))

    def table(self, key: str) -> "Table":
        return Table(self._origin, f"{self._path}{key}.", self._take(key, dict))

    def tables(self, key: str, most: int = 1000) -> list["Table"]:
        """A list of at least one table."""
        values = self._take(key, list)
        if not values or not all(isinstance(value, dict) for value in values):
            self.refuse(key, "must be a list of tables")
        if len(values) > most:
            self.refuse(key, f"must have at most {most} entries")
        return [
            Table(self._origin, f"{self._path}{key} #{count}.", value)
            for count, value in enumerate(values, 1)
        ]

    def tables_or_none(self, key: str, most: int = 1000) -> list["Table"]:
        """A list of tables; none where the key is missing."""
        return self.tables(key, most) if self.has(key) else []

    def close(self) -> None:
        """Raises: DefinitionRefused if any key was not asked for."""
        for key in self._left:
            self.refuse(key, "is not a key this file may have")


def _is_control(character: str) -> bool:
    """Whether this is no text: a control other than the end of a line, or half a character."""
    if character in _BIDI_CONTROLS:
        return True
    return unicodedata.category(character) in {"Cc", "Cs"} and character != "\n"


def refuse_duplicates(what: str, entries: Sequence[tuple[Table, str | int | None]]) -> None:
    """Refuse the second of two entries with the same value under this key; None is no value."""
    seen: set[str | int] = set()
    for table, value in entries:
        if value in seen:
            table.refuse(what, "is the same as that of an earlier one")
        if value is not None:
            seen.add(value)


def _line_told(message: str, toml_text: str) -> int | None:
    """The line that a message of tomllib names, if it names one."""
    if message.endswith("(at end of document)"):
        return toml_text.rstrip("\n").count("\n") + 1
    told = re.search(r"\(at line ([0-9]+), column [0-9]+\)", message)
    return told and int(told[1])


def read_table(toml_text: str, name: str) -> Table:
    """The whole text as one table.

    Raises: DefinitionRefused if it is too large or not TOML.
    """
    # A character is at least one byte, so what is far too large is never encoded.
    if len(toml_text) > LARGEST_DEFINITION or (
        len(toml_text.encode("utf-8", "surrogatepass")) > LARGEST_DEFINITION
    ):
        raise DefinitionRefused(name, None, None, f"is larger than {LARGEST_DEFINITION} bytes")
    try:
        lines = locate(toml_text)
        content = tomllib.loads(toml_text)
    except TooDeep as error:
        raise DefinitionRefused(name, error.line, None, str(error)) from error
    except (ValueError, RecursionError) as error:
        reason = f"cannot be read as TOML: {error}"
        raise DefinitionRefused(name, _line_told(str(error), toml_text), None, reason) from error
    return Table(_Origin(name, lines), "", content)
