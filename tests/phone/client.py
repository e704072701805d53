"""A phone, as far as keeping up with the server goes: small enough to be copied.

What a person types is first kept here (in a file, with its id and the version that it was made
on) and then sent, as often as it takes. The server tells a retry from a new change, so a phone
need not know whether a lost request was made or only its answer was lost.

    phone = Phone(folder / "phone.json", over_http("https://kap.example", token), now=...)
    note = phone.create("note", {"tier": "private", "words": "It was quiet."})
    phone.amend("note", note, {"tier": "private", "words": "It was very quiet."})
    phone.catch_up()

Rules, each of which loses or doubles something when it is left out:

1. An id is made when the person presses save, and kept with what they typed.
2. A change leaves the queue when its own result came back, and not before.
3. A change is made on a version: the newest that this phone has seen of the entry, or what the
   changes waiting before it will make of that. It keeps it until it is settled.
4. In a conflict somebody else's change came first. The server keeps the text of a note as a note
   of its own (`kept_as`), and what was typed after it goes on there, as private as either. Of a
   check-in or a goal this phone sends what was typed again, on the server's version; if that one
   was withdrawn, as a new entry.
5. An upload that cannot be taken as a whole is sent again in halves, so that one change that
   cannot be read stands in no other's way. A change that was refused is set aside and shown to
   the person, not thrown away, and what they typed after it goes on without it.
6. The cursor moves on when what was read is kept.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

MAX_CHANGES = 500
MAX_BYTES = 7 * 1024 * 1024

Json = dict[str, Any]


class Answer(NamedTuple):
    """What the server said. body: empty when there was none, or it was not JSON."""

    status: int
    body: Json


class NoAnswer(Exception):
    """The request or its answer was lost: nobody knows whether it was done."""


class NotNow(Exception):
    """The server could not be reached, or not do it, after several tries. Try later."""


Transport = Callable[[str, str, Json | None], Answer]
"""Method, path and body in, the answer out. Raises: NoAnswer."""


def over_http(base_url: str, token: Callable[[], str], timeout: float = 30) -> Transport:
    """A real network. token: an access token that holds now."""

    def ask(method: str, path: str, body: Json | None) -> Answer:
        request = urllib.request.Request(
            base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token()}", "Content-Type": "application/json"},
        )
        try:
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return Answer(answer.status, json.load(answer))
            except urllib.error.HTTPError as problem:
                with problem:
                    return Answer(problem.code, json.load(problem))
        except (OSError, ValueError, http.client.HTTPException) as lost:  # also half an answer
            raise NoAnswer from lost

    return ask


class Phone:
    """One device of a patient. What it knows is in the file `kept`, after every step.

    now: the phone's own clock, right or wrong. pause: waits for so many seconds.
    """

    def __init__(
        self,
        kept: Path,
        transport: Transport,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID] = uuid4,
        pause: Callable[[float], None] = lambda _: None,
        tries: int = 6,
    ) -> None:
        self._kept = kept
        self._transport = transport
        self._now = now
        self._new_id = new_id
        self._pause = pause
        self._tries = tries
        state: Json = json.loads(kept.read_text()) if kept.exists() else {}
        self.cursor: int = state.get("cursor", 0)
        self.entries: dict[str, Json] = state.get("entries", {})
        """The server's copies: {version, entry} by `kind/id`."""
        self.queue: list[Json] = state.get("queue", [])
        """Changes that were not settled yet, oldest first; as they are sent."""
        self.refused: list[Json] = state.get("refused", [])
        """Changes that the server will not take, with its reason, for the person to see."""

    # What the person does.

    def create(self, kind: str, entry: Json) -> UUID:
        """Something new."""
        return self._enqueue(kind, "create", self._new_id(), 0, self._typed(entry))

    def amend(self, kind: str, entry_id: UUID, entry: Json) -> None:
        """Put this in an entry's place."""
        base_version = self._version(kind, entry_id)
        self._enqueue(kind, "amend", entry_id, base_version, self._typed(entry))

    def withdraw(self, kind: str, entry_id: UUID) -> None:
        """It was entered in error."""
        self._enqueue(kind, "withdraw", entry_id, self._version(kind, entry_id), None)

    def shown(self, kind: str) -> dict[UUID, Json]:
        """What stands: the server's copies, with what waits here on top."""
        standing = {
            UUID(key.partition("/")[2]): copy["entry"]
            for key, copy in self.entries.items()
            if key.startswith(f"{kind}/")
        }
        for change in self.queue:
            if change["kind"] == kind:
                typed = change["entry"] or {"status": "entered-in-error"}
                standing[UUID(change["id"])] = standing.get(UUID(change["id"]), {}) | typed
        return {
            entry_id: entry
            for entry_id, entry in standing.items()
            if entry.get("status") != "entered-in-error"
        }

    def _typed(self, entry: Json) -> Json:
        return {"recorded_at": self._now().isoformat()} | entry

    def _version(self, kind: str, entry_id: UUID) -> int:
        """The version that a change typed now is made on."""
        waiting = self._waiting(kind, str(entry_id))
        if waiting:
            return int(waiting[-1]["base_version"]) + 1
        return int(self.entries[f"{kind}/{entry_id}"]["version"])

    def _waiting(self, kind: str, entry_id: str) -> list[Json]:
        return [one for one in self.queue if (one["kind"], one["id"]) == (kind, entry_id)]

    def _enqueue(
        self, kind: str, op: str, entry_id: UUID, base_version: int, entry: Json | None
    ) -> UUID:
        self.queue.append(
            {
                "kind": kind,
                "op": op,
                "id": str(entry_id),
                "base_version": base_version,
                "entry": entry,
            }
        )
        self._keep()
        return entry_id

    # What the network allows.

    def catch_up(self, *, most: int = MAX_CHANGES, limit: int = 200) -> None:
        """Send what waits and read what is new, until there is neither.

        most: changes in one upload. limit: changes read at once. Raises: NotNow.
        """
        self.pull(limit=limit)
        while self.queue:
            if not self.push(most=most):
                raise NotNow
            self.pull(limit=limit)

    def push(self, *, most: int = MAX_CHANGES) -> int:
        """One upload of the oldest changes. Returns: how many the server spoke about.

        Raises: NotNow; what waits goes on waiting.
        """
        batch: list[Json] = []
        size = 0
        for change in self.queue[:most]:
            size += len(json.dumps(change))
            if batch and size > MAX_BYTES:
                break
            batch.append(change)
        return self._send(batch) if batch else 0

    def pull(self, *, limit: int = 200) -> None:
        """Read what is new, page by page. Raises: NotNow."""
        has_more = True
        while has_more:
            path = f"/v1/patients/me/changes?after={self.cursor}&limit={limit}"
            answer = self._ask("GET", path, None)
            if answer.status != 200:
                raise NotNow
            for change in answer.body["changes"]:
                self._learn(change["kind"], change["id"], change["version"], change["entry"])
            self.cursor, has_more = answer.body["next_after"], answer.body["has_more"]
            self._keep()

    def _ask(self, method: str, path: str, body: Json | None) -> Answer:
        """Ask again and again, ever more slowly, while the server may come back."""
        for attempt in range(self._tries):
            if attempt:
                self._pause(min(0.1 * 2**attempt, 30))
            try:
                answer = self._transport(method, path, body)
            except NoAnswer:
                continue
            # A 500 is about what was sent: to send it again unchanged seldom helps.
            if answer.status <= 500 and answer.status != 429:
                return answer
        raise NotNow

    def _send(self, batch: list[Json]) -> int:
        sent = {"changes": batch, "sent_at": self._now().isoformat()}
        answer = self._ask("POST", "/v1/sync", sent)
        if answer.status == 200:
            self._settle(batch, answer.body["results"])
            return len(batch)
        if answer.status not in (400, 413, 422, 500):
            raise NotNow  # signed out, say: nothing that has to do with what was typed
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._send(batch[:middle]) + self._send(batch[middle:])
        if answer.status == 500:
            # The server's fault, and may be mended: behind all others, and again later.
            stuck = self._waiting(batch[0]["kind"], batch[0]["id"])
            self.queue = [one for one in self.queue if one not in stuck] + stuck
            self._keep()
            return 0
        self._set_aside(batch[0], answer.body)
        return 1

    # What became of it.

    def _settle(self, batch: list[Json], results: list[Json]) -> None:
        as_sent = [dict(change) for change in batch]
        for change, was, result in zip(batch, as_sent, results, strict=True):
            if result["status"] == "refused":
                if change == was:  # else it was moved together with one before it
                    self._set_aside(change, result["problem"])
                continue
            self._learn(was["kind"], was["id"], result["version"], result["entry"])
            if result["status"] != "conflict":
                self.queue.remove(change)
            elif was["kind"] == "note":
                self._follow(change, result["kept_as"], batch)
            elif change == was:
                self._insist(change)
        self._keep()

    def _learn(self, kind: str, entry_id: str, version: int, entry: Json | None) -> None:
        """Keep the server's copy, unless a newer one is here. What has no entry is gone."""
        key = f"{kind}/{entry_id}"
        if self.entries.get(key, {"version": 0})["version"] < version:
            self.entries[key] = {"version": version, "entry": entry or {}}

    def _follow(self, change: Json, kept_as: str | None, batch: list[Json]) -> None:
        """The server's note stands, and the text is kept in another: what waits goes on there."""
        self.queue.remove(change)
        if kept_as is None:
            return
        waiting = self._waiting("note", change["id"])
        is_private = self.entries[f"note/{change['id']}"]["entry"]["tier"] == "private"
        # What was sent in the same upload has a result of its own.
        for place, one in enumerate([one for one in waiting if one not in batch], 1):
            one.update(id=kept_as, base_version=place)
            if is_private and one["entry"]:
                one["entry"]["tier"] = "private"  # another phone made the note private

    def _insist(self, change: Json) -> None:
        """What was typed goes on top of the server's version."""
        copy = self.entries[f"{change['kind']}/{change['id']}"]
        waiting = self._waiting(change["kind"], change["id"])
        if copy["entry"].get("status") != "entered-in-error":
            for version, one in enumerate(waiting, copy["version"]):
                one.update(base_version=version)
        elif change["op"] == "withdraw":
            self.queue.remove(change)
        else:
            typed = json.dumps(change["entry"], sort_keys=True)
            new_id = str(uuid5(UUID(change["id"]), typed))
            for version, one in enumerate(waiting):
                one.update(id=new_id, base_version=version)
            change.update(op="create")

    def _set_aside(self, change: Json, problem: Json) -> None:
        """It never was, and what was typed after it goes on without it."""
        self.queue.remove(change)
        self.refused.append({"change": change, "problem": problem})
        waiting = self._waiting(change["kind"], change["id"])
        for version, one in enumerate(waiting, change["base_version"]):
            one.update(base_version=version)
        if waiting and change["op"] == "create":
            if waiting[0]["op"] == "withdraw":
                self.queue.remove(waiting[0])
            waiting[0].update(op="create")
        self._keep()

    def _keep(self) -> None:
        """All or nothing: a phone may lose its power at any time."""
        state = {
            "cursor": self.cursor,
            "entries": self.entries,
            "queue": self.queue,
            "refused": self.refused,
        }
        written = self._kept.with_suffix(".new")
        written.write_text(json.dumps(state))
        written.replace(self._kept)
