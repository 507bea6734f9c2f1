"""Runs a command in a container that is locked down like a cell, by hand: for tests of the images and of the seccomp
profile, which must hold whatever hotcell itself does. The lock-down that hotcell applies is in src/docker/lockdown.cc.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROFILE = ROOT / "src/docker/seccomp.json"
UID = 1_800_000_123  # like a cell's: nobody in passwd has it


def image(name="runtime"):
    """The id of our image, which the daemon has from here on."""
    done = subprocess.run([ROOT / "scripts/docker-images", name], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("the image is not to be had; scripts/docker-images said why")
    return done.stdout.split()[-1]


def run(image_id, command, *, profile=PROFILE, mounts=(), options=(), stdin=b"", timeout=60):
    """subprocess.CompletedProcess, both streams as bytes. `mounts`: folders of this machine, as SOURCE:TARGET."""
    owner = f"uid={UID},gid={UID},mode=0700,size=100m,nosuid,nodev,exec"
    argv = [
        "docker",
        "run",
        "--rm",
        "-i",
        "--pull",
        "never",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--network",
        "none",
        "--security-opt",
        "no-new-privileges",
        "--security-opt",
        f"seccomp={profile}",
        "--user",
        f"{UID}:{UID}",
        "--memory",
        "512m",
        "--memory-swap",
        "512m",
        "--pids-limit",
        "128",
        "--ulimit",
        "core=0",
        "--tmpfs",
        f"/tmp:{owner}",
        "--tmpfs",
        f"/workspace:{owner}",
        "--log-driver",
        "none",
        *(word for mount in mounts for word in ("-v", f"{mount}:ro")),
        *options,
        image_id,
        *command,
    ]
    return subprocess.run(
        argv, input=stdin, capture_output=True, timeout=timeout, env={**os.environ, "DOCKER_CLI_HINTS": "false"}
    )


class Checks:
    """Counts, prints what failed, and ends with the line that test runners look for."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, holds, said=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {name}\n    {said}", flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skip {name}: {reason}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed or not self.passed else 0
