"""Whether to begin: what speaks against it, what was tried before, what else is taken.

    screening         answers to the catalogue of conditions, each with a note
    stop_resolution   a prescriber's decision about one hard stop of one screening
    trial_history     one earlier treatment
    medication        one medicine on the patient's list
    (eligibility)     the newest screening, the history and the list, looked at together

Decided:

- The newest screening counts, alone: a new one has to be answered, and resolved, from the start.
- A resolution is of one condition as it was answered, with its note, in one version of a screening.
  `answered_in` says since which version an answer has stood; one that changed, or whose note
  changed, is open again, and an amendment of another answer leaves it resolved.
- A hard stop goes by a prescriber's hand alone. So whoever may not prescribe does not make it go by
  answering otherwise, in the screening that counts or in a new one, nor by withdrawing it (409).
- Answers are plain, as those of check-ins are; notes, reasons and the names of medicines and of
  treatments are words and sealed. RxNorm codes, classes and outcomes are codes and plain.
- `treatment_resistance` has one row for each patient, with the stratum that outcomes are told apart
  by. It is made anew, from all of the history, in the transaction that changes any of it; null
  where nothing is recorded, because a history that nobody took is not one without failures.
- Only antidepressants count towards it: that is what the definition counts. The rest is kept.
- The summary is for clinicians. A warning beside a medicine, read alone at home, may make somebody
  stop it at once, and some of them must never be stopped so. Every entry behind it is the
  patient's to read.
"""
