"""What Python programs do of all that a filter could break. Prints "ok NAME" for each that works."""

import asyncio
import concurrent.futures
import ctypes
import fcntl
import mmap
import multiprocessing
import multiprocessing.shared_memory
import os
import pathlib
import pty
import resource
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time


def square(n):
    return n * n


def threads():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(square, range(100))) == 328350


def processes(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        assert pool.map(square, [1, 2, 3]) == [1, 4, 9]


def shared_memory():
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[0] = 7
    child = multiprocessing.get_context("fork").Process(target=lambda: memory.buf.__setitem__(1, 8))
    child.start()
    child.join()
    assert bytes(memory.buf[:2]) == b"\x07\x08"
    memory.close()
    memory.unlink()


def subprocesses():
    assert subprocess.run(["sort", "-r"], input="a\nb\n", capture_output=True, text=True).stdout == "b\na\n"
    assert subprocess.run("exit 3", shell=True, preexec_fn=os.setsid).returncode == 3
    assert os.WEXITSTATUS(os.system("exit 4")) == 4
    assert os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]) == 0


def event_loop():
    async def main():
        process = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b"" and output == b"hi\n"
        writer.close()
        await asyncio.to_thread(square, 2)

    asyncio.run(main())


def sockets():
    assert "lo" in [name for _, name in socket.if_nameindex()]
    assert socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    first, second = socket.socketpair()
    socket.send_fds(first, [b"x"], [0])
    assert socket.recv_fds(second, 10, 1)[0] == b"x"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.sendto(b"me", udp.getsockname())
        assert udp.recv(10) == b"me"


def files():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "a").write_text("hello")
        shutil.copytree(folder, folder / "copy", ignore=lambda *_: {"copy"})
        os.link(folder / "a", folder / "b")
        os.symlink("a", folder / "c")
        os.mkfifo(folder / "d")
        os.setxattr(folder / "a", "user.x", b"1")
        os.truncate(folder / "a", 1 << 30)
        with open(folder / "a", "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with mmap.mmap(file.fileno(), 4096) as mapped:
                mapped[0:1] = b"J"
                mapped.flush()
            os.posix_fallocate(file.fileno(), 0, 4096)
            os.copy_file_range(file.fileno(), os.open(folder / "e", os.O_CREAT | os.O_WRONLY), 10)
            os.fsync(file.fileno())
        assert (folder / "b").open("rb").read(1) == b"J"
    assert os.memfd_create("x") > 2


def signals_and_time():
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert seen and time.clock_gettime(time.CLOCK_MONOTONIC) > 0
    pidfd = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(pidfd, 0)
    time.sleep(0.001)


def limits():
    os.nice(1)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, 512)


def terminal():
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("stty", ["stty", "size"])
    text = b""
    while select.select([master], [], [], 10)[0]:
        try:
            part = os.read(master, 100)
        except OSError:
            break
        if not part:
            break
        text += part
    os.waitpid(pid, 0)
    assert text.strip() == b"0 0", text


def libraries():
    assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
    ssl.create_default_context()
    called = []
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(
        lambda a, b: called.append(1) or a[0] - b[0]
    )
    numbers = (ctypes.c_int * 3)(3, 1, 2)
    ctypes.CDLL(None).qsort(numbers, 3, ctypes.sizeof(ctypes.c_int), callback)
    assert list(numbers) == [1, 2, 3] and called


def thread_of_its_own_exits():
    thread = threading.Thread(target=square, args=(2,))
    thread.start()
    thread.join()


CHECKS = {
    "threads": threads,
    "fork": lambda: processes("fork"),
    "spawn": lambda: processes("spawn"),
    "forkserver": lambda: processes("forkserver"),
    "shared_memory": shared_memory,
    "subprocesses": subprocesses,
    "event_loop": event_loop,
    "sockets": sockets,
    "files": files,
    "signals_and_time": signals_and_time,
    "limits": limits,
    "terminal": terminal,
    "libraries": libraries,
    "one_thread": thread_of_its_own_exits,
}

if __name__ == "__main__":
    for name, check in CHECKS.items():
        try:
            check()
            print("ok", name, flush=True)
        except Exception as error:  # the others are still of interest
            print("broken", name, repr(error), flush=True)
    print("end", flush=True)
    sys.exit(0)
