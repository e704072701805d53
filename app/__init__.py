"""Afterglow: the open backend for ketamine-assisted psychotherapy journals.

The map of the house. Imports run one way, top to bottom:

    cli                     the command line
    operations              what an operator does: up, demo, hours, audit, doctor
    main | worker           composition; keeps what the outbox promised
    console                 the therapist's pages
    story                   read-only: the thread of a record, and one page a week
    trends                  read-only: trajectories, charts, report, caseload, outcomes
    sync                    a phone that was away: upload, changes feed, bundle
    reminders               devices, quiet hours, and what a patient was reminded of
    course | integration    eligibility, the course, what surrounds each dose, what it adds up to;
                            insights, and the talk about a dose afterwards
    checkins                what a patient's phone sends; instruments, protocol, what is due
    experience              intentions, notes, attachments; what clinicians write
    treatment | goals | practices  dosing sessions; integration goals; practices, coping, triggers
    journal                 how an entry of any kind is kept, shown, linked and asked for
    safety                  flags, crisis lines, the safety block of every answer
    people                  clinics, invitations, patients, care links; opens Charts
    kernel | clinical       the promises (db, ledger, vault, identity); the medicine (pure)

Routes speak HTTP, services tell the story, `clinical` knows the medicine, `kernel` keeps
the promises. A feature is four files and a docstring: `__init__.py` says why it exists,
`tables.py` what is stored, `schemas.py` what crosses the wire, `service.py` the verbs (or a
module for each story, where one would be long), `routes.py` parses, calls one verb and returns.
"""

__version__ = "0.1.0"
