"""Lambda's detection of recursive loops. Moto knows nothing of it, so we add it:

* a message remembers the trace header of the request that sent it
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html);
* a function knows whether it may be part of a loop, as its stack says
  (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html).
"""

import json

_PREFIX, _SUFFIX = "/2024-08-31/functions/", "/recursion-config"


def is_asked(path: str) -> bool:
    """Whether a request asks how a function is set."""
    return path.startswith(_PREFIX) and path.endswith(_SUFFIX)


def answer(account: str, region: str, path: str) -> tuple[str, bytes]:
    """How a function is set: a status and a body."""
    from moto.awslambda.models import lambda_backends

    name = path.removeprefix(_PREFIX).removesuffix(_SUFFIX).rpartition(":")[2]
    function = lambda_backends[account][region]._lambdas.get_function_by_name_or_arn_with_qualifier(name)
    return "200 OK", json.dumps({"RecursiveLoop": getattr(function, "recursive_loop", "Terminate")}).encode()


def install() -> None:
    """Mends moto's messages and functions."""
    from moto.awslambda.models import LambdaFunction
    from moto.sqs.responses import SQSResponse

    create = LambdaFunction.create_from_cloudformation_json.__func__
    parameter = SQSResponse._get_param

    def _create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        function = create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        function.recursive_loop = cloudformation_json["Properties"].get("RecursiveLoop", "Terminate")
        return function

    def _parameter(self, name, *default):
        found = parameter(self, name, *default)
        header = self.headers.get("X-Amzn-Trace-Id")
        if name == "MessageSystemAttributes" and header and not found:
            return {"AWSTraceHeader": {"StringValue": header, "DataType": "String"}}
        return found

    LambdaFunction.create_from_cloudformation_json = classmethod(_create)
    SQSResponse._get_param = _parameter
