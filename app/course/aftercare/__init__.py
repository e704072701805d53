"""What a patient is given to take home, and their word that they read it.

    aftercare          the instructions that were given after a visit, by the protocol's keys
    aftercare_receipt  that the patient read them, in which version

Decided:

- The instructions are kept in the words that the protocol had when they were given.
- The receipt is the patient's own act, from their own phone, online or not. Nobody gives it for
  them: that they were told is attested at the discharge.
- How they are at home is asked by an instrument of its own, at the hours of the protocol, like
  everything that is asked.
"""
