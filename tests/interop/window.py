"""A screen that nobody sees, for programs with windows."""

import os
import subprocess
import time
from pathlib import Path

from PIL import Image, ImageGrab


class Screen:
    """An X server of its own on a free display. Use it as a context manager.

    :ivar display: its name, for ``DISPLAY``.
    """

    def __init__(self, program: str, width: int = 1200, height: int = 900) -> None:
        reading, writing = os.pipe()
        # Whoever is on this machine may use it: programs at a desk run as somebody else. It listens on no network.
        options = ["-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "-ac", "-nolisten", "tcp"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([program, *options], pass_fds=(writing,), **quiet)
        os.close(writing)
        with os.fdopen(reading) as told:
            self.display = f":{told.readline().strip()}"

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def do(self, *words: str) -> str:
        """Move the mouse, click, type, look for windows: see xdotool(1). Return what it says."""
        command = ["xdotool", *words]
        environment = {"DISPLAY": self.display, "PATH": os.environ["PATH"]}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20).stdout

    def wait_for(self, colour: tuple[int, int, int], pixels: int, path: Path, seconds: float = 30) -> int:
        """Look until so many pixels have *colour*, or for some seconds; keep the picture and say how many."""
        ends = time.monotonic() + seconds
        while True:
            seen = ImageGrab.grab(xdisplay=self.display).convert("RGB")
            found = {what: count for count, what in seen.getcolors(maxcolors=1 << 24) or ()}.get(colour, 0)
            if found >= pixels or time.monotonic() > ends:
                seen.save(path)
                return found
            time.sleep(0.2)


def picture(colour: tuple[int, int, int], path: Path) -> bytes:
    """Return a PNG of one colour, made by way of *path*."""
    Image.new("RGB", (160, 100), colour).save(path, "PNG")
    return path.read_bytes()
