"""Sealed words open in the one place they were sealed for, and nowhere else."""

import base64
import hmac
import json
import random
import traceback
from collections.abc import Callable, Iterator
from typing import NamedTuple
from unicodedata import normalize
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.vault import DataKey, Keyring, Unsealable

KEYRING_TEXT = Keyring.generate()
KEYRING = Keyring.parse(KEYRING_TEXT)
CLINIC, OTHER_CLINIC = UUID(int=0xC1), UUID(int=0xC2)
PATIENT, OTHER_PATIENT = UUID(int=0xA1), UUID(int=0xA2)
ROW, OTHER_ROW = UUID(bytes=b"sixteen letters!"), UUID(int=0xB2)
WRAPPED = KEYRING.new_data_key(CLINIC, PATIENT)
DATA_KEY = KEYRING.open_data_key(WRAPPED, CLINIC, PATIENT)
NIL = UUID(int=0)


class Cell(NamedTuple):
    table: str
    column: str
    row: UUID | str


CELL = Cell("note", "body", ROW)
OTHER_CELLS = {
    "another row": CELL._replace(row=OTHER_ROW),
    "no row": CELL._replace(row=""),
    "the row's own text": CELL._replace(row=str(ROW)),
    "the row's own bytes as text": CELL._replace(row="sixteen letters!"),
    "another column": CELL._replace(column="title"),
    "no column": CELL._replace(column=""),
    "another table": CELL._replace(table="goal"),
    "no table": CELL._replace(table=""),
    "table and column exchanged": Cell("body", "note", ROW),
    "a letter moved from table to column": Cell("not", "ebody", ROW),
    "a letter moved from column to table": Cell("noteb", "ody", ROW),
    "all in the table": Cell("notebody", "", ROW),
    "a zero byte behind": CELL._replace(table="note\0"),
}


def seal(plain: bytes = b"words", key: DataKey = DATA_KEY, cell: Cell = CELL) -> bytes:
    return key.seal(plain, **cell._asdict())


def open_(sealed: bytes, key: DataKey = DATA_KEY, cell: Cell = CELL) -> bytes:
    return key.open(sealed, **cell._asdict())


def seal_for(clinic: UUID | None, plain: bytes = b"words", keyring: Keyring = KEYRING) -> bytes:
    return keyring.seal_for_clinic(clinic, plain, **CELL._asdict())


def open_for(
    clinic: UUID | None, sealed: bytes, keyring: Keyring = KEYRING, cell: Cell = CELL
) -> bytes:
    return keyring.open_for_clinic(clinic, sealed, **cell._asdict())


def a_data_key(
    clinic: UUID = CLINIC, patient: UUID = PATIENT, keyring: Keyring = KEYRING
) -> DataKey:
    return keyring.open_data_key(keyring.new_data_key(clinic, patient), clinic, patient)


def without_old_keys(text: str) -> str:
    keyring = json.loads(text)
    return json.dumps(keyring | {"keys": keyring["keys"][:1]})


def damaged(blob: bytes) -> Iterator[bytes]:
    """Every single bit flipped, every shorter piece from either end, and a byte too many."""
    for bit in range(len(blob) * 8):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
    for length in range(len(blob)):
        yield blob[:length]
        yield blob[length + 1 :]
    yield blob + b"\0"
    yield b"\0" + blob


class TestSeal:
    @settings(max_examples=200, deadline=None)
    @given(plain=st.binary(max_size=300), cell=st.builds(Cell, st.text(), st.text(), st.text()))
    def test_what_is_sealed_opens_again(self, plain: bytes, cell: Cell) -> None:
        assert open_(seal(plain, cell=cell), cell=cell) == plain

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 400, 64 * 1024])
    def test_any_size_opens_again_and_grows_by_29_bytes(self, size: int) -> None:
        plain = random.Random(size).randbytes(size)

        sealed = seal(plain)

        assert len(sealed) == size + 29
        assert open_(sealed) == plain

    @settings(max_examples=200, deadline=None)
    @given(
        sealed_for=st.builds(Cell, st.text(), st.text(), st.text() | st.uuids()),
        opened_for=st.builds(Cell, st.text(), st.text(), st.text() | st.uuids()),
    )
    def test_no_cell_stands_for_another(self, sealed_for: Cell, opened_for: Cell) -> None:
        sealed = seal(cell=sealed_for)

        if sealed_for == opened_for:
            assert open_(sealed, cell=opened_for) == b"words"
        else:
            with pytest.raises(Unsealable):
                open_(sealed, cell=opened_for)

    @pytest.mark.parametrize("cell", OTHER_CELLS.values(), ids=OTHER_CELLS)
    def test_words_moved_to_another_cell_do_not_open(self, cell: Cell) -> None:
        with pytest.raises(Unsealable):
            open_(seal(), cell=cell)

    def test_words_moved_to_another_patient_or_clinic_do_not_open(self) -> None:
        for clinic, patient in ((CLINIC, OTHER_PATIENT), (OTHER_CLINIC, PATIENT)):
            with pytest.raises(Unsealable):
                open_(seal(), key=a_data_key(clinic, patient))

    def test_words_under_a_stolen_key_stay_bound_to_their_patient_and_clinic(self) -> None:
        # The associated data alone must refuse, even where the secret is the same.
        secret = bytes(32)
        owned = DataKey(secret, CLINIC.bytes + PATIENT.bytes)
        exchanged = DataKey(secret, PATIENT.bytes + CLINIC.bytes)

        with pytest.raises(Unsealable):
            open_(seal(key=owned), key=exchanged)

    def test_every_damage_to_a_small_cell_is_refused(self) -> None:
        for blob in damaged(seal(b"no")):
            with pytest.raises(Unsealable):
                open_(blob)

    def test_a_refusal_says_nothing_of_the_words(self) -> None:
        canary = "77aa5b1f"
        sealed = seal(canary.encode())

        with pytest.raises(Unsealable) as refused:
            open_(sealed, cell=CELL._replace(row=OTHER_ROW))

        assert canary not in "".join(traceback.format_exception(refused.value))
        assert refused.value.args == ()

    def test_ten_thousand_seals_of_the_same_words_never_share_a_nonce(self) -> None:
        sealed = [seal() for _ in range(10_000)]

        assert len({blob[1:13] for blob in sealed}) == len(sealed)
        assert len({blob[13:] for blob in sealed}) == len(sealed)

    def test_the_words_are_not_in_what_is_stored(self) -> None:
        canary = b"canary-41d0 " * 40

        assert b"canary" not in seal(canary) + seal_for(CLINIC, canary) + seal_for(None, canary)


class TestDataKey:
    def test_two_patients_never_share_a_key(self) -> None:
        with pytest.raises(Unsealable):
            open_(seal(key=a_data_key()), key=a_data_key())

    @pytest.mark.parametrize(
        ("clinic", "patient"),
        [(OTHER_CLINIC, PATIENT), (CLINIC, OTHER_PATIENT), (PATIENT, CLINIC), (NIL, NIL)],
        ids=["another clinic", "another patient", "exchanged", "nobody"],
    )
    def test_a_key_does_not_open_for_anyone_else(self, clinic: UUID, patient: UUID) -> None:
        KEYRING.open_data_key(WRAPPED, CLINIC, PATIENT)  # remembered, which must not help

        with pytest.raises(Unsealable):
            KEYRING.open_data_key(WRAPPED, clinic, patient)
        with pytest.raises(Unsealable):
            KEYRING.rewrap(WRAPPED, clinic, patient)

    def test_every_damage_to_a_wrapped_key_is_refused_every_time(self) -> None:
        for blob in damaged(WRAPPED):
            for _ in range(2):
                with pytest.raises(Unsealable):
                    KEYRING.open_data_key(blob, CLINIC, PATIENT)

    def test_a_key_of_another_keyring_does_not_open(self) -> None:
        other_id = json.loads(Keyring.generate())
        same_id = json.loads(Keyring.generate())
        same_id["keys"][0]["id"] = json.loads(KEYRING_TEXT)["keys"][0]["id"]

        for stranger in (other_id, same_id):
            with pytest.raises(Unsealable):
                Keyring.parse(json.dumps(stranger)).open_data_key(WRAPPED, CLINIC, PATIENT)

    def test_one_kind_of_ciphertext_never_passes_for_another(self) -> None:
        sealed, for_clinic = seal(), seal_for(CLINIC)

        for blob in (sealed, for_clinic, b"\x02" + for_clinic[1:], b"\x02" + sealed[1:]):
            with pytest.raises(Unsealable):
                KEYRING.open_data_key(blob, CLINIC, PATIENT)
        for blob in (sealed, WRAPPED, b"\x03" + WRAPPED[1:], b"\x03" + sealed[1:]):
            with pytest.raises(Unsealable):
                open_for(CLINIC, blob)
        for blob in (WRAPPED, for_clinic, b"\x01" + WRAPPED[1:], b"\x01" + for_clinic[1:]):
            with pytest.raises(Unsealable):
                open_(blob)

    def test_an_opened_key_is_remembered_until_others_push_it_out(self) -> None:
        keyring = Keyring.parse(KEYRING_TEXT, opened_keys=1)
        other = keyring.new_data_key(CLINIC, OTHER_PATIENT)
        first = keyring.open_data_key(WRAPPED, CLINIC, PATIENT)

        assert keyring.open_data_key(bytes(bytearray(WRAPPED)), CLINIC, PATIENT) is first
        keyring.open_data_key(other, CLINIC, OTHER_PATIENT)

        again = keyring.open_data_key(WRAPPED, CLINIC, PATIENT)
        assert again is not first
        assert open_(seal(key=first), key=again) == b"words"


class TestForClinic:
    @settings(max_examples=100, deadline=None)
    @given(plain=st.binary(max_size=300), clinic=st.none() | st.uuids())
    def test_what_is_sealed_opens_again(self, plain: bytes, clinic: UUID | None) -> None:
        assert open_for(clinic, seal_for(clinic, plain)) == plain

    @pytest.mark.parametrize("cell", OTHER_CELLS.values(), ids=OTHER_CELLS)
    @pytest.mark.parametrize("clinic", [CLINIC, None], ids=["of a clinic", "of no clinic"])
    def test_moved_to_another_cell_it_does_not_open(self, clinic: UUID | None, cell: Cell) -> None:
        with pytest.raises(Unsealable):
            open_for(clinic, seal_for(clinic), cell=cell)

    def test_moved_to_another_clinic_or_to_none_it_does_not_open(self) -> None:
        clinics = [CLINIC, OTHER_CLINIC, NIL, None]
        for sealed_for in clinics:
            sealed = seal_for(sealed_for)
            for opened_for in clinics:
                if sealed_for is not opened_for:
                    with pytest.raises(Unsealable):
                        open_for(opened_for, sealed)

    def test_every_damage_to_a_small_cell_is_refused(self) -> None:
        for blob in damaged(seal_for(CLINIC, b"no")):
            with pytest.raises(Unsealable):
                open_for(CLINIC, blob)

    def test_the_nonces_never_repeat(self) -> None:
        head = 2 + seal_for(CLINIC)[1]

        assert len({seal_for(CLINIC)[head : head + 12] for _ in range(2_000)}) == 2_000


class TestRotate:
    def test_after_rotation_old_words_open_and_after_rewrapping_the_old_key_can_go(self) -> None:
        rotated_text = Keyring.rotate(KEYRING_TEXT)
        rotated = Keyring.parse(rotated_text)
        newest_only = Keyring.parse(without_old_keys(rotated_text))
        words, name = seal(), seal_for(CLINIC)

        assert open_(words, key=rotated.open_data_key(WRAPPED, CLINIC, PATIENT)) == b"words"
        assert open_for(CLINIC, name, rotated) == b"words"
        rewrapped = rotated.rewrap(WRAPPED, CLINIC, PATIENT)
        resealed = rotated.reseal_for_clinic(CLINIC, name, **CELL._asdict())

        after = newest_only.open_data_key(rewrapped, CLINIC, PATIENT)
        assert open_(words, key=after) == b"words"
        assert open_for(CLINIC, resealed, newest_only) == b"words"
        with pytest.raises(Unsealable):
            newest_only.open_data_key(WRAPPED, CLINIC, PATIENT)
        with pytest.raises(Unsealable):
            open_for(CLINIC, name, newest_only)

    def test_what_is_new_after_rotation_needs_only_the_new_key(self) -> None:
        rotated_text = Keyring.rotate(KEYRING_TEXT)
        rotated = Keyring.parse(rotated_text)
        newest_only = Keyring.parse(without_old_keys(rotated_text))

        newest_only.open_data_key(rotated.new_data_key(CLINIC, PATIENT), CLINIC, PATIENT)
        assert open_for(None, seal_for(None, keyring=rotated), newest_only) == b"words"
        with pytest.raises(Unsealable):
            open_for(None, seal_for(None, keyring=rotated), KEYRING)

    def test_what_is_already_under_the_current_key_is_left_as_it_is(self) -> None:
        name = seal_for(CLINIC)

        assert KEYRING.rewrap(WRAPPED, CLINIC, PATIENT) == WRAPPED
        assert KEYRING.reseal_for_clinic(CLINIC, name, **CELL._asdict()) == name

    def test_damage_is_found_and_not_carried_over(self) -> None:
        rotated = Keyring.parse(Keyring.rotate(KEYRING_TEXT))

        with pytest.raises(Unsealable):
            rotated.rewrap(WRAPPED[:-1] + b"\0\0", CLINIC, PATIENT)
        with pytest.raises(Unsealable):
            rotated.reseal_for_clinic(CLINIC, seal_for(CLINIC)[:-1], **CELL._asdict())

    def test_many_rotations_keep_every_key_and_every_index(self) -> None:
        text = KEYRING_TEXT
        for _ in range(5):
            text = Keyring.rotate(text)
        keyring = Keyring.parse(text)

        assert len({key["id"] for key in json.loads(text)["keys"]}) == 6
        assert keyring.open_data_key(WRAPPED, CLINIC, PATIENT) is not None
        assert keyring.blind_index("a", purpose="p") == KEYRING.blind_index("a", purpose="p")


class TestBlindIndex:
    @pytest.mark.parametrize(
        ("one", "same"),
        [
            ("Mia@Example.org", "mia@example.ORG"),
            ("  mia@example.org\t", "mia@example.org"),
            ("José", "Jose\u0301"),
            ("STRASSE", "straße"),
            ("\uff2d\uff49\uff41", "mia"),
            ("ﬁona", "Fiona"),
            ("\u1d2cnna", "anna"),  # a raised capital, which only its normal form reveals
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("mia\u00a0", "mia"),
        ],
    )
    def test_spellings_of_the_same_value_meet(self, one: str, same: str) -> None:
        assert KEYRING.blind_index(one, purpose="p") == KEYRING.blind_index(same, purpose="p")

    @pytest.mark.parametrize(
        ("one", "other"), [("mia", "mía"), ("mia", "mi a"), ("", "a"), ("a", "a\0"), ("1", "l")]
    )
    def test_different_values_do_not_meet(self, one: str, other: str) -> None:
        assert KEYRING.blind_index(one, purpose="p") != KEYRING.blind_index(other, purpose="p")

    @settings(max_examples=300, deadline=None)
    @given(value=st.text())
    def test_case_and_normal_form_never_matter(self, value: str) -> None:
        index = KEYRING.blind_index(value, purpose="p")

        assert len(index) == 32
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert KEYRING.blind_index(normalize(form, value), purpose="p") == index
        assert KEYRING.blind_index(value.casefold(), purpose="p") == index

    def test_purposes_and_keyrings_keep_their_values_apart(self) -> None:
        indexes = {
            KEYRING.blind_index("mia", purpose="email"),
            KEYRING.blind_index("mia", purpose="name"),
            KEYRING.blind_index("lmia", purpose="emai"),
            KEYRING.blind_index("", purpose="emailmia"),
            Keyring.parse(Keyring.generate()).blind_index("mia", purpose="email"),
        }

        assert len(indexes) == 5

    def test_a_lone_surrogate_finds_no_one_instead_of_failing(self) -> None:
        assert KEYRING.blind_index("\ud800", purpose="p") != KEYRING.blind_index("?", purpose="p")


class TestParse:
    def test_nothing_printed_shows_a_key(self) -> None:
        keyring = Keyring.parse(Keyring.rotate(KEYRING_TEXT))
        ids = [key["id"] for key in json.loads(KEYRING_TEXT)["keys"]]
        data_key = keyring.open_data_key(WRAPPED, CLINIC, PATIENT)

        printed = f"{keyring!r} {keyring} {data_key!r} {data_key} {[keyring, data_key]}"

        assert ids[0] in printed
        for kek in json.loads(KEYRING_TEXT)["keys"]:
            raw = base64.b64decode(kek["key"])
            for spelling in (kek["key"], raw.hex(), repr(raw), str(raw)):
                assert spelling not in printed
        assert repr(data_key) == "DataKey(…)"

    @pytest.mark.parametrize("spoil", [json.dumps, str.upper, lambda text: text[:-9]])
    def test_an_unreadable_text_is_refused(self, spoil: Callable[[str], str]) -> None:
        with pytest.raises(ValueError, match=r"^keyring: "):
            Keyring.parse(spoil(KEYRING_TEXT))

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"keys": []}, "must be a key"),
            ({"keys": {}}, "must be a key"),
            ({"keys": None}, "not a list"),
            ({"keys": ["x"]}, "not a list"),
            ({"keys": [{"id": "a"}]}, "not a list"),
            ({"keys": [{"id": [], "key": "QUFB"}]}, "not a list"),
            ({"keys": [{"id": "a", "key": "*" * 44}]}, "not a list"),
            ({"keys": [{"id": "a", "key": 7}]}, "not a list"),
            ({"blind_index_key": None}, "not a list"),
            ({"blind_index_key": "QUFB"}, "32 bytes"),
            ({"keys": [{"id": "a", "key": "QUFB"}]}, "32 bytes"),
            ({"keys": json.loads(KEYRING_TEXT)["keys"] * 2}, "twice"),
            ({"blind_index_key": json.loads(KEYRING_TEXT)["keys"][0]["key"]}, "used twice"),
        ],
    )
    def test_a_keyring_with_a_fault_is_refused_and_not_repeated(
        self, changes: dict[str, object], says: str
    ) -> None:
        text = json.dumps(json.loads(KEYRING_TEXT) | changes)

        for read in (Keyring.parse, Keyring.rotate):
            with pytest.raises(ValueError, match=rf"^keyring: .*{says}") as refused:
                read(text)
            printed = "".join(traceback.format_exception(refused.value))
            assert json.loads(KEYRING_TEXT)["keys"][0]["key"] not in printed

    @pytest.mark.parametrize("id_", ["", "x" * 65, "é", "a\n", "a\0", 7, None, True])
    def test_an_id_that_a_blob_could_not_carry_is_refused(self, id_: object) -> None:
        keyring = json.loads(KEYRING_TEXT)
        keyring["keys"][0]["id"] = id_

        with pytest.raises(ValueError, match=r"^keyring: an id is"):
            Keyring.parse(json.dumps(keyring))

    @pytest.mark.parametrize("id_", ["k", "x" * 64, "2027 spring/eu-1"])
    def test_an_id_within_its_limits_is_carried(self, id_: str) -> None:
        text = json.loads(KEYRING_TEXT)
        text["keys"][0]["id"] = id_
        keyring = Keyring.parse(json.dumps(text))

        wrapped = keyring.new_data_key(CLINIC, PATIENT)

        assert wrapped[:2] == bytes([2, len(id_)])
        assert wrapped[2:].startswith(id_.encode())
        keyring.open_data_key(wrapped, CLINIC, PATIENT)

    @pytest.mark.parametrize(
        ("blob", "purpose", "place"),
        [
            (WRAPPED, [b"wrap data keys"], [CLINIC.bytes, PATIENT.bytes]),
            (
                seal_for(CLINIC),
                [b"seal for clinic", CLINIC.bytes],
                [b"note", b"body", b"uuid", ROW.bytes],
            ),
        ],
        ids=["wrapping", "sealing for a clinic"],
    )
    def test_a_key_encryption_key_encrypts_nothing_itself(
        self, blob: bytes, purpose: list[bytes], place: list[bytes]
    ) -> None:
        # The published derivation (RFC 5869) with the standard library, so that every word can
        # be opened from a keyring and this description alone.
        kek = json.loads(KEYRING_TEXT)["keys"][0]
        secret, id_ = base64.b64decode(kek["key"]), kek["id"].encode()
        extracted = hmac.digest(bytes(32), secret, "sha256")
        info = fields(b"afterglow", *purpose)
        derived = hmac.digest(extracted, info + b"\x01", "sha256")
        head, nonce, rest = blob[: 2 + len(id_)], blob[2 + len(id_) :][:12], blob[14 + len(id_) :]
        bound_to = (head if blob is WRAPPED else b"") + fields(*place)

        assert head[1:] == bytes([len(id_)]) + id_
        AESGCM(derived).decrypt(nonce, rest, bound_to)
        with pytest.raises(InvalidTag):
            AESGCM(secret).decrypt(nonce, rest, bound_to)


def fields(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
