"""Whose time it is: each account of the server has a clock of its own.

A clock that stands still is a file with the account's name that holds microseconds since 1970: a request has the
time at which it came in, from its first line to its last. An account without one goes by the machine's, ahead of
it or behind it by as much as was set: also in the middle of a request, as in a long poll.
"""

import datetime
import json
import os
import threading
import time

_machine_time = time.time
_MachineDatetime = datetime.datetime
_EPOCH = _MachineDatetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)

_this_request = threading.local()
# By how many microseconds an account is ahead of the machine.
_ahead = {}


def answer(account: str, body: bytes) -> dict:
    """Sets by how many seconds an account is ahead."""
    _ahead[account] = json.loads(body)["ahead"] * 1_000_000
    return {}


def enter(folder: str, account: str) -> None:
    """Sets the time of this thread to that of an account."""
    _this_request.account = account
    try:
        with open(os.path.join(folder, account), encoding="ascii") as file:
            _this_request.frozen = int(file.read())
    except FileNotFoundError:
        _this_request.frozen = None


def frozen() -> bool:
    """Whether the time of this request stands still."""
    return getattr(_this_request, "frozen", None) is not None


def milliseconds() -> float:
    """Milliseconds since 1970."""
    return _microseconds() / 1000


def _microseconds() -> int:
    now = getattr(_this_request, "frozen", None)
    if now is not None:
        return now
    return int(_machine_time() * 1_000_000) + _ahead.get(getattr(_this_request, "account", None), 0)


class _AnyDatetime(type(_MachineDatetime)):
    """What C made is a datetime as well."""

    def __instancecheck__(cls, value):
        return isinstance(value, _MachineDatetime)


class _Datetime(_MachineDatetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz=None):
        now = _EPOCH + _microseconds() * _MICROSECOND
        return now.astimezone(tz) if tz else now.astimezone().replace(tzinfo=None)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)

    @classmethod
    def today(cls):
        return cls.now()


def _unix_time_millis(of=None) -> float:
    """Moto's own goes through seconds in floating point and loses a millisecond now and then."""
    if of is None:
        return milliseconds()
    of = of if of.tzinfo else of.replace(tzinfo=datetime.timezone.utc)
    return (of - _EPOCH) // _MICROSECOND / 1000


def install() -> None:
    """Has everything that is imported from now on ask these clocks."""
    time.time = lambda: _microseconds() / 1_000_000
    datetime.datetime = _Datetime
    from moto.core import utils

    utils.unix_time_millis = _unix_time_millis
