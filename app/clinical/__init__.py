"""What the medicine says, and nothing else.

    instruments/   each questionnaire as a TOML file, and the loader that checks it
    scoring        answers -> Score
    risk           answers -> Finding, even when most answers are missing
    protocol/      what a clinic asks when, anchored to the doses; what is due; and what its
                   courses, its dosing sessions and its aftercare are like
    eligibility/   conditions, interactions, and what was tried before
    course         the states of a course, and the moves between them
    preparation    the checklist before a dose: met, not met, unknown
    vitals         vital signs around a dose: bounds, alarms, a summary
    vital_series   the readings of one visit, from however many batches
    side_effects   what they are called, how severe, when somebody has to look
    discharge      what has to be so before somebody leaves
    exposure       what was given so far, by drug and route
    trajectory     scores and doses over time -> Trajectory
    change         one score beside the baseline; response, and its loss
    sudden_gains   large, stable steps between two scores
    wear_off       all doses laid over each other: rapid response, how long a gain lasts
    projection     a straight line back to the baseline, which is no forecast
    attention      whom on a list to look at first, and why
    met            whether something that has to be so is: before a dose, and at the door
    outcomes       many patients added up, by visit and by time
    survival       time until something happens, with censoring
    suppression    what may be told of a few, and that nothing more follows from it
    telling        which counts of many patients those are, at visits, on curves and by stratum
    quantiles      numbers from printed tables
    attainment     goals, their levels and ratings -> T-scores, FHIR statuses
    integration    doses -> when to talk about them; the states of such a talk; stalled goals
    practice       a schedule and ticks, in local dates -> adherence, streaks
    coping         logged triggers -> which strategies go with feeling better, how surely
    thread         entries and what they came from -> stories, with nothing hidden in them
    window         what is due -> in which order, in the days after a dose and otherwise
    week           all of these -> the facts of one week
    faults         what is wrong with something that was sent, and where

Why it is pure. Everything here takes plain values and returns plain values: no
database, no clock, no network, no settings, nothing but the standard library. Time is
passed in. So a clinician can check a rule against a published case by reading one
function, a test needs no set-up, and an old answer can be scored again years later with
the same result.

What is decided here:

- A score with a missing answer is no score. Nothing is imputed or prorated.
- The suicide item is read on its own: other answers, missing or wrong, never hide it,
  and leaving it out means "not assessed", which is not the same as an answer of zero.
- Answers out of range are refused, never clamped; a refusal never repeats the answer.
- Every number comes with its source. What is our own choice is marked a convention.
- Suicidal ideation is ordinal: it is shown as answered, never subtracted or averaged, and two
  sources are never one series.
- What cannot be said is said so, with a code why: too few scores, no baseline, not measured yet.
- A questionnaire that looks back two weeks cannot see the first hours after a dose; the
  momentary scales can, and the two are never mixed.
- Two raters of a goal are set side by side and never averaged.
- What a person does for themselves is counted forgivingly: a skip with a reason is not held
  against them, and what may still come is not missed.
- What goes together in a log is no proof of cause, and little of it is told.
"""
