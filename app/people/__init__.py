"""Who is who, and who may see what.

A clinic is a tenant. An account is a person who can sign in; a membership is what that person
is in one clinic: a patient, a clinician with privileges (therapy, prescribe, monitor, coach) or
an administrator. Privileges decide what a clinician may do, not job titles.

A `Chart` is the right to work with one patient's record, for one request. Only `open_chart`
makes one, after it has checked role, membership, care link, consent and privilege; it also
writes the access log, which commits before the answer leaves. Everything that touches a
patient's record takes a Chart and never a bare id.

Decided:

- A patient always reads their own record; a clinician needs a care link that holds now and a
  treatment consent that holds now. Without either the record does not exist for them (404).
- An administrator runs the clinic and reads no clinical content (403).
- Somebody becomes a patient by accepting an invitation, which records their consent to
  treatment with the version of the notice they were shown. The inviting clinician, or the one
  whom the administrator names, gets the first care link.
- That a patient took their consent back, or gave it again on paper, is recorded by an administrator
  in the patient's ledger. Without it no clinician opens the record; what the patient sends is kept.
- What administrators publish in versions (a protocol, a policy of escalation) is numbered, and said
  to have been published by whom, in one place (`published`).
- A clinic requires a second factor of its clinicians and administrators unless it is synthetic, and
  of patients never: whoever is in danger must not stand before a code. An administrator resets a
  colleague's, unless the colleague is in another clinic too.
- Names and contact data are sealed; the username is found by a keyed hash.
"""
