"""Make a golden repository: `python tests/golden/make_repository.py 1` writes repository-1.tar.gz.

Run once for each release that changes a format, never for an old one: what it wrote then must open now.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

from tricord.core.artifact import Kind
from tricord.core.clock import FixedClock
from tricord.core.event import EventType
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.project.project import Project

LARGE = b"".join(b"%d,%d\n" % (number, number % 7) for number in range(200_000))
HERE = Path(__file__).parent


def fill(root: Path) -> None:
    """A little of everything that the formats hold."""
    # nothing of who made it or where may get into the archive
    (root / "tricord.toml").write_text('[project]\nname = "golden"\nactor = "golden"\n')
    (root / "requirements.txt").write_text("numpy==2.0.0\n")
    project = Project.init(root, clock=FixedClock(1_700_000_000.0))
    (root / "data").mkdir()
    (root / "data" / "a.csv").write_text("x,y\n1,2\n")
    (root / "data" / "ü.csv").write_text("x,y\n3,4\n")
    dataset = project.put_path(root / "data", kind=Kind.DATASET)
    project.move("datasets/numbers@latest", dataset.digest, why="added")
    verdict = project.put(Verdict("model", "gate", (Check("auc", Outcome.PASS, "good"),)))
    origin = project.origin(code={"parts": {}}, packages={"python": "3.11"})
    with project.recording(
        "train", "fingerprint", origin=origin, params={"rate": 0.1}, inputs={"rows": dataset}
    ) as recording:
        recording.outputs["result"] = project.encode({"weights": [0.5]}, kind=Kind.MODEL)
        recording.metrics["auc"] = 0.75
    model = recording.outputs["result"].digest
    project.move("models/numbers@champion", model, why="better", verdict=verdict)
    (root / "large.csv").write_bytes(LARGE)
    large = project.put_path(root / "large.csv", kind=Kind.DATASET)
    project.move("datasets/large@latest", large.digest, why="kept by chunks")
    (root / "large.csv").unlink()
    project.append_event(EventType.ALERT_RAISED, "numbers", {"actions": ["retrain"]})
    project.close()
    (root / ".tricord" / "state.sqlite").unlink()  # expendable, and it names folders of its machine


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main(number: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repository"
        root.mkdir()
        fill(root)
        with tarfile.open(HERE / f"repository-{number}.tar.gz", "w:gz") as archive:
            archive.add(root, "repository", filter=_nobody)


if __name__ == "__main__":
    main(sys.argv[1])
