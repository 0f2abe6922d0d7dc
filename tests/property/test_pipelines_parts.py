"""Whatever happens to a dataset's files, a run calls the step for each content that is new, once."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.core.step import dataset, pipeline, step
from tricord.data.versions import add
from tricord.pipelines.execute import run_pipeline
from tricord.project.project import Project

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
RAN: list[str] = []


@step
def length(part: Path) -> int:
    RAN.append(part.read_text())
    return len(part.read_text())


@step
def total(lengths: list[int]) -> int:
    return sum(lengths)


@pipeline
def lengths() -> None:
    total([length(part) for part in dataset("d", glob="**/*.t")])


FILES = st.dictionaries(
    st.sampled_from(["a", "b", "sub/a", "ü"]), st.text("xyz", min_size=1, max_size=3), min_size=1
)


@settings(max_examples=12, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=4))
def test_a_part_runs_when_its_content_is_new_and_only_then(folders: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        project = Project.init(Path(root))
        folder, known = project.root / "d", set[str]()
        for number, files in enumerate(folders):
            for old in folder.rglob("*.t"):
                old.unlink()
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / f"{name}.t").write_text(text)
            add(project, folder)
            RAN.clear()
            result = run_pipeline(project, lengths)
            assert sorted(RAN) == sorted(set(files.values()) - known), f"version {number + 1}"
            known |= set(files.values())
            assert project.load(result.step("total").outputs["result"]) == sum(
                map(len, files.values())
            )
        project.close()
