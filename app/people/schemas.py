"""What people's routes take and answer."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import (
    Country,
    Locale,
    Password,
    Phone,
    ShortWords,
    TimeZone,
    Username,
)
from app.kernel.strict import Open, Wire
from app.kernel.texts import MAX_OWN_TEXT

CurrentPassword = Annotated[str, Field(min_length=1, max_length=256)]
Otp = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="Six digits of the authenticator app, or a recovery code.",
    ),
]
Privilege = Literal["therapy", "prescribe", "monitor", "coach"]


class TokenForm(Wire):
    """OAuth 2.0 token request (RFC 6749 sections 4.3 and 6), as a form."""

    grant_type: Annotated[str, Field(max_length=64)]
    username: Annotated[str, Field(max_length=254)] | None = None
    password: Annotated[str, Field(max_length=256)] | None = None
    otp: (
        Annotated[
            str,
            Field(
                max_length=64,
                description="Where the account has a second factor: six digits of the"
                " authenticator app, or a recovery code.",
            ),
        ]
        | None
    ) = None
    refresh_token: Annotated[str, Field(max_length=512)] | None = None
    scope: Annotated[str, Field(max_length=256)] | None = None
    client_id: Annotated[str, Field(max_length=256)] | None = None
    clinic_id: (
        Annotated[
            str,
            Field(max_length=36, description="Sign in to this clinic; the first one otherwise."),
        ]
        | None
    ) = None
    membership_id: (
        Annotated[
            str,
            Field(max_length=36, description="Sign in as this membership, as GET /v1/me lists."),
        ]
        | None
    ) = None


class RevokeForm(Wire):
    """RFC 7009 token revocation, as a form."""

    token: Annotated[str, Field(max_length=4096)]
    token_type_hint: Annotated[str, Field(max_length=64)] | None = None
    client_id: Annotated[str, Field(max_length=256)] | None = None


class TokenOut(Open):
    """The answer to a good grant."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- the RFC's word, no secret
    expires_in: Annotated[int, Field(description="Seconds until the access token ends.")]
    refresh_token: str
    role: Annotated[str, Field(description="patient, clinician or administrator")]
    clinic_id: UUID
    membership_id: UUID
    patient_id: UUID | None
    help_token: Annotated[
        str | None,
        Field(description="A patient's: for POST /v1/patients/me/flags alone, for a year."),
    ]
    must_enrol: Annotated[
        bool,
        Field(
            description="The clinic requires a second factor that this account does not have: the"
            " access token is good for /v1/me/second-factor alone."
        ),
    ]


class BeginFactorIn(Wire):
    """Setting up a second factor."""

    password: CurrentPassword


class EnrolmentOut(Open):
    """What an authenticator app is to keep. It is told once and counts when it is confirmed."""

    secret: Annotated[str, Field(description="For typing it in: base32.")]
    otpauth_uri: Annotated[
        str, Field(description="TOTP with SHA-1, six digits and thirty seconds (RFC 6238).")
    ]
    qr_svg: Annotated[str, Field(description="The same as a QR code: an SVG image.")]
    expires_at: datetime


class ConfirmFactorIn(Wire):
    """The first code of the app."""

    otp: Annotated[str, Field(min_length=1, max_length=64, description="Six digits.")]


class ProofIn(Wire):
    """That it is really they who ask: the password, and a code of the second factor."""

    password: CurrentPassword
    otp: Otp


class StepUpIn(Wire):
    """That it is really they who ask: the password, and a code where they have a factor."""

    password: CurrentPassword
    otp: Otp | None = None


class RecoveryCodesOut(Open):
    """Each works once, in place of the app's code. They are shown this once."""

    recovery_codes: list[str]


class ConfirmedOut(Open):
    """The second factor counts from now on. All other sign-ins as clinician or administrator are
    over, and `tokens` signs in anew.
    """

    recovery_codes: Annotated[
        list[str], Field(description="Each works once, in place of the app's code; shown once.")
    ]
    tokens: TokenOut


class SecondFactorOut(Open):
    """One's own second factor."""

    is_confirmed: Annotated[bool, Field(description="A password alone is not enough.")]
    confirmed_at: datetime | None
    recovery_codes_left: int
    is_required: Annotated[bool, Field(description="Of this role, by this clinic.")]
    is_clinic_synthetic: Annotated[
        bool, Field(description="A clinic of invented people, which requires nothing of them.")
    ]


class MemberFactorOut(Open):
    """A colleague's second factor."""

    membership_id: UUID
    name: str
    role: str
    is_confirmed: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class FactorEventOut(Open):
    """What happened to a colleague's second factor."""

    at: datetime
    action: Annotated[
        str,
        Field(description="confirmed, codes-renewed, recovery-code-used, removed or reset"),
    ]
    membership_id: UUID
    by: Annotated[UUID | None, Field(description="None for whoever runs the server.")]


class ClinicSecondFactorOut(Open):
    """What a clinic requires, and who of its clinicians and administrators has it."""

    required_for: Annotated[list[str], Field(description="Roles.")]
    is_synthetic: Annotated[
        bool, Field(description="A clinic of invented people, which requires nothing of them.")
    ]
    members: Annotated[list[MemberFactorOut], Field(description="At most 500.")]
    events: Annotated[list[FactorEventOut], Field(description="The newest first, at most 100.")]


class EmergencyContact(Wire):
    """Somebody to call for a patient."""

    name: ShortWords
    phone: Phone
    relation: ShortWords | None = None


class InvitationIn(Wire):
    """A place for somebody in the caller's clinic."""

    id: UUID | None = None
    role: Literal["patient", "clinician", "administrator"]
    privileges: Annotated[
        list[Privilege], Field(max_length=4, description="For the role clinician.")
    ] = []
    clinician_id: Annotated[
        UUID | None,
        Field(
            description="The membership that will care for a new patient; a clinician who"
            " invites is meant when it is left out."
        ),
    ] = None


class InvitationOut(Open):
    """An invitation; whoever has the code can take the place, once."""

    id: UUID
    code: str
    role: str
    privileges: list[str]
    notice_version: Annotated[
        str, Field(description="Of the treatment notice that a patient has to be shown.")
    ]
    expires_at: datetime


class ConsentIn(Wire):
    """Agreement to treatment as described in one version of the clinic's notice."""

    notice_version: Annotated[str, Field(min_length=1, max_length=64)]
    accepted: Literal[True]


class AcceptIn(Wire):
    """Taking the place. An account that exists joins with its own password."""

    code: Annotated[str, Field(min_length=8, max_length=64)]
    username: Username
    password: Password
    otp: Annotated[
        Otp | None, Field(description="Of an account that exists and has a second factor.")
    ] = None
    name: ShortWords
    time_zone: TimeZone | None = None
    locale: Locale | None = None
    country: Country | None = None
    consent: Annotated[ConsentIn | None, Field(description="Required of patients.")] = None


class MembershipOut(Open):
    """What somebody is in one clinic."""

    membership_id: UUID
    clinic_id: UUID
    clinic_name: str
    role: str
    privileges: list[str]
    patient_id: UUID | None


class MeOut(Open):
    """Who is signed in."""

    version: int
    account_id: UUID
    username: str
    current: MembershipOut
    memberships: list[MembershipOut]
    name: str
    time_zone: str
    locale: str | None
    country: str
    phone: str | None
    address: str | None
    emergency_contacts: list[EmergencyContact]
    second_factor: SecondFactorOut


class MePatch(Wire):
    """What to change; a member that is left out stays. Clinicians change their name only."""

    name: ShortWords | None = None
    time_zone: TimeZone | None = None
    locale: Locale | None = None
    country: Country | None = None
    phone: Phone | None = None
    address: Annotated[ShortWords | None, Field()] = None
    emergency_contacts: Annotated[list[EmergencyContact], Field(max_length=10)] | None = None


class MemberOut(Open):
    """Somebody who works in a clinic."""

    membership_id: UUID
    version: int
    role: Annotated[str, Field(description="clinician or administrator")]
    privileges: list[str]
    name: str
    joined_at: datetime
    cares_for: Annotated[int, Field(description="Patients with a care link that holds now.")]


class MembersOut(Open):
    """Everybody who works in a clinic, in the order of their coming."""

    members: list[MemberOut]


class PrivilegesIn(Wire):
    """What a clinician may do from now on."""

    privileges: Annotated[list[Privilege], Field(max_length=4)]


class TextsIn(Wire):
    """What a clinic says in its own words in one locale, from now on and instead of before.

    Each text has the placeholders of the one that it stands for, each once, and no other brace.
    """

    texts: Annotated[
        dict[
            Annotated[str, Field(max_length=64)],
            # Held by the verb, which names the text that is too long.
            Annotated[str, Field(json_schema_extra={"maxLength": MAX_OWN_TEXT})],
        ],
        Field(
            max_length=500,
            description="By key. A text that is left out is as it ships.",
            examples=[{"reminder.subject": "A note from Lantern"}],
        ),
    ]


class TextOut(Open):
    """One text that patients read."""

    key: str
    shipped: Annotated[dict[str, str], Field(description="By language.")]
    own: Annotated[dict[str, str], Field(description="What this clinic says instead, by locale.")]
    placeholders: list[str]
    note: Annotated[str, Field(description="For whoever rewords or translates it.")]
    is_editable: Annotated[
        bool,
        Field(
            description="Whether the clinic may reword it in a shipped language. If not, it is a"
            " promise to patients, which a clinic may only translate into another language."
        ),
    ]


class TextsOut(Open):
    """Every text that patients read, as it ships and as this clinic says it."""

    version: Annotated[str, Field(description="As in the ETag, for a change to start from.")]
    languages: Annotated[list[str], Field(description="That are shipped.")]
    answered_for: Annotated[
        list[str],
        Field(
            description="Locales of the clinic's own translations into languages that are not"
            " shipped. Nobody else has checked them: the clinic answers for what they say, also"
            " about monitoring and emergencies."
        ),
    ]
    texts: list[TextOut]


class LimitsOut(Open):
    """What a client may send."""

    max_body_bytes: int
    max_sync_body_bytes: Annotated[int, Field(description="Of POST /v1/sync.")]
    max_sync_changes: Annotated[int, Field(description="In one POST /v1/sync.")]
    max_attachment_bytes: Annotated[
        int, Field(description="Of a recording or a picture that belongs to a note.")
    ]
    max_text_bytes: int
    max_page: int
    recorded_at_from: datetime
    recorded_at_before: datetime
    access_token_seconds: int
