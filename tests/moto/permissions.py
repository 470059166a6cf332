"""Who may do what. Moto differs from AWS here, so we mend it:

* its evaluation asks for the resource `*` of most services, which no narrow policy allows;
* it knows no conditions outside of trust policies;
* `GetObject` of a key that is not there says so only to whom the bucket may be listed for, and is
  403 for everybody else;
* a conditional put with `If-Match` needs `s3:GetObject` as well as `s3:PutObject`
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html);
* it takes no notice of the conditions of a bucket's policy, so that "nobody without TLS" is nobody;
* a batch needs the permission for one
  (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html);
* services that speak JSON refuse in JSON.

The root user may do everything. Signatures are not looked at. What a role has made use of is remembered, so
that a test can tell which permissions nobody needs.
"""

import json
import re

import accounts


# What was made use of: role, policy, number of the statement, action and resource as the statement has them.
_used: dict[str, set[tuple]] = {}


def answer(account: str, _body: bytes) -> list:
    """The permissions of an account's roles, one of an action on a resource each, and whether they were used."""
    from moto.iam.models import iam_backends

    grants = []
    for role in list(iam_backends[account]["aws"].roles.values()):
        for policy, number, statement in _statements_of(role.name, account):
            if statement["Effect"] != "Allow":
                continue
            for action in _list(statement.get("Action")):
                for resource in _list(statement.get("Resource", "*")):
                    used = (role.name, policy, number, action, resource) in _used.get(account, ())
                    grants.append({"role": role.name, "action": action, "resource": resource, "used": used})
    return grants


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
    """The ARN of the session that a key stands for, and the statements of its role's policies."""
    from moto.sts.models import sts_backends

    for backend in list(sts_backends[account].values()):
        role = backend.get_assumed_role_from_access_key(key)
        if role is None:
            continue
        return role.arn, _statements_of(role.role_arn.split("/")[-1], account)
    return None


def _statements_of(name: str, account: str) -> list[tuple[str, int, dict]]:
    """The statements of a role's policies, each with its policy's name and its number there."""
    from moto.iam.models import iam_backends

    iam = iam_backends[account]["aws"]
    documents = {policy: iam.get_role_policy(name, policy)[1] for policy in iam.list_role_policies(name)}
    documents = {n: d if isinstance(d, (str, dict)) else d.policy_document for n, d in documents.items()}
    attached, _ = iam.list_attached_role_policies(name)
    documents |= {p.name: next(v.document for v in p.versions if v.is_default) for p in attached}
    return [(n, i, s) for n, document in documents.items() for i, s in enumerate(_statements(document))]


def _use(account: str, role: str, statements: list, action: str, resource: str, context: dict) -> None:
    """Remembers what allowed it."""
    used = _used.setdefault(account, set())
    for policy, number, statement in statements:
        if statement["Effect"] != "Allow" or not _concerns(statement, action, resource, context):
            continue
        for a in _list(statement.get("Action")):
            for r in _list(statement.get("Resource", "*")):
                if _like(a, action, re.IGNORECASE) and _like(r, resource):
                    used.add((role, policy, number, a, r))


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
    arn, labelled = role
    statements, name = [statement for _, _, statement in labelled], arn.split("/")[1]
    context = {"aws:SecureTransport": "true", "aws:PrincipalArn": arn}
    if action == "s3:ListBucket":
        context["s3:prefix"] = response.querystring.get("prefix", [""])[0]
    needed = [action]
    if action == "s3:PutObject" and "If-Match" in response.headers:
        needed.append("s3:GetObject")
    about = [(one, resource) for one in needed]
    if action == "s3:GetObject":
        bucket, _, key_name = resource.removeprefix("arn:aws:s3:::").partition("/")
        if not response.backend.buckets[bucket].keys.get(key_name):
            about.append(("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    for one, of in about:
        if not may(statements, one, of, context):
            refused(arn, one)
        _use(account, name, labelled, one, of, context)


def install() -> None:
    """Has moto ask here before it does anything."""
    from moto.core.authorization import ActionAuthenticatorMixin as Mixin
    from moto.core.exceptions import AccessDeniedError, InvalidClientTokenIdError, JsonRESTError
    from moto.iam.access_control import PermissionResult
    from moto.s3.exceptions import S3AccessDeniedError, S3InvalidAccessKeyIdError
    from moto.s3.models import FakeBucket

    def _refused(arn, action):
        error = AccessDeniedError(user_arn=arn, action=action) if arn else InvalidClientTokenIdError()
        # The query protocol has the error right there.
        error.description = error.description.replace("<Errors>", "").replace("</Errors>", "")
        raise error

    def _refused_in_json(arn, action):
        error = JsonRESTError(
            "AccessDeniedException" if arn else "UnrecognizedClientException",
            f"User: {arn} is not authorized to perform: {action}" if arn else "The security token is invalid.",
        )
        error.code = 403
        raise error

    def _refused_by_s3(arn, action):
        raise S3AccessDeniedError() if arn else S3InvalidAccessKeyIdError()

    def _normal(self, resource="*"):
        service = self.service_name
        resource = _resource(self, service, self.current_account) if resource == "*" else resource
        action = f"{service}:{self._get_action()}".removesuffix("Batch")
        in_json = "X-Amz-Target" in self.headers
        _check(self, service, action, resource, _refused_in_json if in_json else _refused)

    def _s3(self, bucket_name=None, key_name=None):
        name = f"{bucket_name or '*'}/{key_name}" if key_name else (bucket_name or "*")
        _check(self, "s3", f"s3:{self._get_action()}", f"arn:aws:s3:::{name}", _refused_by_s3)

    def _of_bucket(self, action, resource):
        statements = [s for s in _statements(self.policy and self.policy.decode()) if s.get("Principal") == "*"]
        context = {"aws:SecureTransport": "true"}
        concerned = {s["Effect"] for s in statements if _concerns(s, action, resource, context)}
        if "Deny" in concerned:
            return PermissionResult.DENIED
        return PermissionResult.PERMITTED if "Allow" in concerned else PermissionResult.NEUTRAL

    FakeBucket.get_permission = _of_bucket
    Mixin._authenticate_and_authorize_normal_action = _normal
    Mixin._authenticate_and_authorize_s3_action = _s3
