"""What a patient's phone sends: answers to an instrument.

`submit` scores the answers, looks for a sign of danger, stores the check-in, its ledger row and,
if there is one, its flag, in one transaction, and answers with all of it.

Decided:

- Raw answers are kept; the total and band are computed here and never taken from a client. A
  missing answer makes the total null and never hides a sign of danger.
- A retry is found by its client-made id after the insert collided, so the first sending pays
  nothing for it: same content, same check-in (200); other content, 409. `sent_at` is when the
  phone tried and not part of the content.
- `recorded_at` never refuses a check-in; `kernel.arrival` places it in time.
- The position relative to the doses is computed at reading.

- Change is measured from the baseline that `clinical.trajectory` finds, unless a clinician pinned
  another check-in. A pin is an entry like any other: it is never changed, a newer one holds.

    baseline_pin  a clinician's choice of baseline
    check_in      answers, total, finding's level, and when
"""
