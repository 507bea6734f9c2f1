#!/usr/bin/env python3
"""hotcell run through a service and on its own must be the same to whoever looks: run_test.py --bin FOLDER [-v]

Every program runs twice, with --url and with --embedded; output, exit status and files must be equal byte for byte, and
--json apart from ids, times and what was measured.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from service import run_cases, Service

bin_dir = None
FILES = {"data.csv": b"a,b\n1,2\n", "bin": bytes(range(256)), "lib/m.py": b"x = 7\n", "lib/deep/n.py": b"y = 8\n"}
PROGRAMS = {
    "output": ["-c", "print(2+2)"],
    "both streams": ["-c", "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out again')"],
    "bytes": ["-c", "import sys\nsys.stdout.buffer.write(bytes(range(256)))"],
    "half a character": ["-c", "import sys\nsys.stdout.buffer.write('ä'.encode()[:1])"],
    "nothing": ["-c", "pass"],
    "arguments": ["-c", "import sys\nprint(sys.argv[1:])", "--", "a", "ä b", "--flag"],
    "environment": ["--env", "A=1", "--env", "B=x=y", "-c", "import os\nprint(os.environ['A'], os.environ['B'])"],
    "exit code": ["-c", "raise SystemExit(7)"],
    "exit text": ["-c", "raise SystemExit('gone')"],
    "exception": ["-c", "1/0"],
    "abort": ["-c", "import os\nos.abort()"],
    "timeout": ["--timeout", "0.5", "-c", "print('begun', flush=True)\nwhile True: pass"],
    "memory": ["--memory", "64", "-c", "x = []\nwhile True: x.append(bytes(1 << 20))"],
    "disk": ["--disk", "1", "-c", "open('f', 'wb').write(bytes(3 << 20))"],
    "flood": ["--max-output", "1000", "-c", "for i in range(10000): print(i)"],
    "checks": ["--checks", "enforce", "-c", "import os\nos.system('ls')"],
    "no engine": ["-c", "import subprocess\nsubprocess.run(['ls'])"],
    "a limit above the maximum": ["--memory", "1000000", "-c", "1"],
    "files in": ["--file", "data.csv", "--file", "bin:sub/b", "--dir", "lib", "-c",
                 "import os, sys\nsys.path.insert(0, 'lib')\nimport m\nprint(m.x, open('data.csv').read(), len(open('sub/b', 'rb').read()),"
                 "sorted(os.listdir('lib')))"],
    "files out": ["--file", "data.csv", "--out", "OUT", "-c",
                  "import os\nos.makedirs('d/e')\nopen('d/e/f', 'wb').write(bytes(range(256)))\nopen('data.csv', 'a').write('3')"
                  "\nopen('large', 'w').write('x' * 300000)"],
    "collected": ["--file", "data.csv", "--out", "OUT", "--collect", "*.csv", "-c", "1"],
    "no such file": ["--file", "nothing", "-c", "1"],
    "seed": ["--seed", "7", "-c", "import random, time\nprint(random.random(), time.time())"],
    "fuel": ["--fuel", "1000000", "-c", "for i in range(10**9): pass"],
}
INPUTS = {"text": b"one\ntwo\n", "no utf-8": b"\xff\xfe\x00", "none": b"", "large": b"x" * 500_000}
READS = ["-c", "import sys, hashlib\nd = sys.stdin.buffer.read()\nprint(len(d), hashlib.sha256(d).hexdigest())"]


def without_what_differs(result):
    """Ids, times, what was measured, and whether a cell was warm."""
    for name in ("id", "created_at", "finished_at", "usage"):
        assert name in result
        del result[name]
    del result["engine"]["start"]
    return result


class Same(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(bin_dir)

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0, cls.service.log_text()

    def run_one(self, words, where, stdin=subprocess.DEVNULL, **more):
        """Exit status, output, error output, files that came out."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, content in FILES.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            env = {k: v for k, v in os.environ.items() if not k.startswith(("HOTCELL_", "WASI_", "XDG_"))}
            env |= {"HOTCELL_CONFIG": str(self.service.path / "config.yaml"), "HOTCELL_STATE_DIR": str(folder / "state")}
            out = folder / "OUT"
            done = subprocess.run([bin_dir / "hotcell", "run", *where, *words], cwd=folder, env=env, capture_output=True,
                                  timeout=60, stdin=stdin, **more)
            files = {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file()}
            return done.returncode, done.stdout, done.stderr, files

    def there(self):
        return ["--url", "unix:" + self.service.socket]

    def runs(self):
        return self.service.get("/v1/service").json()["programs"]["runs"]

    def both(self, words, **more):
        before = self.runs()
        there = self.run_one(words, self.there(), **more)
        through = self.runs() - before
        here = self.run_one(words, ["--embedded"], **more)
        self.assertEqual(self.runs() - before, through)
        self.assertEqual(there, here)
        return there, through

    def test_programs(self):
        for name, words in PROGRAMS.items():
            with self.subTest(name):
                (status, *_), through = self.both(words)
                if name not in ("no such file", "a limit above the maximum"):
                    self.assertEqual(through, 1, "it did not run through the service")

    def test_json(self):
        for name, words in PROGRAMS.items():
            with self.subTest(name):
                there = self.run_one(["--json", *words], self.there())
                here = self.run_one(["--json", *words], ["--embedded"])
                self.assertEqual(there[0], here[0])
                self.assertEqual((there[2], there[3]), (here[2], here[3]))
                if here[1]:
                    self.assertEqual(without_what_differs(json.loads(there[1])), without_what_differs(json.loads(here[1])))
                else:
                    self.assertEqual(there[1], b"")

    def test_standard_input(self):
        for name, content in INPUTS.items():
            with self.subTest(name):
                with tempfile.TemporaryFile() as file:
                    file.write(content)
                    answers = []
                    for where in (self.there(), ["--embedded"]):
                        file.seek(0)
                        answers.append(self.run_one(READS, where, stdin=file))
                        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                        with process:
                            process.stdin.write(content[:60000])
                            process.stdin.close()
                            answers.append(self.run_one(READS, where, stdin=process.stdout))
                self.assertEqual(answers[0], answers[2])
                self.assertEqual(answers[1], answers[3])
                self.assertEqual(answers[0][1].split()[0], str(len(content)).encode())

    def test_a_pipe_that_stays_open_holds_up_nothing(self):
        """Without --url: the input has to be read as the program reads it, so the run is one of our own."""
        env_socket = pathlib.Path(self.service.folder.name) / "hotcell.sock"
        if not env_socket.exists():
            env_socket.symlink_to(self.service.socket)
        for ended, through in ((True, 1), (False, 0)):
            reader, writer = os.pipe()
            os.write(writer, b"typed\n")
            if ended:
                os.close(writer)
            before = self.runs()
            env = {k: v for k, v in os.environ.items() if not k.startswith("HOTCELL_")}
            env |= {"HOTCELL_STATE_DIR": self.service.folder.name,
                    "HOTCELL_CONFIG": str(self.service.path / "config.yaml")}
            done = subprocess.run([bin_dir / "hotcell", "run", "-c", "print(input())"], env=env, stdin=reader,
                                  capture_output=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (0, b"typed\n"))
            self.assertEqual(self.runs() - before, through)
            os.close(reader)
            if not ended:
                os.close(writer)

    def test_interrupted(self):
        for where in (self.there(), ["--embedded"]):
            process = subprocess.Popen([bin_dir / "hotcell", "run", *where, "-c", "print('begun', flush=True)\nwhile True: pass"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=os.environ | {"HOTCELL_CONFIG": str(self.service.path / "config.yaml")})
            self.assertEqual(process.stdout.readline(), b"begun\n")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 130, err)
        until = time.monotonic() + 10
        while self.service.get("/v1/executions").json()["items"]:
            self.assertLess(time.monotonic(), until, "it still runs")

    def test_a_service_that_is_named_and_not_there_is_an_error(self):
        status, out, err, _ = self.run_one(["-c", "print(1)"], ["--url", "unix:/nonexistent/s.sock"])
        self.assertEqual((status, out), (125, b""))
        self.assertIn(b"cannot connect", err)

    def test_a_service_that_ends_in_the_middle_is_an_error_and_no_result(self):
        service = Service(bin_dir)
        process = subprocess.Popen([bin_dir / "hotcell", "run", "--url", "unix:" + service.socket, "-c",
                                    "print('begun', flush=True)\nwhile True: pass"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"begun\n")
        service.stop(signal.SIGKILL)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 125)
        self.assertIn(b"the service has closed the connection", err)


def main():
    global bin_dir
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path, help="the folder of hotcell and hotcelld")
    options, rest = options.parse_known_args()
    bin_dir = options.bin.resolve()
    run_cases(rest)


if __name__ == "__main__":
    main()
