"""The promises: what every feature may rely on and none may do for itself.

Between a service and PostgreSQL:

    db             the only way to PostgreSQL, and the only thing that commits
    wire           a conversation in libpq's pipeline mode
    plain          synchronous code on an event loop
    bell           hears what other processes say through it
    tables         how tables are declared, and the kernel's own
    embedded       a PostgreSQL of our own for development, demo and tests

Between a client and a service:

    frame          what every response has in common
    lanes          finds a route by its address
    edge           HTTP to a plain function and back, commit before the response
    pieces         what is too large to be held: uploads that can be resumed, downloads
    events         an answer that goes on: server-sent events
    negotiation    which of several forms of an answer a client wants
    pages          HTML: templates in which everything is escaped, and their policy
    strict         bodies, query parameters and headers, read strictly
    fields         the kinds of value that cross the wire, each bounded
    errors         the closed catalogue of problems a client can meet
    etag           versions as entity tags
    paging         cursors, signed and bound to their list
    stretch        from an instant until another, in that order
    specification  the OpenAPI document

Who asks, and what is kept of it:

    sign_in        a name, a password and a code: in which order, and what each answer tells
    second_factor  authenticator apps and recovery codes: what makes a code good, once
    accounts       people who can sign in, and what they are in a clinic
    throttle       how many failures are too many
    identity       who is asking: what a token says, refresh families, standing
    codes          codes that people type
    tokens         access tokens: signed, verified, refused
    vault          sealed words, a data key per patient
    ledger         one row per change to a patient's record, chained by hash
    entries        what is sent, amended and withdrawn: a retry, a conflict, or a change
    outbox         work promised in the same transaction, done by the worker
    watch          what the operator is told about the worker

What leaves the server, and in whose language:

    channels       mail, Web Push, signed webhooks
    outbound       an HTTPS post that cannot be turned against us
    texts          what a patient reads from the server, by locale, in a clinic's own words

Pictures of charts:

    renderer       asks one process beside the API, bounded and replaced when it fails
    drawing        that process

Time, and the place the server runs in:

    clock          what time it is, and how instants are written
    arrival        when something happened, by a phone's clock that may be wrong
    timeline       lists of a patient's entries, newest first
    settings       the environment, read once
    log            what the server says about itself; never a patient's word

Nothing here imports a feature.
"""
