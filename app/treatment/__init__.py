"""What happens in the room and around it.

A dosing session is one visit, with the drug given as one or more administrations: drug, route,
dose in mg and when. The first administration is t = 0; where a check-in stands relative to a
dose is computed when it is read and never stored, so a dose that is entered late moves
everything it should. A visit at which nothing was given is `not-done`: never a dose of 0.

    service  recording, amending, withdrawing and reading a visit; the doses that others go by
    form     how a visit is stored and told
    listing  a page of visits, straight to bytes
    shown    what its vital signs show, kept with it
    faults   what is wrong with one that was sent

    dosing_session   one visit
    administration   what was given, when
"""
