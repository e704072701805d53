"""Bodies, queries, addresses and forms that a client should not send."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.probe import CANARY, CHECK_INS, JSON, Probe, with_raw
from tests.builders import (
    Clinic,
    Person,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    an_acceptance,
)
from tests.conftest import Behind

FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024
BODIES = [
    ("POST", CHECK_INS, "patient", a_check_in()),
    ("POST", "/v1/patients/me/notes", "patient", a_note()),
    ("POST", "/v1/patients/me/goals", "patient", a_goal()),
    ("POST", "/v1/patients/{}/dosing-sessions", "therapist", a_dosing_session()),
    (
        "POST",
        "/v1/patients/{}/baselines",
        "therapist",
        {"instrument": "phq-9", "check_in_id": None},
    ),
    ("POST", "/v1/invitations", "administrator", {"role": "patient"}),
    ("POST", "/v1/invitations/accept", "patient", an_acceptance("0" * 16)),
    ("PATCH", "/v1/me", "patient", {"name": "Other"}),
]


@pytest.mark.parametrize(("method", "path", "by", "good"), BODIES)
class TestBodies:
    """What is wrong with a body whatever it is about."""

    def refused(
        self,
        probe: Probe,
        method: str,
        path: str,
        by: str,
        content: bytes | str | Iterator[bytes],
        **options: Any,
    ) -> None:
        path = path.format(probe.clinic.patient.patient_id)
        options["headers"] = {"If-Match": '"1"'} | options.pop("headers", {})
        probe.refused(path, content, by=by, method=method, **options)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b" ",
            b"{",
            b"{}}",
            b"{kakapo}",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"answers":' + b"[" * 100_000,
            b"\xef\xbb\xbf{}",
            b"\x00",
            b"\xff\xfe{\x00}\x00",
            b"\x1f\x8b\x08\x00kakapo",
            b"-",
            b"tru",
            b'"kakapo',
        ],
    )
    def test_what_is_no_json_is_told_so(
        self, probe: Probe, method: str, path: str, by: str, good: Any, content: bytes
    ) -> None:
        self.refused(probe, method, path, by, content, status=400, pointer="")

    def test_so_is_a_good_body_with_something_after_it(
        self, probe: Probe, method: str, path: str, by: str, good: dict[str, Any]
    ) -> None:
        self.refused(probe, method, path, by, json.dumps(good) + CANARY, status=400, pointer="")

    @pytest.mark.parametrize("content", ["null", "[]", '"kakapo"', "918273645", "true", "NaN"])
    def test_what_is_no_object_is_told_so(
        self, probe: Probe, method: str, path: str, by: str, good: Any, content: str
    ) -> None:
        self.refused(probe, method, path, by, content, status=422, pointer="")

    def test_a_member_that_is_not_known_is_refused_without_its_name(
        self, probe: Probe, method: str, path: str, by: str, good: dict[str, Any]
    ) -> None:
        for unknown in ({CANARY: CANARY}, {"clinic_id": str(uuid4())}, {"": 1}, {"__class__": 1}):
            content = json.dumps(good | unknown)
            self.refused(probe, method, path, by, content, status=422, pointer="")

    def test_a_hundred_thousand_members_are_refused_in_time(
        self, probe: Probe, method: str, path: str, by: str, good: Any
    ) -> None:
        members = json.dumps({f"{place}": 1 for place in range(100_000)}, separators=(",", ":"))
        assert len(members) < MIB

        self.refused(probe, method, path, by, members, status=422)

    @pytest.mark.parametrize(
        "media",
        [None, "", "text/plain", FORM, "multipart/form-data; boundary=kakapo", "application/jsonp",
         "application", "kakapo", "text/json", "application/json kakapo"],
    )  # fmt: skip
    def test_another_media_type_is_refused(
        self, probe: Probe, method: str, path: str, by: str, good: dict[str, Any], media: str
    ) -> None:
        self.refused(probe, method, path, by, json.dumps(good), status=415, media=media)

    def test_two_megabytes_are_too_large(
        self, probe: Probe, method: str, path: str, by: str, good: Any
    ) -> None:
        content = b'{"words":"' + b"x" * (2 * MIB) + b'"}'

        self.refused(probe, method, path, by, content, status=413, pointer="")

    def test_so_they_are_in_chunks_that_announce_no_length(
        self, probe: Probe, method: str, path: str, by: str, good: Any
    ) -> None:
        content = (b" " * 65_536 for _ in range(32))

        self.refused(probe, method, path, by, content, status=413, pointer="")

    def test_so_is_what_only_claims_to_be(
        self, probe: Probe, method: str, path: str, by: str, good: dict[str, Any]
    ) -> None:
        headers = {"Content-Length": str(MIB + 1)}

        self.refused(
            probe, method, path, by, json.dumps(good), status=413, pointer="", headers=headers
        )

    @pytest.mark.parametrize("raw", ['"kakapo"', "918273645", '""', "true", "[]"])
    def test_an_id_that_is_no_uuid_is_refused(
        self, probe: Probe, method: str, path: str, by: str, good: dict[str, Any], raw: str
    ) -> None:
        is_known = path not in ("/v1/me", "/v1/invitations/accept")
        content = with_raw(good, "/id", raw)

        self.refused(
            probe, method, path, by, content, status=422, pointer="/id" if is_known else ""
        )


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=utf-8", "Application/JSON",
              "application/fhir+json"]
)  # fmt: skip
def test_json_may_be_named_in_more_than_one_way(probe: Probe, media: str) -> None:
    answer = probe.clinic.patient.request(
        "POST", CHECK_INS, content=json.dumps(a_check_in()), headers={"Content-Type": media}
    )

    assert answer.status_code == 201


def test_a_body_of_exactly_one_mebibyte_is_read(probe: Probe) -> None:
    content = json.dumps(a_check_in()).encode()

    answer = probe.clinic.patient.request(
        "POST", CHECK_INS, content=content.ljust(MIB), headers={"Content-Type": JSON}
    )

    assert answer.status_code == 201


LISTS = [
    ("patient", CHECK_INS),
    ("patient", "/v1/patients/me/dosing-sessions"),
    ("patient", "/v1/patients/me/notes"),
    ("patient", "/v1/patients/me/goals"),
    ("therapist", "/v1/caseload"),
    ("therapist", "/v1/flags"),
    ("administrator", "/v1/flags"),
]


@pytest.mark.parametrize(("by", "path"), LISTS)
class TestQueries:
    @pytest.mark.parametrize(
        "limit",
        ["-1", "0", "201", "918273645", "99999999999999999999", "1" + "0" * 5000, "kakapo", "",
         "1.5", "true", "NaN", "1e2", "%00", "１", "1;1", "0x10", "null"],
    )  # fmt: skip
    def test_a_limit_that_cannot_be_is_refused(
        self, probe: Probe, by: str, path: str, limit: str
    ) -> None:
        probe.refused(
            f"{path}?limit={limit}", by=by, method="GET", status=422, pointer="query:limit"
        )

    @pytest.mark.parametrize(
        "cursor",
        ["kakapo", "", "%00", "%ff", "é", "=", "a" * 511, "' OR 1=1 --", "AAAA" * 20, "..", "-_-_"],
    )
    def test_a_cursor_that_nobody_gave_is_refused(
        self, probe: Probe, behind: Behind, by: str, path: str, cursor: str
    ) -> None:
        answer = getattr(probe.clinic, by).get(f"{path}?cursor={cursor}")

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "query:cursor")

    def test_a_cursor_that_is_too_long_is_refused(self, probe: Probe, by: str, path: str) -> None:
        probe.refused(
            f"{path}?cursor={CANARY * 100}",
            by=by,
            method="GET",
            status=422,
            pointer="query:cursor",
        )


class TestOtherParameters:
    @pytest.mark.parametrize(
        "instrument",
        ["kakapo" * 11, "%00kakapo", "phq-9%00kakapo", "Kakapo", "'; DROP TABLE check_in; --", ""],
    )
    def test_an_instrument_that_cannot_be_is_refused(self, probe: Probe, instrument: str) -> None:
        probe.refused(
            f"{CHECK_INS}?instrument={instrument}",
            method="GET",
            status=422,
            pointer="query:instrument",
        )

    @pytest.mark.parametrize("name", ["since", "until"])
    @pytest.mark.parametrize(
        "value",
        ["kakapo", "", "1700000000", "-1", "NaN", "2026-03-01", "2026-03-01T10:00:00", "%00",
         "1999-12-31T00:00:00Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
    )  # fmt: skip
    def test_bounds_that_are_no_instants_are_refused(
        self, probe: Probe, name: str, value: str
    ) -> None:
        probe.refused(
            f"/v1/patients/me/trajectories/phq-9?{name}={value}",
            method="GET",
            status=422,
            pointer=f"query:{name}",
        )

    @pytest.mark.parametrize("item", ["kakapo", "", "%00", "item-10", "kakapo" * 20])
    def test_items_that_are_not_there_are_refused(self, probe: Probe, item: str) -> None:
        for instrument in ("phq-9", "momentary"):
            probe.refused(
                f"/v1/patients/me/trajectories/{instrument}?item={item}",
                method="GET",
                status=422,
                pointer="query:item",
            )

    @pytest.mark.parametrize(
        "country",
        ["kakapo", "D", "", "D1", "%00%00", "ÄÖ", "%20", "' OR 1=1 --", "kakapo" * 42],
    )
    def test_a_country_that_cannot_be_read_refuses_nobody_in_danger(
        self, probe: Probe, country: str
    ) -> None:
        answer = probe.clinic.patient.post(
            f"{CHECK_INS}?country={country}", a_check_in(answers=[0] * 8 + [2])
        )

        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert told["safety"]["flag"]["level"] == "moderate"
        assert (told["safety"]["country"], told["safety"]["emergency_number"]) == ("US", "911")
        assert probe.clinic.patient.get(f"{CHECK_INS}/{told['id']}").status_code == 200
        said = answer.text + str(answer.headers) + "".join(probe.capture.readouterr())
        assert CANARY not in said.lower()

    def test_a_country_longer_than_any_name_is_refused(self, probe: Probe) -> None:
        for path, method, content in (
            (CHECK_INS, "POST", json.dumps(a_check_in())),
            ("/v1/crisis-lines", "GET", None),
        ):
            probe.refused(
                f"{path}?country={(CANARY * 50)[:257]}",
                content,
                method=method,
                status=422,
                pointer="query:country",
            )


class TestPaths:
    @pytest.mark.parametrize(
        "garbage",
        ["kakapo", "0", "-1", "918273645", "%00", "%ff", "%0d%0aSet-Cookie:kakapo", "null",
         "' OR '1'='1", "1; DROP TABLE patient", "%2e%2e%2f%2e%2e", "x" * 5000, "*", "{}", "${7*7}",
         "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/patients/{}/check-ins",
            "/v1/patients/{}/trajectories/phq-9",
            "/v1/patients/me/check-ins/{}",
            "/v1/patients/me/dosing-sessions/{}",
            "/v1/patients/me/notes/{}",
            "/v1/patients/me/goals/{}",
            "/v1/patients/me/trajectories/{}",
            "/v1/instruments/{}",
        ],
    )
    def test_garbage_names_nothing(self, probe: Probe, path: str, garbage: str) -> None:
        probe.refused(path.format(garbage), method="GET", status=404)

    def test_nothing_can_be_sent_to_it_either(self, probe: Probe) -> None:
        for garbage in ("kakapo", "%00", str(uuid4())):
            probe.refused(f"/v1/patients/{garbage}/check-ins", json.dumps(a_check_in()), status=404)


class TestForms:
    @pytest.mark.parametrize(
        "form",
        [
            "grant_type=password&username=a&username=kakapo&password=b",
            "grant_type=kakapo",
            "grant_type=password&kakapo=1&username=abc&password=kakapo",
            "grant_type=password&username=" + CANARY * 50 + "&password=x",
            "grant_type=refresh_token&refresh_token=kakapo",
            "grant_type=refresh_token&refresh_token=%00kakapo",
            "grant_type=refresh_token&refresh_token=%ed%a0%80kakapo",
            "grant_type=refresh_token&refresh_token=" + CANARY * 100,
            "&".join(f"kakapo{place}=1" for place in range(1000)),
            "kakapo",
            "=kakapo",
            "%",
            b"\xff\xfe",
        ],
    )
    def test_a_form_that_is_no_grant_is_refused(self, probe: Probe, form: str | bytes) -> None:
        probe.refused("/v1/auth/token", form, media=FORM)

    @pytest.mark.parametrize("field", ["username", "password"])
    @pytest.mark.parametrize("value", ["%00", "%ed%a0%80", "%ff", "%F0%9F%8C%8A", "' OR 1=1 --"])
    def test_odd_names_and_passwords_are_only_wrong(
        self, probe: Probe, field: str, value: str
    ) -> None:
        form = {"username": f"{uuid4()}", "password": "not right"} | {field: value}
        content = "grant_type=password" + "".join(f"&{name}={form[name]}" for name in form)

        answer = probe.clinic.patient.request(
            "POST", "/v1/auth/token", content=content, headers={"Content-Type": FORM}
        )

        # Not a matter of form: it counts as an attempt, like any other wrong password.
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-grant")


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["phq-9", "2026-03-01T10:00:00Z", "care-team", "im", 1, 40]),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=15,
)


class TestAnything:
    """Whatever takes the place of a member, and whatever is sent: never a 5xx."""

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(drawn=st.data())
    @pytest.mark.parametrize(("method", "path", "by", "good"), BODIES)
    def test_no_body_is_an_accident(
        self,
        clinic: Clinic,
        method: str,
        path: str,
        by: str,
        good: dict[str, Any],
        drawn: st.DataObject,
    ) -> None:
        body = dict(good)
        for member in drawn.draw(st.lists(st.sampled_from(sorted(good)), max_size=3)):
            body[member] = drawn.draw(ANY_JSON)
        content = json.dumps(body).encode()
        if drawn.draw(st.booleans()):
            at = drawn.draw(st.integers(0, len(content)))
            content = content[:at] + drawn.draw(st.binary(max_size=4)) + content[at + 1 :]
        person: Person = getattr(clinic, by)

        answer = person.request(
            method,
            path.format(clinic.patient.patient_id),
            content=content,
            headers={"Content-Type": JSON, "If-Match": '"1"'},
        )

        assert answer.status_code < 500, (answer.status_code, content)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"

    def test_after_all_that_every_list_still_answers(self, clinic: Clinic) -> None:
        for by, path in LISTS:
            person: Person = getattr(clinic, by)
            page: str | None = f"{path}?limit=200"
            while page is not None:
                answer = person.get(page)
                assert answer.status_code == 200
                link = answer.headers.get("Link")
                page = link[1 : link.index(">")] if link else None
        for instrument in ("phq-9", "gad-7", "momentary?item=mood"):
            path = f"/v1/patients/me/trajectories/{instrument}"
            assert clinic.patient.get(path).status_code == 200
