"""What it was like, in words: before, during and after the room.

    intention           what somebody hopes for or asks of a session, before it
    experience_note     what it was like: narrative, emotions, insights, themes, how strong,
                        how challenging, and whether something broke through
    attachment          a voice recording or a picture that belongs to a note
    clinician_note      what a clinician writes about a patient for those who treat them
    psychotherapy_note  what a therapist writes for nobody but themselves

Decided:

- All of what a patient wrote is sealed, the numbers too. How strong it was says as much of an
  inner experience as a sentence, and nothing counts, sorts or searches by it: what is counted is
  asked with an instrument. Plain are who reads it (`tier`), the session it is about, and when.
- The tier of a note is its attachments' too, always. A private note has no attachment, and a
  withdrawn one shows its attachments to nobody but the patient.
- Of two texts that two devices wrote at once both are kept: the second becomes a note of its own,
  as private as the stricter of the two. Its attachments stay with the first.
- A clinician's note is amended and withdrawn by who wrote it. The patient reads what its author
  shares with them (`is_shared_with_patient`), and no other.
- Psychotherapy notes are kept apart (45 CFR 164.501: separated from the rest of the record;
  164.508: an authorization of their own for nearly every use; 164.524: not among what a patient
  may ask for). Only their author reads them. They are in no feed, thread, upload or export. What
  the ledger keeps of their words is sealed once more, for this kind alone: whoever exports a
  ledger has not exported them.
- The bytes of a file are never believed: its kind is read from how it begins, its length and its
  digest are counted, and it is answered as a download that no browser runs. Only recordings and
  pictures of a few formats are taken; nothing that can carry a script (SVG, HTML) is.
"""
