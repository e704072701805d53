"""Reminding a patient of what is due, where and when they want it.

    POST|GET /v1/me/devices, DELETE /v1/me/devices/{id}   mail, Web Push, or a signed webhook
    GET|PUT  /v1/me/reminders                             quiet hours, snooze, stop; what was asked
    POST     /v1/me/reminders                             a phone tells what it prompted or put off

    device         where reminders go; its address is sealed
    reminder_plan  how one patient wants to be reminded, and when the worker looks again
    reminder       one thing that was due: prompted, put off, answered

Decided:

- A phone plans its own notifications from `due`; the server reminds only those who registered a
  device. Each thing that is due is prompted once, and again when a snooze is over.
- No message says what it is about: no instrument, no clinic, no clinical word. A mail lies in an
  inbox and a push on a locked screen; what is due is read after signing in.
- The worker looks at a patient when the next thing opens, and at the latest after an hour: so a
  dose or an answer that moved the schedule is noticed without every check-in paying for it. What
  is sent is checked against the list of that moment, at every attempt.
- Flags do not wait for reminders: a slow address holds up other reminders and nothing else.
- An address that does not answer is tried again after as long as it has been tried already, and
  given up for this reminder after a day.
"""
