"""From insight to change: what a patient understood, and the talk about it afterwards.

    insight              what somebody understood, in their words; usually came from a note
    integration_session  a talk with a therapist after a dose: planned, attended, missed, cancelled
    session_summary      a part of a session: what was agreed there, as the therapist wrote it
    summary_agreement    a part of a summary: the patient agrees to a version of it, or does not

This package stands above `checkins` because a talk is proposed by the clinic's protocol, and above
`experience`, `goals` and `safety` because its agenda is built from what lies there.

Decided:

- Insights and agreements are the patient's and may be sent without a network. Sessions and
  summaries are written by therapists; the patient reads both.
- To which dose a talk belongs, and when the next one is proposed, is computed when it is read: a
  dose that is entered late moves it. A date outside of the protocol's hours is not refused.
- The agenda is the same for both who read it, but for flags. It is made anew whenever it is asked
  for and stored nowhere. It names entries by id and time and repeats no words; what is private is
  not in it, not even when the patient asks. Of open flags the patient sees the state, clinicians
  the level too.
- A note or an insight is new if it was written, changed or shared since the last talk that was
  attended. Which goals stand still is a convention (`clinical.integration`).
- Writing a summary is the therapist's agreement to it. A patient's agreement names a version; a
  later version has to be agreed to again. Somebody may disagree, and say why.
"""
