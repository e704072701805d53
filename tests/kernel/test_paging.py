"""A cursor belongs to one list, and can be neither made up nor carried over."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.kernel.errors import Fault, Kind, Problem
from app.kernel.paging import cursor, instant_of, next_link, read_cursor
from app.kernel.vault import Keyring

VAULT, OTHER_VAULT = (Keyring.parse(Keyring.generate()) for _ in range(2))
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
ID = UUID(int=5)


def refused(sent: str, *, vault: Keyring = VAULT, of: str = "notes/1", parts: int = 2) -> None:
    with pytest.raises(Problem) as raised:
        read_cursor(vault, of, sent, parts)

    assert raised.value.kind is Kind.MALFORMED_REQUEST
    assert raised.value.faults == [Fault("query:cursor", "is not one of this list")]


class TestCursor:
    def test_comes_back_as_the_keyset_it_was_made_of(self) -> None:
        instant, last_id = read_cursor(
            VAULT, "notes/1", cursor(VAULT, "notes/1", AT.isoformat(), ID), 2
        )

        assert (instant_of(instant), UUID(last_id)) == (AT, ID)

    def test_has_only_characters_that_need_no_escaping_in_an_address(self) -> None:
        made = [cursor(VAULT, "notes/1", n, "x" * n) for n in range(50)]

        assert all(one.replace("-", "").replace("_", "").isalnum() for one in made)

    def test_of_another_list_is_refused(self) -> None:
        refused(cursor(VAULT, "notes/2", AT.isoformat(), ID))

    def test_of_another_server_is_refused(self) -> None:
        refused(cursor(OTHER_VAULT, "notes/1", AT.isoformat(), ID))

    def test_with_fewer_parts_than_the_list_has_is_refused(self) -> None:
        refused(cursor(VAULT, "notes/1", AT.isoformat()))

    @pytest.mark.parametrize(
        "sent", ["", "A", "AAAA", "....", "雨", "\ud800", "=" * 9, "A" * 500, "%00", "null"]
    )
    def test_what_was_never_one_is_refused(self, sent: str) -> None:
        refused(sent)

    def test_altered_in_any_byte_is_refused(self) -> None:
        made = cursor(VAULT, "notes/1", AT.isoformat(), ID)
        raw = base64.urlsafe_b64decode(made + "=" * (-len(made) % 4))

        for place in range(len(raw)):
            altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            refused(base64.urlsafe_b64encode(altered).decode().rstrip("="))


class TestNextLink:
    def test_the_last_page_has_no_next(self) -> None:
        assert next_link("/v1/flags", None, 50) == {}

    def test_the_next_page_is_as_long_as_this_one(self) -> None:
        assert next_link("/v1/flags", "abc", 20) == {
            "Link": '</v1/flags?cursor=abc&limit=20>; rel="next"'
        }

    def test_the_next_page_is_of_the_same_list(self) -> None:
        link = next_link("/v1/patients/a b/check-ins", "c=d", 5, instrument="x&y", other=None)

        assert link == {
            "Link": "</v1/patients/a%20b/check-ins?cursor=c%3Dd&limit=5&instrument=x%26y>"
            '; rel="next"'
        }
