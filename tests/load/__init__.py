"""The benchmark: what Afterglow costs beside a hand-written server, measured in one run.

`make bench`, or `python -m tests.load --help`.

**What is measured.** A durable PostgreSQL (fsync, full_page_writes and synchronous_commit on)
is started for the run. On it, one process each behind uvicorn with uvloop and httptools and no
access log:

- the *floor* (`floor.py`): Starlette, asyncpg and msgspec by hand, one INSERT or one SELECT per
  request and nothing of what a clinical record needs. It is the fastest such a server
  reasonably is, so the ratio to it is what everything else costs;
- the *template* (`template.py`): the usual FastAPI and SQLModel application in its fair form,
  with the same table, the same requests and the same answers;
- *Afterglow* (`afterglow.py`), as `afterglow serve` runs it;
- *due*, *changes* and *sync* (`away.py`): three more of it, asked what a phone asks when it comes
  back;
- *seals*: opening sealed words of three lengths beside AES-GCM alone on the same bytes, in one
  process and without a server;
- *visits* (`visits.py`): one more, asked for thirty dosing sessions with what their vital signs
  show, and sent five hundred readings at a time;
- *pgbench* with the floor's INSERT and no server at all: what PostgreSQL alone can commit. A
  floor under a fifth of it is too slow to be called one, and the run says so.

A *write* posts one PHQ-9 check-in with an id nobody has used; a *read* asks for the 200 points
of one patient. There are 128 patients who write and 128 others who are read, and each
connection keeps to its own, so no row is hot and what is read does not grow. *Due* is what a
patient of 6 doses and 200 check-ins has to answer, and one of 300 and 5,000, beside the floor's
read; *changes* is the newest page of a ledger of 200 entries and of one of 20,000; *sync* is 500
check-ins in one upload, and the same upload once more, beside one check-in per request on a
connection that is kept. A list of thirty *sessions* stands beside the floor's read, and each of the
500 readings of an upload of *vitals* beside one check-in. In both uploads one connection is one
phone, and rates and CPU are told for each check-in or reading, milliseconds for each request.

**How.** The load generator is a process of its own that keeps every connection busy (closed
loop, keep-alive, no pipelining). Rounds interleave the subjects, every other round backwards,
so that a slow minute of the machine falls on all of them. One unexpected status fails the run
and prints the body. In the end each subject's table must hold every check-in it said it stored.

**How to read it.** Figures are medians over the rounds. Compare the ratios to the first line of
each table, printed as `x` beside each figure, and never figures of two runs: generator, server
and PostgreSQL share the machine's cores, and requests per second say as much about it as about
the server. Let nothing else run meanwhile; the load average before the run is in the heading.
`CPU us` is the server's user and system time per request, which a busy machine disturbs least;
`PG us` is PostgreSQL's, all its processes together, and tells whether a ratio is the server's or
the database's. A generator that was itself the bottleneck is named below the table.

These are not tests: nothing here is collected by pytest, and no build waits for a number.
"""
