"""What kind of file some bytes are is read from how they begin, and from nothing else."""

from typing import get_args

import pytest

from app.experience.media import ENDING_OF, MediaType, media_type_of

OGG_PAGE = b"OggS" + bytes(22) + b"\x01\x13"
EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01"

KNOWN = {
    "jpeg, JFIF": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg"),
    "jpeg, Exif": (b"\xff\xd8\xff\xe1\x00\x10Exif\x00", "image/jpeg"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    "webp": (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
    "heic": (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic"),
    "heic by a compatible brand": (
        b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic",
        "image/heic",
    ),
    "m4a of an iPhone": (b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00M4A mp42isom", "audio/mp4"),
    "m4a of an Android": (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", "audio/mp4"),
    "3gp of an Android": (b"\x00\x00\x00\x18ftyp3gp4\x00\x00\x00\x00isom3gp4", "audio/mp4"),
    "aac, MPEG-4": (b"\xff\xf1\x50\x80", "audio/aac"),
    "aac, MPEG-2, with a checksum": (b"\xff\xf8\x50\x80", "audio/aac"),
    "mp3 with a tag": (b"ID3\x04\x00\x00", "audio/mpeg"),
    "mp3 without": (b"\xff\xfb\x90\x64", "audio/mpeg"),
    "mp3, MPEG-2": (b"\xff\xf3\x84\x64", "audio/mpeg"),
    "opus": (OGG_PAGE + b"OpusHead\x01", "audio/ogg"),
    "vorbis": (OGG_PAGE + b"\x01vorbis", "audio/ogg"),
    "wav": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
    "webm": (EBML + b"\x42\x82\x84webm", "audio/webm"),
}
UNKNOWN = {
    "nothing": b"",
    "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "html": b"<!doctype html><script>",
    "html that begins as a picture is said to": b"\x89PNG\n<script>",
    "pdf": b"%PDF-1.7",
    "gif": b"GIF89a",
    "zip": b"PK\x03\x04",
    "a program": b"\x7fELF\x02",
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "avif": b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf",
    "QuickTime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ",
    "a brand behind the first box": b"\x00\x00\x00\x10ftypqt  \x00\x00\x00\x00heic",
    "matroska": EBML + b"\x42\x82\x88matroska",
    "theora": OGG_PAGE + b"\x80theora",
    "a cut Ogg page": b"OggS\x00\x02",
    "a cut frame": b"\xff\xfb",
    "a reserved version": b"\xff\xeb\x90\x64",
    "a reserved layer": b"\xff\xf9\x90\x64"[:1] + b"\xe1\x90\x64",
    "a bad bit rate": b"\xff\xfb\xf0\x64",
    "a free bit rate": b"\xff\xfb\x00\x64",
    "a reserved sampling rate": b"\xff\xfb\x9c\x64",
    "UTF-16": b"\xff\xfe<\x00s\x00",
}


@pytest.mark.parametrize(("beginning", "media_type"), KNOWN.values(), ids=KNOWN.keys())
def test_what_is_taken_is_known(beginning: bytes, media_type: str) -> None:
    assert media_type_of(beginning + bytes(400)) == media_type


@pytest.mark.parametrize("beginning", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_anything_else_is_not(beginning: bytes) -> None:
    assert media_type_of(beginning) is None


def test_every_kind_that_may_be_declared_is_found_and_has_an_ending() -> None:
    declared = set(get_args(MediaType))

    assert {media_type for _, media_type in KNOWN.values()} == declared == ENDING_OF.keys()
