"""Charts: one Vega-Lite specification for each view, made by pure functions.

The same specification is what the API returns, what becomes an SVG or a PNG, and what a page draws
interactively. It holds its own data and asks for nothing to be fetched.

    records      what a chart is made of
    look         colours, sizes, words that wrap
    scale        behind the scores: their axis, bands, baseline, response, remission
    course       one scale over time, as a chart and as a sparkline
    together     several scales on one time axis
    aligned      one scale measured from each dose, all doses laid over each other
    ideation     suicidal ideation: as answered, by source, never joined
    outcomes     a clinic's: survival curves, rates by visit
    table        what a chart shows, as rows to read

Nothing is told by colour alone: marks differ in shape, also those on lines. What is missing is
shown as missing. Every chart of a person says what it cannot show.
"""
