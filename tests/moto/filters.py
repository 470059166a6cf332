"""Filter patterns of CloudWatch Logs. Moto differs from AWS here, so we mend it: it takes JSON patterns
for none at all, and lists one stream after the other instead of by time.

The part of the syntax that is here
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html): terms, quoted
terms, `?either` and `-without`; for JSON `{ $.a.b = "x*" }`, `!=`, numbers with `<` and the like, `IS
NULL`, `NOT EXISTS`, `&&`, `||` and parentheses. Anything else is an error, as it is on AWS.
"""

import json
import operator
import re

_TOKEN = re.compile(
    r"""\s*(?:(?P<path>\$(?:\.[\w@-]+|\[\d+\])+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<word>[A-Za-z_*][\w*.-]*))"""
)
_COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
_ABSENT = object()


class Bad(ValueError):
    """A pattern that is none."""


class Filter:
    """A pattern, ready to be put to messages."""

    def __init__(self, pattern: str | None):
        pattern = (pattern or "").strip()
        if not pattern:
            self.matches = lambda _message: True
        elif pattern.startswith("{"):
            if not pattern.endswith("}"):
                raise Bad(pattern)
            self._test = _Parser(pattern[1:-1]).all()
            self.matches = self._of_json
        else:
            self.matches = _terms(pattern)

    def _of_json(self, message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict) and self._test(document)


def _terms(pattern: str):
    words = re.findall(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))', pattern)
    wanted = [(sign, (quoted or plain).replace('\\"', '"')) for sign, quoted, plain in words]
    either = [word for sign, word in wanted if sign == "?"]

    def _matches(message: str) -> bool:
        return (
            all(word in message for sign, word in wanted if sign == "")
            and all(word not in message for sign, word in wanted if sign == "-")
            and (not either or any(word in message for word in either))
        )

    return _matches


class _Parser:
    def __init__(self, text: str):
        self.tokens, place = [], 0
        text = text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise Bad(text)
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            place = match.end()

    def _next(self, *wanted):
        if self.tokens and (not wanted or self.tokens[0][1] in wanted):
            return self.tokens.pop(0)
        if wanted:
            return None
        raise Bad("the pattern ends too early")

    def all(self):
        test = self._either()
        if self.tokens:
            raise Bad(str(self.tokens))
        return test

    def _either(self):
        tests = [self._both()]
        while self._next("||"):
            tests.append(self._both())
        return lambda document: any(test(document) for test in tests)

    def _both(self):
        tests = [self._one()]
        while self._next("&&"):
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self):
        if self._next("("):
            test = self._either()
            if not self._next(")"):
                raise Bad("a parenthesis is open")
            return test
        kind, path = self._next()
        if kind != "path":
            raise Bad(path)
        steps = re.findall(r"\.([\w@-]+)|\[(\d+)\]", path)
        _, sign = self._next()
        if sign == "NOT" and self._next("EXISTS"):
            return lambda document: _at(document, steps) is _ABSENT
        if sign == "EXISTS":
            return lambda document: _at(document, steps) is not _ABSENT
        if sign == "IS":
            _, value = self._next()
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}[value]
            return lambda document: _at(document, steps) is wanted
        kind, value = self._next()
        if sign in _COMPARE:
            return lambda document: _is_number(_at(document, steps)) and _COMPARE[sign](
                _at(document, steps), float(value)
            )
        if sign not in ("=", "!="):
            raise Bad(sign)
        equal = _equal(kind, value)
        if sign == "=":
            return lambda document: equal(_at(document, steps))
        return lambda document: _at(document, steps) is not _ABSENT and not equal(_at(document, steps))


def _equal(kind: str, value: str):
    if kind == "number":
        return lambda found: _is_number(found) and found == float(value)
    text = json.loads(value) if kind == "text" else value
    pattern = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
    return lambda found: isinstance(found, str) and pattern.fullmatch(found) is not None


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _at(document, steps):
    for name, index in steps:
        if name and isinstance(document, dict) and name in document:
            document = document[name]
        elif index and isinstance(document, list) and int(index) < len(document):
            document = document[int(index)]
        else:
            return _ABSENT
    return document


def install() -> None:
    """Mends moto's FilterLogEvents."""
    from moto.logs import models
    from moto.logs.exceptions import InvalidParameterException

    filter_log_events = models.LogsBackend.filter_log_events

    def _filter(self, group, streams, start, end, limit, token, pattern, interleaved):
        try:
            Filter(pattern)
        except (Bad, KeyError):
            raise InvalidParameterException("Invalid filter pattern") from None
        return filter_log_events(self, group, streams, start, end, limit, token, pattern, True)

    models.EventMessageFilter = Filter
    models.LogsBackend.filter_log_events = _filter
