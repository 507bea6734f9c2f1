#!/usr/bin/env python3
"""The seccomp profile (src/docker/seccomp.json) against a real daemon: what it must refuse, and what must go on working.

    run.py [--image ID]

1. denied.py asks for every call that the profile denies: EPERM, and nothing is killed for it.
2. The same without the profile: then the kernel must answer otherwise, or the first step would have proved nothing.
3. exhaustive.py compares the filter that the kernel got with the profile, wherever it looks at arguments.
4. The programs below programs/ do what Python, Node and Bash programs do.
5. Compilers and languages of this machine, where they are installed, work under the profile: their folders are mounted
   read-only into the cell.
6. Every system call that this machine's headers know is either in the profile or asked for by denied.py.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True
import docker_cell  # noqa: E402

# Refused by the kernel too, for want of a capability: what the profile adds is that the code behind is out of reach.
KERNEL_REFUSES_TOO = re.compile(
    "clone with an? (mount|network|pid|ipc|uts|cgroup) namespace|pivot_root|move_mount|fsopen|fsmount|fspick|fanotify_init|"
    "syslog|reboot|swapon|swapoff|acct|sethostname|setdomainname|vhangup|prctl: memory map|"
    "socket: (packet|xdp|IPv4 raw|IPv4 packet|IPv6 raw)|"
    # and on a kernel that has more built in, or that is more careful than most:
    "kexec_load|kexec_file_load|init_module|finit_module|delete_module|iopl|ioperm|userfaultfd|io_uring_setup|"
    "clone with a user namespace|unshare user|socket: (can|bluetooth|IPv4 ping|IPv4 SCTP)|lookup_dcookie|open_by_handle_at"
)
HEADER = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def answers(image, profile):
    done = docker_cell.run(image, ["python3", "-"], stdin=(HERE / "denied.py").read_bytes(), profile=profile)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    if done.returncode != 0 or any(len(row) != 3 for row in rows):
        sys.exit(f"denied.py failed ({done.returncode}): {done.stderr.decode()[-500:]}")
    return {(kind, name): answer for kind, name, answer in rows}


def check_calls(checks, image):
    under_profile = answers(image, docker_cell.PROFILE)
    without = answers(image, "unconfined")
    for (kind, name), got in under_profile.items():
        if kind == "denied":
            # glibc uses clone3 first, and falls back only on ENOSYS.
            wanted = "ENOSYS" if name == "clone3" else "EPERM"
            checks.check(f"{name} is denied", got == wanted, f"{got} instead of {wanted}")
            if not KERNEL_REFUSES_TOO.fullmatch(name):
                checks.check(
                    f"{name} would be let through without the profile",
                    without[kind, name] != wanted,
                    without[kind, name],
                )
        elif kind == "allowed":
            checks.check(f"{name} is allowed", got not in ("EPERM", "ENOSYS"), got)
            checks.check(
                f"{name} answers as without the profile", got == without[kind, name], f"{got}, {without[kind, name]}"
            )
        else:
            # No filter for the 64-bit calls can answer these; the kernel's way to refuse them is SIGSYS.
            checks.check(f"{name} does not get through", got in ("signal 31", "EPERM", "ENOSYS"), got)


def check_arguments(checks, image):
    profile = f"PROFILE = {json.loads(docker_cell.PROFILE.read_text())!r}\n"
    done = docker_cell.run(
        image, ["python3", "-"], stdin=(profile + (HERE / "exhaustive.py").read_text()).encode(), timeout=300
    )
    lines = done.stdout.decode().splitlines()
    ended = re.fullmatch(r"compared (\d+) different (\d+)", lines[-1] if lines else "")
    checks.check(
        "the filter is what the profile says",
        ended and int(ended[1]) > 100_000 and ended[2] == "0",
        (lines[-10:], done.stderr[-500:]),
    )


def check_complete(checks):
    if not HEADER.exists():
        return checks.skip("completeness", f"no {HEADER}")
    known = set(re.findall(r"__NR_(\w+)", HEADER.read_text()))
    allowed = {name for entry in json.loads(docker_cell.PROFILE.read_text())["syscalls"] for name in entry["names"]}
    asked = set(re.findall(r'^ {4}"(\w+)', (HERE / "denied.py").read_text(), re.M))
    forgotten = known - allowed - asked
    checks.check("every call is allowed or asked for", not forgotten, sorted(forgotten))


def check_programs(checks, image):
    for command, file in ((["python3"], "python.py"), (["node"], "node.js"), (["bash"], "shell.sh")):
        source = (HERE / "programs" / file).read_text()
        # From a file: multiprocessing starts the program again by its name.
        save = f"cat > /workspace/{file} && exec {command[0]} /workspace/{file}"
        done = docker_cell.run(image, ["sh", "-c", save], stdin=source.encode(), timeout=120)
        lines = done.stdout.decode(errors="replace").splitlines()
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("ok", "broken"):
                checks.check(f"{file}: {rest}", word == "ok", line)
        checks.check(f"{file} ran to its end", lines[-1:] == ["end"], (lines[-1:], done.stderr.decode()[-500:]))


# name -> (what must be installed, program, what it prints)
TOOLCHAINS = {
    "gcc": (
        ["gcc"],
        "printf '#include <stdio.h>\\nint main(){puts(\"c\");}' > a.c && gcc -O2 -fopenmp a.c -o a && ./a",
        "c",
    ),
    "g++": (
        ["g++"],
        "printf '#include <thread>\\n#include <cstdio>\\nint main(){std::thread([]{puts(\"c++\");}).join();}' > a.cc && "
        "g++ a.cc -o a && ./a",
        "c++",
    ),
    "git": (
        ["git"],
        "git init -q r && cd r && git config user.email a@b && git config user.name a && echo x > f && git add f && "
        "git commit -qm one && git gc -q && git log --format=%s",
        "one",
    ),
    "make": (
        ["make", "gcc"],
        "printf 'all: a b\\n\\t@echo made\\na b:\\n\\t@sleep 0.01\\n' > Makefile && make -j4",
        "made",
    ),
    "go": (
        ["go"],
        "printf 'package main\\nimport (\"fmt\";\"net\";\"sync\")\\nfunc main(){var w sync.WaitGroup;for i:=0;i<50;i++{w.Add(1);"
        "go func(){w.Done()}()};w.Wait();l,e:=net.Listen(\"tcp\",\"127.0.0.1:0\");if e!=nil{panic(e)};l.Close();fmt.Println(\"go\")}' "
        "> a.go && go run a.go",
        "go",
    ),
    "rust": (
        ["rustc"],
        "printf 'fn main(){std::thread::spawn(||println!(\"rust\")).join().unwrap();}' > a.rs && rustc a.rs && ./a",
        "rust",
    ),
    "java": (
        ["java"],
        "printf 'class A { public static void main(String[] a) throws Exception { Thread t = new Thread(() -> "
        "System.out.println(\"java\")); t.start(); t.join(); } }' > A.java && java -Xmx128m A.java",
        "java",
    ),
}


def folders_of_this_machine():
    """Read-only mounts that bring this machine's tools into a cell, and the PATH to find them."""
    mounts, path = ["/usr:/usr", "/etc/alternatives:/etc/alternatives"], []
    for name in ("java-17-openjdk", "java-21-openjdk"):
        if pathlib.Path("/etc", name).is_dir():
            mounts.append(f"/etc/{name}:/etc/{name}")
    rustc = shutil.which("rustc")
    if rustc:
        sysroot = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True).stdout.strip()
        mounts.append(f"{sysroot}:/opt/rust")
        path.append("/opt/rust/bin")
    path += ["/usr/local/go/bin", "/usr/local/bin", "/usr/bin", "/bin"]
    return mounts, ":".join(path)


def check_toolchains(checks, image):
    mounts, path = folders_of_this_machine()
    options = [
        "--memory",
        "2g",
        "--memory-swap",
        "2g",
        "-e",
        f"PATH={path}",
        "-e",
        "HOME=/tmp/home",
        "-e",
        "GOFLAGS=-p=2",
        "-e",
        "GOTOOLCHAIN=local",
        "-e",
        "LANG=C.UTF-8",
        "--tmpfs",
        f"/tmp/home:uid={docker_cell.UID},size=500m,exec",
    ]
    for name, (needed, program, output) in TOOLCHAINS.items():
        missing = [tool for tool in needed if not shutil.which(tool)]
        if missing:
            checks.skip(name, f"{missing} not installed")
            continue
        done = docker_cell.run(
            image, ["bash", "-c", f"cd /workspace; {program}"], mounts=mounts, options=options, timeout=300
        )
        checks.check(
            f"{name} works",
            done.stdout.decode().strip() == output,
            (done.returncode, done.stdout[-300:], done.stderr[-500:]),
        )


def check_numpy(checks, image):
    """numpy brings OpenBLAS, which makes threads and asks the machine about itself."""
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "-q",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--python-version",
                "3.11",
                "--target",
                folder,
                "numpy",
            ],
            capture_output=True,
            text=True,
        )
        if fetched.returncode != 0:
            return checks.skip("numpy", fetched.stderr.strip().splitlines()[-1:])
        os.chmod(folder, 0o755)
        program = b"import numpy as n; a = n.random.rand(300, 300); print(n.allclose(a @ n.linalg.inv(a), n.eye(300)))"
        options = ["-e", "PYTHONPATH=/packages", "--cpus", "2"]
        done = docker_cell.run(image, ["python3", "-"], mounts=[f"{folder}:/packages"], options=options, stdin=program)
        checks.check("numpy works", done.stdout == b"True\n", (done.returncode, done.stdout, done.stderr[-500:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", help="id of the runtime image; made when not given")
    image = parser.parse_args().image or docker_cell.image()
    checks = docker_cell.Checks()
    check_complete(checks)
    if os.uname().machine == "x86_64":
        check_calls(checks, image)
        check_arguments(checks, image)
    else:
        checks.skip("denied.py", "it knows the numbers of x86-64 only")
    check_programs(checks, image)
    check_numpy(checks, image)
    check_toolchains(checks, image)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
