"""Where in a TOML text each key stands, which tomllib does not say.

Hides a scanner that reads no values. It also keeps out what would make tomllib slow or
deep: its work grows with the square of the parts of a key, and with each bracket it calls
itself again. Every step here consumes text, so it takes time in proportion to the text,
whatever the text is.
"""

import re
from dataclasses import dataclass, field

# Deeper and longer than any definition has reason to be.
_DEEPEST_KEY = 4
_DEEPEST_VALUE = 6
_LONGEST_KEY = 64

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]++|\#[^\n]*+)
  | (?P<newline>\n)
  | (?P<text>
        \"\"\"(?:[^\\"]|\\.|"(?!""))*+(?:"{3,5}|\\?\Z)
      | '''(?:[^']|'(?!''))*+(?:'{3,5}|\Z)
      | "(?:[^"\\\n]|\\[^\n])*+\\?"?
      | '[^'\n]*+'?
    )
  | (?P<mark>[\[\]{}=,.])
  | (?P<bare>[^ \t\r\n\[\]{}=,.\#"']++)
    """,
    re.VERBOSE | re.DOTALL,
)


class TooDeep(ValueError):
    """Keys or brackets are nested too deeply, or a key is too long; at this line."""

    def __init__(self, line: int) -> None:
        super().__init__("keys or brackets are nested too deeply, or a key is too long")
        self.line = line


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Value:
    """An open bracket. path: of the value it opens. count: elements of a list so far."""

    bracket: str
    path: str
    count: int = 0


@dataclass(slots=True)
class _Scanner:
    tokens: list[_Token]
    lines: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    prefix: str = ""
    open: list[_Value] = field(default_factory=list)
    at: int = 0

    def scan(self) -> dict[str, int]:
        while self.at < len(self.tokens):
            if self.open and self.open[-1].bracket == "[":
                self._element(self.open[-1])
            elif self.tokens[self.at].text == "[" and not self.open:
                self._header()
            else:
                self._pair()
        return self.lines

    def _is(self, mark: str) -> bool:
        if self.at == len(self.tokens):
            return False
        token = self.tokens[self.at]
        return token.kind == "mark" and token.text == mark

    def _key(self) -> list[str]:
        """The parts of a dotted key, if one starts here."""
        parts: list[str] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind in {"bare", "text"}:
                parts.append(token.text.strip("\"'"))
                if len(parts) > _DEEPEST_KEY or len(parts[-1]) > _LONGEST_KEY:
                    raise TooDeep(token.line)
            elif not self._is("."):
                break
            self.at += 1
        return parts

    def _header(self) -> None:
        """[a.b] or [[a.b]]"""
        line = self.tokens[self.at].line
        self.at += 1
        is_array = self._is("[")
        if is_array:
            self.at += 1
        path = ""
        parts = self._key()
        for place, part in enumerate(parts, 1):
            path = f"{path}.{part}" if path else part
            self.lines.setdefault(path, line)
            if is_array and place == len(parts):
                self.arrays[path] = self.arrays.get(path, 0) + 1
            if path in self.arrays:
                path = f"{path} #{self.arrays[path]}"
                self.lines.setdefault(path, line)
        self.prefix = path
        while self._is("]"):
            self.at += 1

    def _pair(self) -> None:
        """A key, and the start of its value; or whatever stands where a key should."""
        line = self.tokens[self.at].line
        parts = self._key()
        if not parts or not self._is("="):
            if self._is("}") and self.open:
                self.open.pop()
            # A key without its value was consumed already; anything else is passed over.
            self.at += not parts
            return
        self.at += 1
        path = self.open[-1].path if self.open else self.prefix
        for part in parts:
            path = f"{path}.{part}" if path else part
            self.lines.setdefault(path, line)
        self._value(path)

    def _element(self, array: _Value) -> None:
        token = self.tokens[self.at]
        if self._is("]"):
            self.open.pop()
            self.at += 1
        elif token.kind == "newline" or self._is(","):
            self.at += 1
        else:
            array.count += 1
            path = f"{array.path} #{array.count}"
            self.lines.setdefault(path, token.line)
            before = self.at
            self._value(path)
            self.at = max(self.at, before + 1)

    def _value(self, path: str) -> None:
        if self._is("[") or self._is("{"):
            token = self.tokens[self.at]
            self.open.append(_Value(token.text, path))
            if len(self.open) > _DEEPEST_VALUE:
                raise TooDeep(token.line)
            self.at += 1
            return
        while self.at < len(self.tokens) and (
            self.tokens[self.at].kind in {"bare", "text"} or self._is(".")
        ):
            self.at += 1


def locate(toml_text: str) -> dict[str, int]:
    """The line, from 1, of each key, table and element of a list.

    Returns: by path, as in "items #2.scale.low"; elements are counted from 1. Of a text
        that is not TOML, whatever can be told.
    Raises: TooDeep.
    """
    tokens = []
    line = 1
    for match in _TOKEN.finditer(toml_text):
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(_Token(kind, match[0], line))
        line += match[0].count("\n")
    return _Scanner(tokens).scan()
