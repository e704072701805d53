"""Who is answered what, where many routes answer alike.

A table has one row for each caller, and one column for each target.
"""

# How each route of a patient's record answers. `me` is whoever calls; `theirs` is the patient
# here, whom `therapist` and `coach` care for; `other` is `stranger`'s patient; `foreign` is of
# the other clinic; `missing` is nobody; `mixed` is an entry of `other` asked for as `theirs`.
READ_CLINICAL = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
READ_GOALS = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     200    404      404      404    404
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
WRITE_OWN = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             201     201    404      404      404
other patient       201     404    201      404      404
therapist           403     403    403      403      403
stranger            403     403    403      403      403
coach               403     403    403      403      403
administrator       403     403    403      403      403
foreign patient     201     404    404      201      404
foreign therapist   403     403    403      403      403
foreign admin       403     403    403      403      403
gone patient        401     401    401      401      401
gone therapist      403     403    403      403      403
"""
RECORD_DOSES = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             403     403    403      403      403
other patient       403     403    403      403      403
therapist           403     201    404      404      404
stranger            403     404    201      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     403     403    403      403      403
foreign therapist   403     404    404      201      404
foreign admin       403     403    403      403      403
gone patient        403     403    403      403      403
gone therapist      403     401    401      401      401
"""
# What only the patient reads or changes.
OWN = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     403    403      403      403    403
stranger            403     403    403      403      403    403
coach               403     403    403      403      403    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     403    403      403      403    403
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     403    403      403      403    403
"""
CHANGE_DOSES = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             403     403    403      403      403    403
other patient       403     403    403      403      403    403
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     403     403    403      403      403    403
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        403     403    403      403      403    403
gone therapist      403     401    401      401      401    401
"""
# What the patient and those who care for them both send.
RECORD_BY_BOTH = READ_CLINICAL.replace("200", "201")
# Routes that name no patient. Public ones answer everybody alike; `change` and `reword` come
# with an If-Match that no longer holds.
NAMING_NOBODY = """
                    public  self  change  panel  inbox  patients  clinicians  abroad  texts  reword
anonymous              200   401     401    401    401       401         401     401    401     401
patient                200   200     412    403    403       403         403     403    403     403
other patient          200   200     412    403    403       403         403     403    403     403
therapist              200   200     412    200    200       201         403     422    200     403
stranger               200   200     412    200    200       201         403     422    200     403
coach                  200   200     412    403    403       403         403     403    200     403
administrator          200   200     412    403    200       201         201     422    200     412
foreign patient        200   200     412    403    403       403         403     403    403     403
foreign therapist      200   200     412    200    200       201         403     201    200     403
foreign admin          200   200     412    403    200       201         201     201    200     412
gone patient           200   401     401    403    403       401         401     401    403     403
gone therapist         200   401     401    401    401       401         401     401    401     403
"""
# What is a clinic's. `own` is an instrument that the clinic here added, and `publish` comes with
# an If-Match that no longer holds.
OF_CLINIC = """
                   read  own  switch  add  publish  log
anonymous           401  401     401  401      401  401
patient             200  200     403  403      403  403
other patient       200  200     403  403      403  403
therapist           200  200     403  403      403  403
stranger            200  200     403  403      403  403
coach               200  200     403  403      403  403
administrator       200  200     200  201      412  200
foreign patient     200  404     403  403      403  403
foreign therapist   200  404     403  403      403  403
foreign admin       200  404     200  201      412  200
gone patient        401  401     403  403      403  403
gone therapist      401  401     403  403      403  403
"""


def parsed(table: str) -> dict[tuple[str, str], int]:
    """A table of expectations, by caller and column."""
    head, *rows = [line for line in table.splitlines() if line.strip()]
    names = head.split()
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        caller, *statuses = row.rsplit(maxsplit=len(names))
        found |= {
            (caller.strip(), name): int(status)
            for name, status in zip(names, statuses, strict=True)
        }
    return found
