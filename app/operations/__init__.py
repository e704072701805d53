"""What an operator does, behind the command line.

What each module is for:

    process        the API, or the worker, as a process of its own
    bounded        HTTP with a bound on headers
    stack          keys, and a PostgreSQL that is there and migrated
    up             everything on one machine, in the foreground
    demo           two synthetic clinics
    clinics        the commands of `afterglow clinic`
    demo_course    the treatment of one of their patients
    demo_caseload  sixty patients more, of whom only scores and doses are known
    hours          when clinics are on duty
    second_factor  of whom a clinic requires one; and taking away one that was lost
    scoring        answers on the command line, scored as the server does
    audit          every ledger against its own hashes
    rewrap         every key under the newest key-encryption key
    doctor         what is wrong, in words
"""
