"""Many requests at once: the queue stays bounded, no answer is an error of the server, all that was taken ends."""

import sys

import pytest

from test_vid2three_server import start


@pytest.mark.slow
def test_under_a_load_the_queue_is_bounded_and_all_that_is_taken_ends(root, tmp_path):
    sys.path.insert(0, str(root / "benchmarks"))
    import serve_load

    process, address = start(tmp_path, "--max-queue", "4")
    try:
        found = serve_load.load(address, requests=40, at_once=16)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    assert set(found.codes) == {202, 429}
    assert found.codes.total() == 40
    assert set(found.states) <= {"done", "cancelled"}
    assert found.states.total() == found.codes[202]
    assert found.states["done"] >= 1
