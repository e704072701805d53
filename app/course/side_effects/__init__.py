"""Side effects, seen in the room or noticed at home.

    side_effect  what, how severe, from when to when, and what was done

Decided:

- The patient tells of what they notice, clinicians of what they see. A clinician may add to what a
  patient told (that it passed, what was done); a patient does not change a clinician's entry.
- What is severe or threatens a life is a danger to the body: its flag is raised in the transaction
  that stores it, also by an amendment that makes it so. It is told with the emergency number and
  the clinic; no line for people in crisis is an answer to it.
- What passed more than two weeks ago is put into the inbox as past, like every danger that comes
  late; what has not passed is not past, however long ago it began.
- The codes are ours. MedDRA is licensed, and no other code is claimed.
"""
