"""A person's story, told from everything that stands below: the thread, and one page a week.

    thread      intention, experience, insight, goal, step, practice, coping strategy, as stories
    statements  what the thread asks: every kind from its own table, at once
    week        what moved, what was done, what was written, what is next
    page        the week, to be printed

Nothing is stored here. What is told is read from the shelves of `experience`, `integration`,
`goals` and `practices`, from `trends` and from what is due, whenever somebody asks.

Decided:

- Whoever reads sees the kinds that their right to each kind lets them see, and of those what its
  tier shows them. What they may not see is taken out in the statement, before anything is linked,
  counted or cut off: nothing in an answer differs by it.
- A link is told to whoever sees both of its ends.
- What was withdrawn is in no story, and neither is a step of a goal that was.
- A thread has the newest entries up to a bound, and says when there are more. A story that begins
  before them begins with the first of them.
- A week is the patient's, Monday to Sunday on their own calendar. One that is over is told as it
  stood on its Sunday as far as its entries say when; a flag and a visit have the state they have
  now.
- Suicidal ideation is never a number on this page. A patient sees that there is a flag and its
  state, clinicians its level too.
"""
