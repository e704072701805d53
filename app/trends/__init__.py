"""How people move over time. Reads only; computes everything, stores nothing.

- The trajectory of one scale: PostgreSQL gathers the columns, `clinical.trajectory` says what
  they mean, and they leave as columns (`{"effective_at": [...], "score": [...]}`), because two
  hundred points as objects cost three times as much to write and to read.
- Subscales, entered scores, all doses laid over each other, several series on one axis with what
  happened around them and what was asked for and not answered; suicidal ideation by itself.
- The caseload: a clinician's patients in the order of `clinical.attention`, worked out for one
  list at each request. A name that is looked for is compared in memory and is in no address.
- The outcomes of a clinic: one pass over its patients, some hundreds at a time, by the rules that
  one patient is read by, so that no rule is written twice; nothing is told of a few.
- Charts: one specification for each view, made by pure functions (`charts`) from the answer itself
  (`pictures`, `clinic_pictures`). `forms` answers with the numbers, that chart, or a picture of it
  that the renderer draws, and `assets` is what a browser draws it with.
- The report: one page for a referrer, printed or as numbers.

    series     which series is meant, and the statement that gathers it
    service    one series
    doses      all doses laid over each other
    together   several on one axis
    ideation   suicidal ideation
    gathered   the series of many patients at once
    caseload   a clinician's list
    outcomes   a clinic's figures
    sheet      the same as CSV
    charts/    specifications of charts
    pictures   what is told of a patient as one
    clinic_pictures  a clinic's figures as one
    forms      numbers, chart or picture, by Accept
    assets     what a browser draws with
    report     one page
    findings   what it says of a scale
    schemas/   what crosses the wire
"""
