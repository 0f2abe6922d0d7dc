"""What changes a step's key and what does not: every edit is made to a small project on disk."""

import importlib
import itertools
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tricord.data.versions import add
from tricord.pipelines.fingerprint import Code, is_own
from tricord.project.project import Project

STEP = '''
"""A module."""
import functools, math, re
import helper_N
from helper_N import Base, decorated, limit as bound, TABLE
from enum import Enum

K = 3
PATTERN = re.compile("a+")

class Colour(Enum):
    RED = 1

class Own(Base):
    """A class."""
    factor = 2

    @property
    def size(self):
        return self.factor

    def scale(self, x):
        # a comment
        return x * self.factor

def make(n):
    def inner(x):
        return x + n
    return inner

add = make(5)

@decorated
def normal(x, *, by=1):
    return x * by

@functools.lru_cache
def remembered(x):
    return x + 1

def step(x):
    """What it does."""
    y = helper_N.norm(x) + K + bound
    z = [normal(i, by=2) for i in range(3)]
    try:
        PATTERN.match("a")
    except ValueError:
        return 0
    return Own().scale(y) + add(x) + sum(z) + math.pi + len(TABLE) + remembered(1) + Colour.RED.value
'''
HELPER = """
import json
limit = 10
TABLE = {"a": [1, 2], "b": (3,)}

class Base:
    offset = 0

    def shift(self, x):
        return x + self.offset

def decorated(f):
    def wrapper(*a, **k):
        return f(*a, **k) + 0
    return wrapper

def norm(x):
    return deeper(x)

def deeper(x):
    return abs(x)

def unused(x):
    return x
"""
numbers = itertools.count()


NEUTRAL = [
    ("step", "# a comment", "# another comment, longer than the first"),
    ("step", '"""What it does."""', '"""What it\n    does, at length."""'),
    ("step", '"""A class."""', '"""Another."""'),
    ("step", '"""A module."""', '"""Another module."""\n\n\n'),
    ("step", "    y = helper_N", "\n\n    y   =   helper_N"),
    ("step", "return x * self.factor", "return (x\n            * self.factor)"),
    ("step", "K = 3", "K = 1 + 2"),
    ("helper", "def unused(x):\n    return x", "def unused(x):\n    return x + 1"),
    ("helper", "def unused(x):\n    return x", ""),
]
TELLING = [
    ("step", "K = 3", "K = 4"),
    ("step", "by=2", "by=3"),
    ("step", "by=1", "by=7"),
    ("step", "factor = 2", "factor = 3"),
    ("step", "return self.factor", "return self.factor + 0"),
    ("step", "add = make(5)", "add = make(6)"),
    ("step", "return x + n", "return n + x"),
    ("step", 're.compile("a+")', 're.compile("a*")'),
    ("step", "RED = 1", "RED = 2"),
    ("step", "except ValueError", "except TypeError"),
    ("step", "return 0", "return 1"),
    ("step", "return x + 1", "return x + 2"),
    ("step", "x * self.factor", "self.factor * x"),
    ("step", "math.pi", "math.e"),
    ("helper", "limit = 10", "limit = 11"),
    ("helper", "(3,)", "(4,)"),
    ("helper", "f(*a, **k) + 0", "f(*a, **k) + 1"),
    ("helper", "return abs(x)", "return -x"),
    ("helper", "offset = 0", "offset = 1"),
    ("helper", "return x + self.offset", "return self.offset + x"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


def edited(which: str, old: str, new: str) -> tuple[str, str]:
    source = {"step": STEP, "helper": HELPER}
    assert old in source[which]
    source[which] = source[which].replace(old, new)
    return source["step"], source["helper"]


def both(folder: Path, step: str, helper: str) -> tuple[object, object]:
    """Records of the original and the edited project, loaded one after the other under one name."""
    found: list[object] = []
    for version, (one, two) in enumerate(((STEP, HELPER), (step, helper))):
        root = folder / f"{next(numbers)}-{version}"
        root.mkdir()
        (root / "helper_N.py").write_text(two)
        (root / "step_N.py").write_text(one)
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        try:
            code = Code(root, importlib.import_module("step_N").step)
            assert not code.widened, code.widened
            found.append({"environment": code.environment(), **code.record()})
        finally:
            sys.path.remove(str(root))
            for name in ("step_N", "helper_N"):
                sys.modules.pop(name, None)
    return found[0], found[1]


@pytest.mark.parametrize(("which", "old", "new"), NEUTRAL)
def test_an_edit_that_means_nothing_reruns_nothing(
    folder: Path, which: str, old: str, new: str
) -> None:
    before, after = both(folder, *edited(which, old, new))
    assert before == after


@pytest.mark.parametrize(("which", "old", "new"), TELLING)
def test_an_edit_that_matters_is_never_missed(folder: Path, which: str, old: str, new: str) -> None:
    before, after = both(folder, *edited(which, old, new))
    assert before != after


def test_a_version_of_a_package_that_is_reached_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "step_polars.py").write_text(
        "import polars as pl\ndef step(x):\n    return pl.lit(x)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    step = importlib.import_module("step_polars").step
    assert set(Code(tmp_path, step).packages) == {"polars"}


def test_what_cannot_be_told_apart_widens_to_its_module_and_those_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frames.py").write_text("import polars as pl\nFRAME = pl.DataFrame({'a': [1]})\n")
    (tmp_path / "step_frame.py").write_text(
        "from frames import FRAME\ndef step():\n    return FRAME\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    code = Code(tmp_path, importlib.import_module("step_frame").step)
    assert set(code.widened) == {"step_frame", "frames"}


_VERSION = """
import sys
from tricord.pipelines.fingerprint import package_version
if "imported" in sys.argv:
    import sklearn
print(package_version("sklearn"), package_version("polars"), package_version("no_such_package"))
print("sklearn.base" in sys.modules)
"""


def test_a_version_does_not_depend_on_what_is_imported_already() -> None:
    def told(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _VERSION, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    (before, imported), (after, _) = told(), told("imported")
    assert before == after
    assert (
        before
        == f"scikit_learn-{metadata.version('scikit-learn')} {metadata.version('polars')} unknown"
    )
    assert imported == "False"


def test_a_package_that_a_function_imports_is_not_imported_for_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "heavy_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    (package / "inner.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert is_own("heavy_package.inner", str(tmp_path))
    assert "heavy_package" not in sys.modules


UNSEEN = {
    "passed on as a value": "import helpers\ndef step():\n    m = helpers\n    return m.g()\n",
    "passed to a function": (
        "import helpers\ndef call(m):\n    return m.g()\ndef step():\n    return call(helpers)\n"
    ),
    "getattr": "import helpers\ndef step():\n    return getattr(helpers, 'g')()\n",
    "method of an argument": "from helpers import Rec\ndef step(r: Rec):\n    return r.score()\n",
    "quoted annotation": "from helpers import Rec\ndef step(r: 'Rec | None'):\n    return r.score()\n",
    "inside a list": "from helpers import Rec\ndef step(r: list[Rec]):\n    return r[0].score()\n",
    "imported inside": "def step():\n    from helpers import g\n    return g()\n",
    "imported inside, further down": "def step():\n    import outer\n    return outer.call()\n",
}
HELPERS = "class Rec:\n    def score(self):\n        return 1\n\ndef g():\n    return 1\n"


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_what_is_not_called_by_name_is_not_missed(tmp_path: Path, text: str) -> None:
    records: list[object] = []
    for helpers in (HELPERS, HELPERS.replace("return 1", "return 2")):
        root = tmp_path / str(len(records))
        root.mkdir()
        (root / "helpers.py").write_text(helpers)
        (root / "outer.py").write_text("def call():\n    import helpers\n    return helpers.g()\n")
        (root / "unseen.py").write_text(text)
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        try:
            records.append(Code(root, importlib.import_module("unseen").step).record())
        finally:
            sys.path.remove(str(root))
            for name in ("unseen", "helpers", "outer"):
                sys.modules.pop(name, None)
    assert records[0] != records[1]


def test_a_relative_import_inside_a_function_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "relative_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("N = 1\n")
    (package / "steps.py").write_text("def step():\n    from . import part\n    return part.N\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = Code(tmp_path, importlib.import_module("relative_package.steps").step)
    assert "relative_package.part:*" in code.parts


def test_what_a_process_has_done_already_is_no_part_of_a_key(project: Project) -> None:
    before = Code(project.root, add).record()
    (project.root / "flights.csv").write_text("x")
    add(project, project.root / "flights.csv")
    assert Code(project.root, add).record() == before
