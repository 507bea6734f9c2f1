"""Where the service is: "unix:PATH", "http://HOST:PORT", or nothing, which means $HOTCELL_URL and else the socket where
hotcelld listens by itself."""

from __future__ import annotations

import ipaddress
import os
import pathlib
from dataclasses import dataclass
from typing import Mapping, Optional
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Address:
    base: str  # what paths are put behind
    socket: Optional[str]  # of a unix socket
    local: bool  # on this machine: no proxy leads there
    text: str  # for messages


def default_socket(environment: Mapping[str, str]) -> str:
    """As hotcelld itself chooses it."""
    state = environment.get("HOTCELL_STATE_DIR")
    if not state:
        if environment.get("XDG_RUNTIME_DIR"):
            return str(pathlib.Path(environment["XDG_RUNTIME_DIR"]) / "hotcell.sock")
        if os.geteuid() == 0:
            return "/run/hotcell/hotcell.sock"
        home = environment.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local" / "state"
        state = str(pathlib.Path(home) / "hotcell")
    return str(pathlib.Path(state) / "hotcell.sock")


def address_of(url: Optional[str], environment: Mapping[str, str] = os.environ) -> Address:
    url = url or environment.get("HOTCELL_URL") or "unix:" + default_socket(environment)
    if url.startswith("unix:"):
        path = url[5:]
        if path.startswith("//"):
            path = path[2:]
        if not path.startswith("/"):
            raise ValueError(f"{url!r} is not the absolute path of a socket: write unix:/run/hotcell/hotcell.sock")
        return Address("http://localhost", path, True, url)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an address: write unix:PATH, http://HOST:PORT or https://HOST")
    return Address(url.rstrip("/"), None, _is_local(parts.hostname), url)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
