"""The course of treatment: whether to begin, what surrounds each dose, and what it adds up to.

`treatment` holds what is measured from: the dosing sessions and what a patient wrote of them. This
package stands above it and above `checkins`, because it goes by the clinic's protocol and by what
was answered: a screening before a session, thresholds for a vital sign, the gate before somebody
goes home.

    screening            whether anything speaks against it
    stop_resolution      a prescriber resolved one hard stop of it, with a reason
    trial_history        treatments that failed before, as data that outcomes are told apart by
    medication           what else is taken; interactions warn and never decide
    course               protocol version, indication, plan, state
    preparation          the patient's part of the checklist before a session
    preparation_check    what staff asked and measured; gaps warn and are recorded
    sessions             the visit itself, with its course and what was open at its first dose
    vital_signs          readings in a batch, from a monitor or by hand
    side_effects         onset, severity, what was done, resolution; a severe one is a flag
    discharge            the gate: every criterion, and every override with its reason
    aftercare            what was given to take home, and the patient's word that they read it
    (exposure)           computed from the administrations whenever it is asked
    (risk_screen)        the screen since the last dose, read before a dose and at the door

Decided:

- Clinicians write all of it except medication, the patient's part of a checklist, side effects they
  notice at home and the receipt of aftercare, which a phone sends like everything else.
- Nothing here proposes a dose, names a diagnosis or reassures. What is not known is open, and never
  a no.
- What a protocol says is read when something is recorded and its version is kept with it, so that
  a later protocol changes nothing about what was found.
- A batch of readings is one entry with one row of the ledger, whether it holds one or 500: a
  monitor that sends again changes nothing. What a list shows of them is kept with the session,
  computed anew whenever a reading or a dose changes.
"""
