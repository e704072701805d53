"""Patients of a clinic by the dozen, for what is only told of many."""

from uuid import UUID, uuid4

from tests.conftest import Behind

PATIENTS = """
    INSERT INTO patient SELECT %s, id, 1, 'UTC', %s, %s, '', now() - interval '500 days'
    FROM unnest(%s::uuid[]) AS id
"""
CONSENTS = """
    INSERT INTO consent (clinic_id, id, patient_id, kind, notice_version, given_at, expires_at,
        revoked_at)
    SELECT %s, gen_random_uuid(), id, 'treatment', '1', now() - interval '500 days', NULL, NULL
    FROM unnest(%s::uuid[]) AS id
"""
DOSES = """
    INSERT INTO dosing_session SELECT %s, id, gen_random_uuid(), 1, 'completed', at, at, at, %s, at
    FROM unnest(%s::uuid[]) AS id, LATERAL (SELECT now() - %s * interval '1 day') AS given (at)
"""
CHECK_INS = """
    INSERT INTO check_in SELECT %s, id, gen_random_uuid(), 1, 'final', %s, %s, '1',
        '{}', '{}', %s, NULL, %s::float8 IS NOT NULL, true, 'none', at, at, at, NULL
    FROM unnest(%s::uuid[]) AS id, LATERAL (SELECT now() - %s * interval '1 day') AS placed (at)
"""


class Cohort:
    """Makes patients of a clinic, some dozens at a time."""

    def __init__(self, clinic_id: UUID, behind: Behind) -> None:
        self._clinic = clinic_id
        self._behind = behind

    def patients(
        self,
        count: int,
        *points: tuple[float, float | None],
        country: str = "US",
        locale: str = "en",
        dose_days_ago: float = 60,
        instrument: str = "phq-9",
        version: str = "1",
    ) -> list[UUID]:
        """Who had one dose and these scores: (days from the dose, total)."""
        ids = [uuid4() for _ in range(count)]
        self._behind.rows(PATIENTS, self._clinic, locale, country, ids)
        self._behind.rows(CONSENTS, self._clinic, ids)
        self._behind.rows(DOSES, self._clinic, uuid4(), ids, dose_days_ago)
        self.scores(
            ids, *points, dose_days_ago=dose_days_ago, instrument=instrument, version=version
        )
        return ids

    def scores(
        self,
        ids: list[UUID],
        *points: tuple[float, float | None],
        dose_days_ago: float = 60,
        instrument: str = "phq-9",
        version: str = "1",
    ) -> None:
        """What these answered."""
        for day, total in points:
            self._behind.rows(
                CHECK_INS,
                self._clinic,
                instrument,
                version,
                total,
                total,
                ids,
                dose_days_ago - day,
            )

    def a_year(self) -> None:
        """Some hundreds, of whom half respond, some lose it, and many are lost sight of."""
        weekly = [7, 14, 21, 28, 42, 56, 84, 112, 140, 168, 196, 224, 252, 280, 308, 336, 364]
        stories = (
            # how many, until when they answer, when they respond, when it is lost
            (40, 364, 7, None),
            (30, 252, 7, 84),
            (25, 140, 14, 112),
            (30, 364, 28, 168),
            (20, 84, 28, None),
            (15, 168, 56, None),
            (40, 364, None, None),
            (35, 112, None, None),
            (30, 42, None, None),
            (20, 14, None, None),
        )
        for country, share in (("US", 1.0), ("DE", 0.6)):
            for count, until, responds, loses in stories:
                points = [
                    (float(day), 6.0 if responds and responds <= day < (loses or 999) else 18.0)
                    for day in weekly
                    if day <= until
                ]
                self.patients(
                    max(11, round(count * share)),
                    (-1, 20),
                    *points,
                    country=country,
                    dose_days_ago=430,
                )
