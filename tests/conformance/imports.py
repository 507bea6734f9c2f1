#!/usr/bin/env python3
"""Checks that the given modules together import all 46 functions of WASI preview 1, so that none goes untested."""
import sys

FUNCTIONS = """args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate
fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync
fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink
path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise random_get sched_yield
sock_accept sock_recv sock_send sock_shutdown""".split()


def number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def imports(path):
    data = open(path, "rb").read()
    at = 8
    while at < len(data):
        section = data[at]
        size, at = number(data, at + 1)
        if section == 2:
            count, here = number(data, at)
            for _ in range(count):
                words = []
                for _ in range(2):
                    length, here = number(data, here)
                    words.append(data[here:here + length].decode())
                    here += length
                assert data[here] == 0, "only functions are imported"
                _, here = number(data, here + 1)
                yield words[1]
        at += size


missing = set(FUNCTIONS).difference(name for path in sys.argv[1:] for name in imports(path))
print(f"not ok: no program calls {' '.join(sorted(missing))}" if missing else f"ok: all {len(FUNCTIONS)} functions are called")
sys.exit(1 if missing else 0)
