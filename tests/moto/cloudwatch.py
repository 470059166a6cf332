"""CloudWatch in the protocol that the Rust SDK speaks, Smithy RPC v2 with CBOR, of which moto knows nothing.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from datetime import datetime, timezone

import cbor2

PREFIX = "/service/GraniteServiceVersion20100801/operation/"


def answer(account: str, region: str, operation: str, body: bytes) -> bytes:
    """The answer to a request, with moto's own memory of metrics behind it."""
    from moto.cloudwatch.models import cloudwatch_backends

    backend = cloudwatch_backends[account][region]
    return cbor2.dumps(OPERATIONS[operation](backend, cbor2.loads(body)))


def put_metric_data(backend, request: dict) -> dict:
    data = []
    for datum in request["MetricData"]:
        datum = dict(datum)
        if isinstance(datum.get("Timestamp"), datetime):
            datum["Timestamp"] = datum["Timestamp"].isoformat()
        data.append(datum)
    backend.put_metric_data(request["Namespace"], data)
    return {}


def get_metric_data(backend, request: dict) -> dict:
    queries = []
    for query in request["MetricDataQueries"]:
        stat = dict(query["MetricStat"])
        stat["Metric"] = {"Dimensions": [], **stat["Metric"]}
        queries.append({"ReturnData": "true", **query, "MetricStat": stat})
    start, end = (request[name].replace(tzinfo=timezone.utc) for name in ("StartTime", "EndTime"))
    results = backend.get_metric_data(queries=queries, start_time=start, end_time=end, scan_by="TimestampAscending")
    return {
        "MetricDataResults": [
            {
                "Id": result["id"],
                "Label": result["label"],
                "StatusCode": "Complete",
                "Timestamps": [cbor2.CBORTag(1, at.timestamp()) for at in result["timestamps"]],
                "Values": [float(value) for value in result["vals"]],
            }
            for result in results
        ]
    }


OPERATIONS = {"PutMetricData": put_metric_data, "GetMetricData": get_metric_data}
