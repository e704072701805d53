"""The promises: what every feature may rely on and none may do for itself.

    settings   the environment, read once
    clock      what time it is, and how instants are written
    errors     the closed catalogue of problems a client can meet
    db         the only way to PostgreSQL, and the only thing that commits
    edge       HTTP to a plain function and back, commit before the response
    tokens     access tokens: signed, verified, refused
    identity   passwords, refresh families, throttling: who is asking
    vault      sealed words, a data key per patient
    ledger     one row per change to a patient's record, chained by hash
    outbox     work promised in the same transaction, done by the worker
    embedded   a PostgreSQL of our own for development, demo and tests

Nothing here imports a feature.
"""
