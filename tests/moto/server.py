"""Moto as a server for tests: many accounts, a clock for each, and AWS's behaviour where moto's differs.

Prints one line `{"port": …, "clocks": folder}` and serves on the loopback interface until its standard
input is closed, so that it never outlives the test that started it.

Its own routes, beside moto's:
* `GET /_tests/mails/{account}`: what was published to the account's topics, the oldest first.
* `GET /_tests/permissions/{account}`: what the account's roles may do, and whether they have.
* `PUT /_tests/queues/{account}` with `{"seconds": n}`: so much time passes for the messages of its queues; with
  `{}`: its long polls end.
* `PUT /_tests/events/{account}` with `{"copies": n, "together": m}`: from now on each event of S3 is delivered
  n times, and m events at a time, the newest first.
* `PUT /_tests/clock/{account}` with `{"ahead": n}`: it is so many seconds ahead of the machine from now on.
* `PUT /_tests/stored/{account}` with `{"bucket": name, "queues": [name, …]}`: the objects and messages that are
  in them, as `stored.py` has them; with `{…, "stored": that}` it puts them there.
* `PUT /_tests/objects/{account}` with `{"bucket": name, "objects": {key: text}}`: puts them all at once.
"""

import json
import logging
import os
import sys
import tempfile

import clock

clock.install()

from werkzeug.serving import make_server  # noqa: E402

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # noqa: E402

import accounts  # noqa: E402
import cloudwatch  # noqa: E402
import filters  # noqa: E402
import mails  # noqa: E402
import notifications  # noqa: E402
import objects  # noqa: E402
import permissions  # noqa: E402
import queues  # noqa: E402
import recursion  # noqa: E402
import stacks  # noqa: E402
import stored  # noqa: E402
import versions  # noqa: E402

MENDED = [accounts, permissions, objects, queues, notifications, filters, stacks, recursion, versions]
OWN = {
    "clock": clock.answer,
    "mails": mails.answer,
    "events": notifications.answer,
    "permissions": permissions.answer,
    "queues": queues.answer,
    "objects": objects.answer,
    "stored": stored.answer,
}


class Server:
    """The WSGI application: sets the request's clock, then hands over to moto."""

    def __init__(self, clocks: str):
        self.clocks = clocks
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        parts = environ["PATH_INFO"].split("/")
        if len(parts) == 4 and parts[1] == "_tests":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            answer = json.dumps(OWN[parts[2]](parts[3], body)).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        key = accounts.key_of(environ)
        clock.enter(self.clocks, accounts.account_of(key))
        if recursion.is_asked(environ["PATH_INFO"]):
            asked = accounts.account_of(key), accounts.region_of(environ), environ["PATH_INFO"]
            status, answer = recursion.answer(*asked)
            start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        if environ["PATH_INFO"].startswith(cloudwatch.PREFIX):
            operation = environ["PATH_INFO"].removeprefix(cloudwatch.PREFIX)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            answer = cloudwatch.answer(accounts.account_of(key), accounts.region_of(environ), operation, body)
            headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
            start_response("200 OK", [*headers.items(), ("Content-Length", str(len(answer)))])
            return [answer]
        return self.moto(environ, start_response)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for module in MENDED:
        module.install()
    with tempfile.TemporaryDirectory(prefix="moto-clocks-") as clocks:
        server = make_server(
            "127.0.0.1", 0, Server(clocks), threaded=True, request_handler=MotoRequestHandler
        )
        server.daemon_threads = True
        import threading

        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"port": server.server_address[1], "clocks": clocks}), flush=True)
        sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
