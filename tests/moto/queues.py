"""Receiving from SQS. Moto differs from AWS here, so we mend it:

* two receivers at once never get the same message;
* a message can be received again from the moment its visibility ends, not from the millisecond after;
* the longest ready come first, as far as that can be said of AWS, and not in the order of sending;
* only the handle of the latest receipt settles a message: with an older one deleting does nothing, and
  changing the visibility is an error
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html);
* a message that is not in flight has no visibility to change.

A long poll answers at once while the account's time stands still.
"""

import collections
import json
import threading
import time

import clock

LOCK = threading.RLock()

# How often a long poll looks again: for messages whose time has come, of which nobody is told.
_LOOK = 0.05


# How often an account's long polls were ended.
_ended = collections.Counter()


def answer(account: str, body: bytes) -> dict:
    """Lets time pass for the messages of an account's queues: delays and visibility timeouts end earlier. Or ends its
    long polls, whose callers want nothing more."""
    from moto.sqs.models import sqs_backends

    wish = json.loads(body)
    if "seconds" not in wish:
        with LOCK:
            _ended[account] += 1
        return {}
    passed = wish["seconds"] * 1000
    with LOCK:
        for backend in list(sqs_backends[account].values()):
            for message in [m for queue in backend.queues.values() for m in queue._messages]:
                message.visible_at -= passed
                message.delayed_until -= passed
    return {}


def install() -> None:
    """Mends moto's queues."""
    from moto.sqs.exceptions import InvalidParameterValue
    from moto.sqs.models import Message, Queue, SQSBackend

    def _ready_at(message):
        return max(message.sent_timestamp or 0, message.visible_at, message.delayed_until)

    Message.visible = property(lambda self: clock.milliseconds() >= self.visible_at)
    Queue.messages = property(
        lambda self: sorted((m for m in self._messages if m.visible and not m.delayed), key=_ready_at)
    )

    receive, delete = SQSBackend.receive_message, Queue.delete_message
    change, send = SQSBackend.change_message_visibility, SQSBackend.send_message

    def _receive(self, queue_name, count, wait_seconds_timeout, visibility_timeout, message_attribute_names=None):
        until = time.monotonic() + (0 if clock.frozen() else wait_seconds_timeout)
        ended = _ended[self.account_id]
        while True:
            with LOCK:
                if _ended[self.account_id] != ended:
                    return []
                received = receive(self, queue_name, count, 0, visibility_timeout, message_attribute_names)
            left = until - time.monotonic()
            if received or left <= 0:
                return received
            self.get_queue(queue_name).wait_for_messages(min(left, _LOOK))

    def _latest(queue, handle):
        return next((m for m in queue._messages if m.receipt_handle == handle), None)

    def _delete(self, receipt_handle):
        with LOCK:
            old = any(m.had_receipt_handle(receipt_handle) for m in self._messages)
            if not old or _latest(self, receipt_handle):
                delete(self, receipt_handle)

    def _change(self, queue_name, receipt_handle, visibility_timeout):
        with LOCK:
            message = _latest(self.get_queue(queue_name), receipt_handle)
            if message is None or message.visible:
                raise InvalidParameterValue(
                    f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message does "
                    "not exist or is not available for visibility timeout change."
                )
            change(self, queue_name, receipt_handle, visibility_timeout)

    def _send(self, *args, **kwargs):
        with LOCK:
            return send(self, *args, **kwargs)

    SQSBackend.receive_message = _receive
    SQSBackend.change_message_visibility = _change
    SQSBackend.send_message = _send
    Queue.delete_message = _delete
