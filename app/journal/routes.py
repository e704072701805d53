"""The seven routes of a kind of entry, declared from its shelf.

POST    …/practices            create, retry-safe
GET     …/practices            a page, newest first
GET     …/practices/{id}       one
PUT     …/practices/{id}       amend, on the version that If-Match names
DELETE  …/practices/{id}       withdraw, likewise
GET     …/practices/{id}/versions
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter, Signature
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, create_model

from app.journal.shelf import Shelf
from app.kernel import entries
from app.kernel.edge import Reply, Signed, Visit
from app.kernel.errors import Problem
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.strict import Open
from app.people.chart import Chart, Right, entry_id, open_chart
from app.safety.schemas import SafetyOut
from app.safety.service import safety_block

_PATIENT: Final = "/v1/patients/{patient_id}"


@dataclass(frozen=True, slots=True)
class Named:
    """What a kind of entry is called. Every text is a sentence of the specification.

    many: in the address, as in `coping-strategies`. one: `coping_strategy`.
    verb: of creating, as in `set_goal`. creating, listing, amending: what the routes do.
    """

    many: str
    one: str
    verb: str
    creating: str
    listing: str
    amending: str


def entry_routes(routes: APIRouter, shelf: Shelf[Any, Any], named: Named) -> None:
    """Add the routes of a kind. What only the patient sends is answered with the safety block."""
    _Routes(shelf, named).add_to(routes)


class _Routes:
    def __init__(self, shelf: Shelf[Any, Any], named: Named) -> None:
        self.shelf = shelf
        self.named = named
        self.path = f"{_PATIENT}/{named.many}"
        self.key = f"{named.one}_id"
        self.is_own = shelf.is_sent_by_patients  # who answers a patient says whom to call
        many = named.many.replace("-", "_")
        name = "".join(part.capitalize() for part in named.one.split("_"))
        out = shelf.model
        noun = named.one.replace("_", " ")
        answer = SafetyOut if not shelf.write_right.privileges else SafetyOut | None
        self.answered = _model(
            f"Sent{name}Out",
            out,
            f"The {noun} as the answer to its sending. Nobody reads its words for signs of danger.",
            safety=(answer, ...),
        )
        if not self.is_own:
            self.answered = out
        self.paged = _model(
            f"{name}Page",
            Open,
            "Newest first.",
            **{many: (list[out], ...), "next_cursor": (str | None, ...)},  # type: ignore[valid-type]
        )
        version = _model(
            f"{name}Version",
            Open,
            f"The {noun} as it once was, and what was done to it then.",
            version=(int, ...),
            action=(str, ...),
            at=(datetime, ...),
            by=(str, ...),
            **{named.one: (out, ...)},
        )
        self.versioned = _model(
            f"{name}Versions",
            Open,
            "Every version, the first one first.",
            versions=(list[version], ...),  # type: ignore[valid-type]
        )
        self.many = many

    def add_to(self, routes: APIRouter) -> None:
        named, noun = self.named, self.named.one.replace("_", " ")
        one_path = f"{self.path}/{{{self.key}}}"
        key = _parameter(self.key, str)
        sent = _parameter("sent", self.shelf.sent)
        if_match = _parameter("if_match", IfMatch, None)
        pages = [_parameter("cursor", Cursor, None), _parameter("limit", Limit, 50)]
        if self.shelf.listed_by is not None:
            pages.insert(0, _parameter(self.shelf.listed_by, UUID | None, None))

        def declare(
            verb: Callable[..., Reply | Problem],
            method: str,
            path: str,
            operation: str,
            text: str,
            model: type[BaseModel],
            *more: Parameter,
            status: int = 200,
        ) -> None:
            visit = _parameter("visit", Signed)
            patient = _parameter("patient_id", str)

            def endpoint(**given: Any) -> Reply | Problem:
                return verb(**given)

            endpoint.__name__ = operation
            endpoint.__doc__ = text
            endpoint.__signature__ = Signature([visit, patient, *more])  # type: ignore[attr-defined]
            routes.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=model,
                operation_id=operation,
                status_code=status,
            )

        declare(
            self.create,
            "POST",
            self.path,
            f"{named.verb}_{named.one}",
            named.creating,
            self.answered,
            sent,
            status=201,
        )
        declare(
            self.list,
            "GET",
            self.path,
            f"list_{self.many}",
            named.listing,
            self.paged,
            *pages,
        )
        declare(
            self.read,
            "GET",
            one_path,
            f"read_{named.one}",
            f"One {noun}.",
            self.shelf.model,
            key,
        )
        declare(
            self.amend,
            "PUT",
            one_path,
            f"amend_{named.one}",
            named.amending,
            self.answered,
            key,
            sent,
            if_match,
        )
        declare(
            self.withdraw,
            "DELETE",
            one_path,
            f"withdraw_{named.one}",
            f"Say that the {noun} was entered in error; it leaves the list and stays readable.",
            self.shelf.model,
            key,
            if_match,
        )
        declare(
            self.versions,
            "GET",
            f"{one_path}/versions",
            f"list_{named.one}_versions",
            f"The {noun} as it was first sent, amended and withdrawn.",
            self.versioned,
            key,
        )

    def create(self, visit: Visit, patient_id: str, sent: Any) -> Reply:
        chart = self._open(visit, patient_id, self.shelf.write_right)
        shelf = self.shelf
        known = entries.known_before(visit.db, chart, shelf.kind, shelf.to_change, sent.id)
        entry, is_new = shelf.create(visit.db, chart, sent, known, visit.now)
        return self._answer(visit, chart, entry, 201 if is_new else 200)

    def list(
        self, visit: Visit, patient_id: str, cursor: str | None, limit: int, **by: UUID | None
    ) -> Reply:
        chart = self._open(visit, patient_id, self.shelf.read_right)
        of = next(iter(by.values()), None)
        page = self.shelf.page(visit.db, chart, cursor=cursor, limit=limit, of=of)
        body = self.paged(**{self.many: page.entries, "next_cursor": page.next_cursor})
        path = self.path.format(patient_id=patient_id)
        only = {name: None if value is None else str(value) for name, value in by.items()}
        return Reply(body, headers=next_link(path, page.next_cursor, limit, **only))

    def read(self, visit: Visit, patient_id: str, **named: str) -> Reply:
        chart = self._open(visit, patient_id, self.shelf.read_right)
        entry = self.shelf.read(visit.db, chart, entry_id(named[self.key]))
        return Reply(entry, headers={"ETag": etag(entry.version)})

    def amend(
        self, visit: Visit, patient_id: str, sent: Any, if_match: str | None, **named: str
    ) -> Reply | Problem:
        base_version = version_named(if_match)
        chart = self._open(visit, patient_id, self.shelf.write_right)
        shelf = self.shelf
        which = entries.same_id(entry_id(named[self.key]), sent.id)
        known = entries.look_up(visit.db, chart, shelf.kind, shelf.to_change, which)
        try:
            with visit.db.tried():
                entry, _ = shelf.amend(visit.db, chart, sent, known, base_version, visit.now)
        except Problem as problem:
            if problem.kind not in entries.CONFLICTS:
                raise
            shelf.flag_overtaken(visit.db, chart, sent, known, visit.now)
            return problem  # and not raised: a flag is kept
        return self._answer(visit, chart, entry, 200)

    def withdraw(self, visit: Visit, patient_id: str, if_match: str | None, **named: str) -> Reply:
        base_version = version_named(if_match)
        chart = self._open(visit, patient_id, self.shelf.write_right)
        shelf = self.shelf
        which = entry_id(named[self.key])
        known = entries.look_up(visit.db, chart, shelf.kind, shelf.to_change, which)
        entry, _ = shelf.withdraw(visit.db, chart, known, base_version, visit.now)
        return Reply(entry, headers={"ETag": etag(entry.version)})

    def versions(self, visit: Visit, patient_id: str, **named: str) -> Reply:
        chart = self._open(visit, patient_id, self.shelf.read_right)
        said = self.shelf.versions(visit.db, chart, entry_id(named[self.key]))
        listed = [
            {
                "version": one.version,
                "action": one.action,
                "at": one.at,
                "by": one.by,
                self.named.one: one.entry,
            }
            for one in said
        ]
        return Reply(self.versioned.model_validate({"versions": listed}))

    def _open(self, visit: Visit, patient_id: str, right: Right) -> Chart:
        return open_chart(visit.db, visit.caller, patient_id, right, visit.now)

    def _answer(self, visit: Visit, chart: Chart, entry: Any, status: int) -> Reply:
        body: BaseModel = entry
        if self.is_own:
            body = self.answered(**{**dict(entry), "safety": self._safety(visit, chart, entry)})
        return Reply(body, status, {"ETag": etag(entry.version)})

    def _safety(self, visit: Visit, chart: Chart, entry: Any) -> SafetyOut | None:
        """For the patient; and for whoever told of a danger."""
        finding, flag = self.shelf.danger_in(visit.db, chart, entry)
        if flag is None and not chart.is_own:
            return None
        return safety_block(visit.db, chart, finding, flag, country=None, now=visit.now)


def _parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _model(name: str, base: type[BaseModel], text: str, **members: Any) -> type[BaseModel]:
    return create_model(name, __base__=base, __doc__=text, **members)
