"""How people move over time. Reads only; computes everything, stores nothing.

- The trajectory of one scale: PostgreSQL gathers the columns, `clinical.trajectory` says what
  they mean, and they leave as columns (`{"effective_at": [...], "score": [...]}`), because two
  hundred points as objects cost three times as much to write and to read.
- The caseload: a clinician's patients, open flags first and worst first, then by how long they
  have been silent.
- Charts: one specification for each view, made by pure functions (`charts`). `pictures` makes that
  of a trajectory, the renderer an SVG or PNG of it, and `assets` is what a browser draws it with.
- The report: one page for a referrer, printed or as numbers.
"""
