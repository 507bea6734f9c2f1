#!/usr/bin/env python3
"""How hotcelld and systemd speak to each other: systemd_test.py --bin FOLDER [-v] [TestCase.test]

systemd's side is played here: its notify socket, its watchdog, its sockets. deb_test.py has the real one.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import time
import unittest

from service import Connection, request_bytes, run_cases, Service

bin_dir = None


class Manager:
    """The end of a notify socket that a service manager has."""

    def __init__(self, abstract=False):
        self.folder = tempfile.TemporaryDirectory(prefix="hotcell-notify-")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f"@hotcell-test-{os.getpid()}" if abstract else self.folder.name + "/notify"
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)
        self.env = {"NOTIFY_SOCKET": self.name}
        self.heard = []  # (when, {name: value})

    def hear(self, seconds):
        """The next message, as a dict; None: nothing came."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            text = self.socket.recv(65536).decode()
        except TimeoutError:
            return None
        message = dict(line.split("=", 1) for line in text.splitlines())
        self.heard.append((time.monotonic(), message))
        return message

    def wait_for(self, name, value=None, seconds=20):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = self.hear(left)
            if message and name in message and value in (None, message[name]):
                return message
        raise AssertionError(f"{name} was never said: {self.heard}")

    def everything(self, seconds):
        until = time.monotonic() + seconds
        out = []
        while (left := until - time.monotonic()) > 0:
            if message := self.hear(left):
                out.append(message)
        return out


class Notify(unittest.TestCase):
    def test_ready_means_that_it_serves(self):
        for abstract in (False, True):
            manager = Manager(abstract)
            service = Service(bin_dir, wait=False, env=manager.env)
            message = manager.wait_for("READY", "1")
            self.assertIn("wasi ready", message["STATUS"])
            answer = service.get("/readyz")
            self.assertEqual((answer.status, answer.json()["engines"]["wasi"]), (200, "ready"))
            self.assertEqual([m for _, m in manager.heard if "READY" in m], [message])
            for pid in service.workers():
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                self.assertNotIn(b"NOTIFY_SOCKET", environment)
            self.assertEqual(service.stop(), 0)

    def test_a_manager_that_is_not_there_is_no_reason_to_stop(self):
        service = Service(bin_dir, env={"NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_USEC": "1000000"})
        self.assertEqual(service.execute("print(1)").status, 200)
        self.assertEqual(service.stop(), 0)

    def test_the_loop_feeds_the_watchdog(self):
        manager = Manager()
        service = Service(bin_dir, env=manager.env | {"WATCHDOG_USEC": "1000000"})
        manager.wait_for("READY")
        def fed(seconds):
            return sum("WATCHDOG" in message for message in manager.everything(seconds))
        manager.everything(0.5)
        self.assertIn(fed(3), range(5, 12))  # at half of the time, and not much more often
        times = [at for at, message in manager.heard if "WATCHDOG" in message]
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 0.95)
        service.process.send_signal(signal.SIGSTOP)  # who does not turn does not feed
        manager.everything(0.3)
        self.assertEqual(fed(1.5), 0)
        service.process.send_signal(signal.SIGCONT)
        self.assertEqual(service.stop(), 0)

    def test_a_watchdog_of_another_process_is_none_of_ours(self):
        manager = Manager()
        service = Service(bin_dir, env=manager.env | {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
        self.assertFalse([m for m in manager.everything(1) if "WATCHDOG" in m])
        self.assertEqual(service.stop(), 0)

    def test_a_reload_is_announced_and_ends(self):
        manager = Manager()
        service = Service(bin_dir, env=manager.env)
        manager.wait_for("READY")
        for good in (True, False):
            if not good:
                (service.path / "config.yaml").write_text("no: such setting\n")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            service.process.send_signal(signal.SIGHUP)
            message = manager.wait_for("RELOADING", "1")
            self.assertIn(int(message["MONOTONIC_USEC"]) - before, range(0, 10_000_000))
            manager.wait_for("READY", "1")
            self.assertEqual(service.execute("print(1)").status, 200)
        self.assertEqual(service.stop(), 0)

    def test_who_is_told_to_end_while_it_starts_ends_well(self):
        manager = Manager()
        service = Service(bin_dir, wait=False, env=manager.env)
        until = time.monotonic() + 20
        while not os.path.exists(service.socket):  # bound, and nothing of the rest is there yet
            self.assertLess(time.monotonic(), until, service.log_text())
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGHUP)  # which is no reason to stay
        self.assertEqual(service.process.wait(20), 0, service.log_text())
        self.assertFalse([m for m in manager.everything(0.2) if "READY" in m])
        self.assertFalse(os.path.exists(service.socket))

    def test_a_drain_asks_for_the_time_that_it_takes(self):
        manager = Manager()
        service = Service(bin_dir, env=manager.env)
        manager.wait_for("READY")
        connection = service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"import time\\ntime.sleep(3)\\nprint(1)"}'))
        while not service.metric("hotcell_executions_in_flight"):
            pass
        service.process.send_signal(signal.SIGTERM)
        message = manager.wait_for("STOPPING", "1", 5)
        self.assertGreaterEqual(int(message["EXTEND_TIMEOUT_USEC"]), 5_000_000)
        self.assertEqual(connection.receive().json()["status"], "completed")
        self.assertEqual(service.process.wait(20), 0)
        asked = [m for m in manager.everything(0.2) or []] and [m for _, m in manager.heard if "EXTEND_TIMEOUT_USEC" in m]
        self.assertGreaterEqual(len(asked), 4)  # again every second, and once more for the end


class SocketActivation(unittest.TestCase):
    def start(self, *listening, pid="$$", names="", flags=()):
        """hotcelld with these sockets as descriptors 3, 4, …, and nothing else to listen at."""
        def wrap(command):
            rest = command[command.index("--state-dir"):]
            numbers = [one.fileno() for one in listening]
            words = " ".join([command[0], *rest, *flags])
            # Away from where they are to go first, so that none is written over.
            moves = "".join(f"exec {50 + i}<&{n}; " for i, n in enumerate(numbers))
            moves += "".join(f"exec {3 + i}<&{50 + i} {50 + i}<&-; " for i in range(len(numbers)))
            return ["bash", "-c", f"{moves}export LISTEN_PID={pid} LISTEN_FDS={len(numbers)} LISTEN_FDNAMES={names}; "
                                  f"exec {words}"]
        for one in listening:
            one.set_inheritable(True)
        return Service(bin_dir, wait=False, wrap=wrap)

    @staticmethod
    def wait(address):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            connection = Connection(address)
            connection.send(request_bytes("GET", "/readyz"))
            if connection.receive().status == 200:
                return
            time.sleep(0.02)
        raise AssertionError("it did not become ready")

    def test_it_serves_at_sockets_that_it_is_given(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/activated.sock"
            local, tcp = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)
            local.bind(path)
            tcp.bind(("127.0.0.1", 0))
            local.listen()
            tcp.listen()
            # Whoever comes before the service is there waits, and is served.
            early = Connection(path)
            early.send(request_bytes("POST", "/v1/execute", b'{"code":"print(6*7)"}'))
            service = self.start(local, tcp, names="a:b")
            self.assertEqual(early.receive().json()["stdout"], "42\n")
            self.wait(path)
            self.wait(tcp.getsockname())
            listening = [json.loads(line)["address"] for line in service.log_text().splitlines() if "listening" in line]
            self.assertEqual(listening, ["unix:" + path, f"127.0.0.1:{tcp.getsockname()[1]}"])  # and nowhere else
            for pid in service.workers():
                self.assertNotIn(b"LISTEN_FDS", pathlib.Path(f"/proc/{pid}/environ").read_bytes())
            self.assertEqual(service.stop(), 0)
            self.assertTrue(os.path.exists(path))  # it is not the service's to remove
            local.close()
            tcp.close()

    def test_a_socket_named_health_is_for_that_only(self):
        local, health = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/activated.sock"
            local.bind(path)
            health.bind(("0.0.0.0", 0))  # for everybody, and without tokens
            for one in (local, health):
                one.listen()
            service = self.start(local, health, names="all:health")
            self.wait(path)
            self.wait(("127.0.0.1", health.getsockname()[1]))
            statuses = []
            for address in (path, ("127.0.0.1", health.getsockname()[1])):
                connection = Connection(address)
                connection.send(request_bytes("GET", "/v1/capabilities"))
                statuses.append(connection.receive().status)
            self.assertEqual(statuses, [200, 404])
            self.assertEqual(service.stop(), 0)
        local.close()
        health.close()

    def test_sockets_for_another_process_are_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            local = socket.socket(socket.AF_UNIX)
            local.bind(folder + "/other.sock")
            local.listen()
            service = self.start(local, pid="1", flags=["--listen", "unix:$HOTCELL_STATE_DIR/own.sock"])
            own = str(service.path / "own.sock")
            until = time.monotonic() + 20
            while not os.path.exists(own):
                self.assertLess(time.monotonic(), until, service.log_text())
            self.wait(own)
            self.assertNotIn("other.sock", service.log_text())
            self.assertEqual(service.stop(), 0)
            local.close()

    def test_what_is_no_listening_socket_is_refused(self):
        unbound = socket.socket(socket.AF_UNIX)
        service = self.start(unbound)
        self.assertEqual(service.process.wait(20), 125)
        self.assertIn("not a listening socket", service.log_text())
        unbound.close()

    def test_an_open_port_without_tokens_is_refused_here_too(self):
        tcp = socket.socket(socket.AF_INET)
        tcp.bind(("0.0.0.0", 0))
        tcp.listen()
        service = self.start(tcp)
        self.assertEqual(service.process.wait(20), 125)
        self.assertIn("without tokens", service.log_text())
        tcp.close()


def main():
    global bin_dir
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path, help="the folder of hotcelld and hotcell-worker")
    options, rest = options.parse_known_args()
    bin_dir = options.bin.resolve()
    run_cases(rest)


if __name__ == "__main__":
    main()
