"""Holds the server to its own description: schemathesis sends what /v1/openapi.json allows and what it does not.

No answer may be a server error, and each must be one that the description names, with the headers, the media type and
the shape it gives. The server is the real binary on a port of its own, with a data folder of its own; a table, a document
and a base are made first, so that requests hit something.

ROUNDTABLE_BIN   the binary to start
API_SEED         the seed; a random one is taken and printed if it is not set
API_EXAMPLES     cases per operation (default 4; more are made to cover the bounds of each parameter)
API_SECONDS      when to stop (default 60)
"""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def furnish(url):
    """Makes things for requests to hit. Returns names of path and query parameters with values that exist."""
    made = post(f"{url}/v1/tables", {
        "title": "Contacts",
        "columns": [
            {"name": "Name", "kind": "text"},
            {"name": "Amount", "kind": "number"},
            {"name": "State", "kind": "select", "options": [{"name": "open"}, {"name": "done"}]},
            {"name": "Visits", "kind": "counter"},
            {"name": "Notes", "kind": "longtext"},
        ],
        "rows": [{"cells": {"Name": f"Person {number}", "Amount": number}} for number in range(20)],
    })
    table = made["table"]
    view = post(f"{url}/v1/tables/{table}/views", {"name": "Large", "sort": [{"column": "Amount", "descending": True}]})
    document = post(f"{url}/v1/documents", {"title": "Plan", "tags": ["a", "b"], "owner": {"name": "Ada"}})
    post(f"{url}/v1/bases", {"name": "crm"})
    rows = post(f"{url}/v1/tables/{table}/rows", {"rows": [{"cells": {"Name": "Ada"}}, {"cells": {"Name": "Grace"}}]})
    return {
        "path.table": [table],
        "path.document": [document["documentId"], table],
        "path.row": [row["id"] for row in rows["rows"]],
        "path.column": ["Name", "Amount", *[column["id"] for column in made["columns"]]],
        "path.view": [view["id"]],
        "path.base": ["crm"],
        "query.view": [view["id"]],
        "query.fields": ["Name", "Amount,Name"],
        "query.sort": ["Amount", "-Name"],
    }


def configuration(values):
    """What schemathesis is told: mostly things that exist, sometimes what it makes up."""
    lines = ["[parameters]"]
    for number, name in enumerate(values):
        lines.append(f'"{name}" = {{ dictionary = "known-{number}", probability = 0.8 }}')
    for number, known in enumerate(values.values()):
        lines += [f"[dictionaries.known-{number}]", f"values = {json.dumps(known)}"]
    return "\n".join(lines) + "\n"


def main():
    seed = int(os.environ.get("API_SEED") or random.randrange(1_000_000))
    examples = os.environ.get("API_EXAMPLES", "4")
    print(f"API_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="roundtable-api-") as folder:
        log = pathlib.Path(folder, "log")
        server = subprocess.Popen(
            [os.environ["ROUNDTABLE_BIN"], "serve", "--listen", "127.0.0.1:0", "--data", f"{folder}/data"],
            stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
        )
        try:
            url = re.search(r"http://[^/\s]+", server.stdout.readline()).group()
            config = pathlib.Path(folder, "schemathesis.toml")
            config.write_text(configuration(furnish(url)))
            command = [
                str(pathlib.Path(sys.executable).with_name("schemathesis")), "--config-file", str(config),
                "run", f"{url}/v1/openapi.json", "--url", url, "--seed", str(seed), "--max-examples", examples,
                "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing",
                "--request-timeout", "60", "--max-time", os.environ.get("API_SECONDS", "60"), "--no-color", "--warnings", "off",
            ]
            hooks = pathlib.Path(__file__).resolve().parent
            environment = {**os.environ, "PYTHONPATH": str(hooks), "SCHEMATHESIS_HOOKS": "hooks"}
            result = subprocess.run(command, cwd=folder, env=environment).returncode
            if server.poll() is not None:
                print(f"the server ended with {server.returncode}")
                result = 1
            panics = [line for line in log.read_text().splitlines() if "panicked" in line]
            if panics:
                print("the server panicked:", *panics[:10], sep="\n")
                result = 1
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)
    sys.exit(result)


main()
