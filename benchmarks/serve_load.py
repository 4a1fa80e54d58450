"""A load on `vid2three serve`: many requests at once, of which the queue takes as many as it may.

    python benchmarks/serve_load.py [--requests 200] [--at-once 32] [--max-queue 8]

Starts a server of its own over a folder that vanishes, submits tiny assets, asks for states in between, cancels two
of three, and waits until each accepted one has ended. Prints which answers came, how fast, and what became of all.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
ENDED = ("done", "failed", "cancelled")
TINY = {
    "method": "splats",
    "generate": {"steps": 1, "retry_below": 0.0, "num_frames": 4, "height": 64, "width": 64},
    "fit": {"num_splats": 150, "iterations": 20},
    "mesh": {"num_faces": 200, "resolution": 24, "extra_views": 2, "texture_size": 64},
    "export": {"turntable_frames": 2, "turntable_size": 256},
}


@dataclass(frozen=True)
class Load:
    """What came of it."""

    codes: Counter
    """Of submissions: 202 taken, 429 turned away."""
    seconds: list[float]
    """Of each answer, to submissions and to questions, sorted."""
    states: Counter
    """Of the assets that were taken, at the end."""
    reasons: list[str]
    """Of those that failed."""


def ask(address: str, method: str, path: str, body: dict | None = None) -> tuple[int, dict, float]:
    """Return the status, the answer and how long it took."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text or "{}"), time.perf_counter() - start


def load(address: str, requests: int, at_once: int, patience_s: float = 900) -> Load:
    """Send the requests and wait until all that was taken has ended."""

    def one(number: int) -> list[tuple[int, dict, float]]:
        asked = {"prompt": "a red mug", "seed": number, "preset": "draft", "settings": TINY}
        answers = [ask(address, "POST", "/assets", asked)]
        answers.append(ask(address, "GET", "/health"))
        if answers[0][0] == 202:
            name = answers[0][1]["id"]
            answers.append(ask(address, "GET", f"/assets/{name}"))
            if number % 3:
                answers.append(ask(address, "POST", f"/assets/{name}/cancel"))
        return answers

    with ThreadPoolExecutor(at_once) as threads:
        answers = list(threads.map(one, range(requests)))
    taken = [found[0][1]["id"] for found in answers if found[0][0] == 202]
    deadline = time.monotonic() + patience_s
    states: dict[str, str] = {}
    reasons: list[str] = []
    while len(states) < len(taken) and time.monotonic() < deadline:
        for name in taken:
            asset = ask(address, "GET", f"/assets/{name}")[1]
            if asset["state"] in ENDED and name not in states:
                states[name] = asset["state"]
                reasons += [asset["reason"]] if asset["reason"] else []
        time.sleep(0.5)
    left = len(taken) - len(states)
    return Load(
        codes=Counter(found[0][0] for found in answers)
        + Counter(c for found in answers for c, _, _ in found[1:] if c >= 500),
        seconds=sorted(seconds for found in answers for _, _, seconds in found),
        states=Counter(states.values()) + Counter({"unknown": left}),
        reasons=reasons,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--max-queue", type=int, default=8)
    asked = parser.parse_args()
    code = f"import sys; sys.path[0] = {str(ROOT)!r}; from vid2three.cli import main; main()"
    with tempfile.TemporaryDirectory() as folder:
        bounds = ["--max-queue", str(asked.max_queue), "--port", "0", "-o", folder]
        server = subprocess.Popen([sys.executable, "-c", code, "serve", *bounds], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().partition("/openapi.json")[0]
            start = time.perf_counter()
            found = load(address, asked.requests, asked.at_once)
        finally:
            server.terminate()
            server.wait(60)
    middle, late, last = (found.seconds[int(share * (len(found.seconds) - 1))] for share in (0.5, 0.99, 1))
    print(f"{asked.requests} submissions, {asked.at_once} at once, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"answers to them: {dict(found.codes)}; the taken ended as {dict(found.states)}")
    for reason in found.reasons:
        print(f"failed: {reason}")
    times = f"median {middle * 1e3:.0f} ms, 99 % {late * 1e3:.0f} ms, last {last * 1e3:.0f} ms"
    print(f"{len(found.seconds)} answers: {times}")
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
