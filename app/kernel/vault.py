"""Sealed words: free text, names and contact data as ciphertext that fits only one cell.

Whatever a patient writes is sealed with that patient's own data key, so that destroying one
small wrapped key erases every copy of their words at once. The data key is wrapped by a
key-encryption key (KEK) that lives outside the database. What belongs to no patient, such as a
clinician's e-mail address, is sealed with a key derived from the KEK for that clinic.

Associated data ties each ciphertext to its clinic, patient, table, column and row: moved
anywhere else it does not open. There is one answer to damage of any kind, `Unsealable`.

    sealed by a data key    0x01  nonce (12)  ciphertext and tag (16)
    a wrapped data key      0x02  length of the KEK's id (1)  id  nonce (12)  ciphertext and tag
    sealed for a clinic     0x03  length of the KEK's id (1)  id  nonce (12)  ciphertext and tag

The KEK itself encrypts nothing: HKDF derives one key for wrapping and one for each clinic from
it, so that no key has two uses. Nonces are random; NIST allows 2**32 seals per key that way,
which no patient and no clinic comes near.

Sources: NIST SP 800-38D section 8.3 (AES-GCM), RFC 5869 (HKDF), RFC 2104 (HMAC), The
Unicode Standard section 3.13 D146 (compatibility caseless matching).
"""

import base64
import hmac
import json
import os
import secrets
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SEALED: Final = b"\x01"
_WRAPPED: Final = b"\x02"
_SEALED_FOR_CLINIC: Final = b"\x03"

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_MAX_ID_LENGTH: Final = 64


class Unsealable(Exception):
    """The ciphertext is damaged, is not meant for this place, or its key is gone."""


class DataKey:
    """One patient's key, opened. Only `Keyring.open_data_key` makes one."""

    __slots__ = ("_aead", "_place")

    def __init__(self, secret: bytes, owner: bytes) -> None:
        """secret: 32 bytes. owner: the clinic and patient, encoded."""
        self._aead = AESGCM(secret)
        self._place = _SEALED + owner

    def __repr__(self) -> str:
        return "DataKey(…)"

    def seal(self, plain: bytes, *, table: str, column: str, row: UUID | str) -> bytes:
        """Seal the words of one cell; 29 bytes longer than they were.

        row: a UUID and its text are two different rows; use the same kind to open.
        """
        return _SEALED + _encrypt(self._aead, plain, self._place + _cell(table, column, row))

    def open(self, sealed: bytes, *, table: str, column: str, row: UUID | bytes | str) -> bytes:
        """The words of one cell. row: the 16 bytes of a UUID will do for it. Raises: Unsealable."""
        if sealed[:1] != _SEALED:
            raise Unsealable
        return _decrypt(self._aead, sealed[1:], self._place + _cell(table, column, row))


class Keyring:
    """The keys that open the rest: KEKs, the current one first, and the blind-index key.

    To rotate: `rotate` the text, restart, `rewrap` every data key and `reseal_for_clinic` every
    clinic's cell, and take the old KEK out. No word of a patient is encrypted again for that.
    The blind-index key stays the same, because every index made with it would have to be remade.

    Opened data keys are remembered, the least recently used forgotten first. A destroyed data
    key may therefore outlive its wrapped form in memory, but nothing can ask for it any more.
    """

    __slots__ = ("_blind_index_key", "_by_id", "_current", "_opened")

    def __init__(
        self, keks: Sequence["_Kek"], blind_index_key: bytes, opened_keys: int = 4096
    ) -> None:
        """keks: not empty, the current one first. opened_keys: data keys kept in memory."""
        self._by_id = {kek.id: kek for kek in keks}
        self._current = keks[0]
        self._blind_index_key = blind_index_key
        self._opened = lru_cache(opened_keys)(self._unwrap)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._by_id)})"

    @classmethod
    def parse(cls, text: str, opened_keys: int = 4096) -> Self:
        """Read `{"keys": [{"id": …, "key": base64}], "blind_index_key": base64}`.

        Each key is 32 bytes; an id is 1 to 64 printable ASCII characters.
        Raises: ValueError, which repeats nothing of any key.
        """
        secret_by_id, blind_index_key = _parsed(text)
        keks = [_Kek(id_, secret) for id_, secret in secret_by_id.items()]
        return cls(keks, blind_index_key, opened_keys)

    @staticmethod
    def generate() -> str:
        """The text of a new keyring. Secret: a file of mode 0600, backed up apart from the data."""
        return _keyring_text([_new_key()], _base64(os.urandom(_KEY_BYTES)))

    @staticmethod
    def rotate(text: str) -> str:
        """The same keyring with a new KEK in front; the old ones only open.

        Raises: ValueError if the text is not one that `parse` reads.
        """
        secret_by_id, blind_index_key = _parsed(text)
        kept = [{"id": id_, "key": _base64(secret)} for id_, secret in secret_by_id.items()]
        return _keyring_text([_new_key(), *kept], _base64(blind_index_key))

    def new_data_key(self, clinic_id: UUID, patient_id: UUID) -> bytes:
        """A new patient's data key, wrapped for the key store."""
        return self._wrap(os.urandom(_KEY_BYTES), _owner(clinic_id.int, patient_id.int))

    def open_data_key(self, wrapped: bytes, clinic_id: UUID, patient_id: UUID) -> DataKey:
        """Raises: Unsealable, also for the key of another patient or clinic."""
        # Integers, because UUID hashes and compares in Python and this is on every hot path.
        return self._opened(wrapped, clinic_id.int, patient_id.int)

    def rewrap(self, wrapped: bytes, clinic_id: UUID, patient_id: UUID) -> bytes:
        """The same data key under the current KEK; the same bytes if it is already.

        Raises: Unsealable.
        """
        owner = _owner(clinic_id.int, patient_id.int)
        kek, secret = self._unwrapped(wrapped, owner)
        return wrapped if kek is self._current else self._wrap(secret, owner)

    def seal_for_clinic(
        self, clinic_id: UUID | None, plain: bytes, *, table: str, column: str, row: UUID | str
    ) -> bytes:
        """Seal a cell that belongs to no patient.

        clinic_id: None for what belongs to no clinic either, such as an account.
        row: as for `DataKey.seal`.
        """
        aead = self._current.clinic_key(clinic_id)
        head = _SEALED_FOR_CLINIC + self._current.tag
        return head + _encrypt(aead, plain, _cell(table, column, row))

    def open_for_clinic(
        self, clinic_id: UUID | None, sealed: bytes, *, table: str, column: str, row: UUID | str
    ) -> bytes:
        """The content of a cell that belongs to no patient. Raises: Unsealable."""
        kek, rest = self._kek_named_in(sealed, _SEALED_FOR_CLINIC)
        return _decrypt(kek.clinic_key(clinic_id), rest, _cell(table, column, row))

    def reseal_for_clinic(
        self, clinic_id: UUID | None, sealed: bytes, *, table: str, column: str, row: UUID | str
    ) -> bytes:
        """The same content under the current KEK; the same bytes if it is already.

        Raises: Unsealable.
        """
        plain = self.open_for_clinic(clinic_id, sealed, table=table, column=column, row=row)
        if sealed.startswith(_SEALED_FOR_CLINIC + self._current.tag):
            return sealed
        return self.seal_for_clinic(clinic_id, plain, table=table, column=column, row=row)

    def blind_index(self, value: str, *, purpose: str) -> bytes:
        """Find a sealed value without opening it: equal values give the same 32 bytes.

        Case, surrounding space and the way accents are typed make no difference.
        purpose: keeps apart what must not be compared, such as e-mail addresses and names.
        """
        # A lone surrogate has no UTF-8, yet it is only a name that nobody has: it finds no one.
        text = _folded(value).encode("utf-8", "surrogatepass")
        return hmac.digest(self._blind_index_key, _fields(purpose.encode(), text), "sha256")

    def _wrap(self, secret: bytes, owner: bytes) -> bytes:
        head = _WRAPPED + self._current.tag
        return head + _encrypt(self._current.wrapping, secret, head + owner)

    def _unwrapped(self, wrapped: bytes, owner: bytes) -> tuple["_Kek", bytes]:
        kek, rest = self._kek_named_in(wrapped, _WRAPPED)
        return kek, _decrypt(kek.wrapping, rest, _WRAPPED + kek.tag + owner)

    def _unwrap(self, wrapped: bytes, clinic: int, patient: int) -> DataKey:
        owner = _owner(clinic, patient)
        return DataKey(self._unwrapped(wrapped, owner)[1], owner)

    def _kek_named_in(self, blob: bytes, version: bytes) -> tuple["_Kek", bytes]:
        """The KEK, and what follows its id."""
        end = 2 + int.from_bytes(blob[1:2], "big")
        kek = self._by_id.get(blob[2:end].decode("ascii", "replace"))
        if blob[:1] != version or kek is None:
            raise Unsealable
        return kek, blob[end:]


class _Kek:
    """One key-encryption key, and the keys derived from it."""

    __slots__ = ("_derive", "clinic_key", "id", "tag", "wrapping")

    def __init__(self, id_: str, secret: bytes) -> None:
        self.id = id_
        self.tag = bytes([len(id_)]) + id_.encode("ascii")
        self.wrapping = AESGCM(_derived(secret, b"wrap data keys"))

        @lru_cache(1024)
        def clinic_key(clinic_id: UUID | None) -> AESGCM:
            clinic = b"" if clinic_id is None else clinic_id.bytes
            return AESGCM(_derived(secret, b"seal for clinic", clinic))

        self.clinic_key = clinic_key


def _derived(secret: bytes, *purpose: bytes) -> bytes:
    info = _fields(b"afterglow", *purpose)
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)


def _encrypt(aead: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + aead.encrypt(nonce, plain, bound_to)


def _decrypt(aead: AESGCM, blob: bytes, bound_to: bytes) -> bytes:
    if len(blob) < _NONCE_BYTES + _TAG_BYTES:
        raise Unsealable
    try:
        return aead.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise Unsealable from None


def _fields(*fields: bytes) -> bytes:
    """One byte string from several, each led by its length: no two lists give the same."""
    return b"".join([len(field).to_bytes(4, "big") + field for field in fields])


def _owner(clinic: int, patient: int) -> bytes:
    return _fields(clinic.to_bytes(16, "big"), patient.to_bytes(16, "big"))


def _cell(table: str, column: str, row: UUID | bytes | str) -> bytes:
    if isinstance(row, str):
        return _column(table, column) + _fields(b"text", row.encode())
    if isinstance(row, UUID):
        row = row.bytes
    return _column(table, column) + _A_UUID + row


@lru_cache(1024)
def _column(table: str, column: str) -> bytes:
    # Opening a short text is mostly this; there are as many as columns of ours.
    return _fields(table.encode(), column.encode())


_A_UUID: Final = _fields(b"uuid") + (16).to_bytes(4, "big")


def _folded(value: str) -> str:
    # Twice, because folding can undo a normal form and the normal form can bring back a capital.
    decomposed = unicodedata.normalize("NFD", value).casefold()
    return unicodedata.normalize(
        "NFKC", unicodedata.normalize("NFKC", decomposed).casefold()
    ).strip()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _new_key() -> dict[str, str]:
    return {"id": secrets.token_hex(4), "key": _base64(os.urandom(_KEY_BYTES))}


def _keyring_text(keys: list[dict[str, str]], blind_index_key: str) -> str:
    return json.dumps({"keys": keys, "blind_index_key": blind_index_key}, indent=2) + "\n"


def _parsed(text: str) -> tuple[dict[str, bytes], bytes]:
    """The KEKs by id, in order, and the blind-index key. Raises: ValueError."""
    try:
        keyring: dict[str, Any] = json.loads(text)
        keks = [(key["id"], _unbase64(key["key"])) for key in keyring["keys"]]
        blind_index_key = _unbase64(keyring["blind_index_key"])
        secret_by_id: dict[str, bytes] = dict(keks)
    except Exception:
        # The cause could quote a key, and an operator's terminal is no place for one.
        raise ValueError("keyring: not a list of keys and a blind-index key, in base64") from None
    if not keks or len(secret_by_id) != len(keks):
        raise ValueError("keyring: there must be a key, and no id twice")
    if not all(_is_id(id_) for id_ in secret_by_id):
        raise ValueError(f"keyring: an id is 1 to {_MAX_ID_LENGTH} printable ASCII characters")
    all_keys = [*secret_by_id.values(), blind_index_key]
    if any(len(key) != _KEY_BYTES for key in all_keys):
        raise ValueError(f"keyring: every key is {_KEY_BYTES} bytes")
    if len(set(all_keys)) != len(all_keys):
        raise ValueError("keyring: the same key is used twice")
    return secret_by_id, blind_index_key


def _is_id(id_: object) -> bool:
    return (
        isinstance(id_, str)
        and 1 <= len(id_) <= _MAX_ID_LENGTH
        and id_.isascii()
        and id_.isprintable()
    )
