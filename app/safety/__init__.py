"""When somebody may be in danger.

A flag says that a patient may be at risk, how gravely (low, moderate, high) and on what
evidence. It is raised in the transaction that stored the evidence, together with its ledger row
and the promise to tell the care team; there is no way to store one without the others.

Decided:

- One episode is one flag: while a patient's flag is not resolved, new evidence joins it. It can
  raise the level and never lowers it. Evidence begins a new alert round if it raises the level,
  if it is of high level, or if it joins a flag that somebody acknowledged or whose last round
  began a day ago (our convention).
- Nothing but a clinician closes a flag: no later score and no withdrawn answer does.
- A round is told step by step, by the policy that held when it began (`escalation`), until somebody
  answers. Steps are rows, done under the flag's lock; the promise of a round promises itself for
  the next step. Whoever is told and does not care for the patient yet gets a care link that ends
  with the flag; both its ends are in the patient's ledger.
- What is written to somebody's address names nobody and says nothing but that there is something.
  Its link carries flag, round and step. Each channel has a loop of its own.
- A call for help needs no consent, no active account and no body that can be read. A clock decides
  nothing about it; calls within a minute, while nobody has answered, are one.
- Danger to the body is a kind of its own. Danger that arrives after 14 days alarms nobody.
- Every answer to what a patient sends carries the `safety` block: the crisis lines of their
  country, who has been told and when they are on duty, and what was found. It is true at that
  moment and never says that anyone is watching.
- The safety plan is the patient's own: they alone write it, and whoever cares for them reads it.
  It is in the block where danger was flagged, and a plan that cannot be read keeps no call back.
- Crisis lines are data with a source. A country without a verified row gets an empty list and a
  plain sentence, never another country's line.

    flag           one per episode: level, status, round
    flag_evidence  what raised it or joined it
    flag_event     what somebody did about it
    flag_step      a step of a round: who is told, and when
    notice         who was told in which round
    alert_address  where a member is written to
    alert_delivery an attempt to
    clinic_escalation  a version of a clinic's policy
    safety_plan    what the patient means to do, newest version
"""
