"""The visit itself, together with its course, its checklist and what its vital signs show.

`treatment` keeps the visit, and knows nothing of what stands on it. Whoever records or changes one
comes through here: whether the course it names can hold it is checked, what was open on the
checklist is kept as its first dose is recorded, and what its readings show is computed anew when a
dose changed, all in the same transaction.
"""
