"""What a patient wants to change, in their own words, and how far they came.

    goal         sealed words and why they matter, life area, five levels, weight, state
    goal_step    a part of a goal: what to do next, and by when
    goal_rating  a part of a goal: how far it was attained, by one rater at one time

Decided:

- Goals are the patient's: they alone write them. Everyone who cares for them reads them, coaches
  included, unless the goal is private. A step or a rating is shown to whom its goal is shown.
- The five levels of goal attainment scaling, the baseline level and the weight are written before
  work starts and fixed once somebody rated the goal: a scale that is changed later fits what
  happened. While a part of a goal is written its goal is locked: neither overtakes the other.
- Patient and therapist rate apart. Their ratings stand side by side and are never averaged.
- A planned step with a date is among what is due (`steps`) from its start, or for a week before.
- A goal with levels that the patient has not rated for a fortnight is among it, too (`unrated`).
- FHIR lifecycle and achievement status, T-scores and their change are derived whenever they are
  asked (`read_attainment`), and nobody types them in.
"""
