"""What was published to SNS. AWS would have sent it by mail; moto keeps it."""


def answer(account: str, _body: bytes) -> list:
    """Subject and text of each message, and the topic's ARN."""
    from moto.sns.models import sns_backends

    return [
        {"topic": topic.arn, "subject": subject, "message": message}
        for backend in list(sns_backends[account].values())
        for topic in list(backend.topics.values())
        for _, message, subject, *_ in topic.sent_notifications
    ]
