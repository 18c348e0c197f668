"""Signals that ask a program to end: Ctrl-C, `kill`, and a terminal that closes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN = 0.05
"""Seconds after which a signal that was lost is sent again."""


class Interrupted(KeyboardInterrupt):
    """A signal asks the program to end; the text says what became of what it did."""

    def __init__(self, number: int, words: str = "") -> None:
        super().__init__(words)
        self.number = number


def interrupted(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the signal that led to an error, None if none did: libraries make errors of their own of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def number_of(ended: KeyboardInterrupt) -> int:
    """Return the number of the signal that an exception stands for."""
    return ended.number if isinstance(ended, Interrupted) else int(signal.SIGINT)


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let a function handle the signals while a block runs.

    One that is ignored stays so: `nohup` wants that of the terminal's end, and a shell of Ctrl-C in the background.
    """
    if threading.current_thread() is not threading.main_thread():  # Python gives no signals to others
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let each of the signals raise `Interrupted` in a block, as Python does with Ctrl-C and an exception of its own.

    Python drops what is raised while it clears up an object; the signal is then sent again.
    """
    unraisable = sys.unraisablehook

    def send_again(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, Interrupted):
            threading.Timer(_AGAIN, os.kill, (os.getpid(), lost.exc_value.number)).start()
        else:
            unraisable(lost)

    sys.unraisablehook = send_again
    try:
        with handled_by(_raise):
            yield
    finally:
        sys.unraisablehook = unraisable


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Interrupted(number)
