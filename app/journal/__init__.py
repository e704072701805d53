"""The entries of a journal, of whatever kind, kept in one way.

Intentions, practices, triggers, goals, a course, a screening: each is a few members, sealed where
they are somebody's words, that a person sends, amends, withdraws and reads again, with every
version in the ledger. What is the same about all of them is here once; a feature declares its
tables, its schemas and a `Shelf`, adds the rules that are its own, and has the seven routes.

    shelf       a kind of entry: creating, amending, withdrawing, retries
    reading     what of it is shown to whom: one, a list, the versions
    form        how it is stored: what is a column and what is sealed
    danger      a danger to the body that it may tell of, and the flag
    links       what an entry came from
    statements  what is asked of its table
    routes      the seven routes

Decided:

- Composed, not inherited: a `Shelf` is a value that a feature calls, and a kind with a story of its
  own (a check-in, a dosing session) is not kept on one.
- A member that is a column of the table is stored plainly; every other one is sealed, all of them
  together. So what must be found or counted is decided in the table, and words are sealed unless
  somebody decides otherwise.
- A tier says who reads an entry: `private` the patient alone; `care-team` also those who care for
  them; `health-record` also the health-record systems that the clinic is connected to. The tier as
  it is now holds for every version. Private entries stay out of a clinician's view in the
  statement itself.
- Besides its tier, a kind may have entries that are closed to some of its readers, an author who
  alone changes them, or an author who alone reads them. What is its author's alone is sealed once
  more in the ledger, where every other kind is read with the patient's key.
- An entry may name the one it came from. Whether that one exists is asked of the ledger, so that a
  goal can come from a note without either feature knowing the other. Only the patient is shown it
  with the entry: to others it could tell of a private one.
"""
