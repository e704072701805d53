"""The load generator: a process of its own that keeps some connections busy for a while.

Reads one `Job` (MessagePack) from standard input and writes one `Measured` (JSON) to standard
output. It is written on the bare protocol because it shares the machine's cores with what it
measures: every microsecond spent here is taken from the server.
"""

import asyncio
import gc
import os
import random
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import uvloop

FRESH_ID = b"ffffffff-ffff-4fff-8fff-ffffffffffff"
"""Stands in a request, as often as it likes, for a UUID that has never been sent."""
NOW = b"1970-01-01T00:00:00.000000Z"
"""Stands in a request for the instant at which it is sent."""

FLAG_OF_ANSWER = re.compile(rb'"flag":\{"id":"([0-9a-f-]{36})"')
EVENT = re.compile(
    rb'event: (snapshot|flag|live)\ndata: \{(?:"id":"([0-9a-f-]{36})","version":(\d+))?[^\n]*\n\n'
)
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
DRAIN_SECONDS = 10.0
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Job(msgspec.Struct):
    """One measurement.

    requests: raw HTTP/1.1 requests; connection c of n sends numbers c, c + n, c + 2n … in turn,
        with `FRESH_ID` and `NOW` replaced, which keeps every length.
    warm_up_seconds, seconds: load before the timed window, and the window.
    server_pids, database_pid: the processes whose CPU is read at both ends of the window,
        descendants included.
    stream: the raw request of a stream of flags that is read meanwhile, or nothing.
    """

    host: str
    port: int
    connections: int
    requests: list[bytes]
    status: int
    warm_up_seconds: float
    seconds: float
    server_pids: list[int]
    database_pid: int
    stream: bytes = b""


class Measured(msgspec.Struct):
    """What happened in the timed window; `expected_total` alone counts the whole job.

    statuses: answers by HTTP status. p50_ms, p99_ms: time from request to whole answer.
    server_cpu_us, database_cpu_us: user and system time per answer. generator_busy: share of one
        core this process used. failure: what went wrong first, with a sample body, or "".
    events, event_p50_ms, event_p99_ms: of the answers that raised a flag, those whose flag came
    on the stream, and the time from the whole answer to it; 0 where it came before.
    """

    seconds: float
    statuses: dict[int, int]
    expected_total: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_cpu_us: float
    database_cpu_us: float
    generator_busy: float
    failure: str = ""
    events: int = 0
    event_p50_ms: float = 0.0
    event_p99_ms: float = 0.0


def cpu_seconds(roots: list[int]) -> float:
    """User and system time of these processes, of their descendants and of those they outlived.

    Source: proc_pid_stat(5), fields 4 (ppid) and 14 to 17 (utime, stime, cutime, cstime).
    """
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked; its parent has its time
        fields = stat[stat.rindex(")") + 2 :].split()  # the name may hold spaces
        pid = int(entry.name)
        children.setdefault(int(fields[1]), []).append(pid)
        ticks[pid] = sum(map(int, fields[11:15]))
    total = 0
    family = list(roots)
    while family:
        pid = family.pop()
        total += ticks.get(pid, 0)
        family += children.get(pid, [])
    return total * TICK


def fresh_id() -> bytes:
    """A random version 4 UUID; `uuid.uuid4` costs five times as much."""
    digits = b"%032x" % random.getrandbits(128)
    return b"%b-%b-4%b-8%b-%b" % (
        digits[:8],
        digits[8:12],
        digits[13:16],
        digits[17:20],
        digits[20:],
    )


def with_fresh_values(request: bytes) -> bytes:
    """The request with new ids and the current instant in their places."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    pieces = request.replace(NOW, now).split(FRESH_ID)
    for place in range(1, len(pieces)):
        pieces[place] = fresh_id() + pieces[place]
    return b"".join(pieces)


class Following:
    """What was raised and what came on the stream, matched by flag and version.

    Each flag is raised by one connection at a time, so its answers come in the order of its
    versions; an event stands for every version up to its own.
    """

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.is_live = asyncio.Event()
        self._answered: dict[bytes, int] = {}  # the newest version that was answered
        self._came: dict[bytes, int] = {}  # and that came
        self._waiting: dict[bytes, dict[int, tuple[float, bool]]] = {}

    def raised(self, flag: bytes, is_measured: bool) -> None:
        version = self._answered.get(flag, 0) + 1
        self._answered[flag] = version
        if self._came.get(flag, 0) < version:
            self._waiting.setdefault(flag, {})[version] = (time.perf_counter(), is_measured)
        elif is_measured:
            self.delays.append(0.0)

    def came(self, name: bytes, flag: bytes, version: int) -> None:
        if name == b"live":
            self.is_live.set()
            return
        self._came[flag] = version
        if name == b"snapshot":
            self._answered[flag] = version
            return
        now = time.perf_counter()
        waiting = self._waiting.get(flag, {})
        for number in [number for number in waiting if number <= version]:
            answered_at, is_measured = waiting.pop(number)
            if is_measured:
                self.delays.append(now - answered_at)

    def missing(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())


class StreamConnection(asyncio.Protocol):
    """Reads events for as long as the job lasts."""

    def __init__(self, load: "Load", request: bytes) -> None:
        self._load = load
        self._request = request
        self._text = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._text += data
        end = 0
        for event in EVENT.finditer(self._text):
            self._load.following.came(event[1], event[2], int(event[3] or 0))
            end = event.end()
        self._text = self._text[end:]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._load.stopping:
            self._load.fail(f"the stream ended: {self._text[:2000]!r}")


class Load:
    """The state all connections share: is the window open, what was seen, is it over."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.expected_total = 0
        self.measuring = False
        self.stopping = False
        self.failure = ""
        self.over = asyncio.Event()
        self.open_connections = 0
        self.following = Following()

    def answered(self, status: int, seconds: float, answer: bytes) -> None:
        if status == self.job.status:
            self.expected_total += 1
            if self.job.stream:
                self._followed(answer)
        else:
            self.fail(f"status {status}, not {self.job.status}: {answer[:2000]!r}")
        if self.measuring:
            self.latencies.append(seconds)
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def _followed(self, answer: bytes) -> None:
        flag = FLAG_OF_ANSWER.search(answer)
        if flag is None:
            self.fail(f"an answer without a flag: {answer[:2000]!r}")
        else:
            self.following.raised(flag[1], self.measuring)

    def fail(self, failure: str) -> None:
        self.failure = self.failure or failure
        self.stopping = True
        self.over.set()

    def closed(self) -> None:
        self.open_connections -= 1
        if not self.stopping:
            self.fail("the server closed a connection")
        elif self.open_connections == 0:
            self.over.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection: sends, waits for the whole answer, sends the next."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._requests = load.job.requests[number :: load.job.connections]
        self._fresh = FRESH_ID in self._requests[0] or NOW in self._requests[0]
        self._next = 0
        self._sent_at = 0.0
        self._answer = b""
        self._length = 0  # of the whole answer; 0 until its head has come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has another ancestry
        self._load.open_connections += 1
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._length == 0:
            head = self._answer.find(b"\r\n\r\n") + 4
            if head < 4:
                return
            length = CONTENT_LENGTH.search(self._answer, 0, head)
            if length is None:
                self._load.fail(f"an answer without a length: {self._answer[:2000]!r}")
                self._transport.close()
                return
            self._length = head + int(length[1])
        if len(self._answer) < self._length:
            return
        waited = time.perf_counter() - self._sent_at
        self._load.answered(int(self._answer[9:12]), waited, self._answer)
        self._answer = b""
        self._length = 0
        if self._load.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed()

    def _send(self) -> None:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        if self._fresh:
            request = with_fresh_values(request)
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def delays_of_events(load: Load) -> list[float]:
    """Seconds, in order, once everything that was raised has come; fails if it does not come."""
    following = load.following
    for _ in range(int(DRAIN_SECONDS / 0.01)):
        if load.failure or not following.missing():
            return sorted(following.delays)
        await asyncio.sleep(0.01)
    load.fail(f"{following.missing()} flags never came on the stream")
    return []


async def run(job: Job) -> Measured:
    """Drive the job to its end.

    Returns within the job's seconds plus `DRAIN_SECONDS`, whatever the server does.
    """
    load = Load(job)
    loop = asyncio.get_running_loop()

    loop.set_exception_handler(lambda _loop, context: load.fail(f"the generator broke: {context}"))

    def readings() -> tuple[float, float, float, float]:
        server, database = cpu_seconds(job.server_pids), cpu_seconds([job.database_pid])
        return time.perf_counter(), server, database, time.process_time()

    if job.stream:
        await loop.create_connection(lambda: StreamConnection(load, job.stream), job.host, job.port)
        await asyncio.wait_for(load.following.is_live.wait(), DRAIN_SECONDS)
    for number in range(job.connections):
        await loop.create_connection(lambda n=number: Connection(load, n), job.host, job.port)  # type: ignore[misc]
    begin = end = readings()
    for phase_seconds, measures in ((job.warm_up_seconds, False), (job.seconds, True)):
        load.measuring = measures
        begin = readings()
        try:
            await asyncio.wait_for(load.over.wait(), phase_seconds)
            break  # it failed
        except TimeoutError:
            end = readings()
    load.measuring = False
    load.stopping = True
    if not load.failure:
        try:
            await asyncio.wait_for(load.over.wait(), DRAIN_SECONDS)
        except TimeoutError:
            load.fail(f"no answer within {DRAIN_SECONDS} s")
    delays = await delays_of_events(load)
    elapsed, server, database, own = (
        after - before for after, before in zip(end, begin, strict=True)
    )
    answers = sorted(load.latencies)
    if not answers and not load.failure:
        load.fail("no answer in the timed window")
    count = len(answers) or 1
    return Measured(
        seconds=elapsed,
        statuses=load.statuses,
        expected_total=load.expected_total,
        requests_per_second=len(answers) / elapsed if elapsed > 0 else 0.0,
        p50_ms=answers[count // 2] * 1e3 if answers else 0.0,
        p99_ms=answers[count * 99 // 100] * 1e3 if answers else 0.0,
        server_cpu_us=server / count * 1e6,
        database_cpu_us=database / count * 1e6,
        generator_busy=own / elapsed if elapsed > 0 else 0.0,
        failure=load.failure,
        events=len(delays),
        event_p50_ms=delays[len(delays) // 2] * 1e3 if delays else 0.0,
        event_p99_ms=delays[len(delays) * 99 // 100] * 1e3 if delays else 0.0,
    )


def main() -> None:
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    gc.freeze()
    gc.disable()  # a collection would show up as somebody's slowest answer
    measured = uvloop.run(run(job))
    sys.stdout.buffer.write(msgspec.json.encode(measured))


if __name__ == "__main__":
    main()
