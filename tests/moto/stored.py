"""Everything that is stored of a pipeline, to be taken from one account and put into another, at another time:

    {"objects": {key: {"text", "metadata": {name: text}, "modified": microseconds}},
     "queues": {name: [{"id", "body", "attributes", "sent", "first_received", "receives", "visible_at",
                        "delayed_until"}]}}

Times are those of the account's clock, of messages in milliseconds. A message that is in flight is so still.
"""

import datetime
import json

import queues

_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)

_MESSAGE = {
    "id": "id",
    "body": "body",
    "attributes": "message_attributes",
    "sent": "sent_timestamp",
    "first_received": "approximate_first_receive_timestamp",
    "receives": "approximate_receive_count",
    "visible_at": "visible_at",
    "delayed_until": "delayed_until",
}


def answer(account: str, body: bytes) -> dict:
    """Takes, or puts. Objects that are put make no events."""
    from moto.s3.models import FakeKey, s3_backends
    from moto.sqs.models import sqs_backends

    wish = json.loads(body)
    keys = s3_backends[account]["aws"].buckets[wish["bucket"]].keys
    with queues.LOCK:
        of_account = {
            name: queue for backend in list(sqs_backends[account].values()) for name, queue in backend.queues.items()
        }
        wanted = {name: of_account[name] for name in wish["queues"]}
        if "stored" not in wish:
            return {
                "objects": {name: _object(key) for name, key in keys.items() if isinstance(key, FakeKey)},
                "queues": {name: [_taken(m) for m in queue._messages] for name, queue in wanted.items()},
            }
        for name, stored in wish["stored"]["objects"].items():
            keys[name] = _key(account, name, stored)
        for name, queue in wanted.items():
            messages = [_message(m) for m in wish["stored"]["queues"][name]]
            # S3 has sent its test event to a new stack.
            queue._messages[:] = messages
            queue._pending_messages.update(m for m in messages if m.approximate_receive_count and not m.visible)
    return {}


def _object(key) -> dict:
    return {
        "text": key.value.decode(),
        "metadata": dict(key.metadata),
        "modified": (key.last_modified.replace(tzinfo=None) - _EPOCH) // _MICROSECOND,
    }


def _key(account: str, name: str, stored: dict):
    from moto.s3.models import FakeKey

    key = FakeKey(name, stored["text"].encode(), account, "us-east-1")
    key.last_modified = _EPOCH + stored["modified"] * _MICROSECOND
    key._metadata.update(stored["metadata"])
    return key


def _taken(message) -> dict:
    return {name: getattr(message, of_moto) for name, of_moto in _MESSAGE.items()}


def _message(taken: dict):
    from moto.sqs.models import Message

    message = Message(taken["id"], taken["body"])
    for name, of_moto in _MESSAGE.items():
        setattr(message, of_moto, taken[name])
    return message
