"""The therapist's pages, at /console: who needs me first, and what can I do about it.

    session    signing in, staying signed in, being signed off
    door       from a browser to a plain function and back: cookies, forms, problems as pages
    pages      templates, what stands around every page, the files beside them
    forms      what was typed, read strictly, and what is wrong with it by field
    charts     where a page gets its charts, and where they are attached
    figures    small figures that a page draws by itself
    words      the codes of the record in words
    sign_in | second_factor | account
               one's own: signing in and out, the second factor, where one is told of flags
    caseload | flags | outcomes
               all patients: who is first, who may be in danger, what became of them together
    clinic | escalation | texts | people
               the clinic: its hours and protocol, who is told of a flag, what
               patients read, who is who
    record     what stands over every page of a patient
    patient | summary | trajectories | treatment | story | goals | practices | integration
               a patient's pages by subject, each with the models of its views
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
