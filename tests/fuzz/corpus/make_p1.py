#!/usr/bin/env python3
"""Writes the seed inputs of p1_fuzz: one short, sensible program for each group of host functions."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
TABLE = (HERE.parents[2] / "src/wasi/p1/table.cc").read_text()
NAMES = re.findall(r"HOTCELL_WASI_FUNCTION\((\w+)\),", TABLE)


def at(address):  # a place in memory: multiples of 256
    return bytes([128 + address // 256])


def n(value):  # a small number
    return bytes([value])


def raw32(value):
    return b"\xfe" + value.to_bytes(4, "little")


def raw64(value):
    return b"\xfe" + value.to_bytes(8, "little")


def call(name, *args):
    return bytes([NAMES.index(name)]) + b"".join(args)


def put(address, data):
    return b"\xff" + address.to_bytes(2, "little") + bytes([len(data)]) + data


OUT, IOVS, BUFFER, PATH, PATH2, BIG = at(0x1000), at(0x1100), at(0x2000), at(0x3000), at(0x3100), at(0x4000)
NO_READ_ONLY = b"\0"


def path(text, address=0x3000):
    return put(address, text)


def iovec(length=16, address=0x2000):
    return put(0x1100, address.to_bytes(4, "little") + length.to_bytes(4, "little"))


def opened(text, oflags=1, flags=0, rights=0x1FFFFFFF, fd=3):
    return path(text) + call("path_open", n(fd), n(1), PATH, n(len(text)), n(oflags), raw64(rights), raw64(rights),
                             n(flags), OUT)


def subscription(userdata, tag, body):
    return (userdata.to_bytes(8, "little") + bytes([tag]) + bytes(7) + body).ljust(48, b"\0")


def clock(userdata, ident, timeout, flags=0):
    return subscription(userdata, 0, ident.to_bytes(4, "little") + bytes(4) + timeout.to_bytes(8, "little") + bytes(8)
                        + flags.to_bytes(2, "little"))


def two(name, a, b, *before):
    return path(a) + path(b, 0x3100) + call(name, *before, PATH, n(len(a)), n(3), PATH2, n(len(b)))


SEEDS = {
    "args": call("args_sizes_get", OUT, at(0x1200)) + call("args_get", BUFFER, BIG),
    "environ": call("environ_sizes_get", OUT, at(0x1200)) + call("environ_get", BUFFER, BIG),
    "clocks": b"".join(call("clock_res_get", n(i), OUT) + call("clock_time_get", n(i), n(0), OUT) for i in range(4)),
    "random": call("random_get", BUFFER, n(32)),
    "exit": call("proc_exit", n(3)),
    "raise": call("proc_raise", n(6)),
    "yield": call("sched_yield"),
    "sockets": call("sock_accept", n(3), n(0), OUT) + call("sock_recv", n(0), IOVS, n(1), n(0), OUT, OUT)
               + call("sock_send", n(1), IOVS, n(1), n(0), OUT) + call("sock_shutdown", n(1), n(3)),
    "stdio": iovec() + call("fd_read", n(0), IOVS, n(1), OUT) + call("fd_write", n(1), IOVS, n(1), OUT)
             + call("fd_close", n(1)) + opened(b"tmp/out") + call("fd_write", n(1), IOVS, n(1), OUT),
    "prestat": call("fd_prestat_get", n(3), OUT) + call("fd_prestat_dir_name", n(4), BUFFER, n(5)),
    "write_read": opened(b"tmp/f") + iovec(300) + call("fd_write", n(5), IOVS, n(1), OUT)
                  + call("fd_seek", n(5), n(0), n(0), OUT) + call("fd_read", n(5), IOVS, n(1), OUT)
                  + call("fd_tell", n(5), OUT) + call("fd_close", n(5)),
    "positioned": opened(b"tmp/f") + iovec(30) + call("fd_pwrite", n(5), IOVS, n(1), raw64(100000), OUT)
                  + call("fd_pread", n(5), IOVS, n(1), raw64(99990), OUT) + call("fd_filestat_get", n(5), OUT),
    "append": opened(b"tmp/f", flags=1) + iovec(30) + call("fd_write", n(5), IOVS, n(1), OUT) * 3,
    "given": opened(b"workspace/given", oflags=0) + iovec(100) + call("fd_pwrite", n(5), IOVS, n(1), raw64(4090), OUT)
             + call("fd_filestat_set_size", n(5), raw64(4100)) + call("fd_filestat_set_size", n(5), raw64(8000)),
    "truncate": opened(b"workspace/given", oflags=8),
    "allocate": opened(b"tmp/f") + call("fd_allocate", n(5), raw64(5000), raw64(100000))
                + call("fd_advise", n(5), n(0), n(0), n(3)) + call("fd_sync", n(5)) + call("fd_datasync", n(5)),
    "sparse": opened(b"tmp/f") + call("fd_filestat_set_size", n(5), raw64(1 << 33))
              + iovec() + call("fd_pwrite", n(5), IOVS, n(1), raw64(1 << 32), OUT)
              + call("fd_allocate", n(5), raw64((1 << 32) - 9000), raw64(30000)),
    "quota": opened(b"tmp/f") + iovec(60000, 0) + call("fd_write", n(5), IOVS, n(1), OUT) * 6,
    "flags_rights": opened(b"tmp/f") + call("fd_fdstat_get", n(5), OUT) + call("fd_fdstat_set_flags", n(5), n(5))
                    + call("fd_fdstat_set_rights", n(5), n(2), n(0)),
    "times": opened(b"tmp/f") + call("fd_filestat_set_times", n(5), n(1), n(2), n(5)) + path(b"tmp/f")
             + call("path_filestat_set_times", n(3), n(1), PATH, n(5), n(1), n(2), n(10)),
    "renumber": opened(b"tmp/f") + call("fd_renumber", n(5), n(1)) + call("fd_renumber", n(3), n(4)),
    "readdir": opened(b"tmp/a") + opened(b"tmp/b") + path(b"tmp")
               + call("path_open", n(3), n(1), PATH, n(3), n(2), n(0), n(0), n(0), OUT)
               + call("fd_readdir", n(7), BIG, raw32(200), n(0), OUT) + call("fd_readdir", n(7), BIG, n(30), n(2), OUT)
               + call("fd_readdir", n(3), BIG, raw32(4000), n(0), OUT),
    "mkdir": path(b"tmp/d") + call("path_create_directory", n(3), PATH, n(5)) + call("path_filestat_get", n(3), n(1),
             PATH, n(5), OUT) + call("path_remove_directory", n(3), PATH, n(5)),
    "unlink_open": opened(b"tmp/f") + call("path_unlink_file", n(3), PATH, n(5)) + iovec()
                   + call("fd_write", n(5), IOVS, n(1), OUT) + call("fd_close", n(5)),
    "symlink": path(b"../workspace") + path(b"tmp/l", 0x3100) + call("path_symlink", PATH, n(12), n(3), PATH2, n(5))
               + call("path_readlink", n(3), PATH2, n(5), BUFFER, n(30), OUT) + opened(b"tmp/l/given", oflags=0),
    "symlink_loop": path(b"l") + path(b"tmp/l", 0x3100) + call("path_symlink", PATH, n(1), n(3), PATH2, n(5))
                    + opened(b"tmp/l/x"),
    "hard_link": opened(b"tmp/f") + path(b"tmp/g", 0x3100)
                 + call("path_link", n(3), n(0), PATH, n(5), n(3), PATH2, n(5))
                 + call("path_unlink_file", n(3), PATH, n(5)) + call("path_unlink_file", n(3), PATH2, n(5)),
    "rename": opened(b"tmp/f") + two("path_rename", b"tmp/f", b"tmp/g", n(3)) + two("path_rename", b"workspace/given",
              b"tmp/g", n(3)),
    "rename_tree": b"".join(path(p) + call("path_create_directory", n(3), PATH, n(len(p)))
                            for p in (b"tmp/a", b"tmp/a/b", b"tmp/a/b/c")) + two("path_rename", b"tmp/a", b"tmp/a/b/c/d",
                   n(3)) + two("path_rename", b"tmp/a", b"workspace/z", n(3)),
    "removed_directory": path(b"tmp/d") + call("path_create_directory", n(3), PATH, n(5))
                         + call("path_open", n(3), n(0), PATH, n(5), n(2), n(0), n(0), n(0), OUT)
                         + call("path_remove_directory", n(3), PATH, n(5)) + path(b"..")
                         + call("path_filestat_get", n(5), n(0), PATH, n(2), OUT) + opened(b"x", fd=5),
    "pack": opened(b"usr/lib/b/c", oflags=0, rights=2) + iovec() + call("fd_read", n(5), IOVS, n(1), OUT)
            + path(b"usr/lib") + call("path_open", n(3), n(0), PATH, n(7), n(2), n(0), n(0), n(0), OUT)
            + call("fd_readdir", n(6), BIG, raw32(500), n(0), OUT) + opened(b"usr/lib/new"),
    "poll": put(0x2000, clock(1, 1, 1000) + clock(2, 0, 500)) + put(0x2060, subscription(3, 1, bytes(4)))
            + call("poll_oneoff", BUFFER, BIG, n(3), OUT) + call("poll_oneoff", BUFFER, BIG, n(2), OUT),
    "poll_absolute": put(0x2000, clock(1, 0, (1 << 61), 1)) + call("poll_oneoff", BUFFER, BIG, n(1), OUT),
    "escape": path(b"../../x", 0x3000) + call("path_filestat_get", n(4), n(1), PATH, n(7), OUT),
    "faults": call("fd_write", n(1), b"\xe0", n(1), OUT) + call("path_filestat_get", n(3), n(0), b"\xf0", b"\xf0", OUT)
              + call("fd_readdir", n(3), b"\xe1", n(39), n(0), b"\xe0"),
}

out = HERE / "p1"
out.mkdir(exist_ok=True)
for name, program in SEEDS.items():
    (out / name).write_bytes(NO_READ_ONLY + program)
print(len(SEEDS), "seeds")
