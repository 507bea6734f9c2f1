#!/usr/bin/env python3
"""What the images promise (images/docker/), seen from inside containers.

docker_image.py [--image ID]
"""

import argparse
import json
import subprocess
import sys

sys.dont_write_bytecode = True
import docker_cell  # noqa: E402

MAX_SIZE = 250_000_000  # of all files; half of it is Node's binary
INTERPRETERS = {
    "python3": (["python3", "-c", "print(6*7)"], b"42\n"),
    "python": (["python", "-c", "import sys; print(sys.version_info[:2])"], b"(3, 11)\n"),
    "node": (["node", "-p", "6*7"], b"42\n"),
    "bash": (["bash", "-c", "echo $((6*7))"], b"42\n"),
    "sh": (["sh", "-c", "echo $((6*7))"], b"42\n"),
}
TOOLS = """awk basename bc bzip2 cat chmod column comm cp curl cut date diff dirname du env expr find gawk grep gunzip gzip head
    hexdump jq kill ln ls mkdir mktemp mv nice nohup numfmt od openssl paste patch perl pgrep pidof printf ps realpath rev rm sed seq
    sha256sum shuf sleep sort split stat tac tail tar tee test timeout top touch tr truncate tsort uname uniq unxz unzip uptime wc
    which xargs xxd xz yes zcat zip zstd""".split()
# Nobody may change who he is with these, so they are not there.
ABSENT = "apt apt-get dpkg sudo su passwd mount umount login chsh ssh git gcc pip pip3 npm uv".split()
MODULES = (
    """asyncio bz2 concurrent.futures csv ctypes dataclasses datetime dbm decimal difflib distutils email encodings.idna
    fractions hashlib html http.server importlib.metadata json logging lzma multiprocessing pickle pydoc random re readline select
    socket sqlite3 ssl statistics subprocess tarfile tempfile threading tomllib typing unittest urllib.request uuid xml.etree
    zipfile zlib zoneinfo""".split()
)
EVERYTHING = """
import os, stat, sys
size, seen = 0, set()
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/sys", "/dev")]
    for name in [*files, *folders]:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            continue
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            print("changes privileges:", path)
        if status.st_mode & stat.S_IWOTH:
            print("everybody writes:", path)
        if os.listxattr(path, follow_symlinks=False):
            print("has attributes:", path)
        if status.st_ino not in seen:
            size += status.st_size
            seen.add(status.st_ino)
print(size)
"""


def check_image(checks, name, image):
    described = json.loads(
        subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=True).stdout
    )[0]
    config = described["Config"]
    checks.check(
        f"{name}: does not start as root", config["User"].split(":")[0] not in ("", "0", "root"), config["User"]
    )
    checks.check(
        f"{name}: says what it was made of", len(config["Labels"].get("hotcell.content", "")) == 16, config["Labels"]
    )
    checks.check(
        f"{name}: has no entry point and no volumes", not config.get("Entrypoint") and not config.get("Volumes"), config
    )
    # As root with everything it may have: what a stricter user cannot see must not hide anything.
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", "--user", "0", image, "python3", "-"],
        input=EVERYTHING.encode(),
        capture_output=True,
    )
    *found, size = done.stdout.decode().splitlines() or ["0"]
    checks.check(
        f"{name}: nobody can change who he is, and only /tmp is for everybody",
        done.returncode == 0 and found == ["everybody writes: /tmp"],
        (found[:10], done.stderr[-300:]),
    )
    return int(size)


def check_runtime(checks, image):
    for name, (command, output) in INTERPRETERS.items():
        done = docker_cell.run(image, command)
        checks.check(
            f"{name} runs as a uid without a name",
            (done.returncode, done.stdout) == (0, output),
            (done.stdout, done.stderr),
        )
    for tools, wanted in ((TOOLS, True), (ABSENT, False)):
        done = docker_cell.run(
            image,
            ["bash", "-c", f'for t in {" ".join(tools)}; do command -v "$t" > /dev/null && echo "$t"; done; true'],
        )
        found = done.stdout.decode().split()
        wrong = [tool for tool in tools if (tool in found) != wanted]
        checks.check("tools are there" if wanted else "what is not needed is not there", not wrong, wrong)
    done = docker_cell.run(image, ["python3", "-c", f"import {', '.join(MODULES)}; print('ok')"])
    checks.check("the standard library is whole", done.stdout == b"ok\n", done.stderr[-300:])
    # With a read-only root nothing could be compiled for the next time: it has to be there.
    program = (
        "import sys, os\nfrom importlib.util import cache_from_source\n"
        "files = [getattr(m, '__file__', '') or '' for m in list(sys.modules.values())]\n"
        "print([f for f in files if f.startswith('/usr') and f.endswith('.py') and not os.path.exists(cache_from_source(f))])"
    )
    done = docker_cell.run(image, ["python3", "-c", f"import {', '.join(MODULES)}\n{program}"])
    checks.check("modules are compiled ahead", done.stdout == b"[]\n", (done.stdout[:300], done.stderr[-300:]))
    done = docker_cell.run(
        image,
        [
            "bash",
            "-c",
            "pwd; id -u; touch /workspace/a /tmp/a && ls /workspace; touch /etc/a /a /usr/a /home/a /var/tmp/a; echo $?",
        ],
    )
    checks.check(
        "only /workspace and /tmp can be written to",
        done.stdout == f"/workspace\n{docker_cell.UID}\na\n1\n".encode(),
        (done.stdout, done.stderr),
    )
    done = docker_cell.run(
        image,
        [
            "python3",
            "-c",
            "import ssl, zoneinfo, locale; print(len(ssl.create_default_context().get_ca_certs()) > 100, "
            "zoneinfo.ZoneInfo('Asia/Tokyo'), locale.getpreferredencoding(), open('/etc/passwd').read().count('cell'))",
        ],
    )
    checks.check(
        "certificates, time zones and UTF-8",
        done.stdout == b"True Asia/Tokyo UTF-8 1\n",
        (done.stdout, done.stderr[-300:]),
    )
    done = docker_cell.run(image, ["node", "-p", "new Date(0).toLocaleString('ru-RU', {timeZone: 'Europe/Moscow'})"])
    checks.check(
        "Node knows languages and time zones",
        done.stdout.decode() == "01.01.1970, 03:00:00\n",
        (done.stdout, done.stderr[-300:]),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", help="id of the runtime image; made when not given")
    options = parser.parse_args()
    checks = docker_cell.Checks()
    runtime = options.image or docker_cell.image("runtime")
    size = check_image(checks, "runtime", runtime)
    checks.check("the runtime image is small", size < MAX_SIZE, size)
    check_runtime(checks, runtime)
    if not options.image:
        builder = docker_cell.image("builder")
        check_image(checks, "builder", builder)
        for tool in ("uv", "npm", "node", "python3"):
            done = docker_cell.run(builder, [tool, "--version"])
            checks.check(f"builder: {tool} runs", done.returncode == 0, done.stderr[-300:])
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
