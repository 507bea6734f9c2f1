#!/usr/bin/env python3
"""Makes one reproducible image out of a container's file system, as an archive for `docker load`.

    docker export CONTAINER > root.tar
    docker inspect --format '{{json .Config}}' CONTAINER > config.json
    flatten.py --root root.tar --config config.json --content HASH --tag NAME --out image.tar [--parent other.tar]

What a builder of images writes differs from run to run: times, the order of entries, its own history. Here one layer is
written in the order of names, with one time for everything, so that the same files give the same image id on every
machine. What a later step removed takes no space. With --parent, the layers of that archive come first and the new layer
holds only what differs.

It is also the last gate: an image with a set-uid bit, a device, a capability of a file, or a place that everybody may
write to (other than /tmp) is refused, however it came to be.
"""

import argparse
import hashlib
import io
import json
import pathlib
import stat
import sys
import tarfile
import tempfile

TIME = 1704067200  # 2024-01-01: of every file. Not 0, which zip archives cannot hold.
CREATED = "2024-01-01T00:00:00Z"
# What the kernel or the engine fills in every container belongs to no image.
FILLED_LATER = ("dev/", "proc/", "sys/", ".dockerenv")
KEPT_CONFIG = ("Env", "User", "WorkingDir", "Cmd")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def plain_name(member):
    return member.name.removeprefix("./").strip("/")


def objection(name, member):
    """Why this entry must not be in an image; None when it may."""
    if member.ischr() or member.isblk() or member.isfifo():
        return "is a device"
    if member.isfile() and member.mode & (stat.S_ISUID | stat.S_ISGID):
        return "changes privileges when it is run"
    if any("security.capability" in key for key in member.pax_headers):
        return "has capabilities"
    if not member.issym() and member.mode & stat.S_IWOTH and name != "tmp":
        return "may be written by everybody"
    return None


def read_entries(archive):
    """name -> entry, hard links resolved so that the first name in order is the file and the others point at it."""
    entries, target_of = {}, {}
    for member in archive:
        name = plain_name(member)
        if not name or name.startswith(FILLED_LATER):
            continue
        if member.islnk():
            target = member.linkname.removeprefix("./").strip("/")
            target_of[name] = target_of.get(target, target)
        entries[name] = member
    names_of = {}
    for name, target in target_of.items():
        names_of.setdefault(target, [target]).append(name)
    content_of, link_to = {}, {}
    for target, names in names_of.items():
        first = min(names)
        content_of[first] = entries[target]
        link_to.update({name: first for name in names if name != first})
    return entries, content_of, link_to


def description(archive, entries, content_of, link_to, name):
    """All that matters about one entry, for the comparison with the parent."""
    member = content_of.get(name, entries[name])
    content = ""
    if name in link_to:
        content = "link to " + link_to[name]
    elif member.issym():
        content = member.linkname
    elif member.isfile():
        content = hashlib.file_digest(archive.extractfile(member), "sha256").hexdigest()
    return (member.isdir(), member.issym(), stat.S_IMODE(member.mode), member.uid, member.gid, content)


def write_layer(archive, out, known):
    entries, content_of, link_to = read_entries(archive)
    missing = set(known) - set(entries)
    if missing:
        sys.exit(f"a layer on top removes files of its parent, which is not supported: {sorted(missing)[:5]}")
    seen, refused = {}, []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as layer:
        for name in sorted(entries):
            member = content_of.get(name, entries[name])
            reason = objection(name, member)
            if reason:
                refused.append(f"/{name} {reason}")
                continue
            seen[name] = description(archive, entries, content_of, link_to, name)
            if known.get(name) == seen[name]:
                continue
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.mode, entry.uid, entry.gid = TIME, member.mode, member.uid, member.gid
            if name in link_to:
                entry.type, entry.linkname = tarfile.LNKTYPE, link_to[name]
            elif member.issym():
                entry.type, entry.linkname = tarfile.SYMTYPE, member.linkname
            elif member.isdir():
                entry.type = tarfile.DIRTYPE
            else:
                entry.size = member.size
            layer.addfile(entry, archive.extractfile(member) if entry.isreg() else None)
    if refused:
        sys.exit("refused: " + "; ".join(refused[:20]))
    return seen


def digest_of(file):
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def parent_layers(path, folder):
    """The layers of an archive that this program wrote, as files, and what they hold."""
    layers, known = [], {}
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        for number, name in enumerate(manifest[0]["Layers"]):
            layer = open(folder / f"parent-{number}", "w+b")
            source = archive.extractfile(name)
            while block := source.read(1 << 20):
                layer.write(block)
            layer.flush()
            layer.seek(0)
            with tarfile.open(fileobj=layer, mode="r:") as content:
                parts = read_entries(content)
                known.update({entry: description(content, *parts, entry) for entry in parts[0]})
            layers.append(layer)
    return layers, known


def add_bytes(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode, entry.size = TIME, 0o644, len(data)
    archive.addfile(entry, io.BytesIO(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--config", required=True, type=pathlib.Path)
    parser.add_argument("--content", required=True, help="hash of all inputs; becomes the label hotcell.content")
    parser.add_argument("--machine", required=True, choices=sorted(MACHINES))
    parser.add_argument("--tag", action="append", default=[])
    parser.add_argument("--parent", type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        folder = pathlib.Path(folder)
        layers, known = parent_layers(options.parent, folder) if options.parent else ([], {})
        layer = open(folder / "layer", "w+b")
        with tarfile.open(options.root) as root:
            write_layer(root, layer, known)
        layer.flush()
        layers.append(layer)

        digests = [digest_of(layer) for layer in layers]
        given = json.loads(options.config.read_text())
        config = {name: given[name] for name in KEPT_CONFIG if given.get(name)}
        config["Labels"] = {"hotcell.content": options.content}
        image = json.dumps(
            {
                "architecture": MACHINES[options.machine],
                "os": "linux",
                "created": CREATED,
                "config": config,
                "history": [{"created": CREATED, "created_by": "hotcell"} for _ in layers],
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            },
            sort_keys=True,
        ).encode()
        image_id = hashlib.sha256(image).hexdigest()
        manifest = [
            {
                "Config": f"{image_id}.json",
                "RepoTags": options.tag,
                "Layers": [f"{digest}/layer.tar" for digest in digests],
            }
        ]

        with tarfile.open(options.out, "w", format=tarfile.GNU_FORMAT) as archive:
            add_bytes(archive, f"{image_id}.json", image)
            add_bytes(archive, "manifest.json", json.dumps(manifest).encode())
            for layer, digest in zip(layers, digests):
                entry = tarfile.TarInfo(f"{digest}/layer.tar")
                layer.seek(0, 2)
                entry.mtime, entry.mode, entry.size = TIME, 0o644, layer.tell()
                layer.seek(0)
                archive.addfile(entry, layer)
                layer.close()
    print(f"sha256:{image_id}")


if __name__ == "__main__":
    main()
