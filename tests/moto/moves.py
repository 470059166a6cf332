"""Move tasks of SQS, which moto has not got: StartMessageMoveTask, ListMessageMoveTasks,
CancelMessageMoveTask.

A task moves messages as its account's time passes, so that one with a rate can be watched and cancelled:
whoever asks for a queue lets the tasks do first what they would have done by now. A moved message is a
new one: new id, new time of sending, no receives; and it is held back by the delay of its queue.
"""

import uuid

import clock
from queues import LOCK

_tasks: list["_Task"] = []


class _Task:
    def __init__(self, backend, source, destination, rate):
        self.backend, self.source, self.destination, self.rate = backend, source, destination, rate
        self.handle = str(uuid.uuid4())
        self.started = clock.milliseconds()
        self.to_move = len(source._messages)
        self.moved = 0
        self.status = "RUNNING"

    def go_on(self) -> None:
        """Moves what it would have moved by now."""
        if self.status != "RUNNING":
            return
        passed = (clock.milliseconds() - self.started) / 1000
        by_now = self.to_move if self.rate is None else min(self.to_move, int(passed * self.rate))
        for message in self.source.messages[: by_now - self.moved]:
            self.source._messages.remove(message)
            self.source.pending_messages.discard(message)
            self.backend.send_message(self.destination.name, message.body, message.message_attributes or None)
            self.moved += 1
        if self.moved >= self.to_move or not self.source._messages:
            self.status = "COMPLETED"

    def told(self) -> dict:
        """As ListMessageMoveTasks tells it."""
        told = {
            "Status": self.status,
            "SourceArn": self.source.queue_arn,
            "DestinationArn": self.destination.queue_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": int(self.started),
        }
        if self.status == "RUNNING":
            told["TaskHandle"] = self.handle
        if self.rate is not None:
            told["MaxNumberOfMessagesPerSecond"] = self.rate
        return told


def install() -> None:
    """Gives moto the three operations."""
    from moto.core.responses import ActionResult
    from moto.sqs.exceptions import InvalidParameterValue, SQSException
    from moto.sqs.models import SQSBackend
    from moto.sqs.responses import SQSResponse

    get_queue = SQSBackend.get_queue

    def _get_queue(self, queue_name):
        with LOCK:
            # A task sends, which asks for a queue: it must not find itself at work.
            for task in [t for t in _tasks if t.backend is self and t.status == "RUNNING"]:
                _tasks.remove(task)
                task.go_on()
                _tasks.append(task)
        return get_queue(self, queue_name)

    def _by_arn(backend, arn):
        name = arn.split(":")[-1]
        return backend.get_queue(name)

    def start_message_move_task(self):
        backend = self.sqs_backend
        with LOCK:
            source = _by_arn(backend, self._get_param("SourceArn"))
            sources = [q for q in backend.queues.values() if q.dead_letter_queue is source]
            if not sources:
                raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
            if any(t.source is source and t.status == "RUNNING" for t in _tasks):
                raise SQSException(
                    "AWS.SimpleQueueService.UnsupportedOperation",
                    "There is already a task running. Only one active task is allowed for a source queue arn.",
                )
            wanted = self._get_param("DestinationArn")
            destination = _by_arn(backend, wanted) if wanted else sources[0]
            task = _Task(backend, source, destination, self._get_param("MaxNumberOfMessagesPerSecond"))
            _tasks.append(task)
        return ActionResult({"TaskHandle": task.handle})

    def list_message_move_tasks(self):
        backend = self.sqs_backend
        source = _by_arn(backend, self._get_param("SourceArn"))
        told = [t for t in _tasks if t.source is source]
        told.sort(key=lambda t: t.started, reverse=True)
        most = self._get_param("MaxResults") or 1
        return ActionResult({"Results": [t.told() for t in told[:most]]})

    def cancel_message_move_task(self):
        handle = self._get_param("TaskHandle")
        task = next((t for t in _tasks if t.handle == handle), None)
        if task is None:
            raise SQSException("ResourceNotFoundException", "Task does not exist.")
        _by_arn(task.backend, task.source.queue_arn)
        if task.status != "RUNNING":
            raise SQSException("ResourceNotFoundException", "Only active tasks can be cancelled.")
        task.status = "CANCELLED"
        return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})

    SQSBackend.get_queue = _get_queue
    SQSResponse.start_message_move_task = start_message_move_task
    SQSResponse.list_message_move_tasks = list_message_move_tasks
    SQSResponse.cancel_message_move_task = cancel_message_move_task
