"""The gate at the door: who may go home after a dose.

    discharge  that somebody was let go: every criterion, what was known of it, and every override

Decided:

- The criteria are the clinic's protocol's, held against what is in the record: doses, readings, the
  screen for suicide risk since the last dose, and what a clinician attests. What is not known is
  not met.
- An open criterion is overridden by name and with a reason, or nobody is let go: the answer says
  what is open, and nothing is stored.
- It is judged as of when it was recorded. A correction is judged by the protocol as it was then.
- A visit has one discharge. One that was withdrawn makes room for another.
- It ends no visit: when a visit ended is said of the visit.
"""
