"""Every page: no accessibility violation, no sideways scrolling, light enough for a phone."""

import pytest

from tests.browser.conftest import Device, House, Open, Scheme
from tests.browser.records import VISIT, filled, reached_from_lists, treated
from tests.builders import Clinic
from tests.cohort import Cohort

OF_A_PATIENT = (
    "",
    "/trajectories",
    "/trajectories?scale=phq-9&view=doses",
    "/trajectories?scale=phq-9:item-9",
    "/together",
    "/ideation",
    "/flags",
    "/treatment",
    f"/treatment/{VISIT}",
    "/course",
    "/screening",
    "/screening?form=correct",
    "/notes",
    "/thread",
    "/goals",
    "/practices",
    "/integration",
    "/week",
    "/week/print",
    "/audit",
    "/report",
)
OF_A_CLINICIAN = (
    "/console/caseload",
    "/console/caseload?only=silent",
    "/console/flags",
    "/console/outcomes",
    "/console/outcomes?stratum=country",
    "/console/people",
    "/console/clinic",
    "/console/account",
    "/console/second-factor",
)
OF_AN_ADMINISTRATOR = (
    "/console/flags",
    "/console/outcomes",
    "/console/people",
    "/console/people/second-factor",
    "/console/people/patients",
    "/console/clinic/hours",
    "/console/clinic/protocol",
    "/console/clinic/escalation",
    "/console/clinic/escalation?version=0",
    "/console/clinic/texts",
    "/console/clinic/texts?locale=nl&about=reminder",
)
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def seeded(house: House) -> tuple[Clinic, str]:
    """One clinic for all of these, which only look."""
    clinic = house.clinic()
    with house.behind() as behind:
        Cohort(clinic.id, behind).a_year()
        behind.rows(
            "UPDATE consent SET revoked_at = now() WHERE patient_id = %s",
            clinic.other_patient.patient_id,
        )
    clinic.administrator.post("/v1/invitations", {"role": "clinician", "privileges": ["therapy"]})
    patient = filled(clinic)
    treated(clinic)
    return clinic, patient


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
class TestEveryPage:
    def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
        self, seeded: tuple[Clinic, str], open_tab: Open, device: Device, scheme: Scheme
    ) -> None:
        clinic, patient = seeded
        # By night nothing but the colours is another.
        rules = ["color-contrast"] if scheme == "dark" else []
        of_people = (
            f"/console/people/patients/{clinic.patient.patient_id}",
            f"/console/people/patients/{clinic.other_patient.patient_id}",
            f"/console/people/members/{clinic.therapist.membership_id}",
        )
        found: list[str] = []
        of_a_patient = [patient + one for one in (*OF_A_PATIENT, *reached_from_lists(clinic))]
        for person, paths in (
            (None, ("/console/sign-in",)),
            (clinic.therapist, (*OF_A_CLINICIAN, *of_a_patient)),
            (clinic.administrator, (*OF_AN_ADMINISTRATOR, *of_people)),
        ):
            tab = open_tab(person, device=device, scheme=scheme)
            for path in paths:
                tab.go(path)
                found += [f"{path}: {one}" for one in [tab.violations(*rules)] if one]
                if tab.overflow() > 0:
                    found.append(f"{path}: wider than the window by {tab.overflow()}")

        assert found == []


def test_every_page_is_light_besides_the_chart_bundle(
    seeded: tuple[Clinic, str], open_tab: Open
) -> None:
    clinic, patient = seeded
    heavy = {}
    of_a_patient = [patient + one for one in (*OF_A_PATIENT, *reached_from_lists(clinic))]
    for path in (*OF_A_CLINICIAN, *of_a_patient):
        tab = open_tab(clinic.therapist)  # with nothing kept from another page
        tab.go(path)
        if tab.transferred() > MOST_BYTES:
            heavy[path] = tab.transferred()

    assert heavy == {}


@pytest.mark.parametrize("path", ["/trajectories", "/together", "/ideation", f"/treatment/{VISIT}"])
def test_without_javascript_a_picture_of_the_chart_stands_there(
    seeded: tuple[Clinic, str], open_tab: Open, path: str
) -> None:
    clinic, patient = seeded
    tab = open_tab(clinic.therapist, has_javascript=False)

    tab.page.goto(tab.base_url + patient + path)

    picture = tab.page.locator("figure[data-chart] img")
    picture.wait_for()
    answer = tab.page.request.get(
        tab.base_url + str(picture.get_attribute("src")), headers={"Accept": "image/svg+xml"}
    )
    assert answer.ok
    assert answer.body().startswith(b"<svg")
    assert picture.get_attribute("alt")
