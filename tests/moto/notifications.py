"""Events of S3. Moto differs from AWS here, so we mend it:

* AWS leaves the slashes of a key alone, and writes a space as `+`
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html);
* each event has a sequencer, and says who caused it;
* a queue takes them only if its policy lets S3 send, for this bucket and this account.

And what AWS does at times, on demand: events more than once, and in another order.
"""

import itertools
import json
from urllib.parse import quote_plus

import permissions

_sequence = itertools.count(1)
_copies: dict[str, int] = {}
_together: dict[str, int] = {}
_held: dict[str, list] = {}


def answer(account: str, body: bytes) -> dict:
    """Sets how often each event of an account is delivered, and how many at a time, the newest first."""
    rule = json.loads(body)
    _copies[account], _together[account] = rule["copies"], rule["together"]
    return {}


def install() -> None:
    """Mends moto's events."""
    from moto.s3 import notifications, responses

    event_of, send = notifications._get_s3_event, notifications._send_sqs_message

    def _event(event_name, bucket, key, notification_id):
        event = event_of(event_name, bucket, key, notification_id)
        for record in event["Records"]:
            owner = {"principalId": "A3NL1KOZZKExample"}
            record["userIdentity"] = {"principalId": f"AWS:{bucket.account_id}"}
            record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
            record["responseElements"] = {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S"}
            record["s3"]["bucket"]["ownerIdentity"] = owner
            record["s3"]["object"]["key"] = quote_plus(key.name, safe="/")
            record["s3"]["object"]["sequencer"] = f"{next(_sequence):018X}"
        return event

    def _send(account_id, event_body, queue_name, region_name):
        from moto.sqs.models import sqs_backends

        queue = sqs_backends[account_id][region_name].queues.get(queue_name)
        bucket = event_body.get("Bucket") or event_body["Records"][0]["s3"]["bucket"]["name"]
        context = {"aws:SourceArn": f"arn:aws:s3:::{bucket}", "aws:SourceAccount": account_id}
        if queue is None or not permissions.service_may(
            queue.policy, "s3.amazonaws.com", "sqs:SendMessage", queue.queue_arn, context
        ):
            return
        held = _held.setdefault(account_id, [])
        held.append((event_body, queue_name, region_name))
        if len(held) < _together.get(account_id, 1):
            return
        for event in [held.pop() for _ in range(len(held))]:
            for _ in range(_copies.get(account_id, 1)):
                send(account_id, *event)

    def _configuration(self):
        """The root element has another name on AWS than moto makes of the operation's."""
        status, headers, body = configuration(self)
        name = "NotificationConfiguration"
        for wrong in ("GetBucketNotificationConfigurationResponse", "GetBucketNotificationResponse"):
            body = body.replace(f"<{wrong}", f"<{name}").replace(f"</{wrong}", f"</{name}")
        return status, headers, body

    configuration = responses.S3Response.get_bucket_notification
    responses.S3Response.get_bucket_notification = _configuration
    notifications._get_s3_event = _event
    notifications._send_sqs_message = _send
