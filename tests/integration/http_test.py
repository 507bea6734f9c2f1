#!/usr/bin/env python3
"""hotcelld over real sockets, with the real WASI engine: http_test.py --bin FOLDER [-v] [TestCase.test]

Every answer is held to docs/openapi.json (service.py, openapi.py). Nothing but the standard library is needed.
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading
import time
import unittest

from service import Connection, description, request_bytes, root, run_cases, Service

bin_dir = None
NDJSON = [("Accept", "application/x-ndjson")]
SSE = [("Accept", "text/event-stream")]


class OneService(unittest.TestCase):
    """One daemon for all tests of a class; after each of them it must be as well as before."""
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.service = Service(bin_dir, *cls.flags)

    @classmethod
    def tearDownClass(cls):
        status = cls.service.stop()
        assert status == 0, (status, cls.service.log_text())

    def tearDown(self):
        self.unaffected()

    def unaffected(self):
        until = time.monotonic() + 15
        while self.service.metric("hotcell_executions_in_flight") or self.service.metric("hotcell_queue_depth"):
            self.assertLess(time.monotonic(), until, "something still runs")
        self.assertEqual(self.service.execute("print(6*7)").json()["stdout"], "42\n")
        self.assertIsNone(self.service.process.poll())

    def code_of(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json", answer)
        return answer.json()["code"]


class Programs(OneService):
    flags = ("--sandboxfusion",)

    def test_a_program_runs(self):
        result = self.service.execute("import sys\nprint(input()*2)\nprint(sys.argv[1:], file=sys.stderr)", stdin="ab",
                                      args=["x"], metadata={"k": "v"}).json()
        self.assertEqual((result["status"], result["exit_code"]), ("completed", 0))
        self.assertEqual((result["stdout"], result["stderr"]), ("abab\n", "['x']\n"))
        self.assertEqual(result["metadata"], {"k": "v"})
        self.assertEqual(result["engine"]["name"], "wasi")

    def test_curl_needs_no_header(self):
        out = subprocess.run(["curl", "-s", "--unix-socket", self.service.socket, "http://localhost/v1/execute", "-d",
                              '{"language":"python","code":"print(2+2)"}'], capture_output=True, text=True)
        self.assertEqual(json.loads(out.stdout)["stdout"], "4\n")

    def test_every_fate_is_a_result(self):
        fates = {"raise SystemExit(3)": ("failed", 3), "1/0": ("failed", 1),
                 "import os\nos.abort()": ("failed", None), "while True: pass": ("timeout", None),
                 "x=[]\nwhile True: x.append(bytes(1<<20))": ("limit_exceeded", None)}
        for code, (status, exit_code) in fates.items():
            result = self.service.execute(code, timeout_seconds=1 if status == "timeout" else 30).json()
            self.assertEqual((result["status"], result["exit_code"]), (status, exit_code), code)

    def test_what_no_engine_can_do_is_said(self):
        self.assertEqual(self.code_of(self.service.execute("x", session_id="s"), 422), "unsupported_by_engine")
        for field in ({"network": {"mode": "open"}}, {"engine": "docker"}):
            result = self.service.execute("x", **field).json()
            self.assertEqual((result["status"], result["error"]["code"]), ("rejected", "engine_unavailable"))
        self.assertEqual(self.code_of(self.service.execute("x", limits={"memory_bytes": 1 << 50}), 422),
                         "limit_above_maximum")

    def test_a_stream_tells_what_happens_when_it_happens(self):
        connection = self.service.connect()
        body = json.dumps({"code": "import time\nfor i in range(4):\n  print(i, flush=True)\n  time.sleep(0.25)"}).encode()
        connection.send(request_bytes("POST", "/v1/execute", body, NDJSON))
        connection.head()
        times, text = [], b""
        for chunk in connection.chunks():
            text += chunk
            times.append(time.monotonic())
        events = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([e["type"] for e in events],
                         ["accepted", "queued", "setup", "started"] + ["stdout"] * 4 + ["end"])
        self.assertGreater(times[-1] - times[0], 0.6)  # and not all at the end
        self.assertEqual([e["seq"] for e in events], list(range(1, 10)))
        self.assertEqual(events[-1]["result"]["stdout_bytes"], 8)
        self.assertEqual(self.service.execute("print('ä' * 50000)", NDJSON).status, 200)
        self.assertEqual(self.service.execute("print('ä')", SSE).headers["content-type"], "text/event-stream")

    def test_silence_is_filled_with_keepalives(self):
        events = self.service.execute("import time\ntime.sleep(5.6)", NDJSON).lines()
        self.assertIn("keepalive", [e["type"] for e in events])
        self.assertEqual([e["type"] for e in events].count("end"), 1)

    def test_leaving_ends_the_program_and_detached_ones_go_on(self):
        connection = self.service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass","timeout_seconds":60}'))
        while not self.service.metric("hotcell_executions_in_flight"):
            pass
        connection.close()
        self.unaffected()
        connection = self.service.connect()
        body = json.dumps({"code": "import time\nprint('a', flush=True)\ntime.sleep(1)\nprint('b')", "detach": True})
        connection.send(request_bytes("POST", "/v1/execute", body.encode(), NDJSON))
        connection.head()
        first = json.loads(next(connection.chunks()).splitlines()[0])
        connection.close()
        path = "/v1/executions/" + first["id"]
        self.assertEqual(self.service.get(path).status, 202)
        events = self.service.get(path + "/events?after=1").lines()
        self.assertEqual("".join(e["text"] for e in events if e["type"] == "stdout"), "a\nb\n")
        self.assertEqual(events[-1]["result"]["status"], "completed")
        self.assertEqual(self.service.get(path).json()["stdout"], "a\nb\n")

    def test_cancelling(self):
        connection = self.service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass"}', NDJSON))
        connection.head()
        chunks = connection.chunks()
        first = json.loads(next(chunks).splitlines()[0])
        path = f"/v1/executions/{first['id']}/cancel"
        self.assertEqual(self.service.post(path, b"").json(), {"id": first["id"], "cancelled": True})
        last = b"".join(chunks).splitlines()[-1]
        self.assertEqual(json.loads(last)["result"]["status"], "cancelled")
        self.assertEqual(self.service.post(path, b"").json()["cancelled"], False)

    def test_files_in_and_out(self):
        code = "open('big ä.bin','wb').write(open('in.txt','rb').read()*50000); open('small','w').write('s')"
        result = self.service.execute(code, files=[{"path": "in.txt", "content": "hi"}]).json()
        files = {f["path"]: f for f in result["files"]}
        big = files["big ä.bin"]
        self.assertIsNone(big["content_base64"])
        self.assertEqual(big["sha256"], hashlib.sha256(b"hi" * 50000).hexdigest())
        self.assertEqual(self.service.get(big["url"]).body, b"hi" * 50000)
        self.assertEqual(base64.b64decode(files["small"]["content_base64"]), b"s")
        self.assertEqual(self.code_of(self.service.get(files["small"]["url"] + "x"), 404), "file_not_found")

    def test_idempotency(self):
        key = [("Idempotency-Key", "k-1")]
        code = "import random; print(random.random())"
        first = self.service.execute(code, key)
        again = self.service.execute(code, key)
        self.assertEqual(first.body, again.body)
        self.assertEqual(again.headers["idempotency-replayed"], "true")
        self.assertEqual(self.code_of(self.service.execute("print(1)", key), 422), "idempotency_mismatch")

    def test_a_batch_and_inputs(self):
        items = [{"code": f"print({i})"} for i in range(300)] + [{"code": "1/0"}, {"cod": "x"}]
        lines = self.service.post("/v1/batch", {"items": items, "concurrency": 8}).lines()
        self.assertEqual([line["index"] for line in lines], list(range(302)))
        self.assertEqual([line["result"]["stdout"] for line in lines[:300]], [f"{i}\n" for i in range(300)])
        self.assertEqual(lines[300]["result"]["status"], "failed")
        self.assertEqual(lines[301]["problem"]["code"], "invalid_field")
        inputs = [{"stdin": str(i), "expected_stdout": str(i * i)} for i in range(20)] + [{"expected_stdout": "x"}]
        items = self.service.execute("n = int(input() or 0)\nprint(n*n)", inputs=inputs).json()["items"]
        self.assertEqual([item["matched"] for item in items], [True] * 20 + [False])

    def test_the_seeds_tools(self):
        call = lambda **fields: self.service.post("/v1/tools", fields).json()
        good = call(tool="code_execution", code="import math\nprint(math.sqrt(16))", language="python")
        self.assertEqual((good["success"], good["status"], good["output"], good["error_text"]), (True, "completed", "4.0\n", ""))
        bad = call(tool="code_execution", parameters={"code": "print(undefined_variable)"})
        self.assertEqual((bad["success"], bad["error_text"]), (False, "NameError: name 'undefined_variable' is not defined"))
        refused = call(tool="code_execution", code="import os; os.system('rm -rf /')")
        self.assertEqual((refused["success"], refused["status"]), (False, "rejected"))
        late = call(tool="python_executor", parameters={"code": "while True: pass", "timeout_seconds": 1})
        self.assertEqual((late["success"], late["status"]), (False, "timeout"))
        self.assertEqual(call(tool="python_executor", parameters={"code": "print(input())", "stdin": "x"})["output"], "x\n")
        self.assertEqual(call(tool="python_wasi_runner", code="import sys; print(sys.argv[1:])", argv=["a"])["output"],
                         "['a']\n")
        empty = base64.b64encode(b"\0asm\x01\0\0\0").decode()
        self.assertIn(call(tool="code_executor", parameters={"wasm_base64": empty})["status"], ("failed", "rejected"))

    def test_sandboxfusion_as_its_clients_use_it(self):
        post = lambda **fields: self.service.post("/run_code", {"language": "python", "compile_timeout": 10,
                                                                "run_timeout": 10, "stdin": None, "files": {},
                                                                "memory_limit_MB": 1024, "fetch_files": [], **fields})
        good = post(code="print(input())", stdin="hi").json()
        self.assertEqual((good["status"], good["run_result"]["status"], good["run_result"]["return_code"]),
                         ("Success", "Finished", 0))
        self.assertEqual(good["run_result"]["stdout"], "hi\n")
        self.assertIsNone(good["compile_result"])
        syntax = post(code="print(").json()  # a failed run, never a failed compile
        self.assertEqual((syntax["status"], syntax["run_result"]["return_code"]), ("Failed", 1))
        self.assertIn("SyntaxError", syntax["run_result"]["stderr"])
        late = post(code="print('x', flush=True)\nwhile True: pass", run_timeout=1).json()
        self.assertEqual((late["status"], late["run_result"]["status"]), ("Failed", "TimeLimitExceeded"))
        self.assertIsNone(late["run_result"]["return_code"])
        self.assertEqual(late["run_result"]["stdout"], "x\n")
        files = post(code="open('out.txt','w').write(open('in.txt').read()*2)",
                     files={"in.txt": base64.b64encode(b"ab").decode(), "no": None}, fetch_files=["out.txt", "absent"])
        self.assertEqual(files.json()["files"], {"out.txt": base64.b64encode(b"abab").decode()})
        self.assertEqual(post(code="x", language="rust").json()["status"], "Failed")
        self.assertEqual(self.service.post("/run_code", {"language": "python"}).status, 422)
        self.assertEqual(self.service.post("/run_code", {"code": "print(1)"}).json()["status"], "Success")
        self.assertEqual(self.service.get("/v1/ping").json(), "pong")

    def test_what_it_says_about_itself(self):
        self.assertEqual(self.service.get("/livez").status, 200)
        self.assertEqual(self.service.get("/readyz").json()["status"], "ready")
        capabilities = self.service.get("/v1/capabilities").json()
        self.assertEqual([e["name"] for e in capabilities["engines"]], ["wasi"])
        self.assertEqual(capabilities["languages"][0]["name"], "python")
        self.assertEqual(self.service.get("/openapi.json").json(), description.document)
        self.service.execute("1/0")
        status = self.service.get("/v1/status").json()
        self.assertEqual((status["phase"], status["failures"][0]["code"]), ("serving", "exception"))
        self.assertEqual(status["failures"][0]["message"], "division by zero")
        self.assertGreater(status["totals"]["completed"], 0)
        page = self.service.get("/")
        self.assertIn("default-src 'none'; script-src 'sha256-", page.headers["content-security-policy"])
        self.assertIn(b"</html>", page.body)
        self.service.execute("print(1)")
        metrics = self.service.get("/metrics").body.decode()
        names = [line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE ")]
        self.assertGreater(len(names), 20)
        described = (root / "docs/http.md").read_text()
        self.assertEqual([name for name in names if f"`{name}`" not in described], [])


class BadInput(OneService):
    def test_bodies_that_are_no_json(self):
        for body in (b"", b"{", b"nonsense", b'{"code":', b'{"code":"x"}}', b'{"code":"x",}', b"\xff\xfe{}", b"[1,2",
                     b'{"code":"\xff\xfe"}', b'{"code":"\xed\xa0\x80"}', b'{"code":"x"} trailing', b'\x00'):
            answer = self.service.post("/v1/execute", body)
            self.assertEqual(self.code_of(answer, 400), "malformed", body)

    def test_json_that_is_no_request(self):
        for body, pointer in ((b"[]", ""), (b"5", ""), (b'{"code":5}', "/code"), (b'{"code":"x","code":"y"}', "/code"),
                              (b'{"code":"x","timeout_seconds":"5"}', "/timeout_seconds"),
                              (b'{"code":"x","timeout_seconds":1e999}', None), (b'{"code":"x","timeout_seconds":-1}', "/timeout_seconds"),
                              (b'{"code":"x","limits":{"memory_bytes":99999999999999999999999}}', "/limits/memory_bytes"),
                              (b'{"code":"x","limits":[]}', "/limits"), (b'{"code":"x","args":"a"}', "/args"),
                              (b'{"code":"x","files":[{"path":"../x","content":""}]}', "/files/0/path"),
                              (b'{"code":"x","stdin_base64":"???"}', "/stdin_base64"), (b"{}", ""),
                              (b'{"code":"x","argv":["y"]}', "")):
            answer = self.service.post("/v1/execute", body)
            self.assertIn(answer.status, (400, 422), body)
            if pointer is not None:
                self.assertIn(pointer, [e["pointer"] for e in answer.json()["errors"]], answer)

    def test_a_typo_names_what_was_meant(self):
        for typo, meant in (("timeout", "timeout_seconds"), ("langauge", "language"), ("stdn", "stdin")):
            answer = self.service.execute("x", **{typo: "1"})
            self.assertEqual(self.code_of(answer, 422), "invalid_field")
            self.assertIn(f"did you mean '{meant}'", json.dumps(answer.json()["errors"]))

    def test_deep_nesting_and_many_values(self):
        deep = b'{"code":"x","metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
        self.assertEqual(self.code_of(self.service.post("/v1/execute", deep), 422), "invalid_field")
        self.assertEqual(self.code_of(self.service.post("/v1/execute", b"[" * 1_000_000), 422), "invalid_field")
        many = b'{"code":"x","args":[' + b"1," * 1_100_000 + b"1]}"
        self.assertEqual(self.code_of(self.service.post("/v1/execute", many), 422), "invalid_field")

    def test_large_programs_run_and_too_large_bodies_do_not(self):
        large = "x = '" + "y" * 10_000_000 + "'\nprint(len(x))"
        self.assertEqual(self.service.execute(large).json()["stdout"], "10000000\n")
        connection = self.service.connect()
        connection.send(b"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 99999999999\r\n\r\n{")
        self.assertEqual(self.code_of(connection.receive(), 413), "body_too_large")
        self.assertTrue(connection.ended())
        connection = self.service.connect()
        connection.send(b"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            connection.send(b"400000\r\n" + b"x" * (4 << 20) + b"\r\n")
        self.assertEqual(connection.receive().status, 413)

    def test_headers_of_a_megabyte(self):
        for head in (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
                     b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200_000 + b"\r\n"):
            connection = self.service.connect()
            connection.send(head)
            self.assertEqual(self.code_of(connection.receive(), 431), "headers_too_large")

    def test_chunks_that_are_none(self):
        head = b"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body in (b"zz\r\n", b"-1\r\n", b"\r\n", b"ffffffffffffffffffff\r\n", b"1\r\nabcd\r\n", b"5\r\nabc\n\n0\r\n\r\n",
                     b"1;" + b"a" * 100_000, b"0\r\n" + b"A: b\r\n" * 50_000):
            connection = self.service.connect()
            connection.send(head + body)
            self.assertEqual(self.code_of(connection.receive(), 400), "malformed", body[:40])
        connection = self.service.connect()  # in pieces of one byte, with extensions: odd, and right
        text = b'{"code":"print(7)"}'
        connection.send(head + b"".join(b"1;x=y\r\n" + bytes([c]) + b"\r\n" for c in text) + b"0\r\nTrailer: x\r\n\r\n")
        self.assertEqual(connection.receive().json()["stdout"], "7\n")

    def test_smuggled_requests(self):
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        for fields in (b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
                       b"Content-Length: 4\r\nContent-Length: 40", b"Content-Length: 4, 40", b"Content-Length: +4",
                       b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                       b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"X: y\nTransfer-Encoding: chunked",
                       b"Transfer-Encoding: identity", b"Host: y"):
            connection = self.service.connect()
            connection.send(b"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + fields +
                            b"\r\n\r\n0\r\n\r\n" + smuggled)
            self.assertEqual(self.code_of(connection.receive(), 400), "malformed", fields)
            self.assertTrue(connection.ended())  # one answer, then nothing: the rest is not looked at
            self.assertEqual(connection.buffer, b"")

    def test_what_is_not_http(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                     b"\r\n\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100,
                     b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            connection = self.service.connect()
            connection.send(data)
            self.assertEqual(self.code_of(connection.receive(), 400), "malformed", data[:40])

    def test_wrong_methods_and_media_types(self):
        for method, path in (("GET", "/v1/execute"), ("DELETE", "/v1/execute"), ("PUT", "/v1/batch"), ("POST", "/livez"),
                             ("POST", "/v1/capabilities"), ("PATCH", "/v1/executions/exe_1"), ("BREW", "/v1/execute")):
            answer = self.service.send(method, path)
            self.assertEqual(self.code_of(answer, 405), "method_not_allowed")
            self.assertIn("allow", answer.headers)
        for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", ";"):
            answer = self.service.post("/v1/execute", b'{"code":"x"}', [("Content-Type", kind)])
            self.assertEqual(self.code_of(answer, 415), "unsupported_media_type", kind)
        for path in ("/index.html", "/v1", "/v1/execute/", "/v1/executions/", "/v1/../livez", "//livez", "/v1/execute%00"):
            self.assertEqual(self.service.get(path).status, 404 if path != "/v1/execute%00" else 404, path)
        self.assertEqual(self.service.send("HEAD", "/livez").status, 200)

    def test_ids_of_nobody(self):
        for path in ("exe_" + "0" * 32, "exe_", "x", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 5000, "%F0%9F%92%A9"):
            for method, rest in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("GET", "/files/x")):
                answer = self.service.send(method, f"/v1/executions/{path}{rest}")
                self.assertEqual(self.code_of(answer, 404), "execution_not_found")
                self.assertNotIn("a" * 200, answer.body.decode())

    def test_connections_cut_at_every_point(self):
        data = request_bytes("POST", "/v1/execute", b'{"code":"print(1)"}', NDJSON)
        self.service.get("/livez")
        before = self.service.descriptors()
        for at in list(range(0, len(data), 7)) + [len(data)]:
            for how in ("close", "reset", "half"):
                connection = self.service.connect(tcp=True)
                connection.send(data[:at])
                if how == "half":
                    connection.socket.shutdown(1)
                    if 0 < at < len(data):
                        self.assertEqual(connection.receive().status, 400)
                    else:
                        connection.ended()
                    connection.close()
                else:
                    getattr(connection, how)()
        # In the middle of an answer that goes on and on, and of one that is large.
        for body in (b'{"code":"while True: print(1)","timeout_seconds":20}', b'{"code":"print(\'x\'*900000)"}'):
            for how in ("close", "reset"):
                connection = self.service.connect(tcp=True)
                connection.send(request_bytes("POST", "/v1/execute", body, NDJSON))
                connection.socket.recv(1000)
                getattr(connection, how)()
        self.unaffected()
        until = time.monotonic() + 20
        while self.service.metric("hotcell_http_connections") > 1 or self.service.descriptors() > before + 8:
            self.assertLess(time.monotonic(), until, (before, self.service.descriptors()))

    def test_a_crowd_of_slow_clients_holds_up_nobody(self):
        crowd = [self.service.connect() for _ in range(500)]
        for index, connection in enumerate(crowd):
            connection.send(b"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Le"[:20 + index % 30])
        begun = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.service.execute("print(1)").status, 200)
        self.assertLess(time.monotonic() - begun, 10)
        for connection in crowd:
            connection.close()

    def test_pipelined_requests_and_a_flood_of_them(self):
        connection = self.service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"print(1)"}') * 200)
        for _ in range(200):
            self.assertEqual(connection.receive().json()["stdout"], "1\n")

    def test_nothing_of_the_machine_is_told(self):
        for answer in (self.service.execute("x", wasm={"name": "/etc/passwd"}), self.service.post("/v1/execute", b"{"),
                       self.service.post("/v1/tools", {"tool": "code_executor", "wasm_path": "../../etc/passwd"}),
                       self.service.get("/nothing"), self.service.execute("x", engine="docker")):
            text = answer.body.decode()
            self.assertNotIn("root:", text)
            self.assertNotIn(str(self.service.path), text)


class Doors(unittest.TestCase):
    """Who gets in, and how a service begins and ends."""

    def refused(self, *flags, tokens=None):
        service = Service(bin_dir, *flags, tokens=tokens, wait=False)
        return service.process.wait(20), service.log_text()

    def test_an_open_address_without_tokens_is_refused_at_start(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            status, log = self.refused("--listen", address)
            self.assertEqual(status, 125, log)
            self.assertIn("without tokens", log)
        status, log = self.refused("--token-file", "/nonexistent")
        self.assertEqual(status, 125)
        self.assertIn("no token file", log)

    def test_tokens(self):
        digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
        tokens = [{"name": "a", "sha256": digest("secret-a")},
                  {"name": "slow", "sha256": digest("secret-b"), "runs_per_second": 0.01, "burst": 1}]
        service = Service(bin_dir, "--listen", "0.0.0.0:0", "--log-level", "debug", tokens=tokens)
        try:
            bearer = lambda text: [("Authorization", "Bearer " + text)]
            for headers in ([], bearer("wrong"), bearer(""), bearer(digest("secret-a")), [("X-API-Key", "wrong")]):
                answer = service.execute("print(1)", headers, tcp=True)
                self.assertEqual((answer.status, answer.json()["code"]), (401, "unauthenticated"))
            mine = service.execute("print('mine')", bearer("secret-a"), tcp=True).json()
            path = "/v1/executions/" + mine["id"]
            self.assertEqual(service.get(path, [("X-API-Key", "secret-a")], tcp=True).status, 200)
            self.assertEqual(service.get(path, bearer("secret-b"), tcp=True).status, 404)
            self.assertEqual(service.get(path).status, 404)  # the user of the unix socket is somebody else
            self.assertEqual(service.execute("print(1)", bearer("secret-b"), tcp=True).status, 200)
            limited = service.execute("print(1)", bearer("secret-b"), tcp=True)
            self.assertEqual((limited.status, limited.json()["code"]), (429, "tenant_limit"))
            self.assertGreater(int(limited.headers["retry-after"]), 1)
            self.assertEqual(service.get("/livez", tcp=True).status, 200)
            # A new token at SIGHUP, an old one gone, and a broken file changes nothing.
            file = service.path / "tokens.json"
            file.write_text(json.dumps({"tokens": [{"name": "c", "sha256": digest("secret-c")}]}))
            service.process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 10
            while service.execute("print(1)", bearer("secret-c"), tcp=True).status != 200:
                self.assertLess(time.monotonic(), until)
            self.assertEqual(service.execute("print(1)", bearer("secret-a"), tcp=True).status, 401)
            file.write_text("{")
            service.process.send_signal(signal.SIGHUP)
            while "not loaded again" not in service.log_text():
                self.assertLess(time.monotonic(), until)
            self.assertEqual(service.execute("print(1)", bearer("secret-c"), tcp=True).status, 200)
            log = service.log_text()
            self.assertNotIn("secret-", log)
            self.assertNotIn("print(", log)
        finally:
            self.assertEqual(service.stop(), 0)

    def test_web_pages_and_borrowed_names(self):
        service = Service(bin_dir, "--allow-origin", "https://lab.example", "--allow-host", "cells.example")
        try:
            def with_host(host, *headers):
                connection = service.connect(tcp=True)
                connection.send(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n".encode() +
                                b"".join(f"{n}: {v}\r\n".encode() for n, v in headers) + b"\r\n")
                return connection.receive()
            for good in ("localhost", "127.0.0.1:1", "[::1]", "cells.example:80"):
                self.assertEqual(with_host(good).status, 200, good)
            for bad in ("evil.example", "evil.example:4682", "localhost.evil.example", ""):
                self.assertEqual(with_host(bad).json()["code"], "forbidden", bad)
            self.assertEqual(with_host("127.0.0.1", ("Origin", "https://evil.example")).json()["code"], "origin_forbidden")
            self.assertEqual(with_host("127.0.0.1", ("Origin", "https://lab.example")).status, 200)
            for path in ("/v1/execute", "/v1/batch", "/v1/tools"):
                answer = service.post(path, {}, [("Origin", "https://evil.example")], tcp=True)
                self.assertEqual(answer.json()["code"], "origin_forbidden")
        finally:
            service.stop()

    def test_sigterm_finishes_what_runs(self):
        service = Service(bin_dir)
        connection = service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"import time\\ntime.sleep(1)\\nprint(1)"}'))
        while not service.metric("hotcell_executions_in_flight"):
            pass
        idle = service.connect()
        service.process.send_signal(signal.SIGTERM)
        answer = connection.receive()
        self.assertEqual((answer.json()["status"], answer.headers["connection"]), ("completed", "close"))
        self.assertTrue(idle.ended())
        self.assertEqual(service.stop(), 0)
        self.assertFalse(os.path.exists(service.socket))

    def test_after_the_drain_time_what_still_runs_is_cancelled(self):
        service = Service(bin_dir, "--drain-seconds", "0.3")
        connection = service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass"}'))
        while not service.metric("hotcell_executions_in_flight"):
            pass
        begun = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        self.assertEqual(connection.receive().json()["status"], "cancelled")
        self.assertEqual(service.stop(), 0)
        self.assertLess(time.monotonic() - begun, 10)

    def test_kill_and_start_again(self):
        service = Service(bin_dir)
        clients = [service.connect() for _ in range(8)]
        for client in clients:
            client.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass"}'))
        while len(service.workers()) < 9:  # the eight, and the process that they come from
            self.assertIsNone(service.process.poll())
        workers = service.workers()
        service.stop(signal.SIGKILL)
        for client in clients:
            with self.assertRaises((EOFError, ConnectionResetError)):
                client.receive()
        alive = lambda pid: os.path.exists(f"/proc/{pid}") and ") Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text()
        until = time.monotonic() + 10
        while any(alive(pid) for pid in workers):
            self.assertLess(time.monotonic(), until, "workers were left behind")
        begun = time.monotonic()
        service.start()
        self.assertLess(time.monotonic() - begun, 5)  # one second on a machine of its own
        self.assertEqual(service.execute("print(1)").status, 200)
        self.assertEqual(service.stop(), 0)

    def test_two_services_do_not_share_a_socket(self):
        service = Service(bin_dir)
        second = subprocess.run(service.command, capture_output=True, text=True,
                                env=os.environ | {"HOTCELL_CONFIG": str(service.path / "config.yaml")})
        self.assertEqual(second.returncode, 125)
        self.assertIn("another hotcelld", second.stderr)
        self.assertEqual(service.execute("print(1)").status, 200)
        service.stop()


class Operators(unittest.TestCase):
    """What those see and do who look after a service."""

    @classmethod
    def setUpClass(cls):
        digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
        cls.tokens = [{"name": "user", "sha256": digest("secret-u")},
                      {"name": "chief", "sha256": digest("secret-c"), "operator": True}]
        cls.service = Service(bin_dir, "--audit", tokens=cls.tokens)

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0, cls.service.log_text()

    bearer = staticmethod(lambda text: [("Authorization", "Bearer " + text)])

    def lines(self, message, **members):
        lines = [json.loads(line) for line in self.service.log_text().splitlines()]
        return [one for one in lines if one["message"] == message and members.items() <= one.items()]

    def test_only_operators_look_after_it(self):
        for method, path in (("GET", "/v1/service"), ("GET", "/v1/executions"), ("GET", "/v1/logs"), ("POST", "/v1/drain")):
            for headers, tcp in ((self.bearer("secret-u"), True), (self.bearer("secret-u"), False)):
                answer = self.service.send(method, path, b"", headers, tcp=tcp)
                self.assertEqual((answer.status, answer.json()["code"]), (403, "forbidden"))
            self.assertEqual(self.service.send(method, path, tcp=True).status, 401)
            if method == "GET":
                self.assertEqual(self.service.send(method, path, b"", self.bearer("secret-c"), tcp=True).status, 200)
                self.assertEqual(self.service.send(method, path).status, 200)  # root, or the daemon's own user

    def test_status_tells_what_has_happened(self):
        for _ in range(3):
            self.service.execute("print(1)", self.bearer("secret-u"), tcp=True)
        self.service.execute("while True: pass", self.bearer("secret-u"), tcp=True, timeout_seconds=0.2)
        status = self.service.get("/v1/service").json()
        self.assertEqual((status["phase"], status["pid"]), ("serving", self.service.process.pid))
        wasi = status["engines"][0]
        self.assertTrue(wasi["ready"])
        self.assertGreaterEqual(wasi["last_minute"]["runs"], 4)
        self.assertLessEqual(wasi["last_minute"]["p50_seconds"], wasi["last_minute"]["longest_seconds"])
        self.assertGreaterEqual(wasi["last_minute"]["longest_seconds"], 0.2)
        failure = status["failures"][0]
        self.assertEqual((failure["tenant"], failure["status"], failure["code"]), ("user", "timeout", "timeout"))
        user = next(one for one in status["tenants"] if one["name"] == "user")
        self.assertGreaterEqual(user["runs"], 4)
        self.assertGreater(user["cpu_seconds"], 0)

    def test_what_a_program_says_is_not_for_operators(self):
        self.service.execute("raise ValueError('the secret of the user')", self.bearer("secret-u"), tcp=True)
        self.assertNotIn("the secret", self.service.get("/v1/service").body.decode())
        self.assertNotIn("the secret", self.service.get("/v1/logs?limit=2000").body.decode())

    def test_programs_that_run_are_listed(self):
        connection = self.service.connect(tcp=True)
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"while True: pass"}', self.bearer("secret-u")))
        until = time.monotonic() + 10
        while not (items := self.service.get("/v1/executions").json()["items"]):
            self.assertLess(time.monotonic(), until)
        self.assertEqual((items[0]["tenant"], items[0]["language"]), ("user", "python"))
        connection.close()
        while self.service.get("/v1/executions").json()["items"]:
            self.assertLess(time.monotonic(), until + 10)

    def test_audit_says_who_ran_what_and_what_became_of_it(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        headers = self.bearer("secret-u") + [("X-Request-Id", "audit-1"), ("traceparent", trace)]
        answer = self.service.execute("print('unheard-of')", headers, tcp=True)
        self.assertEqual(answer.headers["traceparent"], trace)
        line, = self.lines("execution", request_id="audit-1")
        self.assertEqual((line["tenant"], line["status"], line["exit_code"], line["engine"], line["code"]),
                         ("user", "completed", 0, "wasi", None))
        self.assertEqual(line["sha256"], hashlib.sha256(b"print('unheard-of')").hexdigest())
        self.assertEqual((line["trace_id"], line["id"]), (trace[3:35], answer.json()["id"]))
        self.assertTrue(line["from"].startswith("127.0.0.1:"))
        self.service.post("/v1/batch", {"items": [{"code": "1/0"}, {"code": "2"}]},
                          self.bearer("secret-u") + [("X-Request-Id", "audit-2")])
        self.assertEqual(sorted(one["status"] for one in self.lines("execution", request_id="audit-2")),
                         ["completed", "failed"])
        self.assertNotIn("unheard-of", self.service.log_text())

    def test_logs_are_read_on_from_where_one_was(self):
        logs = self.service.get("/v1/logs").json()
        self.assertIn("ready", [line["message"] for line in logs["lines"]])
        self.assertEqual(self.service.get(f"/v1/logs?after={logs['next']}").json()["lines"], [])
        self.service.execute("print(1)")
        more = self.service.get(f"/v1/logs?after={logs['next']}").json()
        self.assertEqual([line["message"] for line in more["lines"]], ["execution"])
        self.assertEqual(len(self.service.get("/v1/logs?limit=1").json()["lines"]), 1)
        self.assertEqual(self.service.get("/v1/logs?after=x").json()["code"], "invalid_field")


class Ends(unittest.TestCase):
    """What outlives a service, and what ends it."""

    def test_a_slow_request_is_a_line_of_the_log(self):
        service = Service(bin_dir, "--slow-seconds", "1")
        try:
            service.execute("import time\ntime.sleep(1.1)", [("X-Request-Id", "slow-1")])
            service.execute("print(1)", [("X-Request-Id", "quick-1")])
            service.wait_for_log('"slow request","request_id":"slow-1"')
            self.assertNotIn("quick-1", service.log_text())
        finally:
            self.assertEqual(service.stop(), 0)

    def test_usage_is_kept_across_restarts(self):
        tokens = [{"name": "user", "sha256": hashlib.sha256(b"secret-u").hexdigest()}]
        service = Service(bin_dir, tokens=tokens)
        headers = [("Authorization", "Bearer secret-u")]
        for _ in range(3):
            service.execute("print(1)", headers)
        self.assertEqual(service.stop(), 0)
        service.start()
        service.execute("print(1)", headers)
        service.process.send_signal(signal.SIGHUP)  # the same token again: the same usage
        service.wait_for_log("tokens loaded")
        service.execute("print(1)", headers)
        self.assertEqual(service.stop(), 0)
        listed = subprocess.run([bin_dir / "hotcell", "token", "--token-file", service.path / "tokens.json", "ls", "--json"],
                                capture_output=True, text=True)
        user, = json.loads(listed.stdout)
        self.assertEqual((user["name"], user["runs"], user["operator"]), ("user", 5, False))
        self.assertGreater(user["cpu_seconds"], 0)
        (service.path / "usage.json").write_text("[broken")
        service.start()  # no reason not to serve
        self.assertEqual(service.execute("print(1)", headers).status, 200)
        self.assertEqual(service.stop(), 0)

    def test_sighup_takes_up_what_can_be_taken_up(self):
        service = Service(bin_dir, config="docker: {enabled: false}\nserver: {max_queued: 7, log_level: info}\n")
        file = service.path / "config.yaml"

        def reload(text, message):
            before = len(service.log_text())
            file.write_text(text)
            service.process.send_signal(signal.SIGHUP)
            return service.wait_for_log(message, before)

        limits = lambda: service.get("/v1/capabilities").json()["limits"]
        try:
            self.assertEqual(limits()["max_queued"], 7)
            text = "docker: {enabled: false}\nserver: {max_queued: 9, retention_seconds: 5}\nwasi: {max_workers: 3}\n"
            log = reload(text, "need a restart")
            self.assertIn('"changed":["server.max_queued","server.retention_seconds"]', log)
            self.assertIn('"settings":["wasi.max_workers"]', log)
            self.assertEqual((limits()["max_queued"], limits()["retention_seconds"]), (9, 5))
            self.assertEqual(limits()["max_running"], 64)
            reload("server: {max_queud: 1}\n", "not loaded again")
            self.assertEqual(limits()["max_queued"], 9)
            reload("server: {log_level: debug}\ndocker: {enabled: false}\n", '"server.log_level"')
            service.execute("print(1)", [("X-Request-Id", "seen-now")])
            service.wait_for_log("seen-now")
        finally:
            self.assertEqual(service.stop(), 0)

    def test_an_address_for_health_is_for_nothing_else(self):
        service = Service(bin_dir, "--health-listen", "0.0.0.0:0")  # there are no tokens, and nothing to do with them
        try:
            lines = [json.loads(line) for line in service.log_text().splitlines()]
            address, = [one["address"] for one in lines if one["message"] == "listening for health"]
            port = int(address.rsplit(":", 1)[1])

            def get(path, method="GET"):
                connection = Connection(("127.0.0.1", port))
                connection.send(request_bytes(method, path))
                return connection.receive().status

            for path in ("/livez", "/readyz", "/healthz", "/metrics"):
                self.assertEqual(get(path), 200, path)
            for path in ("/", "/openapi.json", "/v1/capabilities", "/v1/service", "/compat/sandboxfusion/v1/ping"):
                self.assertEqual(get(path), 404, path)
            self.assertEqual(get("/v1/execute", "POST"), 404)
            self.assertEqual(service.get("/openapi.json").status, 200)
        finally:
            self.assertEqual(service.stop(), 0)

    def test_status_is_shown_again_and_again_on_a_terminal(self):
        service = Service(bin_dir)
        terminal, inside = os.openpty()
        env = os.environ | {"HOTCELL_URL": "unix:" + service.socket}
        watching = subprocess.Popen([bin_dir / "hotcell", "status", "--watch"], env=env, stdin=inside, stdout=inside)
        os.close(inside)
        seen = b""

        def see(text):
            nonlocal seen
            until = time.monotonic() + 20
            while text not in seen and time.monotonic() < until:
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 65536)
            self.assertIn(text, seen)
            seen = b""

        try:
            see(b"wasi    ready")
            service.execute("raise SystemExit(3)")
            see(b"exit code 3")
            watching.send_signal(signal.SIGINT)
            see(b"\x1b[?1049l")  # the screen as it was before
            self.assertEqual(watching.wait(10), 0)
        finally:
            watching.kill()
            watching.wait()
            os.close(terminal)
            self.assertEqual(service.stop(), 0)

    def test_a_drain_by_request_is_one_by_signal(self):
        service = Service(bin_dir)
        connection = service.connect()
        connection.send(request_bytes("POST", "/v1/execute", b'{"code":"import time\\ntime.sleep(1)\\nprint(1)"}'))
        while not service.metric("hotcell_executions_in_flight"):
            pass
        answer = service.post("/v1/drain", b"")
        self.assertEqual((answer.status, answer.json()["pid"]), (202, service.process.pid))
        self.assertEqual(connection.receive().json()["status"], "completed")
        self.assertEqual(service.process.wait(20), 0)

    def test_the_command_waits_for_the_drain(self):
        service = Service(bin_dir)
        env = os.environ | {"HOTCELL_STATE_DIR": service.folder.name, "HOTCELL_URL": "unix:" + service.socket}
        hotcell = lambda *words: subprocess.run([bin_dir / "hotcell", *words], env=env, capture_output=True, text=True)
        service.execute("raise SystemExit(3)")
        status = hotcell("status")
        for word in ("wasi    ready", "queue ", "programs ", "last failures", "exit code 3"):
            self.assertIn(word, status.stdout)
        self.assertEqual(json.loads(hotcell("status", "--json").stdout)["phase"], "serving")
        self.assertIn("info  ready", hotcell("logs").stdout)
        self.assertEqual(json.loads(hotcell("logs", "-n", "1", "--json").stdout)["level"], "info")
        self.assertEqual(json.loads(hotcell("ps", "--json").stdout), [])
        drained = hotcell("drain")
        self.assertEqual((drained.returncode, drained.stdout), (0, "drained: the service has ended\n"))
        self.assertEqual(service.process.poll() if service.process.poll() is not None else service.process.wait(5), 0)
        for words in (["status"], ["logs"], ["drain"], ["ps"]):
            gone = hotcell(*words)
            self.assertEqual(gone.returncode, 125)
            self.assertIn("cannot connect", gone.stderr)


class Overload(unittest.TestCase):
    def test_refusals_are_quick_and_nothing_is_lost(self):
        service = Service(bin_dir, "--max-running", "2", "--max-queued", "4", "--queue-seconds", "20")
        outcomes, lock = [], threading.Lock()

        def client(number):
            for _ in range(10):
                begun = time.monotonic()
                answer = service.execute(f"import time\ntime.sleep(0.02)\nprint({number})")
                took = time.monotonic() - begun
                with lock:
                    outcomes.append((answer.status, took))
                if answer.status == 200:
                    assert answer.json()["stdout"] == f"{number}\n"
                else:
                    assert answer.json()["code"] == "at_capacity" and int(answer.headers["retry-after"]) >= 1

        threads = [threading.Thread(target=client, args=(n,)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(outcomes), 300)
        self.assertEqual({status for status, _ in outcomes}, {200, 503})
        self.assertEqual(service.stop(), 0)


def main():
    global bin_dir
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path, help="the folder of hotcelld and hotcell-worker")
    options, rest = options.parse_known_args()
    bin_dir = options.bin.resolve()
    run_cases(rest, lambda _: f"; {len(description.seen)} kinds of answer held to openapi.json")


if __name__ == "__main__":
    main()
