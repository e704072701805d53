"""What the medicine says, and nothing else.

    instruments/   each questionnaire as a TOML file, and the loader that checks it
    scoring        answers -> Score
    risk           answers -> Finding, even when most answers are missing
    protocol/      what a clinic asks when, anchored to the doses; what is due
    trajectory     scores and doses over time -> Trajectory
    change         one score beside the baseline; response, and its loss
    sudden_gains   large, stable steps between two scores
    wear_off       all doses laid over each other: rapid response, how long a gain lasts
    projection     a straight line back to the baseline, which is no forecast
    attention      whom on a list to look at first, and why
    outcomes       many patients added up, by visit and by time
    survival       time until something happens, with censoring
    suppression    what may be told of a few, and that nothing more follows from it
    quantiles      numbers from printed tables

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
"""
