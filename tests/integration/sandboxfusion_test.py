#!/usr/bin/env python3
"""SandboxFusion's clients against POST /run_code: sandboxfusion_test.py --bin FOLDER [-v] [TestCase.test]

The two kinds of client that there are decide by rules of their own what an answer means: trainers score it, the official
client retries it. Their rules are written down here again, and applied to real answers. With DOCKER_HOST also for what
only Docker runs.
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import sys
import threading
import time
import unittest

from service import request_bytes, run_cases, Service

bin_dir = None
HAS_DOCKER = bool(os.environ.get("DOCKER_HOST"))
DOCKER = "docker:\n  enabled: true\n  pool_min: 1\n  pool_max: 2\n"

# What a trainer makes of one test case.
PASSED, WRONG, API_ERROR, RUNTIME_ERROR, TIMEOUT, COMPILE_ERROR = True, False, -1, -2, -3, -4


class Trainer:
    """Scores programs as trainers do: all fields in each request, the full URL, only 504 tried again."""

    def __init__(self, service, tcp=False, headers=(), wait=lambda attempt: 0.05):
        self.service, self.tcp, self.headers, self.wait = service, tcp, headers, wait
        self.statuses = []

    def call(self, code, stdin=None, language="python", timeout=10, memory_mb=1024, **fields):
        payload = {"code": code, "stdin": stdin, "language": language, "compile_timeout": timeout, "run_timeout": timeout,
                   "memory_limit_MB": memory_mb, "files": {}, "fetch_files": [], **fields}
        for attempt in range(3):
            answer = self.service.post("/run_code", payload, [("Accept", "application/json"), *self.headers], tcp=self.tcp)
            self.statuses.append(answer.status)
            if answer.status != 504:
                return answer.json() if answer.status == 200 else None
            time.sleep(self.wait(attempt))
        return None

    def score(self, code, stdin, expected, **fields):
        answer = self.call(code, stdin, **fields)
        if answer is None or answer["status"] == "SandboxError":
            return API_ERROR
        compiled, run = answer["compile_result"], answer["run_result"]
        if answer["status"] == "Success":
            return PASSED if run["status"] == "Finished" and run["stdout"].rstrip("\n") == expected.rstrip("\n") else WRONG
        if compiled and (compiled["status"] in ("Error", "TimeLimitExceeded") or
                         (compiled["status"] == "Finished" and compiled["return_code"] != 0)):
            return COMPILE_ERROR
        if run and run["status"] == "TimeLimitExceeded":
            return TIMEOUT
        if run and (run["status"] == "Error" or run["return_code"] not in (0, None)):
            return RUNTIME_ERROR
        return API_ERROR


class OfficialClient:
    """Tries anything but a clean 200 again, and trusts a finished run to have a return code."""

    def __init__(self, service):
        self.service, self.attempts = service, 0

    def run_code(self, **request):
        for _ in range(5):
            self.attempts += 1
            answer = self.service.post("/run_code", request)
            if answer.status == 200 and answer.json()["status"] != "SandboxError":
                value = answer.json()
                for part in (value["compile_result"], value["run_result"]):
                    if part and part["status"] == "Finished" and part["return_code"] is None:
                        raise AssertionError("finished without a return code")
                return value
        raise AssertionError("given up")


def tool_text(answer):
    """What a tool of a trainer shows to the model: both streams, put together."""
    run = answer["run_result"]
    return run["stdout"] + run["stderr"] if run["status"] == "Finished" else "no output"


class WithService(unittest.TestCase):
    flags, config = ("--sandboxfusion",), "docker:\n  enabled: false\n"

    @classmethod
    def setUpClass(cls):
        cls.service = Service(bin_dir, *cls.flags, config=cls.config)
        cls.trainer = Trainer(cls.service)

    @classmethod
    def tearDownClass(cls):
        status = cls.service.stop()
        assert status == 0, (status, cls.service.log_text())

    def run_code(self, code, **fields):
        return self.service.post("/run_code", {"code": code, **fields}).json()

    def failed_run(self, answer, return_code, status="Finished"):
        """What every failure of a program looks like."""
        self.assertEqual((answer["status"], answer["compile_result"]), ("Failed", None), answer)
        run = answer["run_result"]
        self.assertEqual((run["status"], run["return_code"]), (status, return_code), answer)
        self.assertIsInstance(run["stdout"], str)
        self.assertIsInstance(run["stderr"], str)
        return run


class Scores(WithService):
    def test_every_fate_gets_its_score(self):
        table = [
            ("print(int(input()) * 2)", "21", "42", PASSED),
            ("print(int(input()) * 2)", "21", "42\n\n", PASSED),
            ("print('42 ')", "", "42", WRONG),
            ("pass", "", "", PASSED),
            ("print(41)", "21", "42", WRONG),
            ("1/0", "", "42", RUNTIME_ERROR),
            ("print(42)\nraise SystemExit(3)", "", "42", RUNTIME_ERROR),
            ("import os\nos.abort()", "", "42", RUNTIME_ERROR),
            ("print(", "", "42", RUNTIME_ERROR),  # never -4: that would spoil all later cases of the sample
            ("def f(:\n  pass", "", "42", RUNTIME_ERROR),
            ("\tx = 1\n  y", "", "42", RUNTIME_ERROR),
            ("x = '\0'", "", "42", RUNTIME_ERROR),
            ("while True: pass", "", "42", TIMEOUT),
            ("import time\ntime.sleep(60)", "", "42", TIMEOUT),
            ("print(42)\nwhile True: pass", "", "42", TIMEOUT),
            ("x = []\nwhile True: x.append(bytes(1 << 20))", "", "42", RUNTIME_ERROR),
            ("def f(): f()\nf()", "", "42", RUNTIME_ERROR),
            ("import nonexistent_module_of_nobody", "", "42", RUNTIME_ERROR),
            ("input()", None, "", RUNTIME_ERROR),  # no input is an empty one, not an endless one
            ("import os; print(os.getcwd() != '')", "", "True", PASSED),
        ]
        for code, stdin, expected, score in table:
            # Only what never ends may meet its deadline, however busy the machine is.
            self.assertIs(self.trainer.score(code, stdin, expected, timeout=2 if score is TIMEOUT else 30), score, code)

    def test_a_function_that_is_called_with_its_arguments(self):
        # The form in which trainers test functions: a preamble of many imports, the solution, and a harness that reads
        # the arguments from standard input.
        preamble = "".join(f"from {name} import *\n" for name in
                           ("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
                            "statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"))
        preamble += "import traceback, string, re, datetime, collections, heapq, copy, math, random, sys, json, inspect, os\n"
        solution = "class Solution:\n  def add(self, a: List[int], b: int) -> int:\n    return sum(a) + b\n"
        harness = ("raw = sys.stdin.read()\nargs = [json.loads(line) for line in raw.splitlines() if line]\n"
                   "try:\n  print(json.dumps(Solution().add(*args)))\n"
                   "except Exception:\n  traceback.print_exc(file=sys.stderr)\n  sys.exit(1)\n")
        self.assertIs(self.trainer.score(preamble + solution + harness, "[1, 2, 3]\n4", "10"), PASSED)
        self.assertIs(self.trainer.score(preamble + solution + harness, "[1, 2, 3]\n\"x\"", "10"), RUNTIME_ERROR)

    def test_many_cases_at_once(self):
        scores, threads = [None] * 64, []

        def case(number):
            trainer = Trainer(self.service)
            code = "print(int(input()) ** 2)" if number % 4 else "while True: pass"
            scores[number] = trainer.score(code, str(number), str(number ** 2), timeout=2 if number % 4 == 0 else 10)

        for number in range(64):
            threads.append(threading.Thread(target=case, args=(number,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(scores, [PASSED if n % 4 else TIMEOUT for n in range(64)])

    def test_a_client_that_gives_up_takes_its_program_with_it(self):
        connection = self.service.connect()
        connection.send(request_bytes("POST", "/run_code", b'{"code":"while True: pass","run_timeout":60}'))
        until = time.monotonic() + 20
        while not self.service.metric("hotcell_executions_in_flight"):
            self.assertLess(time.monotonic(), until)
        connection.close()
        while self.service.metric("hotcell_executions_in_flight"):
            self.assertLess(time.monotonic(), until)


class Shapes(WithService):
    def test_the_whole_answer(self):
        answer = self.run_code("import sys\nprint('out')\nprint('err', file=sys.stderr)")
        self.assertEqual(set(answer), {"status", "message", "compile_result", "run_result", "executor_pod_name", "files"})
        self.assertEqual((answer["status"], answer["message"]), ("Success", ""))
        self.assertIsNone(answer["compile_result"])
        self.assertIsNone(answer["executor_pod_name"])
        run = answer["run_result"]
        self.assertEqual(set(run), {"status", "execution_time", "return_code", "stdout", "stderr"})
        self.assertEqual((run["status"], run["return_code"], run["stdout"], run["stderr"]), ("Finished", 0, "out\n", "err\n"))
        self.assertIsInstance(run["execution_time"], float)
        self.assertEqual(tool_text(answer), "out\nerr\n")

    def test_code_alone_is_python(self):
        self.assertEqual(self.run_code("print(sum(range(5)))")["run_result"]["stdout"], "10\n")

    def test_streams_are_never_null(self):
        for code in ("pass", "1/0", "import os\nos.abort()", "print('\\udcff')", "import sys; sys.exit('bye')"):
            answer = self.run_code(code)
            self.assertIsInstance(tool_text(answer), str, code)
        late = self.run_code("print('so far', flush=True)\nwhile True: pass", run_timeout=1)
        run = self.failed_run(late, None, "TimeLimitExceeded")
        self.assertEqual(run["stdout"], "so far\n")  # kept, though nobody scores it
        self.assertGreaterEqual(run["execution_time"], 0.9)

    def test_return_codes(self):
        for code, wanted in (("raise SystemExit(7)", 7), ("1/0", 1), ("import os; os._exit(255)", 255),
                             ("import os\nos.abort()", -6)):
            self.failed_run(self.run_code(code), wanted)
        killed = self.failed_run(self.run_code("x = []\nwhile True: x.append(bytes(1 << 20))", memory_limit_MB=64), -9)
        self.assertIn("memory", killed["stderr"].lower())

    def test_tracebacks_are_on_stderr(self):
        run = self.failed_run(self.run_code("print(1)\nundefined_name"), 1)
        self.assertEqual(run["stdout"], "1\n")
        self.assertIn("NameError: name 'undefined_name' is not defined", run["stderr"])
        self.assertIn("SyntaxError", self.failed_run(self.run_code("print("), 1)["stderr"])

    def test_input(self):
        echo = "import sys; sys.stdout.write(sys.stdin.read())"
        for text in ("", "x", "one\ntwo\n", "no end of line", "ünïcödé ✓", "nul\0inside", "y" * 300_000):
            self.assertEqual(self.run_code(echo, stdin=text)["run_result"]["stdout"], text)
        self.assertEqual(self.run_code(echo, stdin=None)["run_result"]["stdout"], "")
        self.assertEqual(self.run_code(echo)["run_result"]["stdout"], "")

    def test_output_that_is_large_or_no_text(self):
        large = self.run_code("print('x' * 500_000)")  # theirs block at about 128 KiB
        self.assertEqual(len(large["run_result"]["stdout"]), 500_001)
        endless = self.run_code("for i in range(40): print('x' * 100_000)")
        self.assertEqual(endless["status"], "Success")
        self.assertGreater(len(endless["run_result"]["stdout"]), 1_000_000)
        raw = self.run_code("import sys; sys.stdout.buffer.write(b'a\\xff\\xfeb')")
        self.assertEqual(raw["status"], "Success")
        self.assertTrue(raw["run_result"]["stdout"].startswith("a"))

    def test_files(self):
        encoded = lambda data: base64.b64encode(data).decode()
        binary = bytes(range(256)) * 100
        answer = self.run_code(
            "import os\ndata = open('dir/in.bin', 'rb').read()\nos.makedirs('made/deep')\n"
            "open('made/deep/out.bin', 'wb').write(data[::-1])\nopen('not asked for', 'w').write('x')\n"
            "print(sorted(set(os.listdir('.')) - {'main.py'}))",
            files={"dir/in.bin": encoded(binary), "./plain.txt": encoded(b"x"), "empty": "", "skipped": None},
            fetch_files=["made/deep/out.bin", "./plain.txt", "absent.txt", "made", "*"])
        self.assertEqual(answer["status"], "Success", answer)
        self.assertEqual(answer["run_result"]["stdout"], "['dir', 'empty', 'made', 'not asked for', 'plain.txt']\n")
        # Missing ones, and what is no file, are silently not there.
        self.assertEqual(set(answer["files"]), {"made/deep/out.bin", "./plain.txt"})
        self.assertEqual(answer["files"]["made/deep/out.bin"], encoded(binary[::-1]))
        self.assertEqual(self.run_code("print(open('f').read())", files={"f": encoded(b"a" * 60) + "\n"})["status"], "Success")
        self.assertEqual(self.run_code("1/0", files={"f": encoded(b"kept")}, fetch_files=["f"])["files"], {"f": encoded(b"kept")})
        for fields in ({"files": {"../x": encoded(b"x")}}, {"fetch_files": ["../../etc/passwd"]}, {"files": {"f": "???"}}):
            answer = self.service.post("/run_code", {"code": "print(1)", **fields})
            self.assertEqual(answer.status, 422, fields)
            self.assertIn("detail", answer.json())

    def test_absent_null_and_unknown_members(self):
        answer = self.run_code("print(1)", language=None, compile_timeout=None, run_timeout=None, memory_limit_MB=-1, stdin=None,
                               files=None, fetch_files=None, something_new={"x": 1})
        self.assertEqual(answer["status"], "Success")
        self.assertEqual(self.run_code("print(1)", compile_timeout=0.5, run_timeout=2.5, memory_limit_MB=256)["status"], "Success")

    def test_bodies_that_are_wrong(self):
        for body in ({}, {"language": "python"}, {"code": 5}, {"code": "x", "language": "cobol"}, {"code": "x", "stdin": 1},
                     {"code": "x", "run_timeout": "soon"}, {"code": "x", "files": []}, [], "x", b"{"):
            answer = self.service.post("/run_code", body)
            self.assertEqual(answer.status, 422, body)
            for one in answer.json()["detail"]:
                self.assertEqual(set(one), {"type", "loc", "msg"})

    def test_languages_that_are_theirs_alone_fail_as_programs(self):
        for language in ("rust", "cpp", "java", "lean"):
            run = self.failed_run(self.run_code("x", language=language), 1)
            self.assertIn(language, run["stderr"])

    def test_no_check_stands_in_the_way_of_a_reward(self):
        answer = self.run_code("import os\nprint(eval('6*7'))\ntry:\n  os.system('true')\nexcept Exception: pass")
        self.assertEqual((answer["status"], answer["run_result"]["stdout"]), ("Success", "42\n"))

    def test_the_official_client(self):
        client = OfficialClient(self.service)
        self.assertEqual(client.run_code(code="print(1)", language="python")["status"], "Success")
        for code in ("1/0", "while True: pass", "import os\nos.abort()", "x = []\nwhile True: x.append(bytes(1 << 20))"):
            self.assertEqual(client.run_code(code=code, language="python", run_timeout=2)["status"], "Failed", code)
        self.assertEqual(client.attempts, 5)  # each at once: none of these is a fault of the sandbox

    def test_it_is_there_below_compat_too(self):
        self.assertEqual(self.service.post("/compat/sandboxfusion/run_code", {"code": "print(1)"}).json()["status"], "Success")
        self.assertEqual(self.service.get("/compat/sandboxfusion/v1/ping").body, b'"pong"')
        self.assertEqual(self.service.get("/v1/ping").body, b'"pong"')


class Crowds(unittest.TestCase):
    """A refusal is a reward of zero to a trainer; only 504 is tried again."""

    def test_who_finds_the_queue_full_waits(self):
        service = Service(bin_dir, "--sandboxfusion", "--max-running", "2", "--max-queued", "1")
        try:
            trainers = [Trainer(service) for _ in range(24)]
            scores = []
            threads = [threading.Thread(target=lambda t=t: scores.append(t.score("import time\ntime.sleep(0.1)\nprint(1)", "", "1")))
                       for t in trainers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(scores, [PASSED] * 24)
            self.assertEqual({status for t in trainers for status in t.statuses}, {200})
        finally:
            service.stop()

    def test_who_waits_too_long_is_told_504_and_gets_through_when_there_is_room(self):
        service = Service(bin_dir, "--sandboxfusion", "--max-running", "1")
        try:
            blocker = service.connect()
            blocker.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass","timeout_seconds":60}'))
            while not service.metric("hotcell_executions_in_flight"):
                pass
            begun = time.monotonic()
            trainer = Trainer(service, wait=lambda attempt: blocker.close() or 0.2)  # room comes before it tries again
            # Their patience is both timeouts and ten seconds; the answer has to come before that.
            self.assertIs(trainer.score("print(1)", "", "1", compile_timeout=0, run_timeout=1), PASSED)
            self.assertEqual(trainer.statuses, [504, 200])
            self.assertLess(time.monotonic() - begun, 11)
        finally:
            service.stop()

    def test_the_rate_of_a_token_makes_them_wait(self):
        digest = hashlib.sha256(b"t").hexdigest()
        service = Service(bin_dir, "--sandboxfusion", tokens=[{"name": "t", "sha256": digest, "runs_per_second": 0.5, "burst": 1}])
        try:
            trainer = Trainer(service, tcp=True, headers=[("Authorization", "Bearer t")])
            self.assertIs(trainer.score("print(1)", "", "1"), PASSED)
            self.assertIs(trainer.score("print(1)", "", "1"), PASSED)  # after two seconds
            begun = time.monotonic()
            self.assertIs(trainer.score("print(1)", "", "1"), PASSED)
            self.assertGreater(time.monotonic() - begun, 1)
            self.assertEqual(trainer.statuses, [200] * 3)
            stranger = Trainer(service, tcp=True)
            self.assertIs(stranger.score("print(1)", "", "1"), API_ERROR)
            self.assertEqual(stranger.statuses, [401])
        finally:
            service.stop()


@unittest.skipUnless(HAS_DOCKER, "DOCKER_HOST is not set")
class OnDocker(WithService):
    config = DOCKER

    def test_the_other_languages(self):
        echo = "process.stdin.on('data', data => process.stdout.write(String(data).toUpperCase()))"
        self.assertIs(self.trainer.score(echo, "abc", "ABC", language="nodejs"), PASSED)
        self.assertIs(self.trainer.score("read x; echo $((x * 2))", "21\n", "42", language="bash"), PASSED)
        self.assertIs(self.trainer.score("throw new Error('x')", "", "1", language="nodejs"), RUNTIME_ERROR)
        self.assertIs(self.trainer.score("const x = ;", "", "1", language="nodejs"), RUNTIME_ERROR)
        self.assertIs(self.trainer.score("exit 3", "", "1", language="bash"), RUNTIME_ERROR)
        self.assertIs(self.trainer.score("while :; do :; done", "", "1", language="bash", timeout=1), TIMEOUT)

    def test_signals_are_negative_return_codes(self):
        for name, number in (("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)):
            answer = self.run_code(f"import os, signal, subprocess\nos.kill(os.getpid(), signal.{name})\nimport time\ntime.sleep(5)")
            self.failed_run(answer, -number)

    def test_processes_and_files(self):
        answer = self.run_code("import subprocess\nprint(subprocess.run(['sh', '-c', 'cat in; echo made > out'], "
                               "capture_output=True, text=True).stdout)",
                               files={"in": base64.b64encode(b"hi").decode()}, fetch_files=["out"])
        self.assertEqual(answer["run_result"]["stdout"], "hi\n", answer)
        self.assertEqual(answer["files"], {"out": base64.b64encode(b"made\n").decode()})


def main():
    global bin_dir
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path, help="the folder of hotcelld and hotcell-worker")
    options, rest = options.parse_known_args()
    bin_dir = options.bin.resolve()
    run_cases(rest, lambda result: f"; {len(result.skipped)} left out without Docker" if result.skipped else "")


if __name__ == "__main__":
    main()
