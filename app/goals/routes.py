"""Integration goals."""

from app.goals import service
from app.goals.schemas import GoalIn, GoalOut, GoalPage, GoalVersions, SetGoalOut
from app.kernel import entries
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.paging import Cursor, Limit, next_link
from app.people.chart import entry_id, open_chart
from app.safety.service import unasked_block

routes = router("goals")

_GOALS = "/v1/patients/{patient_id}/goals"


@routes.post(_GOALS, status_code=201, response_model=SetGoalOut, operation_id="set_goal")
def set_goal(visit: Signed, patient_id: str, sent: GoalIn) -> Reply:
    """Keep an integration goal, in the patient's own words."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.SET_GOALS, visit.now)
    known = entries.known_before(visit.db, chart, service.KIND, service.GOAL, sent.id)
    goal, is_new = service.set_goal(visit.db, chart, sent, known, visit.now)
    safety = unasked_block(visit.db, chart, visit.now)
    answer = SetGoalOut(**goal.model_dump(), safety=safety)
    return Reply(answer, 201 if is_new else 200, {"ETag": etag(goal.version)})


@routes.get(_GOALS, response_model=GoalPage, operation_id="list_goals")
def list_goals(visit: Signed, patient_id: str, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """The patient's goals, newest first."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_GOALS, visit.now)
    page = service.list_goals(visit.db, chart, cursor=cursor, limit=limit)
    path = _GOALS.format(patient_id=patient_id)
    return Reply(page, headers=next_link(path, page.next_cursor, limit))


@routes.get(_GOALS + "/{goal_id}", response_model=GoalOut, operation_id="read_goal")
def read_goal(visit: Signed, patient_id: str, goal_id: str) -> Reply:
    """One goal."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_GOALS, visit.now)
    goal = service.read_goal(visit.db, chart, entry_id(goal_id))
    return Reply(goal, headers={"ETag": etag(goal.version)})


@routes.put(_GOALS + "/{goal_id}", response_model=SetGoalOut, operation_id="amend_goal")
def amend_goal(
    visit: Signed, patient_id: str, goal_id: str, sent: GoalIn, if_match: IfMatch = None
) -> Reply:
    """Say a goal otherwise. Every version stays readable."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.SET_GOALS, visit.now)
    entry = entries.same_id(entry_id(goal_id), sent.id)
    known = entries.look_up(visit.db, chart, service.KIND, service.GOAL_TO_CHANGE, entry)
    goal, _ = service.amend_goal(visit.db, chart, sent, known, base_version, visit.now)
    safety = unasked_block(visit.db, chart, visit.now)
    answer = SetGoalOut(**goal.model_dump(), safety=safety)
    return Reply(answer, headers={"ETag": etag(goal.version)})


@routes.delete(_GOALS + "/{goal_id}", response_model=GoalOut, operation_id="withdraw_goal")
def withdraw_goal(visit: Signed, patient_id: str, goal_id: str, if_match: IfMatch = None) -> Reply:
    """Say that a goal was entered in error; it leaves the list and stays readable."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.SET_GOALS, visit.now)
    known = entries.look_up(
        visit.db, chart, service.KIND, service.GOAL_TO_CHANGE, entry_id(goal_id)
    )
    goal, _ = service.withdraw_goal(visit.db, chart, known, base_version, visit.now)
    return Reply(goal, headers={"ETag": etag(goal.version)})


@routes.get(
    _GOALS + "/{goal_id}/versions", response_model=GoalVersions, operation_id="list_goal_versions"
)
def list_goal_versions(visit: Signed, patient_id: str, goal_id: str) -> Reply:
    """A goal as it was set, amended and withdrawn."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_GOALS, visit.now)
    return Reply(service.goal_versions(visit.db, chart, entry_id(goal_id)))
