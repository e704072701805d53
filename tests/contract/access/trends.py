"""What is read from many entries: trajectories, the report, the caseload, outcomes."""

from typing import Final

from app.trends.forms import VEGA_LITE
from tests.contract.access.asking import PATIENT, Tries, Try
from tests.contract.access.statuses import NAMING_NOBODY, READ_CLINICAL

ROUTES: Final[Tries] = {
    ("GET", f"{PATIENT}/trajectories/{{instrument}}"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?item=item-9"),
        Try(READ_CLINICAL, query="?view=doses", headers=(("Accept", VEGA_LITE),)),
        Try(READ_CLINICAL, query="?theme=dark", headers=(("Accept", "image/png"),)),
    ],
    ("GET", f"{PATIENT}/report"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?instrument=phq-9", headers=(("Accept", "text/html"),)),
    ],
    ("GET", f"{PATIENT}/trajectories"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?series=phq-9,momentary/mood"),
        Try(READ_CLINICAL, query="?width=360", headers=(("Accept", VEGA_LITE),)),
    ],
    ("GET", f"{PATIENT}/trajectories/{{instrument}}/doses"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?theme=dark", headers=(("Accept", VEGA_LITE),)),
    ],
    ("GET", f"{PATIENT}/suicidal-ideation"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?width=640", headers=(("Accept", VEGA_LITE),)),
    ],
    ("GET", "/v1/caseload"): [Try(NAMING_NOBODY, "panel")],
    ("POST", "/v1/caseload/search"): [Try(NAMING_NOBODY, "panel", body={"name": "a"})],
    ("GET", "/v1/outcomes"): [
        Try(NAMING_NOBODY, "inbox"),
        Try(NAMING_NOBODY, "inbox", query="?stratum=country"),
        Try(NAMING_NOBODY, "inbox", query="?view=time-to-loss", headers=(("Accept", VEGA_LITE),)),
        Try(NAMING_NOBODY, "inbox", query="?instrument=gad-7", headers=(("Accept", "text/csv"),)),
    ],
}
