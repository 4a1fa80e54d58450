"""schemathesis against a real server: whatever a request holds, the answer is one that OpenAPI names, never a 500."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans

from server_parts import ASKED
from test_vid2three_server import ask, start

schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis: pip install -e .[dev]")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]  # not that all data of the schema is taken: which prompts and sizes go, no schema can say


OPERATIONS = [
    ("GET", "/health"),
    ("GET", "/assets"),
    ("POST", "/assets"),
    ("POST", "/assets/from-image"),
    ("POST", "/assets/from-video"),
    ("GET", "/assets/{id}"),
    ("DELETE", "/assets/{id}"),
    ("POST", "/assets/{id}/cancel"),
    ("GET", "/assets/{id}/events"),
    ("GET", "/assets/{id}/files"),
    ("GET", "/assets/{id}/files/{name}"),
    ("GET", "/assets/{id}/zip"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process, address = start(tmp_path_factory.mktemp("work"), "--max-queue", "3", "--max-assets", "40")
    try:
        for _ in range(2):  # ids that are there, so that more than 404 is seen
            ask(address, "/assets", ASKED)
        yield address
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err


@pytest.fixture(scope="module")
def api(server):
    return schemathesis.openapi.from_url(f"{server}/openapi.json")


def test_every_operation_is_tried(api):
    found = [operation.ok() for operation in api.get_all_operations()]
    assert sorted((operation.method.upper(), operation.path) for operation in found) == sorted(OPERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_one_that_is_documented(api, server, method, path, mode):
    if (path, mode) == ("/health", "negative"):
        pytest.skip("it takes nothing that could be wrong")
    strategy = api[path][method].as_strategy(generation_mode=schemathesis.GenerationMode(mode))
    known = ask(server, "/assets")["assets"][-1]["id"]

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy, booleans())
    def answered(case, is_known):
        if is_known and "id" in case.path_parameters and method != "DELETE":
            case.path_parameters["id"] = known
        case.call_and_validate(checks=CHECKS, timeout=60)

    answered()
