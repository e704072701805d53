"""A browser without a screen: it keeps a cookie, says where it comes from, and fills in forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape

from fastapi.testclient import TestClient
from httpx2 import Response

from app.console import session
from app.kernel.db import Db, Direct
from app.kernel.identity import Standing
from tests.builders import PASSWORD, Person

ORIGIN = "http://testserver"
FROM_US = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """One browser. cookie: as the server set it; None before that and after signing out."""

    client: TestClient
    cookie: str | None = None
    set_cookie: str = field(default="", init=False)

    def get(self, path: str, **headers: str) -> Response:
        """A page; a redirect is not followed."""
        return self._ask("GET", path, {}, headers)

    def post(self, path: str, fields: Mapping[str, str | list[str]], **headers: str) -> Response:
        """A form as a page of ours would send it, but for its token."""
        return self._ask("POST", path, fields, {**FROM_US, **headers})

    def submit(self, path: str, **fields: str | list[str]) -> Response:
        """A form with the token that this session's pages carry."""
        return self.post(path, {"token": self.token(), **fields})

    def token(self) -> str:
        """From a page that everybody has."""
        return value_of("token", self.get("/console/account").text)

    def sign_in(self, username: str, password: str = PASSWORD, **fields: str) -> Response:
        """With the form."""
        return self.post("/console/sign-in", {"username": username, "password": password, **fields})

    def _ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str | list[str]],
        headers: dict[str, str],
    ) -> Response:
        if method == "POST":
            # Said also of a form without a field, as browsers do.
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        if self.cookie is not None:
            headers = {**headers, "Cookie": f"afterglow={self.cookie}"}
        answer: Response = self.client.request(
            method,
            path,
            data=dict(fields) if method == "POST" else None,
            headers=headers,
            follow_redirects=False,
        )
        self.client.cookies.clear()
        said = answer.headers.get("set-cookie")
        if said is not None:
            self.set_cookie = said
            self.cookie = said.partition(";")[0].partition("=")[2] or None
        return answer


def at_work(direct: Direct, person: Person, at: datetime) -> Browser:
    """Somebody who signed in at that instant."""

    def begin(db: Db) -> str:
        standing = Standing(
            person.clinic_id,
            person.membership_id,
            person.account_id,
            person.role,
            [],
            None,
            b"",
            at,
        )
        return session.begin(db, standing, at)

    return Browser(person.client, direct.run(begin))


def value_of(name: str, page: str) -> str:
    """What a hidden field has."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return unescape(found[1])


def heading(page: str) -> str:
    """What a page says it is."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert found, "no heading"
    return unescape(re.sub(r"<[^>]+>", "", found[1])).strip()


def wrong(page: str) -> list[str]:
    """The sentences of the error summary."""
    return [
        unescape(re.sub(r"<[^>]+>", "", one)).strip()
        for summary in re.findall(r'<div class="wrong-summary".*?</div>', page, re.DOTALL)
        for one in re.findall(r"<li>(.*?)</li>", summary, re.DOTALL)
    ]


def bare(page: str) -> str:
    """A page without what differs each time it is asked for: instants, and ids made with forms."""
    within = re.search(r"<main.*?</main>", page, re.DOTALL)
    assert within, "no content"
    without_times = re.sub(r"<time.*?</time>", "", within[0])
    return re.sub(r'<input type="hidden"[^>]*>|value="[^"]*"', "", without_times)
