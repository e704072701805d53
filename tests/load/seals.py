"""What opening sealed words costs beside AES-GCM alone on the same bytes, in one process.

Besides the cipher, opening a cell says for which clinic, patient, table, column and row it was
sealed. That is the same for any text, so short ones show it most.
"""

import os
import timeit
from collections.abc import Callable
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.kernel.vault import Keyring

NAME = "seals"
SIZES = (64, 1024, 64 * 1024)
"""Bytes of a text: a line, a note, and the longest there may be."""
MOST = 5.0
"""Times what AES-GCM alone costs."""
_REPEATS = 5


class Seal(msgspec.Struct, frozen=True):
    """Microseconds to open a text of so many bytes."""

    size: int
    alone_us: float
    opened_us: float


def measure(seconds: float) -> list[Seal]:
    """One figure for each size, in about so many seconds."""
    ring = Keyring.parse(Keyring.generate())
    clinic_id, patient_id, row = uuid4(), uuid4(), uuid4()
    key = ring.open_data_key(ring.new_data_key(clinic_id, patient_id), clinic_id, patient_id)
    alone = AESGCM(os.urandom(32))
    each = seconds / (2 * len(SIZES))
    found = []
    for size in SIZES:
        words, nonce = os.urandom(size), os.urandom(12)
        sealed = key.seal(words, table="experience_note", column="members", row=row)
        ciphertext = alone.encrypt(nonce, words, None)

        def decrypt(nonce: bytes = nonce, ciphertext: bytes = ciphertext) -> bytes:
            return alone.decrypt(nonce, ciphertext, None)

        def open_cell(sealed: bytes = sealed) -> bytes:
            return key.open(sealed, table="experience_note", column="members", row=row)

        assert decrypt() == open_cell() == words
        found.append(Seal(size, _us(decrypt, each), _us(open_cell, each)))
    return found


def _us(work: Callable[[], bytes], seconds: float) -> float:
    """The best of a few repeats: what else the machine did only ever adds."""
    once, _ = timeit.Timer(work).autorange()
    took = timeit.timeit(work, number=once)
    number = max(1, int(once * seconds / _REPEATS / took))
    return min(timeit.repeat(work, number=number, repeat=_REPEATS)) / number * 1e6
