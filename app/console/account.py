"""One's own account: name, where one is told of flags, and the way to one's second factor."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query
from uuid_utils.compat import uuid7

from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, read, version
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.outbound import Network
from app.people import profile
from app.people.addresses import DeviceIn
from app.people.chart import entry_id
from app.people.schemas import MeOut, MePatch
from app.safety import addresses

_DONE = Annotated[str, Query(max_length=20)]
_NAME: Final = {"name": "Name"}
_ADDRESS: Final = {"email": "E-mail address"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody is told of flags; what it is stays sealed, and is not shown again."""

    id: UUID
    channel: str
    created_at: datetime
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody may change about themselves."""

    me: MeOut
    addresses: list[Address]
    forms: dict[str, Fields]
    new_id: UUID
    sends_mail: bool
    is_overtaken: bool


class Mail(NamedTuple):
    """sends_mail: whether this server can. allow: networks that are open although not public."""

    sends_mail: bool
    allow: frozenset[Network]


def account_pages(mail: Mail) -> APIRouter:
    """One's own account, where this much is possible."""
    routes = page_router()

    @routes.get("/console/account")
    def account_page(visit: Inside, done: _DONE = "") -> Answer:
        """One's own."""
        return _page(visit, mail, said=words.DONE.get(done, ""))

    @routes.post("/console/account")
    def change_account(visit: Inside) -> Answer:
        """Another name, an address more or less."""
        act = _ACTS.get(visit.form["act"])
        if act is None:
            raise not_found()
        return act(visit, mail)

    return routes


def _rename(visit: Visit, mail: Mail) -> Answer:
    typed = visit.form["version"]
    fields = Fields("name", _NAME, {"name": visit.form["name"], "version": typed})
    try:
        with visit.db.tried():
            profile.update_me(visit.db, visit.caller, version(typed), _patch(fields), visit.now)
    except Problem as problem:
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _page(visit, mail, status=412, is_overtaken=True)
        return _page(visit, mail, {"name": fields.refused(problem)}, status=422)
    return GoTo("/console/account?done=saved")


def _register(visit: Visit, mail: Mail) -> Answer:
    fields = Fields("address", _ADDRESS).typed(visit.form)
    try:
        with visit.db.tried():
            sent = read(
                DeviceIn,
                {"id": visit.form["id"], "channel": "email", "email": fields.value("email")},
            )
            addresses.register(visit.db, visit.caller, sent, visit.now, **mail._asdict())
    except Problem as problem:
        if problem.kind is Kind.ID_REUSED:
            wrong = fields.wrong_at("", "was sent before; open the page again")
            return _page(visit, mail, {"address": wrong}, status=422)
        return _page(visit, mail, {"address": fields.refused(problem)}, status=422)
    return GoTo("/console/account?done=saved")


def _remove(visit: Visit, _: Mail) -> Answer:
    addresses.remove(visit.db, visit.caller, entry_id(visit.form["id"]), visit.now)
    return GoTo("/console/account?done=removed")


_ACTS: Final[dict[str, Callable[[Visit, Mail], Answer]]] = {
    "name": _rename,
    "address": _register,
    "remove": _remove,
}


def _page(
    visit: Visit,
    mail: Mail,
    forms: dict[str, Fields] | None = None,
    *,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
) -> Shown:
    me = profile.me(visit.db, visit.caller, visit.now)
    visit.db.enter(visit.caller.clinic_id)
    given = {
        "name": Fields("name", _NAME, {"name": me.name, "version": str(me.version)}),
        "address": Fields("address", _ADDRESS),
    }
    view = Account(
        me=me,
        addresses=[
            Address(row.id, row.channel, row.created_at, row.failing_since)
            for row in addresses.listed(visit.db, visit.caller)
        ],
        forms=given | (forms or {}),
        new_id=uuid7(),
        sends_mail=mail.sends_mail,
        is_overtaken=is_overtaken,
    )
    return Shown("account.html", "My account", view, section="account", status=status, said=said)


def _patch(fields: Fields) -> MePatch:
    """Raises: Problem INVALID, also for an empty name: leaving it out would say nothing."""
    if not fields.value("name").strip():
        raise invalid("/name", "must not be blank")
    return read(MePatch, {"name": fields.value("name")})
