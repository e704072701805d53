"""A phone that was away: what it kept is taken in, and what it missed is told.

    POST /v1/sync                         up to 500 changes of the patient's own entries
    GET  /v1/patients/{id}/changes        the ledger from a cursor, as far as the reader may see it
    GET  /v1/patients/{id}/bundle         what a phone keeps for when there is no network

Decided:

- A change is `{kind, op, id, base_version, entry}`: create, amend or withdraw one entry, made on a
  version. Each is judged alone and in the order sent, and answered by its place: created, amended,
  withdrawn, unchanged, conflict (with the server's copy), or refused (with a problem). A bad change
  is refused before anything of it is stored, so it never stands in another's way.
- The whole upload is one transaction: what the server has is read in one go, everything new
  travels together, and one commit makes it last. Sent again, every change finds itself in the
  ledger and is `unchanged`.
- Nothing typed is lost in a conflict. The change of a note is kept as a note of its own
  (`kept_as`); for the other kinds the phone gets the server's copy and may send its own on top of
  that version, where every version stays readable.
- There is one safety plan, under the patient's own id: of two phones that write the first one, the
  later is in conflict. It is amended, never withdrawn.
- `seq` is the cursor: it grows with every change to the record. Rows that the reader may not see
  leave gaps, and the cursor moves on over them. What a phone does not know it passes over, so new
  kinds of entries do not break an old app.
- A note that its patient made private is gone from a clinician's feed, in every version; if the
  clinician could see it before, a tombstone says so.
"""
