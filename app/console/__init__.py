"""The therapist's pages, at /console: who needs me first, and what can I do about it.

    session    signing in, staying signed in, being signed off
    door       from a browser to a plain function and back: cookies, forms, problems as pages
    pages      templates, what stands around every page, the files beside them
    forms      what was typed, read strictly, and what is wrong with it by field
    figures    where a trajectory is drawn
    words      the codes of the record in words
    sign_in | second_factor | caseload | flags | clinic | people | account
    record     what stands over every page of a patient
    patient | summary | trajectories | treatment | story | goals | practices | integration
               pages by subject, each with the models of its views
    routes     all of them
    tables     who is signed in

Decided:

- Pages are made on the server, by the same services as the API, in the same transaction; nothing is
  asked of ourselves over HTTP. Everything works without JavaScript; with it the inbox is live, and
  nobody is signed off while they type.
- A page is not part of the API: it is in no specification, and may change with every version.
- Only clinicians and administrators sign in here. A session is a row that can be ended, and a
  cookie that holds nothing.
- No page asks another server for anything, and none has a style or a script within itself: the
  content security policy forbids both.
- What was typed is never lost to a mistake, to somebody else's change, or to signing in again on
  the same page; and it is never in an address, a log or an answer to anybody else.

    console_session  who is signed in
"""
