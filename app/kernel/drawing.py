"""The process that draws: a Vega-Lite specification in, a picture out, until nobody asks any more.

Started by `renderer` as a program of its own, because the drawing library brings a JavaScript
engine with it and makes the process it runs in three times as large. It is given no environment,
no arguments and no files; what is drawn comes through standard input only, and it goes when its
parent goes. It imports nothing of the house.

A request is its length (4 bytes, big-endian), the kind of answer (one byte) and JSON. An answer is
its length, a byte (0 for done), the largest this process has been in KiB (4 bytes), and what was
made; of what could not be drawn only the name of the exception, because its text quotes what it
was given.
"""

import contextlib
import ctypes
import gzip
import os
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO, Final

REQUEST: Final = struct.Struct(">Ic")
ANSWER: Final = struct.Struct(">IBI")
SVG: Final = b"s"
PNG: Final = b"p"
BUNDLE: Final = b"b"
PIXELS: Final = 2.0
"""Of a PNG for each pixel of the chart: what a screen of a phone, and paper, can show."""

_PR_SET_PDEATHSIG: Final = 1
_CLONE_NEWUSER_AND_NET: Final = 0x10000000 | 0x40000000


class _NotSelfContained(Exception):
    """A specification that asks for something to be fetched."""


def main() -> None:
    """Draw what is asked for, one after the other."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _shut_in()
    import vl_convert  # noqa: PLC0415 - after the walls are up

    while head := _read(requests, REQUEST.size):
        length, kind = REQUEST.unpack(head)
        asked = _read(requests, length)
        try:
            done, made = 0, _make(vl_convert, kind, asked)
        except Exception as error:
            done, made = 1, type(error).__name__.encode()
        answers.write(ANSWER.pack(len(made), done, _largest_kib()) + made)
        answers.flush()


def _make(vl_convert: Any, kind: bytes, asked: bytes) -> bytes:
    if kind == BUNDLE:
        return gzip.compress(vl_convert.javascript_bundle(asked.decode()).encode(), mtime=0)
    # Data from elsewhere is refused by the library; the address of an image it would follow.
    if b'"url":' in asked:
        raise _NotSelfContained
    specification = asked.decode()
    if kind == PNG:
        png: bytes = vl_convert.vegalite_to_png(specification, scale=PIXELS, allowed_base_urls=[])
        return png
    svg: str = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    return svg.encode()


def _largest_kib() -> int:
    """The largest this process has been. Linux's `ru_maxrss` begins with what the parent was."""
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - no import for one line
            return next(int(line.split()[1]) for line in status if line.startswith(b"VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _shut_in() -> None:
    """Die with the parent, write no file, leave no core, and reach no network where that can be."""
    for limited in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limited, (0, 0))
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # A kernel that lets nobody make a namespace says no, and nothing is lost.
        libc.unshare(_CLONE_NEWUSER_AND_NET)
    # Whatever the library prints goes nowhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _read(requests: BinaryIO, size: int) -> bytes:
    """So many bytes; nothing at the end."""
    read = requests.read(size)
    return read if len(read) == size else b""


if __name__ == "__main__":
    main()
