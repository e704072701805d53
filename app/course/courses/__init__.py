"""A course of treatment: by which protocol, for what, how many sessions how far apart, its state.

Its status is the state of `clinical.course`. A move is an amendment with another status, and has
an action of its own in the ledger: `course.started`, `course.paused`, `course.stopped`.

Decided:

- Its status moves as `clinical.course` says and nowhere else: 409, with where it can go.
- What pauses, stops or reopens needs a reason, sealed.
- One course at a time that has not ended: a dose would otherwise belong to two.
- Where doses are given (active, maintenance) nobody goes without a screening, or while a hard stop
  stands. What is not known is told and kept with the course as it was then (`eligibility`), and
  stands in nobody's way: whoever starts it has read it.
- A hard stop that turns up later moves no course. It is told wherever the course is prepared for,
  and a clinician decides.
- A visit names the course that it is part of. None is planned in a course that has ended; a dose
  in one is kept, because it was given, and the checklist warns of it.
- The version of the protocol is named, exists, and stays with the course, whatever is published
  later. A plan outside of what it says is a question (`outside_protocol`), and no error.
"""
