"""Headless Chromium; a test without it is skipped, or fails in CI."""

import os
import shutil
import subprocess

import pytest

# Without them it asks its maker's hosts at every start.
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium(profile, *arguments) -> str:
    """What a run of the browser prints; its profile is a folder of its own."""
    browser = shutil.which("chromium")
    if browser is None:
        reason = "no chromium: install Debian's chromium and fonts-noto-core"
        if os.environ.get("MUSE_JOBS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    command = [browser, *QUIET, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode()
