#!/usr/bin/env python3
"""The service's container: service_image_test.py [-v]

Built of the Debian package on the test's own Debian, since no registry need be reachable, and started as
images/service/compose.yaml and compose-docker.yaml say, by `docker run`: compose need not be there. DOCKER_HOST names the
daemon, which must see this machine's files.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
name = f"hotcell-service-test-{os.getpid()}"


def docker(*words, check=True, errors=subprocess.STDOUT):
    done = subprocess.run(["docker", *map(str, words)], stdout=subprocess.PIPE, stderr=errors, text=True, timeout=120)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}")
    return done


def service_of(file, **env):
    """The service of a compose file, with its variables filled in."""
    text = (root / "images/service" / file).read_text()
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: env.get(found[1], found[2]), text)
    return yaml.safe_load(text)["services"]["hotcell"]


def flags_of(service):
    """The flags of `docker run` for a service, and its command; an unknown key is an error."""
    flags = []
    for key, value in service.items():
        if key == "environment":
            flags += [f"--env={name}={text}" for name, text in value.items()]
        elif key in ("init", "read_only"):
            flags += ["--" + key.replace("_", "-")] if value else []
        elif key == "volumes":
            flags += ["--volume=" + (one if one.startswith("/") else f"{name}-{one}") for one in value]
        elif key in ("cap_drop", "security_opt", "tmpfs"):
            flags += [f"--{key.replace('_', '-')}={one}" for one in value]
        elif key in ("user", "mem_limit", "pids_limit"):
            flags.append({"user": "--user", "mem_limit": "--memory", "pids_limit": "--pids-limit"}[key] + f"={value}")
        elif key == "stop_grace_period":
            flags.append(f"--stop-timeout={value.removesuffix('s')}")
        elif key not in ("image", "command", "restart", "ports"):  # the last two would be in the machine's way
            raise AssertionError(f"this test does not know {key}")
    return [*flags, "--network=none", service["image"]]


def remove():
    docker("rm", "--force", "--volumes", name, check=False)
    volumes = docker("volume", "ls", "--quiet", "--filter", f"name={name}-").stdout.split()
    if volumes:
        docker("volume", "rm", *volumes)


class Container(unittest.TestCase):
    def tearDown(self):
        remove()

    def start(self, service):
        token = docker("run", "--rm", "--entrypoint=hotcell", *flags_of(service), "token", "add", "ci",
                       errors=subprocess.DEVNULL).stdout.strip()
        docker("run", "--detach", f"--name={name}", *flags_of(service), *service["command"])
        until = time.monotonic() + 120
        while (health := docker("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", name).stdout.strip()) \
                != "running healthy":
            self.assertLess(time.monotonic(), until, health + "\n" + docker("logs", name).stdout)
            self.assertTrue(health.startswith("running"), docker("logs", name).stdout)
            time.sleep(0.2)
        return token

    def run_inside(self, *words):
        return docker("exec", name, "hotcell", "run", *words)

    def test_it_does_not_start_open_to_everybody(self):
        service = service_of("compose.yaml")
        said = docker("run", f"--name={name}", *flags_of(service), *service["command"], check=False)
        self.assertEqual(said.returncode, 125, said.stdout)
        self.assertIn("without tokens", said.stdout)

    def test_wasi_cells_in_a_container_without_rights(self):
        service = service_of("compose.yaml")
        token = self.start(service)
        self.assertEqual(self.run_inside("-c", "print(6*7)").stdout, "42\n")
        self.assertIn("in all 1, 0, 0", docker("exec", name, "hotcell", "status").stdout)  # the service has run it
        status = docker("exec", name, "cat", "/proc/1/status", "/proc/self/status").stdout
        self.assertEqual(set(re.findall(r"^Cap(?:Eff|Prm|Bnd):\s*(\S+)", status, re.M)), {"0" * 16})
        self.assertNotIn("0", re.findall(r"^Uid:\s*(\d+)", status, re.M))
        self.assertNotEqual(docker("exec", name, "touch", "/usr/x", check=False).returncode, 0)
        self.assertEqual(docker("exec", "--env=HOTCELL_TOKEN=" + token, name, "hotcell", "run", "--url",
                                "http://127.0.0.1:4682", "-c", "print(6*7)").stdout, "42\n")
        self.assertNotIn("making the image", docker("logs", name).stdout)  # which were made when it was built
        docker("stop", name)
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip(), "0")

    def test_docker_cells_beside_the_container(self):
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        folder = tempfile.mkdtemp(prefix="hotcell-shared-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        service = service_of("compose-docker.yaml", HOTCELL_SHARED=folder)
        service["volumes"] = [one.replace("/var/run/docker.sock:", host.removeprefix("unix://") + ":")
                              for one in service["volumes"]]
        self.start(service)
        result = json.loads(self.run_inside("--json", "-l", "bash", "-c", "echo $((6*7))").stdout)
        self.assertEqual((result["stdout"], result["engine"]["name"]), ("42\n", "docker"), result)
        self.assertEqual(self.run_inside("-c", "print(6*7)").stdout, "42\n")


def main():
    base = subprocess.run([here / "debian-image"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    subprocess.run([root / "scripts/service-image", base], check=True, stdout=subprocess.DEVNULL)
    try:
        result = unittest.main(argv=sys.argv, exit=False, warnings="ignore").result
    finally:
        remove()
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)


if __name__ == "__main__":
    main()
