"""The visit itself, together with what its vital signs show.

`treatment` keeps the visit. What is computed from its readings goes by its first dose, so whoever
changes a visit has that computed anew, in the same transaction: here, because `treatment` knows
neither readings nor the clinic's protocol.
"""
