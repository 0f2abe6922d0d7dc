"""Whatever goes into the store comes out the same."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tricord.core.artifact import Digest
from tricord.store.local import LocalStore
from tricord.store.tree import Entry, decode, encode

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A folder that need not wait for a disk: what is asked here is what comes back, not what survives."""
NAME = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=60
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
FILE = st.tuples(st.binary(max_size=200), st.booleans())
FOLDER = st.recursive(
    st.dictionaries(NAME, FILE, max_size=4),
    lambda inner: st.dictionaries(NAME, st.one_of(FILE, inner), max_size=4),
    max_leaves=12,
)


def write(folder: Path, content: dict) -> None:
    folder.mkdir()
    for name, value in content.items():
        if isinstance(value, dict):
            write(folder / name, value)
        else:
            (folder / name).write_bytes(value[0])
            (folder / name).chmod(0o755 if value[1] else 0o644)


def files(content: dict, prefix: str = "") -> dict[str, tuple[bytes, bool]]:
    """The oracle: a folder as its files, by path."""
    found: dict[str, tuple[bytes, bool]] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= files(value, f"{prefix}{name}/")
        else:
            found[prefix + name] = value
    return found


@given(st.lists(st.binary(max_size=5000), max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_bytes(contents: list[bytes]):
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        store = LocalStore(Path(place) / "store")
        digests = [store.put_bytes(data) for data in contents]
        assert [store.read(digest) for digest in digests] == contents
        assert set(store) == set(digests)
        assert len(set(digests)) == len(set(contents))


@given(FOLDER)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_trees(content: dict):
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        place = Path(name)
        write(place / "in", content)
        store = LocalStore(place / "store")
        digest = store.put_tree(place / "in")
        expected = files(content)
        assert list(store.tree(digest)) == sorted(expected)
        assert store.size(digest) == sum(len(data) for data, _ in expected.values())
        store.checkout(digest, place / "out")
        found = {
            str(path.relative_to(place / "out")): (
                path.read_bytes(),
                bool(path.stat().st_mode & 0o100),
            )
            for path in (place / "out").rglob("*")
            if path.is_file()
        }
        assert found == expected
        assert store.put_tree(place / "out") == digest
        assert list(store.verify()) == []


PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join)
ENTRY = st.builds(
    Entry,
    PATH,
    st.binary(min_size=32, max_size=32).map(lambda data: Digest(data.hex())),
    st.integers(0, 2**63),
    st.booleans(),
)


@given(st.lists(ENTRY, max_size=6), st.randoms())
def test_encoded_trees(entries: list[Entry], random):
    shuffled = random.sample(entries, len(entries))
    data = encode(entries)
    assert encode(shuffled) == data
    try:
        assert decode(data) == tuple(sorted(entries))
    except ValueError:
        paths = [entry.path for entry in entries]
        parents = {path[:i] for path in paths for i, c in enumerate(path) if c == "/"}
        assert len(set(paths)) < len(paths) or parents & set(paths)


@given(st.binary(max_size=300))
def test_any_other_bytes_are_no_tree(data: bytes):
    for candidate in (data, b"tricord tree/1\n" + data):
        try:
            entries = decode(candidate)
        except ValueError:
            continue
        assert encode(entries) == candidate
