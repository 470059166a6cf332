"""Who may do what. Moto differs from AWS here, so we mend it:

* its evaluation asks for the resource `*` of most services, which no narrow policy allows;
* it knows no conditions outside of trust policies;
* `GetObject` of a key that is not there says so only to whom the bucket may be listed for, and is
  403 for everybody else;
* a conditional put with `If-Match` needs `s3:GetObject` as well as `s3:PutObject`
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).

The root user may do everything. Signatures are not looked at.
"""

import json
import re

import accounts


def may(statements: list, action: str, resource: str, context: dict) -> bool:
    """Whether the statements of a policy allow it: some do and none denies."""
    concerned = [s for s in statements if _concerns(s, action, resource, context)]
    return any(s["Effect"] == "Allow" for s in concerned) and all(s["Effect"] != "Deny" for s in concerned)


def service_may(policy: str | None, service: str, action: str, resource: str, context: dict) -> bool:
    """Whether a resource's own policy lets an AWS service do it."""
    statements = [
        s
        for s in _statements(policy)
        if s.get("Principal") == "*" or service in _list(dict(s.get("Principal") or {}).get("Service"))
    ]
    return may(statements, action, resource, context)


def _list(value) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def _statements(document) -> list:
    if not document:
        return []
    document = json.loads(document) if isinstance(document, str) else document
    return _list(document["Statement"])


def _like(pattern: str, value: str, flags=0) -> bool:
    parts = ("." if c == "?" else ".*" if c == "*" else re.escape(c) for c in str(pattern))
    return re.fullmatch("".join(parts), value, flags | re.DOTALL) is not None


def _concerns(statement: dict, action: str, resource: str, context: dict) -> bool:
    actions = any(_like(a, action, re.IGNORECASE) for a in _list(statement.get("Action")))
    if "NotAction" in statement:
        actions = not any(_like(a, action, re.IGNORECASE) for a in _list(statement["NotAction"]))
    resources = any(_like(r, resource) for r in _list(statement.get("Resource", "*")))
    return actions and resources and _holds(statement.get("Condition", {}), context)


def _holds(conditions: dict, context: dict) -> bool:
    """Every operator and key of it, any of a key's values. An operator that is not known is an error."""
    compare = {
        "StringEquals": lambda wanted, value: wanted == value,
        "StringLike": _like,
        "ArnEquals": _like,
        "ArnLike": _like,
        "Bool": lambda wanted, value: str(wanted).lower() == value,
    }
    for operator, keys in conditions.items():
        name = operator.removesuffix("IfExists")
        negative = name.startswith(("StringNot", "ArnNot"))
        test = compare[name.replace("Not", "", 1) if negative else name]
        for key, wanted in keys.items():
            value = {k.lower(): v for k, v in context.items()}.get(key.lower())
            if value is None:
                if negative or operator.endswith("IfExists"):
                    continue
                return False
            if any(test(w, value) for w in _list(wanted)) == negative:
                return False
    return True


def _of_role(key: str, account: str) -> tuple[str, list] | None:
    """The role that a key stands for, and the statements of its policies."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for backend in list(sts_backends[account].values()):
        role = backend.get_assumed_role_from_access_key(key)
        if role is None:
            continue
        iam = iam_backends[account]["aws"]
        name = role.role_arn.split("/")[-1]
        documents = [iam.get_role_policy(name, policy)[1] for policy in iam.list_role_policies(name)]
        documents = [d if isinstance(d, str) else d.policy_document for d in documents]
        attached, _ = iam.list_attached_role_policies(name)
        documents += [next(v.document for v in policy.versions if v.is_default) for policy in attached]
        return role.arn, [s for document in documents for s in _statements(document)]
    return None


def _resource(response, service: str, account: str) -> str:
    """The ARN of what a request is about."""
    try:
        given = json.loads(response.body)
    except (TypeError, ValueError):
        given = {name: value[0] for name, value in response.querystring.items()}
    region = response.region
    if service == "sqs":
        if "SourceArn" in given:
            return given["SourceArn"]
        return f"arn:aws:sqs:{region}:{account}:{given.get('QueueUrl', response.path).split('/')[-1]}"
    if service == "sns":
        return given.get("TopicArn", "*")
    if service == "secretsmanager":
        from moto.secretsmanager.models import secretsmanager_backends

        secrets = secretsmanager_backends[account][region].secrets
        name = given.get("SecretId", "*")
        secret = next((s for s in secrets.values() if name in (s.name, s.arn, s.arn.rsplit("-", 1)[0])), None)
        return secret.arn if secret else f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????"
    if service == "logs":
        group = f"arn:aws:logs:{region}:{account}:log-group:{given.get('logGroupName', '*')}"
        return f"{group}:log-stream:{given.get('logStreamName', '')}"
    return "*"


def _check(response, service: str, action: str, resource: str, refused) -> None:
    key = accounts.key_of({"HTTP_AUTHORIZATION": response.headers.get("Authorization", "")})
    if accounts.is_root(key) or action == "sts:GetCallerIdentity":
        return
    account = accounts.account_of(key)
    role = _of_role(key, account)
    if role is None or response.headers.get("X-Amz-Security-Token") is None:
        refused(None, action)
        return
    arn, statements = role
    context = {"aws:SecureTransport": "true", "aws:PrincipalArn": arn}
    if action == "s3:ListBucket":
        context["s3:prefix"] = response.querystring.get("prefix", [""])[0]
    needed = [action]
    if action == "s3:PutObject" and "If-Match" in response.headers:
        needed.append("s3:GetObject")
    for one in needed:
        if not may(statements, one, resource, context):
            refused(arn, one)
    if action == "s3:GetObject":
        bucket, _, name = resource.removeprefix("arn:aws:s3:::").partition("/")
        if not response.backend.buckets[bucket].keys.get(name) and not may(
            statements, "s3:ListBucket", f"arn:aws:s3:::{bucket}", context
        ):
            refused(arn, "s3:ListBucket")


def install() -> None:
    """Has moto ask here before it does anything."""
    from moto.core.authorization import ActionAuthenticatorMixin as Mixin
    from moto.core.exceptions import AccessDeniedError, InvalidClientTokenIdError
    from moto.s3.exceptions import S3AccessDeniedError, S3InvalidAccessKeyIdError

    def _refused(arn, action):
        raise AccessDeniedError(user_arn=arn, action=action) if arn else InvalidClientTokenIdError()

    def _refused_by_s3(arn, action):
        raise S3AccessDeniedError() if arn else S3InvalidAccessKeyIdError()

    def _normal(self, resource="*"):
        service = self.service_name
        resource = _resource(self, service, self.current_account) if resource == "*" else resource
        _check(self, service, f"{service}:{self._get_action()}", resource, _refused)

    def _s3(self, bucket_name=None, key_name=None):
        name = f"{bucket_name or '*'}/{key_name}" if key_name else (bucket_name or "*")
        _check(self, "s3", f"s3:{self._get_action()}", f"arn:aws:s3:::{name}", _refused_by_s3)

    Mixin._authenticate_and_authorize_normal_action = _normal
    Mixin._authenticate_and_authorize_s3_action = _s3
