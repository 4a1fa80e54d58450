"""Python in a process of its own, for tests of the threads that libraries start with."""

import os
import subprocess
import sys
from pathlib import Path


def told(root: Path, code: str, **environment: str) -> list[str]:
    """Run code beside the checkout, no number of threads set but those given, and return the words that it prints."""
    mine = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    words = [sys.executable, "-c", f"import sys\nsys.path[0] = {str(root)!r}\n{code}"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=300, env={**mine, **environment})
    assert found.returncode == 0, found.stderr
    return found.stdout.split()
