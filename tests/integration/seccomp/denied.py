"""Runs inside a container: asks the kernel for everything that the seccomp profile denies, and prints each answer.

One line a call: its name, a tab, the answer ("EPERM", "0" for success, "signal 31"). Each call runs in a process of its
own, so that one that gets through changes nothing for the next. Arguments are wrong on purpose wherever the kernel looks
at them before it looks at privileges: without the profile the answer is then another one than EPERM, which is how the
test knows that it was the profile that refused. x86-64 only.
"""

import ctypes
import errno
import mmap
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
BAD = 1  # no address
HIGH = 1 << 32  # what the kernel cuts off an int, and a filter that forgets that does not see
ME = os.getpid()
S_IFCHR, S_IFBLK = 0o020600, 0o060600

CALLS = {
    # other processes
    "ptrace": (101, 16, 0x7FFFFFFF, 0, 0),
    "process_vm_readv": (310, ME, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, ME, 0, 0, 0, 0, 0),
    "process_madvise": (440, -1, 0, 0, 0, 0),
    "process_mrelease": (448, -1, 0),
    "pidfd_getfd": (438, -1, 0, 0),
    "kcmp": (312, ME, ME, 0, 0, 0),
    "migrate_pages": (256, 0x7FFFFFFF, 0, 0, 0),
    "move_pages": (279, 0, 0, 0, 0, 0, 0xFF),
    "prlimit64 of pid 1": (302, 1, 7, 0, 0),
    "setpriority of all of a user": (141, 2, 0, 0),
    "setpriority of a group": (141, 1, 0, 0),
    "ioprio_set of all of a user": (251, 3, 0, 0),
    # namespaces and mounts
    "unshare": (272, 0),
    "unshare user": (272, 0x10000000),
    "setns": (308, -1, 0),
    "clone with a user namespace": (56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with a mount namespace": (56, 0x00020000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with a network namespace": (56, 0x40000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with a pid namespace": (56, 0x20000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with an ipc namespace": (56, 0x08000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with a uts namespace": (56, 0x04000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone with a cgroup namespace": (56, 0x02000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone3": (435, 0, 0),
    "mount": (165, BAD, BAD, BAD, 0, 0),
    "umount2": (166, BAD, 0x80000000),
    "pivot_root": (155, BAD, BAD),
    "chroot": (161, BAD),
    "open_tree": (428, -100, BAD, 0),
    "move_mount": (429, -1, BAD, -1, BAD, 0),
    "fsopen": (430, BAD, 0),
    "fsconfig": (431, -1, 0, 0, 0, 0),
    "fsmount": (432, -1, 0, 0),
    "fspick": (433, -100, BAD, 0),
    "mount_setattr": (442, -1, BAD, 0, 0, 0),
    # keys, programs in the kernel, watching, faults
    "keyctl": (250, 0xFFFF),
    "add_key": (248, BAD, BAD, 0, 0, 0),
    "request_key": (249, BAD, BAD, 0, 0),
    "bpf": (321, 0, BAD, 8),
    "perf_event_open": (298, BAD, 0, -1, -1, 0),
    "userfaultfd": (323, 0xFFFF),
    "seccomp": (317, 0xFF, 0, 0),
    "fanotify_init": (300, 0xFFFFFFFF, 0),
    "fanotify_mark": (301, -1, 0, 0, -1, 0),
    "lookup_dcookie": (212, 0, 0, 0),
    "syslog": (103, 0xFF, 0, 0),
    # asynchronous I/O
    "io_uring_setup": (425, 0, BAD),
    "io_uring_enter": (426, -1, 0, 0, 0, 0, 0),
    "io_uring_register": (427, -1, 0xFF, 0, 0),
    "io_setup": (206, 0, 0),
    "io_destroy": (207, 0),
    "io_getevents": (208, 0, 0, 0, 0, 0),
    "io_submit": (209, 0, 0, 0),
    "io_cancel": (210, 0, BAD, 0),
    "io_pgetevents": (333, 0, 0, 0, 0, 0, 0),
    # files, past their names
    "name_to_handle_at": (303, -100, BAD, BAD, BAD, 0),
    "open_by_handle_at": (304, -1, BAD, 0),
    "quotactl": (179, 0, BAD, 0, 0),
    "quotactl_fd": (443, -1, 0, 0, 0),
    "mknod of a character device": (133, BAD, S_IFCHR, 0),
    "mknod of a block device": (133, BAD, S_IFBLK, 0),
    "mknodat of a character device": (259, -100, BAD, S_IFCHR, 0),
    "mknodat of a block device": (259, -100, BAD, S_IFBLK, 0),
    "sync": (162,),
    "syncfs": (306, -1),
    "vmsplice": (278, -1, 0, 0, 0),
    # memory
    "mbind": (237, 0, 0, 0xFF, 0, 0, 0),
    "set_mempolicy": (238, 0xFF, 0, 0),
    "get_mempolicy": (239, 0, 0, 0, 0, 0xFF),
    "set_mempolicy_home_node": (450, 0, 0, 0, 0xFF),
    "remap_file_pages": (216, 1, 1, 1, 0, 0),
    "memfd_secret": (447, 0xFF),
    "modify_ldt": (154, 0, 0, 0),
    # the machine
    "kexec_load": (246, 0, 0, 0, 0),
    "kexec_file_load": (320, -1, -1, 0, 0, 0),
    "init_module": (175, BAD, 0, BAD),
    "finit_module": (313, -1, BAD, 0),
    "delete_module": (176, BAD, 0),
    "reboot": (169, 0, 0, 0, 0),
    "swapon": (167, BAD, 0),
    "swapoff": (168, BAD),
    "acct": (163, BAD),
    "settimeofday": (164, BAD, 0),
    "clock_settime": (227, 0, BAD),
    "adjtimex": (159, BAD),
    "clock_adjtime": (305, 0, BAD),
    "sethostname": (170, BAD, 1),
    "setdomainname": (171, BAD, 1),
    "iopl": (172, 0xFF),
    "ioperm": (173, 0xFFFFFF, 1, 1),
    "vhangup": (153,),
    "uselib": (134, BAD),
    "ustat": (136, 0, BAD),
    "sysfs": (139, 3),
    "_sysctl": (156, BAD),
    "create_module": (174, BAD, 0),
    "nfsservctl": (180, 0, 0, 0),
    # long gone from the kernel, or never in it
    "get_kernel_syms": (177, 0),
    "query_module": (178, 0, 0, 0, 0, 0),
    "getpmsg": (181,),
    "putpmsg": (182,),
    "afs_syscall": (183,),
    "tuxcall": (184,),
    "security": (185,),
    "set_thread_area": (205, 0),
    "get_thread_area": (211, 0),
    "epoll_ctl_old": (214,),
    "epoll_wait_old": (215,),
    "vserver": (236,),
    # oneself
    "personality: readable is executable": (135, 0x0400000),
    "prctl: memory map": (157, 35, 0xFF, 0, 0, 0),
    "prctl: core scheduling": (157, 62, 0xFF, 0, 0, 0),
    "prctl: let others trace": (157, 0x59616D61, 0, 0, 0, 0),
    # sockets
    "socket: vsock": (41, 40, 1, 0),
    "socket: alg": (41, 38, 5, 0),
    "socket: packet": (41, 17, 3, 0),
    "socket: key": (41, 15, 3, 2),
    "socket: rds": (41, 21, 5, 0),
    "socket: can": (41, 29, 3, 1),
    "socket: tipc": (41, 30, 5, 0),
    "socket: bluetooth": (41, 31, 3, 1),
    "socket: kcm": (41, 41, 2, 0),
    "socket: xdp": (41, 44, 3, 0),
    "socket: IPv4 raw": (41, 2, 3, 255),
    "socket: IPv4 packet": (41, 2, 10, 0),
    "socket: IPv4 ping": (41, 2, 2, 1),
    "socket: IPv4 SCTP": (41, 2, 1, 132),
    "socket: IPv4 MPTCP": (41, 2, 1, 262),
    "socket: IPv6 raw": (41, 10, 3, 255),
    "socket: netlink, packet filter": (41, 16, 3, 12),
    "socket: netlink, audit": (41, 16, 3, 9),
    "socket: netlink, devices": (41, 16, 3, 15),
    "socket: netlink, generic": (41, 16, 3, 16),
    "socketpair: tipc": (53, 30, 1, 0, BAD),
    "socketpair: IPv4": (53, 2, 1, 0, BAD),
    # ioctl
    "ioctl: TIOCSTI": (16, -1, 0x5412, 0),
    "ioctl: TIOCSTI with high bits": (16, -1, HIGH | 0x5412, 0),
    "ioctl: TIOCLINUX": (16, -1, 0x541C, 0),
    "ioctl: TIOCLINUX with high bits": (16, -1, HIGH | 0x541C, 0),
    "ioctl: TIOCCONS": (16, -1, 0x541D, 0),
    "ioctl: TIOCSETD": (16, -1, 0x5423, 0),
    "ioctl: a snapshot of a file system": (16, -1, 0x50009401, 0),
    "ioctl: the parent of a namespace": (16, -1, 0xB702, 0),
}

# What must go on working next to what is denied: name -> call. Any answer but EPERM will do.
ALLOWED = {
    "personality: query": (135, 0xFFFFFFFF),
    "prlimit64 of oneself": (302, 0, 7, 0, 0),
    "setpriority of oneself": (141, 0, ME, 5),
    "sched_setscheduler of a thread": (144, ME, 0, BAD),
    "ioprio_set of oneself": (251, 1, ME, 0),
    "sched_setaffinity of a thread": (203, ME, 0, 0),
    "clone": (56, signal.SIGCHLD, 0, 0, 0, 0),
    "mknod of a FIFO": (133, BAD, 0o010600, 0),
    "mknodat of a socket": (259, -100, BAD, 0o140600, 0),
    "prctl: name": (157, 15, BAD, 0, 0, 0),
    "prctl: a filter of one's own": (157, 22, 2, BAD, 0, 0),
    "socket: unix": (41, 1, 1, 0),
    "socket: IPv4 TCP, non-blocking": (41, 2, 1 | 0o4000 | 0o2000000, 6),
    "socket: IPv6 UDP": (41, 10, 2, 17),
    "socket: netlink, routes": (41, 16, 3 | 0o2000000, 0),
    "socketpair: unix": (53, 1, 1, 0, BAD),
    "ioctl: TIOCGWINSZ": (16, -1, 0x5413, 0),
    "ioctl: TCGETS": (16, -1, 0x5401, 0),
    "ioctl: FIOCLEX": (16, -1, 0x5451, 0),
    "ioctl: TIOCGPTN, sign-extended": (16, -1, 0xFFFFFFFF80045430, 0),
    "ioctl: FICLONE": (16, -1, 0x40049409, 0),
    "ioctl: addresses": (16, -1, 0x8912, 0),
}


def call_by_old_gate():
    """getpid through int 0x80: the 32-bit calls, which a filter for the 64-bit ones does not know."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def x32_getpid():
    return libc.syscall(ctypes.c_long(0x40000000 + 39))


def answer(action):
    """What the action says, run in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.set_errno(0)
        got = action()
        code = ctypes.get_errno()
        # After a clone that got through, two processes arrive here; one line is enough.
        os.write(writer, (errno.errorcode.get(code, str(code)) if got == -1 else "0").encode() + b"\n")
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    text = os.read(reader, 100).decode().partition("\n")[0]
    os.close(reader)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else text


def main():
    assert os.uname().machine == "x86_64", "the numbers of the calls are those of x86-64"
    for kind, calls in (("denied", CALLS), ("allowed", ALLOWED)):
        for name, words in calls.items():
            arguments = [ctypes.c_long(ctypes.c_int64(word).value) for word in words]
            print(kind, name, answer(lambda: libc.syscall(*arguments)), sep="\t")
    print("old", "int 0x80", answer(call_by_old_gate), sep="\t")
    print("old", "x32", answer(x32_getpid), sep="\t")


sys.exit(main())
