"""A package index that misbehaves on request: what tests cannot ask of the real ones.

PyPI's simple API and npm's registry in one server, at the path prefix of a list of packages:
  /simple/…  /npm/…            the packages below
  /secret/simple/…, /secret/npm/…  the same, for USER and PASSWORD only
  /hang/…                      takes the connection and never answers
As a proxy it is asked for http://HOST/…, whichever host, and counts that under this name.
Serves plain HTTP, and HTTPS when it is given a certificate. Counts what is asked for, in `hits`.
"""
import base64
import hashlib
import http.server
import io
import json
import socket
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections import Counter
from pathlib import Path

USER, PASSWORD = "reader", "sesame-open-7391"
OLD = (1980, 1, 1, 0, 0, 0)


def wheel(name, version, requires=(), files=None, tag="py3-none-any"):
    """One wheel: (file name, bytes)."""
    module = name.replace("-", "_")
    stem = f"{module}-{version}"
    content = {f"{module}/__init__.py": f"version = '{version}'\n"}
    content.update(files or {})
    pure = tag.endswith("-any")
    content[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {one}\n" for one in requires)
    content[f"{stem}.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {str(pure).lower()}\nTag: {tag}\n")
    content[f"{stem}.dist-info/RECORD"] = "".join(f"{one},,\n" for one in [*content, f"{stem}.dist-info/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path, OLD), text)
    return f"{stem}-{tag}.whl", out.getvalue()


def tarball(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            info.mode = 0o755 if path.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


def sdist(name, version, marker=None):
    """A source package whose setup.py leaves a trace: (file name, bytes)."""
    setup = f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{name!r}])\n"
    return f"{name}-{version}.tar.gz", tarball({
        f"{name}-{version}/setup.py": setup.encode(),
        f"{name}-{version}/{name}.py": f"version = '{version}'\n".encode(),
        f"{name}-{version}/PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n".encode()})


class File:
    def __init__(self, name, content, yanked=None, claimed=None, short=False, slow=False, without_hash=False):
        self.name, self.content, self.yanked, self.short, self.slow = name, content, yanked, short, slow
        self.sha256 = claimed or hashlib.sha256(content).hexdigest()
        self.fragment = "" if without_hash else f"#sha256={self.sha256}"


def python_packages():
    plain = lambda *args, **more: File(*wheel(*args, **more))
    packages = {
        "alpha": [plain("alpha", "1.0"), plain("alpha", "2.0", files={"alpha/data.txt": "forty-two"})],
        "needs-old-alpha": [plain("needs-old-alpha", "1.0", ["alpha<2"])],
        "needs-new-alpha": [plain("needs-new-alpha", "1.0", ["alpha>=2"])],
        "needs-absent": [plain("needs-absent", "1.0", ["nowhere-to-be-found"])],
        "beta": [plain("beta", "1.5", ["alpha"], files={"beta-1.5.dist-info/entry_points.txt":
                                                        "[console_scripts]\nbeta-tool = beta:main\n",
                                                        "beta/__init__.py": "def main():\n    print('a tool')\n"})],
        "withdrawn": [File(*wheel("withdrawn", "1.0"), yanked="it ate the files"),
                      File(*sdist("withdrawn", "1.1"), yanked="it ate the files")],
        "source-only": [File(*sdist("source-only".replace("-", "_"), "1.0"))],
        "windows-only": [plain("windows-only", "3.0", tag="cp311-cp311-win_amd64")],
        "compiled": [plain("compiled", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64"),
                     File(*sdist("compiled", "1.0"))],
        "old-python": [plain("old-python", "1.0", tag="cp38-cp38-manylinux_2_17_x86_64")],
        "liar": [File(*wheel("liar", "1.0"), claimed="0" * 64)],
        "half": [File(*wheel("half", "1.0", files={"half/big.txt": "x" * 200000}), short=True)],
        "stuck": [File(*wheel("stuck", "1.0", files={"stuck/big.txt": "x" * 200000}), slow=True)],
        "hashless": [File(*wheel("hashless", "1.0"), without_hash=True)],
        "escape": [plain("escape", "1.0", files={"../../../outside.txt": "out"})],
    }
    return packages


def node_package(name, version, files=None, **manifest):
    manifest = {"name": name, "version": version, "main": "index.js", **manifest}
    content = {"package/package.json": json.dumps(manifest).encode(),
               "package/index.js": f"module.exports = '{name} {version}';\n".encode()}
    content.update({f"package/{path}": text.encode() for path, text in (files or {}).items()})
    return manifest, tarball(content)


def node_packages():
    trace = "touch /tmp/trace; touch ../../trace; echo ran > /workspace/trace; exit 0"
    return [
        node_package("left", "1.0.0"),
        node_package("left", "2.0.0"),
        node_package("needs-old-left", "1.0.0", dependencies={"left": "^1.0.0"}),
        node_package("needs-new-left", "1.0.0", dependencies={"left": "^2.0.0"}),
        node_package("wants-peer-1", "1.0.0", peerDependencies={"left": "1.x"}),
        node_package("wants-peer-2", "1.0.0", peerDependencies={"left": "2.x"}),
        node_package("renamer", "1.0.0", dependencies={"old-left": "npm:left@^1.0.0"}),
        node_package("scripted", "1.0.0", scripts={name: trace for name in ("preinstall", "install", "postinstall")}),
        node_package("tool", "1.0.0", bin={"tool-run": "run.sh"}, files={"run.sh": "#!/bin/sh\necho a tool\n"}),
        node_package("from-git", "1.0.0", dependencies={"gitty": "git+https://git.invalid/x.git"}),
        node_package("@team/scoped", "1.0.0", dependencies={"left": "2"}),
        node_package("mac-only", "1.0.0", os=["darwin"]),
        node_package("maybe-mac", "1.0.0", optionalDependencies={"mac-only": "1.0.0"}),
        node_package("liar", "1.0.0"),
        node_package("half", "1.0.0", files={"big.txt": "".join(hashlib.sha256(str(i).encode()).hexdigest()
                                                                  for i in range(5000))}),
    ]


class Index:
    """`with Index(address) as index:` serves until the end of the block."""

    def __init__(self, address="0.0.0.0", certificate=None):
        self.python = {name: files for name, files in python_packages().items()}
        self.node = node_packages()
        self.pages = {}  # of packages whose links are given by hand
        self.hits = Counter()
        self.without_credentials = 0
        self.stopping = threading.Event()
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 120

            def log_message(self, *args):
                pass

            def do_GET(self):
                index.answer(self)

            do_HEAD = do_GET

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client):
                pass  # clients that do not trust us hang up

        self.server = Server((address, 0), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, host, path):
        return f"{self.scheme}://{host}:{self.port}/{path}"

    def answer(self, call):
        path = call.path.split("?")[0]
        self.hits[path] += 1
        if path.startswith("http://"):
            path = "/" + path.split("/", 3)[3]
        if path.startswith("/hang/"):
            self.stopping.wait(600)
            return
        if path.startswith("/secret/"):
            wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            given = call.headers.get("Authorization", "")
            if given not in (f"Basic {wanted}", f"Bearer {PASSWORD}"):
                self.without_credentials += not given
                return self.send(call, 401, b"credentials, please", {"WWW-Authenticate": 'Basic realm="index"'})
            path = path[len("/secret"):]
        if path.startswith("/simple/"):
            return self.simple(call, path[len("/simple/"):].strip("/"))
        if path.startswith("/files/"):
            return self.python_file(call, path[len("/files/"):])
        if path.startswith("/npm/"):
            return self.registry(call, path[len("/npm/"):])
        self.send(call, 404, b"not here")

    def send(self, call, status, body, headers=None, kind="text/html"):
        call.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            call.send_header(name, value)
        call.end_headers()
        if call.command != "HEAD":
            call.wfile.write(body)

    def break_off(self, call, body):
        """Half of what was promised, and no more."""
        call.send_response(200)
        call.send_header("Content-Type", "application/octet-stream")
        call.send_header("Content-Length", str(len(body)))
        call.end_headers()
        if call.command != "HEAD":
            call.wfile.write(body[:len(body) // 2])
            call.wfile.flush()
        call.close_connection = True

    def simple(self, call, name):
        files = self.python.get(name)
        if files is None:
            return self.send(call, 404, b"no such package")
        links = ""
        for file in files:
            yanked = f' data-yanked="{file.yanked}"' if file.yanked else ""
            links += f'<a href="/files/{file.name}{file.fragment}"{yanked}>{file.name}</a>\n'
        links = self.pages.get(name, links)
        self.send(call, 200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

    def python_file(self, call, name):
        for files in self.python.values():
            for file in files:
                if file.name != name:
                    continue
                if file.short:
                    return self.break_off(call, file.content)
                if file.slow:
                    self.stopping.wait(600)
                    return
                return self.send(call, 200, file.content, {"Cache-Control": "max-age=600, immutable"}, "application/octet-stream")
        self.send(call, 404, b"no such file")

    def registry(self, call, path):
        name, _, file = path.replace("%2f", "/").replace("%2F", "/").partition("/-/")
        versions = {}
        for manifest, content in self.node:
            if manifest["name"] != name:
                continue
            base = f"{name.split('/')[-1]}-{manifest['version']}.tgz"
            if file == base:
                if name == "half":
                    return self.break_off(call, content)
                return self.send(call, 200, content, kind="application/octet-stream")
            digest = hashlib.sha512(b"something else" if name == "liar" else content).digest()
            host = call.headers.get("Host")
            prefix = "secret/npm" if call.path.startswith("/secret/") else "npm"
            versions[manifest["version"]] = {**manifest, "dist": {
                "tarball": f"{self.scheme}://{host}/{prefix}/{name}/-/{base}",
                "integrity": "sha512-" + base64.b64encode(digest).decode()}}
        if not versions or file:
            return self.send(call, 404, b'{"error":"not found"}', kind="application/json")
        body = {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": versions}
        self.send(call, 200, json.dumps(body).encode(), kind="application/json")


def make_certificate(folder, names):
    """An authority of our own and a certificate by it: paths of the authority's, the server's and its key."""
    folder = Path(folder)
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=A test's authority",
        "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-addext", "keyUsage=critical,keyCertSign",
        "-addext", "basicConstraints=critical,CA:TRUE")
    run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=index", "-keyout", folder / "server.key",
        "-out", folder / "server.csr")
    is_address = lambda name: name.replace(".", "").isdigit()
    (folder / "extensions").write_text("subjectAltName=" + ",".join(
        ("IP:" if is_address(name) else "DNS:") + name for name in names))
    run("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-days", "30", "-extfile", folder / "extensions", "-out", folder / "server.pem")
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


def own_address():
    """The address of this machine that others would use. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 80))
        return probe.getsockname()[0]
