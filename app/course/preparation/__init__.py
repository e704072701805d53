"""What has to be looked at before a dose, and who said what of it.

    preparation         the patient's part, sent by a phone, also later
    preparation_check   what staff asked, looked up and measured, with what was found then
    (the checklist)     both, held against the protocol, the record and the check-ins

Decided:

- Two kinds, because two people answer at once and neither may overwrite the other. Each may send
  as often as they like; of an item the last answer counts, the patient's where the protocol asks
  patients.
- What the record knows is read from it: consent and the notice it was given to, the risk screen
  since the last dose (`risk_screen`, which the gate at the door reads too), the blood pressure of
  a check or of the visit's vital signs against the alarms. A tick never makes those better.
- A gap warns, and keeps nobody out. A check that is sent keeps with it what was found at that
  moment (`found`), by which version of the protocol.
- Of a visit at which something was given, the checklist is told as it stood at the first dose, by
  the protocol of that moment: what is said or published afterwards changes nothing of it; what was
  said before may be corrected. What else warned is told as it stood when the dose was recorded.
- What was open at that moment is kept with the visit itself, in the same transaction
  (`open_at_dose`), so that no correction afterwards makes it look better than it was.
- An answer to an item that this version of the protocol does not have is kept and counts for
  nothing: a phone may be a version behind, and what a patient answered is not thrown away.
"""
