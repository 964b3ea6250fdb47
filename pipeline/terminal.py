"""A line on a terminal that says which notebooks run, for how long, and how far they are."""

import shutil
import threading
import time
from collections.abc import Callable
from typing import TextIO


class Line:
    """One line that is painted again every second; nothing at all where `stream` is no terminal.

    Parameters
    ----------
    stream : text stream
    told : callable
        Takes the name of a notebook and returns what it says of itself.
    """

    def __init__(self, stream: TextIO, told: Callable[[str], str]) -> None:
        self.stream, self.told = stream, told
        self.running: dict[str, float] = {}
        self.lock = threading.Lock()
        self.painter: threading.Thread | None = None

    def add(self, name: str) -> None:
        """Say that a notebook runs. The first starts the painting: doit has made its processes by then."""
        with self.lock:
            self.running[name] = time.monotonic()
        if self.painter is None and self.stream.isatty():
            self.painter = threading.Thread(target=self._paint, daemon=True)
            self.painter.start()

    def remove(self, name: str) -> None:
        """Say that a notebook has ended."""
        with self.lock:
            self.running.pop(name, None)

    def wipe(self) -> None:
        """Make room for a line of other text."""
        if self.painter is not None:
            with self.lock:
                self._show("")

    def text(self) -> str:
        """What the line says now."""
        parts = []
        for name, start in self.running.items():
            minutes, seconds = divmod(int(time.monotonic() - start), 60)
            parts.append(f"{name} {minutes}:{seconds:02d} {self.told(name)}".rstrip())
        return " | ".join(parts)

    def _paint(self) -> None:
        while True:
            with self.lock:
                self._show(self.text())
            time.sleep(1)

    def _show(self, text: str) -> None:
        self.stream.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
        self.stream.flush()
