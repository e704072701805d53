"""Vital signs and states of a visit, in batches, from a monitor or by hand.

    vital_signs   one batch: up to 500 readings, one entry, one row of the ledger
    vital_series  what all batches of a visit come to, in columns; derived

Decided:

- A batch is the entry, not the reading: a monitor's upload is sealed, chained and replayed as one.
- Batches may overlap. Readings of one instant and one source are one, wherever they came from.
- The series is kept merged, so that one more batch costs one more merge, and reading it costs
  nothing but reading it. Amending or withdrawing a batch merges all of them anew.
- What the series shows is kept with the visit (`treatment`), with the version of the protocol whose
  thresholds were held against it. It is no version of the visit.
- Outside of the clinic the patient's own phone may send readings, where they or a companion are
  the ones who record.
"""
