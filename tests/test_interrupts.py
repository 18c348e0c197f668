from __future__ import annotations

import os
import signal
import sys

import pytest
from signals import start

from aiida_dnpmelt.interrupts import SIGNALS, Interrupted, handled_by, interrupted, interruptible, number_of


@pytest.fixture(autouse=True)
def from_a_terminal():
    """Let nothing be ignored: the tests may run in the background."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_interrupts_and_is_what_it_was_afterwards(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as ended, interruptible():
        os.kill(os.getpid(), number)
    assert number_of(ended.value) == number
    assert signal.getsignal(number) is before


def test_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seen = []
    with handled_by(lambda number, _: seen.append(number)):
        for number in SIGNALS:
            os.kill(os.getpid(), number)
    assert seen == [signal.SIGINT, signal.SIGTERM]


def test_signal_is_found_behind_what_a_library_makes_of_it():
    try:
        try:
            raise Interrupted(15, "job 8 was killed")
        except BaseException as error:
            raise RuntimeError("cannot be imported") from error
    except RuntimeError as error:
        found = interrupted(error)
    assert (number_of(found), str(found)) == (15, "job 8 was killed")
    assert interrupted(RuntimeError("something else")) is None


def test_signal_that_comes_while_an_object_is_cleared_up_is_not_lost():
    script = (
        "import os, time\n"
        "from aiida_dnpmelt.interrupts import interruptible\n"
        "class Cleared:\n"
        "    def __del__(self): os.kill(os.getpid(), 15); time.sleep(0.01)\n"
        "try:\n"
        "    with interruptible():\n"
        "        Cleared()\n"
        "        time.sleep(20)\n"
        "        print('went on')\n"
        "except KeyboardInterrupt as ended:\n"
        "    print('ended by', ended.number)\n"
    )
    process = start([sys.executable, "-c", script])
    assert process.communicate(timeout=60)[0] == "ended by 15\n"
