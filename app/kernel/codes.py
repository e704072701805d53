"""Codes that people type: five bits a letter, in an alphabet without the letters that are read as
others (Crockford's base 32: no I, L, O and U).
"""

from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_READ_AS: Final = str.maketrans({"i": "1", "l": "1", "o": "0", " ": "", "-": ""})


def spelt(raw: bytes) -> str:
    """Five bits of each byte, in groups of four letters: 80 bits from 16 bytes."""
    letters = "".join(_ALPHABET[byte & 31] for byte in raw)
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def as_typed(code: str) -> str:
    """What somebody meant who typed this: case, spaces and hyphens make no difference."""
    return code.casefold().translate(_READ_AS)
