"""What schemathesis is told about this API, and the parts of it that schemathesis can't call: the document itself, and streams.

As a module: hooks. As a program, `python -m Tests.Acceptance.conformance_hooks URL KEY`: checks the document, and the streams by their first bytes.
"""

import re
import sys

import requests
import schemathesis
from hypothesis import strategies

from ..Harness.simulated_fleet import COUNTRIES

# A test that sets the limits of the server that it calls would be refused from then on: what it changes stays out of its way.
LEAST = {"requests": 10_000_000, "strict_requests": 10_000_000, "failed_keys": 10_000_000}

# Countries that the simulated fleet has servers of; the others are answered by 503 no_server, as the design has it.
SERVED = [*COUNTRIES, "uk"]

# Limits of pools as the document has them: pattern of each word, words at most. No server that was made up is within them.
LIMITS = [("tags", r"[!-~]{1,32}", 10), ("hostnames", r"[A-Za-z0-9.-]{1,253}", 100)]


def is_text(value, pattern):
    return isinstance(value, str) and re.fullmatch(pattern, value)


def is_list(value, pattern, most):
    return isinstance(value, list) and len(value) <= most and all(is_text(word, pattern) for word in value)


def served(code, document):
    """The code itself where it is wrong or has servers, else one that has."""
    pattern = document["paths"]["/api/exits"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["country"][
        "pattern"
    ]
    right = isinstance(code, str) and re.fullmatch(pattern.removeprefix("^").removesuffix("$"), code)
    return "us" if right and code.lower() not in SERVED else code


schemathesis.openapi.format(
    "ip-network", strategies.ip_addresses().map(str) | strategies.ip_addresses(v=4).map(lambda address: f"{address}/32")
)


@schemathesis.hook
def before_call(context, case, kwargs):
    """What a call could not be held to: it is made a call that can."""
    path, query = case.operation.path, case.query or {}
    if isinstance(case.body, dict):
        case.body = holdable(path, case.body)
    document = case.operation.schema.raw_schema
    if path == "/api/exits" and case.method.upper() == "POST" and isinstance(case.body, dict) and "country" in case.body:
        case.body = {**case.body, "country": served(case.body["country"], document)}
    if path == "/api/pools/{cc}" and case.method.upper() == "PUT" and case.path_parameters:
        case.path_parameters = {**case.path_parameters, "cc": served(case.path_parameters.get("cc"), document)}
    # Waiting for an exit that does not come takes as long as is asked: two minutes would be all the time that there is.
    if path == "/api/exits" and isinstance(query.get("wait"), (int, float)) and 1 < query["wait"] <= 120:
        case.query = {**query, "wait": 1}


def holdable(path, body):
    """The body without what is no matter of the document, or what the document can only say in words."""
    body = dict(body)
    if path == "/api/settings":
        body = {name: least(name, value) for name, value in body.items()}
    if isinstance(body.get("provider"), str):
        # Which providers there are is a matter of the configuration.
        body["provider"] = "nordvpn"
    if is_text(body.get("city"), r"[^\x00-\x1f\x7f]{1,100}"):
        # Which cities have servers.
        del body["city"]
    for field, pattern, most in LIMITS:
        # What servers are called, and which words are said of them.
        if is_list(body.get(field), pattern, most):
            del body[field]
    for field, pattern in (("password", r"[!-~]{12,128}"), ("secret", r"[!-~]{32,128}")):
        # How hard a secret is to guess.
        if is_text(body.get(field), pattern):
            body[field] = "h3Wq9ZtYp2mXc7RvLk4NbJd8FgSa5HeUyT6oQiEwKzM"
    rule = "instead_of_password" if body.get("address_rule") is None and "addresses" in body else body.get("address_rule")
    if path.startswith("/api/users") and rule == "instead_of_password" and not body.get("addresses"):
        # Addresses in place of a password must be there: a rule across fields, of the body and of the user that it changes.
        body["address_rule"] = "with_password"
    if path.startswith("/api/webhooks") and isinstance(body.get("url"), str):
        # Nothing is sent to hosts that were made up: this one is nobody's (RFC 6761). A Telegram webhook's URL must name a chat.
        body["url"] = "https://hooks.invalid/?chat_id=1"
    if path.endswith("/replay") and is_text(body.get("after"), r"[0-9]{1,18}-[0-9]{1,18}"):
        # Where the log of events ends.
        body["after"] = "0-0"
    return body


def least(name, value):
    """A limit that keeps this test itself from being refused."""
    return max(value, LEAST[name]) if name in LEAST and type(value) is int and value > 0 else value


def check_document(url):
    from openapi_spec_validator import OpenAPIV31SpecValidator

    document = requests.get(f"{url}/openapi.json", timeout=10).json()
    OpenAPIV31SpecValidator(document).validate()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {}).items():
                    assert kind != "application/json" or "example" in content or content["schema"] == {}, (
                        f"{method} {path} {status}: no example"
                    )
            assert {"500", "503"} <= set(operation["responses"]), f"{method} {path}: its errors are not named"


def check_streams(url, key):
    """Every stream, asked in as many ways as schemathesis makes up; what has come with the head is held against the document."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json").include(path_regex="^/api/stream/")
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(20261125)
        @settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case):
            words = case.as_transport_kwargs(base_url=url, headers={"X-API-Key": key})
            with requests.request(**words, stream=True, timeout=10) as response:
                if response.status_code == 200:
                    # All that there is before the first change.
                    response._content = next(response.iter_content(1 << 20))
                case.validate_response(response, headers={"X-API-Key": key})

        check()
        print(f"conformance: {operation.label} keeps its word")


if __name__ == "__main__":
    check_document(sys.argv[1])
    check_streams(sys.argv[1], sys.argv[2])
