#!/usr/bin/env python3
"""The Debian package under a real systemd: deb_test.py --deb FILE [-v] [--keep]

In a container whose first process is systemd: installed, started, used by members of the group and by strangers,
restarted under load, reloaded, frozen, killed, upgraded, removed. The tests are one story and run in the order that they
stand in. DOCKER_HOST names the daemon; nothing in here needs a network.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

here = pathlib.Path(__file__).resolve().parent
SOCKET = "/run/hotcell/hotcell.sock"
CONFIG = "/etc/hotcell/config.yaml"
# What `systemd-analyze security` says of them: 0 is shut, 10 is open.
EXPOSURE = {"hotcelld": 1.5, "hotcelld-wasi": 0.6}

# Clients that each ask again and again over connections of their own until a file appears; a line for every answer.
CLIENTS = r"""
import json, os, socket, sys, threading
def client(number, lines):
    asked = 0
    while not os.path.exists("/run/enough"):
        asked += 1
        body = json.dumps({"code": f"print({number} * 1000000 + {asked})"}).encode()
        said = b""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(60)
                connection.connect("/run/hotcell/hotcell.sock")
                connection.sendall(b"POST /v1/execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                   b"Content-Length: %d\r\n\r\n" % len(body) + body)
                while more := connection.recv(65536):
                    said += more
            head, _, text = said.partition(b"\r\n\r\n")
            answer = json.loads(text)
            right = answer.get("stdout") == f"{number * 1000000 + asked}\n"
            lines.append("right" if right else f"{head.split()[1].decode()} {answer.get('code')}")
        except Exception as error:
            lines.append(f"{error!r} after {said[:200]!r}")
all_lines = [[] for _ in range(8)]
threads = [threading.Thread(target=client, args=(n, all_lines[n])) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join(120)
print(json.dumps([line for lines in all_lines for line in lines]))
"""

deb = None
machine = None


def wait_for(what, seconds, look):
    """What `look` says, once it says anything."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} seconds: {what}")


class Machine:
    """A container that runs systemd."""

    def __init__(self):
        self.image = subprocess.run([here / "debian-image"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        # What is in here has the same path for the Docker daemon, whose containers are beside this one.
        self.shared = f"/srv/deb-test-{os.getpid()}"
        docker_socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        # Not --privileged, which gives rights that the daemon itself may lack. /sys/fs/cgroup can be written to already
        # where only a part of it is a cgroup2; where all of it is, Docker mounts it read-only.
        first = "mount -o remount,rw /sys/fs/cgroup 2> /dev/null; exec /lib/systemd/systemd"
        self.id = self.docker("run", "--detach", "--rm", "--network", "none", "--cgroupns", "private",
                              *(f"--cap-add={one}" for one in ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")),
                              *(f"--security-opt={one}=unconfined" for one in ("seccomp", "apparmor", "systempaths")),
                              f"--volume={self.shared}:{self.shared}", f"--volume={docker_socket}:/opt/docker.sock",
                              "--tmpfs", "/run", "--tmpfs", "/tmp", "--stop-signal=SIGRTMIN+3", self.image,
                              "sh", "-c", first).stdout.strip()
        try:
            self.wait_until_up()
        except BaseException:
            print(self.docker("logs", self.id, check=False).stdout)
            self.remove()
            raise

    def wait_until_up(self):
        wait_for("systemd is up", 60, lambda: self.run(
            "systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"))

    @staticmethod
    def docker(*words, input=None, check=True, timeout=120):
        done = subprocess.run(["docker", *map(str, words)], input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}")
        return done

    def run(self, *words, **more):
        return self.docker("exec", *(["-i"] if "input" in more else []), self.id, *words, **more)

    def sh(self, script, **more):
        return self.run("sh", "-c", script, **more).stdout.strip()

    def as_user(self, user, *words, **more):
        return self.run("runuser", "-u", user, "--", *words, **more)

    def curl(self, path, body=None, user="alice", **more):
        data = ["-d", json.dumps(body)] if body is not None else []
        return self.as_user(user, "curl", "-s", "--max-time", "30", "--unix-socket", SOCKET, "http://localhost" + path,
                            *data, **more)

    def execute(self, **fields):
        return json.loads(self.curl("/v1/execute", fields).stdout)

    def metric(self, start):
        lines = self.curl("/metrics").stdout.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(start))

    def shown(self, unit, name):
        return self.sh(f"systemctl show --value -p {name} {unit}")

    def processes(self, name):
        return self.sh(f"grep -l ^{name} /proc/[0-9]*/comm || true").split()

    def pid(self, unit="hotcelld"):
        return int(self.shown(unit, "MainPID"))

    def journal(self, unit="hotcelld"):
        return self.sh(f"journalctl --no-pager -o cat -u {unit}")

    def write(self, path, text):
        self.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}", input=text)

    def configure(self, text):
        self.write(CONFIG, text)

    def install(self, file, name="hotcell.deb"):
        self.docker("cp", file, f"{self.id}:/root/{name}")
        return self.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y -o Dpkg::Options::=--force-confold "
                       f"/root/{name} 2>&1", timeout=600)

    def remove(self):
        self.docker("rm", "--force", "--volumes", self.id, check=False)
        self.docker("run", "--rm", "--network=none", "--volume=/srv:/srv", self.image, "rm", "-rf", self.shared,
                    check=False)


class Package(unittest.TestCase):
    def serves(self):
        result = machine.execute(code="print(6*7)")
        self.assertEqual((result.get("status"), result.get("stdout")), ("completed", "42\n"), result)

    def test_images_that_cannot_be_made_do_not_stop_the_installation(self):
        machine.sh("adduser --system --group alice 2>&1; adduser --system --group mallory 2>&1")
        machine.configure("server:\n  max_runing: 5\n")
        said = machine.install(deb)
        self.assertIn("max_runing", said)
        self.assertIn("there are no images for WASI cells", said)
        self.assertEqual(machine.sh("dpkg-query -W -f '${Status}' hotcell"), "install ok installed")
        self.assertEqual(machine.sh("dpkg --verify hotcell | grep -v config.yaml || true"), "")
        # Nothing listens that nobody asked for.
        self.assertEqual(machine.sh("systemctl is-active hotcelld hotcelld.socket hotcelld-wasi || true").split(),
                         ["inactive"] * 3)

    def test_a_bad_setting_fails_the_start_with_a_sentence(self):
        began = time.monotonic()
        self.assertNotEqual(machine.run("systemctl", "start", "hotcelld", check=False).returncode, 0)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(machine.shown("hotcelld", "ActiveState"), "failed")
        self.assertEqual(machine.shown("hotcelld", "NRestarts"), "0")  # trying again would not help
        self.assertRegex(machine.journal(), r"max_runing.*\n.*max_running")

    def test_it_is_ready_when_its_start_returns(self):
        machine.sh(f"mv {CONFIG}.dpkg-dist {CONFIG}")
        machine.run("systemctl", "enable", "--now", "hotcelld", timeout=300)  # which makes the images, this time
        ready = machine.curl("/readyz", user="root")
        self.assertEqual(json.loads(ready.stdout)["engines"]["wasi"], "ready")
        self.assertEqual(machine.shown("hotcelld", "Type"), "notify")
        self.assertIn("wasi ready", machine.shown("hotcelld", "StatusText"))
        self.assertEqual(machine.sh("systemctl is-enabled hotcelld hotcelld.socket").split(), ["enabled"] * 2)
        self.assertEqual(machine.sh(f"stat -c '%a %U:%G' {SOCKET}"), "660 root:hotcell")
        images = json.loads(machine.as_user("mallory", "env", "HOTCELL_DOCKER_ENABLED=false", "hotcell", "images",
                                            "--json", "--verify").stdout)
        self.assertEqual([(i["name"], i["state"]) for i in images], [("python", "ready")])

    def test_images_that_are_there_are_not_made_again(self):
        made = machine.sh("stat -c %Y /var/lib/hotcell-images/python/manifest.json")
        self.assertEqual(machine.sh("hotcell images bake 2>&1", timeout=20), "")
        self.assertEqual(machine.sh("stat -c %Y /var/lib/hotcell-images/python/manifest.json"), made)
        # But on another processor they would be: only the beginning is of interest here.
        machine.sh("cp -p /var/lib/hotcell-images/python/manifest.json /root && "
                   "sed -i 's/\"cpu\": \"/&another /' /var/lib/hotcell-images/python/manifest.json")
        self.assertIn("making the image python", machine.sh("timeout 1 hotcell images bake 2>&1 || true"))
        machine.sh("mv /root/manifest.json /var/lib/hotcell-images/python/")

    def test_members_of_the_group_use_it_and_strangers_do_not(self):
        machine.sh("adduser alice hotcell 2>&1")
        self.serves()
        runs = machine.metric("hotcell_executions_total")
        self.assertEqual(machine.as_user("alice", "hotcell", "run", "-c", "print(6*7)").stdout, "42\n")
        self.assertEqual(machine.metric("hotcell_executions_total"), runs + 1)
        self.assertEqual(machine.curl("/readyz", user="mallory", check=False).returncode, 7)
        # They have WASI cells of their own.
        self.assertEqual(machine.as_user("mallory", "hotcell", "run", "-c", "print(6*7)").stdout, "42\n")
        self.assertEqual(machine.metric("hotcell_executions_total"), runs + 1)
        self.assertIn("permission denied", machine.as_user(
            "mallory", "hotcell", "run", "--url", "unix:" + SOCKET, "-c", "1", check=False).stdout.lower())
        audit = [line for line in machine.journal().splitlines() if '"unix:' in line]
        self.assertTrue(any(f'"unix:{machine.sh("id -u alice")}"' in line for line in audit), audit)

    def test_its_state_is_its_own(self):
        for folder in ("/var/lib/hotcell", "/var/cache/hotcell"):
            self.assertEqual(machine.sh(f"stat -c '%a %U:%G' {folder}"), "700 hotcell:hotcell")
        token = machine.sh("runuser -u hotcell -- hotcell token add ci --token-file /var/lib/hotcell/tokens.json "
                           "2> /dev/null")
        self.assertEqual(machine.sh("stat -c '%a %U' /var/lib/hotcell/tokens.json"), "600 hotcell")
        machine.configure('server:\n  listen: ["127.0.0.1:4682"]\n  audit: true\n')
        machine.run("systemctl", "restart", "hotcelld")
        code = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:4682/v1/execute -d '{\"code\":\"1\"}'"
        self.assertEqual(machine.sh(code), "401")
        self.assertEqual(machine.sh(f"{code} -H 'X-API-Key: {token}'"), "200")
        self.serves()  # and at the socket as before
        # systemd can hold that address, too.
        machine.write("/run/systemd/system/hotcelld.socket.d/tcp.conf", "[Socket]\nListenStream=127.0.0.1:4682\n")
        machine.sh("systemctl daemon-reload && systemctl restart hotcelld.socket hotcelld")
        self.assertEqual(machine.sh(f"{code} -H 'X-API-Key: {token}'"), "200")
        self.assertIn("127.0.0.1:4682", machine.sh("systemctl show -p Listen hotcelld.socket"))

    def test_a_restart_under_load_loses_no_request(self):
        clients = subprocess.Popen(["docker", "exec", "-i", machine.id, "runuser", "-u", "alice", "--", "python3", "-c",
                                    CLIENTS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            def answered():
                return machine.metric("hotcell_executions_total") > 50
            wait_for("the clients ask", 30, answered)
            for _ in range(2):
                before = machine.pid()
                machine.run("systemctl", "restart", "hotcelld")
                self.assertNotEqual(machine.pid(), before)
                wait_for("the clients ask", 30, answered)
        finally:
            machine.sh("touch /run/enough")
            said = clients.communicate(timeout=120)[0]
        lines = json.loads(said)
        self.assertGreater(len(lines), 150)
        # Who had been let in and had not asked yet hears so, and nothing of it has run. Who comes later waits.
        refused = lines.count("503 draining")
        self.assertLessEqual(refused, 2 * 8)
        self.assertEqual(set(lines), {"right", "503 draining"} if refused else {"right"})

    def test_a_reload_takes_up_what_has_changed(self):
        pid = machine.pid()
        machine.configure("wasi:\n  execution_timeout_ms: 300\nserver:\n  audit: true\n")
        machine.run("systemctl", "reload", "hotcelld")
        wait_for("it has read its settings", 10, lambda: "settings loaded again" in machine.journal())
        began = time.monotonic()
        self.assertEqual(machine.execute(code="while True: pass")["status"], "timeout")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(machine.pid(), pid)
        self.assertIn("server.listen", machine.journal())  # which needs a restart, and is said to

    def test_the_loop_feeds_the_watchdog_and_a_frozen_service_is_replaced(self):
        machine.write("/run/systemd/system/hotcelld.service.d/quick.conf",
                      "[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n")
        machine.sh("systemctl daemon-reload && systemctl restart hotcelld")
        fed = machine.shown("hotcelld", "WatchdogTimestampMonotonic")
        wait_for("the watchdog is fed", 5, lambda: machine.shown("hotcelld", "WatchdogTimestampMonotonic") != fed)
        self.replaced("STOP")
        self.assertIn("Watchdog timeout", machine.journal())

    def test_a_killed_service_is_replaced_and_nothing_is_left_of_it(self):
        self.serves()
        workers = machine.processes("hotcell-worker")
        self.assertTrue(workers)
        self.replaced("KILL")
        left = machine.processes("hotcell-worker")
        self.assertFalse(set(workers) & set(left))

    def replaced(self, signal):
        before, restarts = machine.pid(), int(machine.shown("hotcelld", "NRestarts"))
        machine.sh(f"kill -{signal} {before}")
        wait_for("another one is up", 30, lambda: machine.pid() not in (0, before) and
                 machine.shown("hotcelld", "ActiveState") == "active")
        self.assertEqual(int(machine.shown("hotcelld", "NRestarts")), restarts + 1)
        self.serves()

    def test_little_is_open_to_it(self):
        for unit, bound in EXPOSURE.items():
            report = machine.sh(f"systemd-analyze security --no-pager {unit}")
            level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)[1])
            print(f"{unit}: exposure {level}", file=sys.stderr)
            self.assertLessEqual(level, bound, report)

    def test_docker_cells_run_under_the_units_restrictions(self):
        shared, drop_in = machine.shared, "/run/systemd/system/hotcelld.service.d/docker.conf"
        machine.sh(f"install -d -o hotcell -m 0700 {shared}/cache && install /usr/bin/hotcell-agent {shared}/agent")
        machine.write(drop_in, f"""[Service]
Environment=DOCKER_HOST=unix:///opt/docker.sock HOTCELL_AGENT={shared}/agent XDG_CACHE_HOME={shared}/cache
ReadWritePaths={shared}
""")
        machine.sh("group=$(stat -c %g /opt/docker.sock); getent group $group || groupadd -g $group docker; "
                   "usermod -aG $(getent group $group | cut -d: -f1) hotcell")
        machine.sh("systemctl daemon-reload && systemctl restart hotcelld")
        result = machine.execute(code="echo $((6*7))", language="bash")
        self.assertEqual((result.get("stdout"), result["engine"]["name"]), ("42\n", "docker"), result)
        cells = "HOTCELL_STATE=/var/lib/hotcell DOCKER_HOST=unix:///opt/docker.sock hotcell ps --cells --json"
        self.assertNotEqual(json.loads(machine.sh(cells)), [])
        machine.sh(f"rm {drop_in} && systemctl daemon-reload && systemctl restart hotcelld")
        self.assertEqual(json.loads(machine.sh(cells)), [])  # none outlives its service
        self.serves()

    def test_an_upgrade_makes_new_images_and_goes_on_with_the_new_program(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["dpkg-deb", "-R", deb, folder + "/tree"], check=True)
            control = pathlib.Path(folder, "tree/DEBIAN/control")
            control.write_text(re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.M))
            subprocess.run(["dpkg-deb", "--root-owner-group", "-z1", "-Zgzip", "-b", folder + "/tree",
                            folder + "/next.deb"], check=True, stdout=subprocess.DEVNULL)
            pid, made = machine.pid(), machine.sh("stat -c %Y /var/lib/hotcell-images/python/manifest.json")
            machine.install(folder + "/next.deb", "next.deb")
        self.assertIn("+next", machine.sh("dpkg-query -W -f '${Version}' hotcell"))
        self.assertGreater(machine.sh("stat -c %Y /var/lib/hotcell-images/python/manifest.json"), made)
        self.assertNotIn(machine.pid(), (0, pid))
        self.assertEqual(machine.sh("systemctl is-enabled hotcelld"), "enabled")
        self.assertIn("execution_timeout_ms: 300", machine.sh(f"cat {CONFIG}"))  # the administrator's
        self.serves()

    def test_it_comes_back_with_the_machine(self):
        machine.docker("restart", "--time", "30", machine.id)
        machine.wait_until_up()
        self.assertEqual(machine.shown("hotcelld", "ActiveState"), "active")
        self.serves()

    def test_the_wasi_service_needs_nothing_of_docker(self):
        # A daemon's socket that everybody may use: the service must not even see it.
        machine.sh("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")' && "
                   "chmod 666 /run/docker.sock")
        machine.run("systemctl", "disable", "--now", "hotcelld.service", "hotcelld.socket")
        machine.run("systemctl", "enable", "--now", "hotcelld-wasi")
        self.assertEqual(machine.sh(f"stat -c '%a %U:%G' {SOCKET}"), "660 hotcell:hotcell")
        self.serves()
        self.assertEqual(machine.curl("/readyz", user="mallory", check=False).returncode, 7)
        self.assertEqual(list(json.loads(machine.curl("/readyz").stdout)["engines"]), ["wasi"])
        refused = machine.execute(code="echo 1", language="bash")
        self.assertEqual(refused["status"], "rejected", refused)
        pid = machine.pid("hotcelld-wasi")
        self.assertEqual(machine.sh(f"stat -c %a /proc/{pid}/root/run/docker.sock"), "0")
        self.assertEqual(machine.sh(f"tail -n +3 /proc/{pid}/net/dev | cut -d: -f1").split(), ["lo"])
        machine.run("systemctl", "start", "hotcelld")  # one of the two at a time
        self.assertEqual(machine.shown("hotcelld-wasi", "ActiveState"), "inactive")
        self.serves()

    def test_a_purge_leaves_nothing(self):
        machine.sh("apt-get purge -y hotcell 2>&1")
        self.assertEqual(machine.processes("hotcell"), [])
        self.assertEqual(machine.sh("find / -xdev -path /root -prune -o -name '*hotcell*' -print"), "")
        self.assertEqual(machine.sh("find /run /tmp -name '*hotcell*' -not -path '/run/systemd/*' || true"), "")
        self.assertEqual(machine.sh("getent passwd hotcell; getent group hotcell; true"), "")
        self.assertEqual(machine.sh("systemctl list-units --all --plain --no-legend 'hotcell*'"), "")


def main():
    global deb, machine
    options = argparse.ArgumentParser()
    options.add_argument("--deb", required=True, type=pathlib.Path, help="the package; scripts/package makes it")
    options.add_argument("--keep", action="store_true", help="leave the container, to look into it")
    options, rest = options.parse_known_args()
    deb = options.deb.resolve()
    order = list(vars(Package))
    loader = unittest.TestLoader()
    loader.sortTestMethodsUsing = lambda a, b: order.index(a) - order.index(b)
    machine = Machine()
    try:
        result = unittest.main(argv=[sys.argv[0], "-f", *rest], testLoader=loader, exit=False, warnings="ignore").result
        if result.failures or result.errors:
            print(machine.sh("journalctl --no-pager -o short-monotonic -n 60 2>&1", check=False))
    finally:
        print(f"the container: {machine.id}") if options.keep else machine.remove()
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)


if __name__ == "__main__":
    main()
