#!/usr/bin/python3.11
"""Packs a directory tree into one file that the host maps as a read-only layer.

usage: mkpack.py TREE OUT

"HCPACK1\\n", u32 count, u32 0; then count entries, sorted bytewise by path, {u64 path offset, u32 path length, u32 0,
u64 data offset, u64 data size}; then the paths and the contents. Little endian; paths without a leading slash. Symbolic
links are packed as the files they lead to.
"""
import pathlib
import struct
import sys


def main(tree, out):
    tree = pathlib.Path(tree)
    files = sorted((p.relative_to(tree).as_posix().encode(), p) for p in tree.rglob('*') if p.is_file())
    head = 16 + 32 * len(files)
    entries, blob, contents = [], bytearray(), {}
    for name, _ in files:
        entries.append([head + len(blob), len(name)])
        blob += name
    for entry, (_, path) in zip(entries, files):
        data = path.read_bytes()
        if data not in contents:    # time zones have many names
            contents[data] = head + len(blob)
            blob += data
        entry += [contents[data], len(data)]
    with open(out, 'wb') as f:
        f.write(b'HCPACK1\n' + struct.pack('<II', len(files), 0))
        for path_offset, path_size, data_offset, data_size in entries:
            f.write(struct.pack('<QIIQQ', path_offset, path_size, 0, data_offset, data_size))
        f.write(blob)
    print(f'{len(files)} files, {head + len(blob)} bytes')


main(*sys.argv[1:])
