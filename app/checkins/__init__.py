"""What a patient's phone sends: answers to an instrument; and what it is asked to send, when.

    packs      which instruments a clinic offers: what ships, and what it added
    service    submitting, amending and withdrawing check-ins
    baselines  a clinician's choice of what change is measured from
    schedule   the clinic's protocol, what is due by it, what came too late
    today      what there is to do now besides: practices, steps; and in which order

`submit` scores the answers, looks for a sign of danger, stores the check-in, its ledger row and,
if there is one, its flag, in one transaction, and answers with all of it.

Decided:

- Raw answers are kept; the total and band are computed here and never taken from a client. A
  missing answer makes the total null and never hides a sign of danger.
- A retry is found by its client-made id after the insert collided, so the first sending pays
  nothing for it: same content, same check-in (200); other content, 409. `sent_at` is when the
  phone tried and not part of the content.
- `recorded_at` never refuses a check-in; `kernel.arrival` places it in time.
- The position relative to the doses, and the time point that an answer belongs to, are computed
  at reading: a dose that is recorded later moves both.
- A check-in is amended or withdrawn in place, by its version; the ledger keeps every one. Neither
  clears a flag, and an amendment that adds a sign of danger raises one.
- A rise between two checks (`rises`) is looked for on both sides of whatever was sent, amended,
  moved or withdrawn: checks arrive in any order, and none may hide that the next one rose.
- Of an instrument whose questions may not be shipped only scores are kept, recorded by a clinician.
- A definition is never changed under old answers: a clinic adds a new version. Switching an
  instrument off stops offering it; answers given before the phone heard of that are still taken.
- A protocol is data, versioned per clinic. `due` tells what is open, next, answered, late, missed.
- What is due is also told in one order with what patients set themselves for today. In the days
  after a dose that goes before questionnaires; nothing goes before a check on somebody's safety.
  Screeners are that, and so is whatever is asked by the hour after a dose (our convention).
- Change is measured from the baseline that `clinical.trajectory` finds, unless a clinician pinned
  another check-in. A pin is an entry like any other: it is never changed, a newer one holds.

    baseline_pin       a clinician's choice of baseline
    check_in           answers, total, finding's level, and when
    clinic_instrument  a version of an instrument that a clinic added
    clinic_protocol    a version of what a clinic asks when
"""
