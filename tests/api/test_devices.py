"""Where a patient is reminded: registered once, told to nobody, and ended by its owner."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import Person, World, a_world
from tests.conftest import SIGNING_KEYS, Behind
from tests.kernel.outside import NUMBERS
from tests.kernel.receivers import RFC_AUTH, RFC_RECEIVER_PUBLIC

DEVICES = "/v1/me/devices"
CANARY = "kanarienvogel"
SUBSCRIPTION = {
    "endpoint": f"https://push.example/{CANARY}",
    "keys": {"p256dh": RFC_RECEIVER_PUBLIC, "auth": RFC_AUTH},
}
EMAIL = {"channel": "email", "email": f"{CANARY}@home.example"}
PUSH = {"channel": "web-push", "subscription": SUBSCRIPTION}
WEBHOOK = {"channel": "webhook", "url": f"https://phone.example/{CANARY}"}
EVERY = pytest.mark.parametrize("sent", [EMAIL, PUSH, WEBHOOK], ids=lambda sent: sent["channel"])


@pytest.fixture(scope="module")
def mailing_client(settings: Settings, keyring: Keyring) -> Iterator[TestClient]:
    """The API of a server that sends mail."""
    mail = {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "journal@clinic.example"}
    keys = SigningKeys.parse(SIGNING_KEYS)
    application = create_app(settings.model_copy(update=mail), keyring, keys)
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def patient(mailing_client: TestClient, direct: Any) -> Person:
    return a_world(mailing_client, direct).patient


def registered(patient: Person, sent: dict[str, Any]) -> dict[str, Any]:
    answer = patient.post(DEVICES, sent)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def listed(patient: Person) -> list[str]:
    return [device["id"] for device in patient.get(DEVICES).json()["devices"]]


def fault(answer: Response) -> str:
    """The place that a refusal names."""
    assert answer.status_code == 422, answer.text
    (one,) = answer.json()["errors"]
    return str(one["pointer"])


class TestRegister:
    @EVERY
    def test_a_device_is_registered_and_listed(self, patient: Person, sent: dict[str, Any]) -> None:
        told = registered(patient, sent)

        read = patient.get(DEVICES).json()
        assert told.keys() == {
            "id",
            "channel",
            "created_at",
            "ended_at",
            "ended_reason",
            "secret",
        }
        assert (told["channel"], told["ended_at"]) == (sent["channel"], None)
        assert read["devices"] == [{name: told[name] for name in told if name != "secret"}]

    def test_a_webhook_alone_has_a_secret_and_is_told_it_once(self, patient: Person) -> None:
        secrets = {
            sent["channel"]: registered(patient, sent)["secret"] for sent in (EMAIL, PUSH, WEBHOOK)
        }

        assert (secrets["email"], secrets["web-push"]) == (None, None)
        assert secrets["webhook"].startswith("whsec_")
        assert "whsec_" not in patient.get(DEVICES).text

    @EVERY
    def test_a_retry_is_the_same_device(self, patient: Person, sent: dict[str, Any]) -> None:
        with_id = sent | {"id": str(uuid4())}
        first = patient.post(DEVICES, with_id)

        again = patient.post(DEVICES, with_id)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert listed(patient) == [with_id["id"]]

    def test_a_retry_made_many_times_at_once_is_one_device(self, patient: Person) -> None:
        sent = WEBHOOK | {"id": str(uuid4())}

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: patient.post(DEVICES, sent), range(8)))

        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.text for answer in answers}) == 1

    @pytest.mark.parametrize(
        "other",
        [
            WEBHOOK | {"url": "https://other.example/"},
            EMAIL,
            PUSH,
        ],
        ids=["address", "mail", "push"],
    )
    def test_an_id_that_means_something_else_is_refused(
        self, patient: Person, other: dict[str, Any]
    ) -> None:
        device = registered(patient, WEBHOOK)

        answer = patient.post(DEVICES, other | {"id": device["id"]})

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")

    def test_two_patients_may_have_chosen_the_same_id(self, world: World) -> None:
        sent = WEBHOOK | {"id": str(uuid4())}
        people = [world.patient, world.here.other_patient, world.elsewhere.patient]

        answers = [person.post(DEVICES, sent) for person in people]

        assert [answer.status_code for answer in answers] == [201] * 3
        assert len({answer.json()["secret"] for answer in answers}) == 3

    def test_the_eleventh_is_one_too_many(self, patient: Person) -> None:
        ids = [str(uuid4()) for _ in range(10)]
        for one in ids:
            registered(patient, EMAIL | {"id": one})

        assert fault(patient.post(DEVICES, WEBHOOK)) == ""
        assert fault(patient.post(DEVICES, WEBHOOK | {"id": str(uuid4())})) == ""

        # The tenth may be retried, and one that was removed leaves its place.
        assert patient.post(DEVICES, EMAIL | {"id": ids[-1]}).status_code == 200
        patient.delete(f"{DEVICES}/{ids[0]}", base=None)
        registered(patient, WEBHOOK)

    def test_ten_is_the_most_however_fast_they_come(self, patient: Person) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: patient.post(DEVICES, WEBHOOK), range(16)))

        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [422] * 6


class TestRefused:
    @pytest.mark.parametrize(
        ("sent", "pointer"),
        [
            ({"channel": "email"}, "/email"),
            ({"channel": "web-push"}, "/subscription"),
            ({"channel": "webhook"}, "/url"),
            (EMAIL | {"url": WEBHOOK["url"]}, "/url"),
            (EMAIL | {"subscription": SUBSCRIPTION}, "/subscription"),
            (WEBHOOK | {"email": EMAIL["email"]}, "/email"),
            (PUSH | {"email": EMAIL["email"]}, "/email"),
            ({"channel": "pigeon"}, "/channel"),
            (WEBHOOK | {"id": "mine"}, "/id"),
            (WEBHOOK | {"secret": "whsec_mine"}, ""),
            (EMAIL | {"email": "Somebody <somebody@home.example>"}, "/email"),
            (EMAIL | {"email": "a@home.example\r\nBcc: b@home.example"}, "/email"),
            (EMAIL | {"email": "somebody@127.0.0.1"}, "/email"),
            (EMAIL | {"email": "x" * 300}, "/email"),
            (WEBHOOK | {"url": "http://phone.example/"}, "/url"),
            (WEBHOOK | {"url": "https://phone.example:8443/"}, "/url"),
            (WEBHOOK | {"url": "https://user@phone.example/"}, "/url"),
            (WEBHOOK | {"url": f"https://phone.example/{'x' * 2000}"}, "/url"),
        ],
    )
    def test_what_cannot_be_reached_or_belongs_elsewhere(
        self, patient: Person, sent: dict[str, Any], pointer: str
    ) -> None:
        assert fault(patient.post(DEVICES, sent)) == pointer
        assert listed(patient) == []

    def test_a_neighbour_of_the_server_s_own(self, patient: Person) -> None:
        for host in NUMBERS:
            url = f"https://{host}/"
            push = {"subscription": SUBSCRIPTION | {"endpoint": url}}
            assert fault(patient.post(DEVICES, WEBHOOK | {"url": url})) == "/url", host
            endpoint = fault(patient.post(DEVICES, PUSH | push))
            assert endpoint == "/subscription/endpoint", host

        assert listed(patient) == []

    @pytest.mark.parametrize(
        "keys",
        [
            {"p256dh": RFC_RECEIVER_PUBLIC, "auth": "x"},
            {"p256dh": RFC_AUTH, "auth": RFC_AUTH},
            {"p256dh": "B" + "A" * 86, "auth": RFC_AUTH},
            {"p256dh": RFC_RECEIVER_PUBLIC, "auth": "ü"},
        ],
    )
    def test_keys_that_nothing_can_be_encrypted_for(
        self, patient: Person, keys: dict[str, str]
    ) -> None:
        answer = patient.post(DEVICES, PUSH | {"subscription": SUBSCRIPTION | {"keys": keys}})

        assert fault(answer) == "/subscription/keys"
        assert CANARY not in answer.text

    def test_mail_where_the_server_sends_none(self, world: World) -> None:
        assert fault(world.patient.post(DEVICES, EMAIL)) == "/channel"


@pytest.mark.parametrize("who", ["therapist", "stranger", "coach", "administrator"])
class TestMembers:
    """Where those who work at the clinic are told of flags."""

    def test_each_sees_and_removes_only_their_own(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        others = [
            one
            for one in (world.patient, world.therapist, world.administrator)
            if one is not person
        ]
        theirs = {one: registered(one, WEBHOOK)["id"] for one in others}

        mine = registered(person, WEBHOOK)

        assert mine["secret"].startswith("whsec_")
        assert listed(person) == [mine["id"]]
        assert "whsec_" not in person.get(DEVICES).text
        for one, device_id in theirs.items():
            assert person.delete(f"{DEVICES}/{device_id}", base=None).status_code == 404
            assert one.delete(f"{DEVICES}/{mine['id']}", base=None).status_code == 404
            assert listed(one) == [device_id]
        removed = person.delete(f"{DEVICES}/{mine['id']}", base=None)
        assert (removed.status_code, removed.json()["ended_reason"]) == (200, "removed")
        assert listed(person) == []

    @pytest.mark.parametrize(
        "url", ["http://phone.example/", "https://phone.example:8443/", f"https://{NUMBERS[0]}/"]
    )
    def test_what_the_server_may_not_call_is_refused(
        self, world: World, who: str, url: str
    ) -> None:
        person: Person = getattr(world.here, who)

        assert fault(person.post(DEVICES, WEBHOOK | {"url": url})) == "/url"
        assert listed(person) == []


class TestRemove:
    def test_it_is_ended_once_and_for_all(self, patient: Person) -> None:
        device, other = registered(patient, WEBHOOK), registered(patient, PUSH)
        path = f"{DEVICES}/{device['id']}"

        first = patient.delete(path, base=None)
        again = patient.delete(path, base=None)

        assert first.status_code == 200
        assert first.json()["ended_reason"] == "removed"
        assert again.json() == first.json()
        assert listed(patient) == [other["id"]]

    @pytest.mark.parametrize("name", ["other", "abroad", "missing", "damaged"])
    def test_what_is_not_one_s_own_is_missing(self, world: World, name: str) -> None:
        device_id = {
            "other": registered(world.here.other_patient, WEBHOOK)["id"],
            "abroad": registered(world.elsewhere.patient, WEBHOOK)["id"],
            "missing": str(uuid4()),
            "damaged": "mine",
        }[name]

        answer = world.patient.delete(f"{DEVICES}/{device_id}", base=None)

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert len(listed(world.here.other_patient) + listed(world.elsewhere.patient)) == 2


class TestSecrecy:
    def test_addresses_and_secrets_are_stored_sealed_and_told_to_nobody(
        self, patient: Person, behind: Behind
    ) -> None:
        answers = [patient.post(DEVICES, sent) for sent in (EMAIL, PUSH, WEBHOOK)]
        secret = answers[2].json()["secret"]
        lists = patient.get(DEVICES).text + patient.get("/v1/me/reminders").text

        told = "".join(answer.text for answer in answers) + lists
        for word in (CANARY, RFC_AUTH, RFC_RECEIVER_PUBLIC):
            assert word not in told
        assert secret not in lists
        tables = [
            name
            for (name,) in behind.rows(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        ]
        # bytea is shown as hexadecimal.
        words = [CANARY, RFC_AUTH, RFC_RECEIVER_PUBLIC, secret.removeprefix("whsec_")]
        hidden = [spelling for word in words for spelling in (word, word.encode().hex())]
        for table in tables:
            for word in hidden:
                found = behind.rows(
                    f"SELECT count(*) FROM {table} WHERE position(%s in {table}::text) > 0", word
                )
                assert found == [(0,)], (table, word)
        device_id = answers[0].json()["id"]
        assert behind.rows("SELECT count(*) FROM device WHERE id = %s", UUID(device_id)) == [(1,)]
        shown = "SELECT count(*) FROM device WHERE position(%s in device::text) > 0"
        assert behind.rows(shown, device_id) == [(1,)]  # so the search finds what is plain

    def test_a_row_moved_to_another_patient_opens_nothing(
        self, world: World, behind: Behind
    ) -> None:
        sent = WEBHOOK | {"id": str(uuid4())}
        registered(world.patient, sent)
        registered(world.here.other_patient, sent)
        move = (
            "UPDATE device SET address = (SELECT address FROM device"
            " WHERE id = %s AND patient_id = %s) WHERE id = %s AND patient_id = %s"
        )
        mine, theirs = world.patient.patient_id, world.here.other_patient.patient_id

        behind.rows(move, sent["id"], theirs, sent["id"], mine)

        assert world.patient.post(DEVICES, sent).status_code == 500
        assert world.here.other_patient.post(DEVICES, sent).status_code == 200
