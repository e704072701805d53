"""What somebody was given so far, and what to ask after because of it.

Nothing of it is stored: it is computed from the administrations whenever it is asked, by the
protocol in force. Every drug and every route stands by itself, and nothing adds two of them.

Decided:

- Sessions alone are counted over all routes of a drug: somebody who is given it by two routes would
  else never reach a threshold. It is a number of visits, converts nothing, and is ours.
- A prompt tells those who treat that a threshold of the clinic's is reached, and which
  questionnaires are proposed, with when each was last answered. It puts nothing into what
  is due for the patient: whether and how somebody is asked about their bladder or their cravings is
  a conversation, and `due` has its own time points for both.
- What was used outside of the sessions is the patient's to tell, in questionnaires that ask without
  blame (`use-outside`, `ketamine-use`). It is told beside what was given, and added to nothing: how
  much it was is not known.
"""
