"""Pairs of measurements and what they say: ratios with their spread, and the load of the machine."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One run: units of work in a second, and processor seconds of the server for one unit."""

    rate: float
    processor: float


@dataclass
class Comparison:
    """Pairs of runs of one piece of work, ours first, and the ratio that they should reach."""

    name: str
    unit: str
    bar: float
    pairs: list[tuple[Measured, Measured]] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours divided by theirs, smallest first."""
        return sorted(ours.rate / theirs.rate for ours, theirs in self.pairs)

    def line(self) -> str:
        """Return what people read."""
        ratios = self.ratios
        ours, theirs = (statistics.median(pair[side].rate for pair in self.pairs) for side in (0, 1))
        spent, theirs_spent = (statistics.median(pair[side].processor for pair in self.pairs) * 1000 for side in (0, 1))
        middle = statistics.median(ratios)
        verdict = "reached" if middle >= self.bar else "NOT reached"
        return (
            f"{self.name:<34} {ours:8.1f} : {theirs:8.1f} {self.unit}/s   ratio {middle:5.2f}"
            f" ({ratios[0]:.2f}-{ratios[-1]:.2f}, {len(ratios)} pairs)   bar {self.bar:.1f} {verdict}"
            f"   processor {spent:.2f} : {theirs_spent:.2f} ms/{self.unit}"
        )

    def document(self) -> dict[str, object]:
        """Return what programs read."""
        return {
            "name": self.name,
            "unit": self.unit,
            "bar": self.bar,
            "ratios": self.ratios,
            "median": statistics.median(self.ratios),
            "pairs": [[asdict(ours), asdict(theirs)] for ours, theirs in self.pairs],
        }


def machine() -> dict[str, object]:
    """Return what a reader must know of the machine, load included."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cores": os.cpu_count(),
        "memory_kib": int(memory.split()[1]),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def load_line() -> str:
    """Return the load averages as people read them."""
    return "load " + " ".join(f"{each:.2f}" for each in os.getloadavg())


def write(path: Path, comparisons: Sequence[Comparison], before: dict[str, object]) -> None:
    """Write one JSON document."""
    told = {"before": before, "after": machine(), "comparisons": [each.document() for each in comparisons]}
    path.write_text(json.dumps(told, indent=2) + "\n")
