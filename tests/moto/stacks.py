"""Stacks of CloudFormation. Moto differs from AWS here, so we mend it: it says that a stack is complete
and leaves out whatever it does not know.

* The resources of `_MAKE` are made; those of `_PLAIN` are there and do nothing; any other type that moto
  does not know fails the stack.
* A bucket gets its notification, and not unless its queue lets S3 send
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html);
  and its public access block.
* `AWS::NoValue` takes an element out of a list as well, a number finds a map's key, and a function's
  variables are text.
* The ARN of a log group stands for its streams.
* A REST API knows its binary media types.
* The values of NoEcho parameters are not told.
* Whoever has mapped a queue to a function receives from it: moto does nothing of its own with mappings.
"""

import json

import permissions

_PLAIN = {
    "AWS::ApiGateway::Account": (),
    "AWS::ApiGateway::Stage": (),
    "AWS::CloudWatch::Alarm": ("Arn",),
    "AWS::Lambda::EventInvokeConfig": (),
}


def _queue_policy(_name: str, properties: dict, account: str, region: str) -> tuple[str, dict]:
    from moto.sqs.models import sqs_backends

    for url in properties["Queues"]:
        queue = sqs_backends[account][region].get_queue(url.rsplit("/", 1)[-1])
        queue.policy = json.dumps(properties["PolicyDocument"])
    return properties["Queues"][0], {}


def _bucket_policy(_name: str, properties: dict, account: str, _region: str) -> tuple[str, dict]:
    from moto.s3.models import s3_backends

    policy = json.dumps(properties["PolicyDocument"]).encode()
    s3_backends[account]["aws"].put_bucket_policy(properties["Bucket"], policy)
    return properties["Bucket"], {}


def _topic_policy(name: str, properties: dict, account: str, region: str) -> tuple[str, dict]:
    from moto.sns.models import sns_backends

    for arn in properties["Topics"]:
        sns_backends[account][region].get_topic(arn).policy = json.dumps(properties["PolicyDocument"])
    return name, {}


def _subscription(_name: str, properties: dict, account: str, region: str) -> tuple[str, dict]:
    from moto.sns.models import sns_backends

    subscribed = sns_backends[account][region].subscribe(
        properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
    )
    return subscribed.arn, {"Arn": subscribed.arn}


def _secret(name: str, properties: dict, account: str, region: str) -> tuple[str, dict]:
    from moto.secretsmanager.models import secretsmanager_backends

    backend = secretsmanager_backends[account][region]
    made = json.loads(
        backend.create_secret(
            name=properties.get("Name", name),
            secret_string=properties.get("SecretString"),
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags"),
            kms_key_id=properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
    )
    return made["ARN"], {"Id": made["ARN"]}


_MAKE = {
    "AWS::SQS::QueuePolicy": (_queue_policy, ()),
    "AWS::S3::BucketPolicy": (_bucket_policy, ()),
    "AWS::SNS::TopicPolicy": (_topic_policy, ()),
    "AWS::SNS::Subscription": (_subscription, ("Arn",)),
    "AWS::SecretsManager::Secret": (_secret, ("Id",)),
}

_models: list[type] = []


def _plain(name: str, properties: dict, _account: str, _region: str) -> tuple[str, dict]:
    # What refers to a stage gets the name that is part of its address.
    name = properties.get("StageName", name)
    return name, {"Arn": name}


def _model(kind: str, make, attributes: tuple):
    """A class of moto's for a type of resource."""
    from moto.core.common_models import CloudFormationModel

    def _create(cls, resource_name, cloudformation_json, account_id, region_name, **_kwargs):
        made = cls()
        properties = cloudformation_json.get("Properties", {})
        made.physical_resource_id, made.attributes = make(resource_name, properties, account_id, region_name)
        return made

    def _update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        # Policies are set anew; the rest stays as it was made.
        if kind.endswith("Policy"):
            return cls.create_from_cloudformation_json(
                new_resource_name, cloudformation_json, account_id, region_name
            )
        return original_resource

    methods = {
        "cloudformation_name_type": staticmethod(lambda: ""),
        "cloudformation_type": staticmethod(lambda: kind),
        "has_cfn_attr": classmethod(lambda cls, attr: attr in attributes),
        "create_from_cloudformation_json": classmethod(_create),
        "update_from_cloudformation_json": classmethod(_update),
        "delete_from_cloudformation_json": classmethod(lambda cls, *_args: None),
        "get_cfn_attribute": lambda self, attribute: self.attributes[attribute],
        "is_created": lambda self: True,
    }
    return type(kind.replace("::", ""), (CloudFormationModel,), methods)


def _mend_buckets() -> None:
    from moto.cloudformation.exceptions import ValidationError
    from moto.s3.models import FakeBucket, s3_backends
    from moto.sqs.models import sqs_backends

    create = FakeBucket.create_from_cloudformation_json.__func__

    def _notification(properties: dict) -> list:
        queues = properties.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
        return [
            {
                "Queue": queue["Queue"],
                "Event": [queue["Event"]],
                "Filter": {
                    "S3Key": {
                        "FilterRule": [
                            {"Name": rule["Name"].lower(), "Value": rule["Value"]}
                            for rule in queue.get("Filter", {}).get("S3Key", {}).get("Rules", [])
                        ]
                    }
                },
            }
            for queue in queues
        ]

    def _create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json.get("Properties", {})
        queues = _notification(properties)
        for target in queues:
            queue = sqs_backends[account_id][region_name].queues.get(target["Queue"].split(":")[-1])
            context = {"aws:SourceArn": f"arn:aws:s3:::{resource_name}", "aws:SourceAccount": account_id}
            if queue is None or not permissions.service_may(
                queue.policy, "s3.amazonaws.com", "sqs:SendMessage", target["Queue"], context
            ):
                raise ValidationError(resource_name, "Unable to validate the following destination configurations")
        bucket = create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        backend = s3_backends[account_id]["aws"]
        if "PublicAccessBlockConfiguration" in properties:
            block = properties["PublicAccessBlockConfiguration"]
            backend.put_public_access_block(resource_name, {k: str(v).lower() for k, v in block.items()})
        if "VersioningConfiguration" in properties:
            backend.put_bucket_versioning(resource_name, properties["VersioningConfiguration"]["Status"])
        if queues:
            backend.put_bucket_notification_configuration(resource_name, {"QueueConfiguration": queues})
        return bucket

    FakeBucket.create_from_cloudformation_json = classmethod(_create)


def _mend_attributes() -> None:
    from moto.apigateway.models import RestAPI
    from moto.awslambda.models import LambdaFunction
    from moto.logs.models import LogGroup

    create_api = RestAPI.create_from_cloudformation_json.__func__
    create_function = LambdaFunction.create_from_cloudformation_json.__func__

    def _api(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        api = create_api(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        api.binaryMediaTypes = cloudformation_json["Properties"].get("BinaryMediaTypes", [])
        return api

    def _function(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        variables = cloudformation_json["Properties"].get("Environment", {}).get("Variables", {})
        variables.update({name: str(value) for name, value in variables.items()})
        return create_function(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)

    RestAPI.create_from_cloudformation_json = classmethod(_api)
    LambdaFunction.create_from_cloudformation_json = classmethod(_function)
    LogGroup.get_cfn_attribute = lambda self, attribute: f"{self.arn}:*"


def install() -> None:
    """Mends moto's stacks."""
    from moto.cloudformation import parsing
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import Stack
    from moto.sqs.models import Queue

    makes = {**_MAKE, **{kind: (_plain, attributes) for kind, attributes in _PLAIN.items()}}
    # Moto asks a class for its subclasses, which does not keep them.
    _models.extend(_model(kind, make, attributes) for kind, (make, attributes) in makes.items())
    _mend_buckets()
    _mend_attributes()
    Queue.lambda_event_source_mappings = property(lambda self: {}, lambda self, value: None)

    class_of, clean = parsing.resource_class_from_type, parsing.clean_json

    def _class_of(resource_type):
        found = class_of(resource_type)
        if found is None:
            raise ValidationError(resource_type, f"{resource_type} is not known here: see tests/moto/stacks.py")
        return found

    def _clean(value, resources):
        if isinstance(value, list):
            cleaned = [(element, parsing.clean_json(element, resources)) for element in value]
            return [new for old, new in cleaned if new is not None or old is None]
        if isinstance(value, dict) and "Fn::FindInMap" in value:
            name, *path = value["Fn::FindInMap"]
            path = [str(parsing.clean_json(step, resources)) for step in path]
            return clean({"Fn::FindInMap": [name, *path]}, resources)
        return clean(value, resources)

    def _parameters(self):
        hidden = self.resource_map.no_echo_parameter_keys
        return [
            {"ParameterKey": key, "ParameterValue": "****" if key in hidden else value}
            for key, value in self.resource_map.resolved_parameters.items()
        ]

    parsing.resource_class_from_type, parsing.clean_json = _class_of, _clean
    Stack.parameter_list = property(_parameters)
