"""Listeners that nobody should ever call, on every address of this machine."""

import re
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LOCAL = re.compile(r"\|-- (\S+)\n +/32 host LOCAL")


class Canary:
    """Listens on *ports* from the beginning of a ``with`` block to its end, but where somebody else does already.

    :ivar places: where it listens.
    :ivar called: where somebody connected.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        self.places: list[tuple[str, int]] = []
        self.called: list[tuple[str, int]] = []
        self._listening: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._ports = tuple(ports)

    def __enter__(self) -> "Canary":
        for address in local_addresses():
            for port in self._ports:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                listening = socket.socket(family)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listening.bind((address, port))
                except OSError:
                    listening.close()
                    continue
                listening.listen()
                place = (address, port)
                self.places.append(place)
                self._listening.append(listening)
                thread = threading.Thread(target=self._accept, args=(listening, place), daemon=True)
                thread.start()
                self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for listening in self._listening:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self, listening: socket.socket, place: tuple[str, int]) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.called.append(place)
                connection.close()


def local_addresses() -> list[str]:
    """Return the addresses of this machine, those of loopback first."""
    others = sorted(set(_LOCAL.findall(Path("/proc/net/fib_trie").read_text())) - {"127.0.0.1"})
    interfaces = Path("/proc/net/if_inet6")
    sixes = [line.split()[0] for line in interfaces.read_text().splitlines()] if interfaces.exists() else []
    words = (":".join(digits[at : at + 4] for at in range(0, 32, 4)) for digits in sixes)
    return ["127.0.0.1", "127.0.0.2", *others, *(each for each in words if not each.startswith("fe80"))]
