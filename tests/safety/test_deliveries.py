"""Whether it arrived: the log of every attempt to tell somebody of a flag."""

import json
from uuid import UUID

import pytest

from app.kernel.channels import Gone, NotNow
from tests.safety.test_alerts import Watch
from tests.safety.test_alerts import watch as watch  # noqa: PLC0414  # a fixture

CLINIC = "/v1/clinic/alert-deliveries"


def of_flag(flag_id: UUID) -> str:
    return f"/v1/flags/{flag_id}/deliveries"


class TestLog:
    def test_it_has_each_attempt_newest_first_with_who_by_what_and_how_it_went(
        self, watch: Watch
    ) -> None:
        clinic = watch.clinic
        mail = watch.address(clinic.therapist, "email")
        watch.address(clinic.therapist)
        watch.post.answers[mail] = NotNow(None, "no_answer")
        flag_id = watch.danger()
        watch.after()
        watch.post.answers[mail] = Gone()
        watch.after(seconds=3)

        answer = watch.person(clinic.administrator).get(CLINIC)

        assert answer.status_code == 200
        listed = answer.json()["deliveries"]
        told = [(one["channel"], one["outcome"], one["why"]) for one in listed]
        assert told[0] == ("email", "gone", None)
        assert sorted(told[1:], key=str) == [
            ("email", "not-now", "no_answer"),
            ("webhook", "sent", None),
        ]
        for one in listed:
            assert (one["flag_id"], one["round"], one["step"]) == (str(flag_id), 1, 1)
            assert (one["member"], one["membership_id"]) == (
                "A clinician",
                str(clinic.therapist.membership_id),
            )

    def test_it_says_nothing_of_a_patient_or_of_what_it_is_about(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist, "email")
        flag_id = watch.danger()
        watch.after()

        said = watch.person(watch.clinic.administrator).get(CLINIC).text

        assert str(flag_id) in said
        words = json.dumps(json.loads(said)).lower()
        patient = watch.clinic.patient
        for word in (
            *("suicid", "phq", "danger", "level", "high", "reason", "patient"),
            address,
            str(patient.patient_id),
            patient.username,
        ):
            assert word not in words

    def test_pages_follow_each_other_without_a_gap_or_a_double(self, watch: Watch) -> None:
        for channel in ("email", "webhook", "web-push"):
            watch.address(watch.clinic.therapist, channel)
        flag_id = watch.danger()
        watch.after()
        watch.clock.turn(minutes=2)
        watch.danger()
        watch.work()

        for path in (CLINIC, of_flag(flag_id)):
            administrator = watch.person(watch.clinic.administrator)
            whole = administrator.get(path).json()
            seen, following = [], f"{path}?limit=4"
            while following:
                page = administrator.get(following)
                assert page.status_code == 200, page.text
                seen += page.json()["deliveries"]
                token = page.json()["next_cursor"]
                assert ("Link" in page.headers) is bool(token)
                following = f"{path}?limit=4&cursor={token}" if token else ""
            assert seen == whole["deliveries"]
            assert len(seen) == 6
            assert len({one["id"] for one in seen}) == 6
            assert [one["at"] for one in seen] == sorted((one["at"] for one in seen), reverse=True)

    def test_a_cursor_is_good_for_its_own_list_alone(self, watch: Watch) -> None:
        for channel in ("email", "webhook"):
            watch.address(watch.clinic.therapist, channel)
        flag_id = watch.danger()
        watch.after()
        administrator = watch.person(watch.clinic.administrator)
        token = administrator.get(f"{CLINIC}?limit=1").json()["next_cursor"]

        answer = administrator.get(f"{of_flag(flag_id)}?cursor={token}")

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")


class TestWhoSees:
    def test_whoever_sees_a_flag_sees_its_own_and_administrators_the_clinic_s(
        self, watch: Watch
    ) -> None:
        clinic = watch.clinic
        watch.address(clinic.therapist)
        flag_id, other = watch.danger(), watch.danger(patient=clinic.other_patient)
        watch.after()

        seen = {
            (name, str(path)): watch.person(person).get(path).status_code
            for name, person in (
                ("therapist", clinic.therapist),
                ("stranger", clinic.stranger),
                ("coach", clinic.coach),
                ("administrator", clinic.administrator),
                ("patient", clinic.patient),
            )
            for path in (CLINIC, of_flag(flag_id), of_flag(other), of_flag(UUID(int=1)))
        }

        by_person: dict[str, list[int]] = {}
        for (name, _), status in seen.items():
            by_person.setdefault(name, []).append(status)
        # The therapist was told of the other one as the next clinician.
        assert by_person == {
            "therapist": [403, 200, 200, 404],
            "stranger": [403, 404, 404, 404],
            "coach": [403, 403, 404, 404],
            "administrator": [200, 200, 200, 404],
            "patient": [403, 403, 403, 403],
        }

    @pytest.mark.parametrize("who", ["therapist", "administrator"])
    def test_whose_flag_was_looked_at_is_in_the_access_log(self, watch: Watch, who: str) -> None:
        flag_id = watch.danger()
        person = watch.person(getattr(watch.clinic, who))

        person.get(of_flag(flag_id))

        logged = watch.behind(
            "SELECT patient_id FROM access_log WHERE membership_id = %s"
            " AND what = 'deliveries.of_flag' AND patient_id IS NOT NULL",
            person.membership_id,
        )
        assert logged == [(watch.clinic.patient.patient_id,)]
