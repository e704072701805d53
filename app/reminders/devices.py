"""Where a patient's reminders go."""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.kernel import channels
from app.kernel.channels import Channels
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.outbound import Network
from app.kernel.tables import columns
from app.kernel.wire import as_json
from app.people.addresses import DeviceIn, address_of, write_to
from app.people.chart import Chart, Right
from app.reminders import plans
from app.reminders.schemas import DeviceOut, RegisteredDeviceOut
from app.reminders.tables import Device

OWN_DEVICES: Final = Right("devices", privileges=frozenset())
MAX_DEVICES: Final = 10


class DeviceRow(NamedTuple):
    """A device as it is stored."""

    id: UUID
    channel: str
    address: bytes
    created_at: datetime
    ended_at: datetime | None
    ended_reason: str | None

    def opened(self, chart: Chart) -> dict[str, Any]:
        """Its address."""
        plain = chart.data_key.open(self.address, table="device", column="address", row=self.id)
        return dict(json.loads(plain))


_device = columns(Device)
_of_patient = select(*(getattr(_device, name) for name in DeviceRow._fields)).where(
    _device.clinic_id == bindparam("clinic_id"), _device.patient_id == bindparam("patient_id")
)
DEVICE = Query(_of_patient.where(_device.id == bindparam("id")), DeviceRow)
DEVICES = Query(
    _of_patient.where(_device.ended_at.is_(None))
    .order_by(_device.created_at, _device.id)
    .limit(literal_column(str(MAX_DEVICES))),
    DeviceRow,
)
ADD_DEVICE = Change(insert(Device))
END_DEVICE = Change(
    update(Device)
    .where(
        _device.clinic_id == bindparam("clinic_id"),
        _device.patient_id == bindparam("patient_id"),
        _device.id == bindparam("device_id"),
        _device.ended_at.is_(None),
    )
    .values(ended_at=bindparam("now"), ended_reason=bindparam("reason"))
)


def register(
    db: Db,
    chart: Chart,
    sent: DeviceIn,
    now: datetime,
    *,
    sends_mail: bool,
    allow: frozenset[Network],
) -> tuple[RegisteredDeviceOut, bool]:
    """Remind the patient here from now on. Returns: it, and whether it is new (False: a retry).

    sends_mail: whether this server can. allow: networks that are open although not public.
    Raises: Problem INVALID, ID_REUSED.
    """
    address = address_of(sent, sends_mail=sends_mail, allow=allow)
    # First, because it makes one patient's registrations wait for each other.
    plans.look_again(db, chart, now)
    if sent.id is not None:
        earlier = db.first(DEVICE, patient_id=chart.patient_id, id=sent.id)
        if earlier is not None:
            kept = earlier.opened(chart)
            secret = kept.pop("secret", None)
            if (earlier.channel, kept) != (sent.channel, address):
                raise Problem(Kind.ID_REUSED)
            return RegisteredDeviceOut(**_told(earlier), secret=secret), False
    if len(db.all(DEVICES, patient_id=chart.patient_id)) >= MAX_DEVICES:
        raise invalid("", f"is one device too many: {MAX_DEVICES} can be registered")
    secret = channels.new_secret() if sent.channel == "webhook" else None
    device_id = sent.id or uuid7()
    row = DeviceRow(
        id=device_id,
        channel=sent.channel,
        address=chart.data_key.seal(
            as_json({**address, "secret": secret} if secret else address),
            table="device",
            column="address",
            row=device_id,
        ),
        created_at=now,
        ended_at=None,
        ended_reason=None,
    )
    db.add(ADD_DEVICE, **row._asdict(), patient_id=chart.patient_id)
    return RegisteredDeviceOut(**_told(row), secret=secret), True


def listed(db: Db, chart: Chart) -> list[DeviceOut]:
    """The patient's devices, those that ended left out."""
    return [DeviceOut(**_told(row)) for row in db.all(DEVICES, patient_id=chart.patient_id)]


def remove(db: Db, chart: Chart, device_id: UUID, now: datetime) -> DeviceOut:
    """Remind nobody there any more; doing so again changes nothing. Raises: Problem NOT_FOUND."""
    found = db.first(DEVICE, patient_id=chart.patient_id, id=device_id)
    if found is None:
        raise not_found()
    if found.ended_at is None:
        end(db, chart, device_id, "removed", now)
        found = found._replace(ended_at=now, ended_reason="removed")
    return DeviceOut(**_told(found))


def end(db: Db, chart: Chart, device_id: UUID, reason: str, now: datetime) -> None:
    """reason: see `tables.Device`."""
    db.add(END_DEVICE, patient_id=chart.patient_id, device_id=device_id, reason=reason, now=now)


def send(
    at: Channels,
    row: DeviceRow,
    chart: Chart,
    *,
    subject: str,
    body: str,
    delivery: UUID,
    now: datetime,
) -> channels.Outcome:
    """Tell one device; it may take seconds. delivery: the same when it is tried again."""
    return write_to(
        at,
        row.channel,
        row.opened(chart),
        subject=subject,
        body=body,
        payload={"type": "reminder"},
        delivery=delivery,
        now=now,
    )


def _told(row: DeviceRow) -> dict[str, Any]:
    told = row._asdict()
    del told["address"]
    return told
