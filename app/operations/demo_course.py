"""The treatment of one synthetic patient, from the screening to what came of it.

Everything goes through the verbs that the routes call, at the instants at which it is said to have
happened; what it warns of and what it refuses is what a clinic would see.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.checkins import service as checkins
from app.checkins.schemas import CheckInIn
from app.clinical import eligibility
from app.course.aftercare.schemas import AftercareIn, AftercareReceiptIn
from app.course.aftercare.service import AFTERCARE, RECEIPTS
from app.course.courses.schemas import CourseIn
from app.course.courses.service import COURSES
from app.course.discharge import service as discharge
from app.course.discharge.schemas import DischargeIn
from app.course.eligibility.schemas import MedicationIn, ScreeningIn, TrialHistoryIn
from app.course.eligibility.service import MEDICATIONS, SCREENINGS, TRIALS
from app.course.preparation.schemas import PreparationCheckIn, PreparationIn
from app.course.preparation.service import CHECKS, PREPARATIONS
from app.course.sessions import service as sessions
from app.course.side_effects.schemas import SideEffectIn
from app.course.side_effects.service import SIDE_EFFECTS
from app.course.vital_signs import service as vital_signs
from app.course.vital_signs.schemas import VitalSignsIn
from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.experience.schemas import IntentionIn, NoteIn
from app.goals.schemas import GoalIn, GoalRatingIn
from app.goals.service import GOALS, RATINGS
from app.integration.insights import INSIGHTS
from app.integration.schemas import (
    InsightIn,
    IntegrationSessionIn,
    SessionSummaryIn,
    SummaryAgreementIn,
)
from app.integration.sessions import AGREEMENTS, SESSIONS, SUMMARIES
from app.journal.shelf import Shelf
from app.kernel import entries
from app.kernel.db import Db
from app.kernel.entries import Known
from app.kernel.identity import Caller
from app.people.chart import Right, open_chart
from app.practices.coping import STRATEGIES, TRIGGERS
from app.practices.practice import PRACTICES, TICKS
from app.practices.schemas import CopingStrategyIn, PracticeIn, PracticeTickIn, TriggerIn
from app.treatment import service as treatment
from app.treatment.schemas import DosingSessionIn

_READ_EVERY: Final = timedelta(minutes=10)
_STAY: Final = timedelta(minutes=130)
_PRESSURES: Final = (124, 126, 142, 150, 146, 140, 136, 132, 130, 128, 127, 126, 126, 125)
_DISSOCIATION: Final = (0, 0, 4, 8, 7, 6, 4, 3, 2, 1, 1, 0, 0, 0)
_NO_RISK_RAISED: Final = [0, 0, None, None, None, 0]
_LEVELS: Final = (
    "I do not think of calling.",
    "I think of it and put it off.",
    "I call her every other week.",
    "I call her every Sunday.",
    "We call each other, also in between.",
)
_SKIPPED: Final = {3: "It rained all day.", 12: "A cold."}
"""By days before today."""
_NOTHING_SAID: Final = frozenset({5, 9, 17, 18})


@dataclass(frozen=True, slots=True)
class Dose:
    """What is given at each visit."""

    mg: float
    route: str


@dataclass(frozen=True, slots=True)
class Story:
    """Whose record it is, and who writes in it."""

    db: Db
    patient: Caller
    therapist: Caller

    def begin(self, at: datetime) -> UUID:
        """What speaks for and against it, and the course. Returns: the course."""
        for drug, outcome in (("Sertraline", "no-response"), ("Venlafaxine", "partial-response")):
            trial = {
                "kind": "antidepressant",
                "drug": drug,
                "dose_adequate": "yes",
                "weeks": 10,
                "outcome": outcome,
            }
            self._keep(TRIALS, TrialHistoryIn, self.therapist, at, trial)
        self._keep(MEDICATIONS, MedicationIn, self.patient, at, {"name": "Vitamin D"})
        answers = {one.key: "no" for one in eligibility.conditions()}
        self._keep(SCREENINGS, ScreeningIn, self.therapist, at, {"answers": answers})
        plan = {
            "protocol_version": 0,
            "indication": "treatment-resistant-depression",
            "planned_sessions": 6,
            "spacing_days": 4,
        }
        course_id = self._keep(COURSES, CourseIn, self.therapist, at, plan)
        chart = open_chart(self.db, self.therapist, self._record, COURSES.write_right, at)
        known = entries.look_up(self.db, chart, COURSES.kind, COURSES.to_change, course_id)
        started = CourseIn.model_validate({**plan, "status": "active", "recorded_at": at})
        COURSES.amend(self.db, chart, started, known, 1, at)
        return course_id

    def visit(self, course_id: UUID, dose: Dose, given_at: datetime, *, is_first: bool) -> UUID:
        """One visit: planned, prepared for, watched over, and left. Returns: it.

        At the first one nobody has named who takes the patient home, and nausea came with it.
        """
        began_at = given_at - timedelta(minutes=20)
        left_at = given_at + _STAY
        planned = {
            "status": "preparation",
            "started_at": began_at,
            "course_id": course_id,
            "setting": "clinic",
        }
        visit_id = self._plan(planned, given_at - timedelta(days=1))
        self._screen_risk(began_at)
        ready = {"fasting": "yes", "no-sedatives": "yes", "expectations": "yes"}
        self._keep(
            PREPARATIONS,
            PreparationIn,
            self.patient,
            began_at,
            {
                "dosing_session_id": visit_id,
                "answers": ready if is_first else {**ready, "escort-named": "yes"},
            },
        )
        reading = {"systolic": 124, "diastolic": 78, "spo2": 98, "pulse": 70, "respiration": 14}
        self._keep(
            CHECKS,
            PreparationCheckIn,
            self.therapist,
            given_at - timedelta(minutes=15),
            {
                "dosing_session_id": visit_id,
                "answers": {"medicines-reviewed": "yes"},
                "reading": {**reading, "measured_at": given_at - timedelta(minutes=15)},
            },
        )
        self._give(visit_id, planned, dose, given_at, left_at)
        self._watch(visit_id, given_at, left_at)
        if is_first:
            nausea = {
                "code": "nausea",
                "severity": "mild",
                "onset_at": given_at + timedelta(minutes=30),
                "resolved_at": given_at + timedelta(minutes=75),
                "action": "Lay on the side, and it passed.",
                "dosing_session_id": visit_id,
            }
            self._keep(SIDE_EFFECTS, SideEffectIn, self.therapist, left_at, nausea)
        self._screen_risk(left_at - timedelta(minutes=5))
        self._leave(visit_id, left_at)
        return visit_id

    def write(self, visit_id: UUID, at: datetime) -> UUID:
        """What the patient hoped for, and made of it in the weeks after. Returns: the note."""
        intention = {
            "dosing_session_id": visit_id,
            "words": "To look at why I keep people away, and to be kind about it.",
        }
        before = at - timedelta(hours=8)
        intention_id = self._keep(INTENTIONS, IntentionIn, self.patient, before, intention)
        note = {
            "dosing_session_id": visit_id,
            "tier": "care-team",
            "came_from": {"kind": "intention", "id": intention_id},
            "words": "The room went very quiet and I could look at it all from further away.",
        }
        note_id = self._keep(NOTES, NoteIn, self.patient, at, note)
        insight = {
            "words": "I keep people away before they can leave.",
            "came_from": {"kind": "note", "id": note_id},
        }
        day = timedelta(days=1)
        insight_id = self._keep(INSIGHTS, InsightIn, self.patient, at + day, insight)
        goal = {
            "words": "Call my sister every Sunday.",
            "why": "I noticed how much I miss her.",
            "life_area": "relationships",
            "baseline_level": -1,
            "levels": [
                {"level": level, "words": words}
                for level, words in zip(range(-2, 3), _LEVELS, strict=True)
            ],
            "came_from": {"kind": "insight", "id": insight_id},
        }
        goal_id = self._keep(GOALS, GoalIn, self.patient, at + day, goal)
        for weeks, level in ((1, -1), (3, 1)):
            rating = {"goal_id": goal_id, "level": level}
            later = at + timedelta(weeks=weeks)
            self._keep(RATINGS, GoalRatingIn, self.patient, later, rating)
        strategy = {"words": "Feet on the floor, and name five things I see."}
        strategy_id = self._keep(STRATEGIES, CopingStrategyIn, self.patient, at + day, strategy)
        trigger = {
            "words": "A door that slammed.",
            "intensity_before": 7,
            "intensity_after": 3,
            "tried": [{"strategy_id": strategy_id, "helped": 3}],
        }
        self._keep(TRIGGERS, TriggerIn, self.patient, at + timedelta(days=4), trigger)
        return note_id

    def integrate(self, note_id: UUID, given_at: datetime, now: datetime) -> None:
        """What is made of it until today. given_at: the last dose.

        A talk two days after it, with a summary that the patient agreed to, and the next one in two
        days; an insight of this week to talk about; a walk, every day but some.
        """
        day = timedelta(days=1)
        talked_at = given_at + 2 * day
        talk = {"scheduled_at": talked_at, "status": "attended", "place": "Room 2"}
        talk_id = self._keep(
            SESSIONS, IntegrationSessionIn, self.therapist, talked_at + timedelta(hours=1), talk
        )
        summary = {
            "integration_session_id": talk_id,
            "words": "You call your sister on Sundays and walk before work. "
            "When a door slams: feet on the floor first, then decide whether to leave.",
        }
        summary_id = self._keep(
            SUMMARIES, SessionSummaryIn, self.therapist, talked_at + timedelta(hours=2), summary
        )
        agreement = {"session_summary_id": summary_id, "summary_version": 1}
        self._keep(AGREEMENTS, SummaryAgreementIn, self.patient, talked_at + day, agreement)
        self._practise(talked_at, now)
        insight = {
            "words": "I can say that I need an hour alone, and come back.",
            "came_from": {"kind": "note", "id": note_id},
        }
        self._keep(INSIGHTS, InsightIn, self.patient, now - 2 * day, insight)
        planned = {"scheduled_at": now + 2 * day, "status": "scheduled", "place": "Room 2"}
        self._keep(SESSIONS, IntegrationSessionIn, self.therapist, now - day, planned)

    @property
    def _record(self) -> str:
        return str(self.patient.patient_id)

    def _keep(
        self,
        shelf: Shelf[Any, Any],
        model: type[Any],
        by: Caller,
        at: datetime,
        says: dict[str, Any],
    ) -> UUID:
        chart = open_chart(self.db, by, self._record, shelf.write_right, at)
        sent = model.model_validate({**says, "recorded_at": at})
        kept, _ = shelf.create(self.db, chart, sent, Known(), at)
        entry_id: UUID = kept.id
        return entry_id

    def _screen_risk(self, at: datetime) -> None:
        chart = open_chart(self.db, self.patient, "me", checkins.SUBMIT_CHECK_INS, at)
        sent = CheckInIn(
            instrument="c-ssrs-since-last-contact", answers=_NO_RISK_RAISED, recorded_at=at
        )
        checkins.submit(self.db, chart, sent, Known(), at)

    def _plan(self, planned: dict[str, Any], at: datetime) -> UUID:
        right = treatment.RECORD_SESSIONS
        chart = open_chart(self.db, self.therapist, self._record, right, at)
        sent = DosingSessionIn.model_validate(planned)
        return sessions.record_session(self.db, chart, sent, Known(), at)[0].id

    def _give(
        self,
        visit_id: UUID,
        planned: dict[str, Any],
        dose: Dose,
        given_at: datetime,
        left_at: datetime,
    ) -> None:
        given = {"drug": "ketamine", "route": dose.route, "dose_mg": dose.mg, "given_at": given_at}
        here = {
            **planned,
            "administrations": [given],
            "weight_kg": 68,
            "present": [{"role": "therapist", "name": "Toni Example"}],
        }
        right = treatment.RECORD_SESSIONS
        for base, at, changes in (
            (1, given_at, {"status": "in-progress"}),
            (2, left_at, {"status": "completed", "ended_at": left_at}),
        ):
            chart = open_chart(self.db, self.therapist, self._record, right, at)
            known = entries.look_up(
                self.db, chart, treatment.KIND, treatment.SESSION_TO_CHANGE, visit_id
            )
            sent = DosingSessionIn.model_validate({**here, **changes})
            sessions.amend_session(self.db, chart, sent, known, base, at)

    def _watch(self, visit_id: UUID, given_at: datetime, left_at: datetime) -> None:
        right: Right = vital_signs.RECORD_VITAL_SIGNS
        chart = open_chart(self.db, self.therapist, self._record, right, left_at)
        readings = [
            {
                "at": given_at + place * _READ_EVERY - timedelta(minutes=5),
                "systolic": pressure,
                "diastolic": pressure - 46,
                "spo2": 97,
                "pulse": pressure - 55,
                "respiration": 14,
                "dissociation": felt,
            }
            for place, (pressure, felt) in enumerate(zip(_PRESSURES, _DISSOCIATION, strict=True))
        ]
        sent = VitalSignsIn.model_validate({"readings": readings})
        vital_signs.record(self.db, chart, visit_id, sent, Known(), left_at)

    def _leave(self, visit_id: UUID, at: datetime) -> None:
        right = discharge.DISCHARGES.write_right
        chart = open_chart(self.db, self.therapist, self._record, right, at)
        said = {"alert": True, "escort": True, "instructions": True}
        leaving = DischargeIn(attested=said, recorded_at=at)
        discharge.let_go(self.db, chart, visit_id, leaving, Known(), at)
        home = {"dosing_session_id": visit_id, "instructions": ["rest", "no-driving"]}
        given_id = self._keep(AFTERCARE, AftercareIn, self.therapist, at, home)
        read = {"aftercare_id": given_id, "aftercare_version": 1}
        later = at + timedelta(hours=1)
        self._keep(RECEIPTS, AftercareReceiptIn, self.patient, later, read)

    def _practise(self, at: datetime, now: datetime) -> None:
        """A walk each day from then until yesterday, where the patient is."""
        zone = ZoneInfo(open_chart(self.db, self.patient, "me", TICKS.write_right, at).time_zone)
        today = now.astimezone(zone).date()
        walk = {
            "words": "Walk to the river before work.",
            "activity": "walk",
            "schedule": {"kind": "daily", "from_on": at.astimezone(zone).date()},
        }
        walk_id = self._keep(PRACTICES, PracticeIn, self.patient, at, walk)
        for back in range((today - at.astimezone(zone).date()).days, 0, -1):
            on = today - timedelta(days=back)
            tick: dict[str, Any] = {"practice_id": walk_id, "on": on, "minutes": 20}
            if back in _SKIPPED:
                skip = {"status": "skipped", "reason": _SKIPPED[back], "minutes": None}
                self._keep(TICKS, PracticeTickIn, self.patient, at, tick | skip)
            elif back not in _NOTHING_SAID:
                self._keep(TICKS, PracticeTickIn, self.patient, at, tick)
            at += timedelta(days=1)
