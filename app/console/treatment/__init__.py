"""Treatment: the visits, what is done around a dose, the course, and what speaks for or against it.

    visits      all of them, and recording one
    dose_form   what was given, as a form
    one_visit   one visit and everything that is recorded at it
    checklist | readings | side_effects | leaving
                its parts: before the dose, vital signs, what was noticed, going home
    course      courses, their moves, what was given so far
    screening   what speaks against it, what was tried, what is taken
    acts        what the forms of these pages have in common

Decided:

- A page has several forms, each sent to the page's own address with an `act`. What is wrong with
  one is said there, and the others stand as they were.
- A form has the id of what it makes. An instant that is left empty is now: a page that stayed open
  must not say that something was read when the page was made. Sent again, it is the instant at
  which it was taken first.
- What the patient answers (their part of a checklist, the receipt of aftercare) is only shown.
- Forms stand only for those who may send them, and what somebody may not read leaves no trace.
"""
