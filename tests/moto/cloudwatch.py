"""CloudWatch in the protocol that the Rust SDK speaks, Smithy RPC v2 with CBOR, of which moto knows nothing.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from datetime import timezone

import cbor2

PREFIX = "/service/GraniteServiceVersion20100801/operation/"


def answer(account: str, region: str, operation: str, body: bytes) -> bytes:
    """The answer to a request, with moto's own memory of metrics behind it."""
    from moto.cloudwatch.models import cloudwatch_backends

    backend = cloudwatch_backends[account][region]
    return cbor2.dumps(OPERATIONS[operation](backend, cbor2.loads(body)))


def _naive(at):
    """A time as moto has them: in UTC, without saying so."""
    return at.astimezone(timezone.utc).replace(tzinfo=None)


def put_metric_data(backend, request: dict) -> dict:
    data = [{**datum, "Timestamp": _naive(datum["Timestamp"])} for datum in request["MetricData"]]
    backend.put_metric_data(request["Namespace"], data)
    return {}


def get_metric_data(backend, request: dict) -> dict:
    queries = []
    for query in request["MetricDataQueries"]:
        stat = dict(query["MetricStat"])
        stat["Metric"] = {"Dimensions": [], **stat["Metric"]}
        queries.append({"ReturnData": "true", **query, "MetricStat": stat})
    start, end = (_naive(request[name]) for name in ("StartTime", "EndTime"))
    results = backend.get_metric_data(queries=queries, start_time=start, end_time=end, scan_by="TimestampAscending")
    return {
        "MetricDataResults": [
            {
                "Id": result["id"],
                "Label": result["label"],
                "StatusCode": "Complete",
                "Timestamps": [cbor2.CBORTag(1, at.replace(tzinfo=timezone.utc).timestamp()) for at in result["timestamps"]],
                "Values": [float(value) for value in result["values"]],
            }
            for result in results
        ]
    }


def list_metrics(backend, request: dict) -> dict:
    found = {
        (datum.name, tuple((d.name, d.value) for d in datum.dimensions))
        for datum in backend.metric_data
        if datum.namespace == request.get("Namespace", datum.namespace)
    }
    return {
        "Metrics": [
            {
                "Namespace": request.get("Namespace", ""),
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
            }
            for name, dimensions in sorted(found)
        ]
    }


OPERATIONS = {"ListMetrics": list_metrics, "PutMetricData": put_metric_data, "GetMetricData": get_metric_data}
