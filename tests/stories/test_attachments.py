"""Attachments over real connections: cut in the middle, resumed, and never held whole."""

import socket
import threading
import time
from contextlib import ExitStack, closing
from hashlib import sha256
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from app.experience.attachments import CHUNK
from app.kernel.db import libpq
from app.kernel.settings import Settings
from tests.builders import a_note, a_picture, an_attachment
from tests.stories.servers import LiveServer
from tests.stories.test_crashes import People

MIB: Final = 1024 * 1024
AT_ONCE: Final = 6
SIZE: Final = 12 * MIB
MOST_MORE: Final = 40
"""MiB that a process may grow by while it takes AT_ONCE files of SIZE, which are 72."""
SOON: Final = 20.0


class Phone:
    """A patient's phone, and what it sends by hand."""

    def __init__(self, server: LiveServer, headers: dict[str, str]) -> None:
        self.server = server
        self.headers = headers
        self.api = httpx.Client(base_url=server.base_url, headers=headers, timeout=SOON)

    def begin(self, content: bytes) -> str:
        """Returns: the address of an attachment's content."""
        note = self.api.post("/v1/patients/me/notes", json=a_note())
        sent = an_attachment(content, id=str(uuid4()))
        begun = self.api.post(f"/v1/patients/me/notes/{note.json()['id']}/attachments", json=sent)
        assert begun.status_code == 201, begun.text
        return f"/v1/patients/me/attachments/{sent['id']}/content"

    def send(self, path: str, content: bytes, at: int = 0) -> httpx.Response:
        """All the rest."""
        return self.api.patch(path, content=content, headers=upload(at))

    def send_and_hang_up(self, path: str, content: bytes, after: int) -> None:
        """Announce all of it, send so many bytes, and be gone."""
        place = urlsplit(self.server.base_url)
        head = {**self.headers, **upload(0), "Host": "x", "Content-Length": str(len(content))}
        lines = [f"PATCH {path} HTTP/1.1", *(f"{name}: {said}" for name, said in head.items())]
        with socket.create_connection((place.hostname, place.port), timeout=SOON) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode() + content[:after])

    def stored(self, path: str) -> int:
        """How many bytes the server has."""
        return int(self.api.head(path).headers["Upload-Offset"])


def upload(at: int) -> dict[str, str]:
    """The headers of all the rest."""
    return {
        "Upload-Offset": str(at),
        "Upload-Complete": "?1",
        "Content-Type": "application/partial-upload",
    }


def until(condition: Any) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def mib(pid: int, what: str) -> int:
    """Of a process's memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(what)
    )


@pytest.fixture
def phones(fresh_database: Settings, opened: ExitStack) -> list[Phone]:
    """Of a server that runs."""
    server = opened.enter_context(LiveServer(fresh_database))
    people = People(server)
    made = [Phone(server, people.headers(one)) for one in people.patients[:AT_ONCE]]
    for phone in made:
        opened.enter_context(phone.api)
    return made


class TestAttachments:
    def test_one_that_was_cut_in_the_middle_goes_on_where_it_broke_off(
        self, phones: list[Phone]
    ) -> None:
        content = a_picture(5 * CHUNK + 1234)
        phone = phones[0]
        path = phone.begin(content)

        phone.send_and_hang_up(path, content, after=2 * CHUNK + 99)
        until(lambda: phone.stored(path) == 2 * CHUNK)
        phone.server.kill("serve")
        phone.server.start()
        done = phone.send(path, content[2 * CHUNK :], at=2 * CHUNK)

        assert (done.status_code, done.json()["status"]) == (200, "final")
        assert phone.api.get(path).content == content

    def test_a_download_of_which_a_chunk_was_exchanged_breaks_off_before_it(
        self, phones: list[Phone], fresh_database: Settings
    ) -> None:
        content = a_picture(5 * CHUNK)
        phone = phones[0]
        path = phone.begin(content)
        assert phone.send(path, content).status_code == 200
        with psycopg.connect(libpq(str(fresh_database.migration_url))) as behind:
            behind.execute(
                "UPDATE attachment_chunk a SET sealed = b.sealed FROM attachment_chunk b"
                " WHERE a.number + b.number = 5 AND a.number BETWEEN 2 AND 3"
            )

        place = urlsplit(phone.server.base_url).netloc
        with closing(HTTPConnection(place, timeout=SOON)) as wire:
            wire.request("GET", path, headers=phone.headers)
            answer = wire.getresponse()
            with pytest.raises(IncompleteRead) as broken:
                answer.read()

        assert answer.headers["Content-Length"] == str(len(content))
        assert broken.value.partial == content[: 2 * CHUNK]

    def test_many_at_once_are_never_held_whole(self, phones: list[Phone]) -> None:
        content = a_picture(SIZE)
        paths = [phone.begin(content) for phone in phones]
        process = phones[0].server.pids["serve"]
        before = mib(process, "VmRSS")
        answers: dict[str, tuple[int, str]] = {}

        def there_and_back(phone: Phone, path: str) -> None:
            sent = phone.send(path, content).status_code
            answers[path] = sent, sha256(phone.api.get(path).content).hexdigest()

        threads = [
            threading.Thread(target=there_and_back, args=one)
            for one in zip(phones, paths, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

        assert answers == dict.fromkeys(paths, (200, sha256(content).hexdigest()))
        assert mib(process, "VmHWM") - before < MOST_MORE
