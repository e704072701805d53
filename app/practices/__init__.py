"""What a person does for themselves between sessions, and what helps when it gets hard.

    practice          sealed words, an activity, when it is expected; it may come from a goal
    practice_tick     a part of a practice: done on a date, or skipped with a reason
    coping_strategy   sealed words: something of one's own that may help
    trigger           something that set one off: how hard it hit, what was tried, how it was after

Two modules tell two stories: `practice` (the first two) and `coping` (the others).

Decided:

- All of it is the patient's: they alone write it, also without a network. Practices are read by
  everyone who cares for them, coaches included, unless they are private; coping strategies and
  triggers by those who see clinical content.
- Schedules are judged in the patient's local dates. A tick names its date itself. No date is
  refused that has begun somewhere on earth, or that the phone's own clock shows: whoever travels is
  ahead of the time zone in their profile, and a clock is never a reason to refuse.
- Two phones may tick the same date; it counts once.
- Adherence, streaks and what helps are computed whenever they are asked, by `clinical.practice` and
  `clinical.coping`. Nothing of it is stored.
- Plain beside the tier: the activity, the schedule, dates, intensities from 0 to 10 and which
  strategies were tried, because they are counted. What a practice, a strategy or a trigger is, in
  words, and why something was skipped, is sealed.
- A trigger that others may read names no private strategy: its id would tell them that there is
  one. It is refused, by its place, because a trigger that turned private by itself would hide from
  the care team what the patient meant them to see.
- The safety plan's "things I can do" stand by themselves. Nothing is linked that nobody linked.
"""
