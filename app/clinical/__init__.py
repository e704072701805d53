"""What the medicine says, and nothing else.

    instruments/   each questionnaire as a TOML file, and the loader that checks it
    scoring        answers -> Score
    risk           answers -> Finding, even when most answers are missing
    protocol/      what a clinic asks when, anchored to the doses; what is due; and what its
                   courses, its dosing sessions and its aftercare are like
    eligibility/   conditions, interactions, and what was tried before
    course         the states of a course, and the moves between them
    vitals         vital signs around a dose: bounds, alarms, a summary
    vital_series   the readings of one visit, from however many batches
    side_effects   what they are called, how severe, when somebody has to look
    discharge      what has to be so before somebody leaves
    exposure       what was given so far, by drug and route
    trajectory     scores and doses over time -> Trajectory

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
- Suicidal ideation is ordinal: it is shown as answered, never subtracted or averaged.
- A questionnaire that looks back two weeks cannot see the first hours after a dose; the
  momentary scales can, and the two are never mixed.
"""
