"""What kind of recording or picture some bytes are, by how they begin.

A declared media type is never believed; it has to be what is found here. Formats that can carry a
script (SVG, HTML, PDF) are not known, and what is not known is not taken. An MP4 or WebM container
is taken for sound although it could hold moving pictures too: it begins alike, and neither is run.

Sources: ISO/IEC 14496-12 section 4.3 (ftyp), ISO/IEC 23008-12 annex B (HEIF brands), RFC 3533 and
RFC 7845 (Ogg, Opus), RFC 9559 and RFC 8794 (WebM, EBML), RFC 2083 section 3.1 (PNG), RFC 9649
(WebP), ISO/IEC 13818-7 section 6.2 (ADTS), ISO/IEC 11172-3 section 2.4.2.3 (MPEG audio).
"""

from typing import Final, Literal

MediaType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/heic",
    "audio/mp4",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
]
ENDING_OF: Final[dict[str, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "weba",
}
"""How the name of a downloaded file ends."""

_HEIF: Final = {b"heic", b"heix", b"heim", b"heis"}
_MP4: Final = {b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso4", b"iso5", b"iso6"}
_MP4_PHONE: Final = {b"3gp4", b"3gp5", b"3gp6", b"dash"}
_OGG_SOUND: Final = (b"OpusHead", b"\x01vorbis")


def media_type_of(beginning: bytes) -> str | None:
    """The media type of what begins so; None for what is not taken."""
    found = _of_riff(beginning) or _of_boxes(beginning) or _of_sound(beginning)
    if found is not None:
        return found
    if beginning.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if beginning.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return None


def _of_riff(beginning: bytes) -> str | None:
    if beginning[:4] != b"RIFF":
        return None
    return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(beginning[8:12])


def _of_boxes(beginning: bytes) -> str | None:
    """MP4 and HEIF say in their first box what they are to be read as."""
    if beginning[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(beginning[:4], "big"), 256)
    brands = {beginning[8:12], *(beginning[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & _HEIF:
        return "image/heic"
    return "audio/mp4" if brands & (_MP4 | _MP4_PHONE) else None


def _of_sound(beginning: bytes) -> str | None:
    if beginning[:4] == b"OggS":
        # The first page has one packet, after a table of as many lengths as byte 26 says.
        packet = beginning[27 + beginning[26] :] if len(beginning) > 26 else b""
        return "audio/ogg" if packet.startswith(_OGG_SOUND) else None
    if beginning[:4] == b"\x1a\x45\xdf\xa3":
        return "audio/webm" if b"\x42\x82\x84webm" in beginning[:64] else None
    if beginning[:3] == b"ID3":
        return "audio/mpeg"
    if len(beginning) < 4 or beginning[0] != 0xFF:
        return None
    if beginning[1] & 0xF6 == 0xF0:
        return "audio/aac"
    return "audio/mpeg" if _is_mpeg_frame(beginning) else None


def _is_mpeg_frame(beginning: bytes) -> bool:
    """Eleven ones, and then no value that is reserved or free."""
    version, layer = beginning[1] >> 3 & 3, beginning[1] >> 1 & 3
    bit_rate, sampling = beginning[2] >> 4, beginning[2] >> 2 & 3
    is_synchronised = beginning[1] & 0xE0 == 0xE0
    return (
        is_synchronised
        and version != 1
        and layer == 1
        and bit_rate not in (0, 15)
        and sampling != 3
    )
