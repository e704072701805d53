"""What happens in the room and around it.

A dosing session is one visit, with the drug given as one or more administrations: drug, route,
dose in mg and when. The first administration is t = 0; where a check-in stands relative to a
dose is computed when it is read and never stored, so a dose that is entered late moves
everything it should. A visit at which nothing was given is `not-done`: never a dose of 0.

    dosing_session   one visit
    administration   what was given, when
"""
