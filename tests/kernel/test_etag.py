"""Versions as entity tags."""

import pytest

from app.kernel.errors import Kind, Problem
from app.kernel.etag import etag, opaque_version_named, version_named, version_of


class TestEtag:
    @pytest.mark.parametrize("version", [1, 9, 10, 999_999_999])
    def test_a_tag_names_its_version(self, version: int) -> None:
        assert version_named(etag(version)) == version

    def test_space_around_a_tag_is_nothing(self) -> None:
        assert version_named(' "3"\t') == 3

    def test_no_tag_is_asked_for(self) -> None:
        with pytest.raises(Problem) as raised:
            version_named(None)

        assert raised.value.kind is Kind.PRECONDITION_REQUIRED

    @pytest.mark.parametrize(
        "sent",
        [
            "",
            "*",
            "3",
            "'3'",
            'W/"3"',
            '"0"',
            '"03"',
            '"-1"',
            '"٣"',
            '"1000000000"',
            '"1", "2"',
            '""',
        ],
    )
    def test_what_is_not_a_tag_of_ours_matches_no_version(self, sent: str) -> None:
        with pytest.raises(Problem) as raised:
            version_named(sent)

        assert raised.value.kind is Kind.PRECONDITION_FAILED


class TestOpaqueVersion:
    def test_it_stands_for_its_content(self) -> None:
        assert version_of("a", "b") == version_of("a", "b")
        assert len({version_of(*some) for some in (["ab"], ["a", "b"], ["b", "a"], ["a"], [])}) == 5

    def test_a_tag_names_it(self) -> None:
        version = version_of("a text")

        assert opaque_version_named(etag(version)) == version
        assert opaque_version_named(f" {etag(version)}\t") == version

    def test_no_tag_is_asked_for(self) -> None:
        with pytest.raises(Problem) as raised:
            opaque_version_named(None)

        assert raised.value.kind is Kind.PRECONDITION_REQUIRED

    @pytest.mark.parametrize("sent", ["", "*", '"1"', 'W/"{}"', "{}", '"{}0"', '"{}", "{}"'])
    def test_what_is_not_a_tag_of_ours_matches_nothing(self, sent: str) -> None:
        with pytest.raises(Problem) as raised:
            opaque_version_named(sent.replace("{}", version_of("a text")))

        assert raised.value.kind is Kind.PRECONDITION_FAILED
