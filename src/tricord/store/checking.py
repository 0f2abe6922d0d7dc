"""Is a store what it was? Every pack, blob, object, list and the index are read and compared."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tricord.core.artifact import Digest, short
from tricord.core.errors import DataError, ObjectCorrupt
from tricord.store import digest as digests
from tricord.store import listing, pack, recipe, tree
from tricord.store.index import Index
from tricord.store.marks import key
from tricord.store.pack import Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.reading import Reader
from tricord.store.waste import Rooted
from tricord.store.writing import place_of

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not what it was. `digest` is None where a whole pack or the index is meant.

    `absent`: nothing is damaged, but part of what it lists is not here; `missing` names some of that.
    """

    digest: Digest | None
    what: str
    where: Path
    absent: bool = False
    missing: tuple[Digest, ...] = ()


@dataclass(slots=True)
class Checked:
    """What a look over a store has seen: keys of good files and chunks, and where good lists are.

    The lists themselves are read once more where they are asked for: all of them are too much for the memory.
    """

    files: set[int] = field(default_factory=set[int])
    trees: dict[Digest, Path] = field(default_factory=dict[Digest, Path])
    recipes: dict[Digest, Path] = field(default_factory=dict[Digest, Path])
    sums: dict[str, int] = field(default_factory=dict[str, int])
    blobs: int = 0


def problems(store: Rooted, watch: Watch = quiet, seen: Checked | None = None) -> Iterator[Problem]:
    """Read everything and yield what is wrong; nothing is changed. Reads at the speed of one processor.

    `seen` is filled with what was read. What others put or delete meanwhile is no problem.
    """
    seen = Checked() if seen is None else seen
    for file in listing.pack_files(store.root):
        yield from _pack(file, seen, watch)
    for digest, path in listing.plain_objects(store.root):
        yield from _object(digest, path, seen, watch)
    for digest, path in listing.old_trees(store.root):
        yield from _old_tree(digest, path, seen)
    index = Index(store.root)
    try:
        index.refresh()
        yield from _index(store.root, index, seen)
        whole: set[int] = set()
        reader = Reader(store.root, index)
        for digest, path in seen.recipes.items():
            if key(digest) in seen.files:
                continue
            data = _again(reader, digest, Shape.RECIPE, path)
            parts = recipe.parse(data) if data is not None else []
            lost = _lost_chunks(store.root, index, parts, seen)
            if not lost:
                whole.add(key(digest))
                continue
            what = f"{len(lost)} of the {len(parts)} chunks of this file are not here"
            yield Problem(digest, what, path, absent=True, missing=tuple(lost))
        there = seen.files | whole if whole else seen.files
        for digest, path in seen.trees.items():
            data = _again(reader, digest, Shape.TREE, path)
            if data is not None:
                yield from _tree(digest, data, path, there)
    finally:
        index.close()


def _pack(file: Path, seen: Checked, watch: Watch) -> Iterator[Problem]:
    name = listing.pack_name(file)
    try:
        rows = pack.read_directory(file)
        if pack.name_of(b"".join(pack.closing(rows)[:1])) != name:
            yield Problem(None, "a pack whose name is not that of its directory", file)
            return
        with file.open("rb", buffering=0) as source:
            for row in sorted(rows, key=lambda row: row.offset):
                seen.blobs += 1
                seen.sums[name] = (seen.sums.get(name, 0) + _sum(row)) & _MASK
                stored = os.pread(source.fileno(), row.length, row.offset)
                problem = _blob(row, stored, file, seen)
                if problem:
                    yield problem
            watch(file.stat().st_size, len(rows), name[:12])
    except FileNotFoundError:  # a collection wrote it anew meanwhile
        return
    except ObjectCorrupt as error:
        yield Problem(None, error.what, file)
    except OSError as error:
        yield Problem(None, f"a pack cannot be read: {error.strerror}", file)


def _blob(row: Row, stored: bytes, file: Path, seen: Checked) -> Problem | None:
    try:
        data = pack.decode(row, stored)
        if row.shape == Shape.TREE:
            tree.decode(data)
            seen.trees[row.digest] = file
        elif row.shape == Shape.RECIPE:
            recipe.parse(data)
            seen.recipes[row.digest] = file
        else:
            seen.files.add(key(row.digest))
    except (ObjectCorrupt, ValueError) as error:
        kind = {Shape.FILE: "file or chunk", Shape.TREE: "list of files", Shape.RECIPE: "recipe"}
        why = error.what if isinstance(error, ObjectCorrupt) else str(error)
        return Problem(row.digest, f"this {kind[row.shape]} is damaged: {why}", file)
    return None


def _object(digest: Digest, path: Path, seen: Checked, watch: Watch) -> Iterator[Problem]:
    seen.blobs += 1
    try:
        found = digests.of_file(path)
    except DataError as error:
        if path.exists():
            yield Problem(digest, f"this file {error.what}", path)
        return
    if found == digest:
        seen.files.add(key(digest))
        watch(path.stat().st_size, 1, short(digest))
    else:
        yield Problem(
            digest, f"this file is damaged: its bytes have the digest {short(found)}", path
        )


def _old_tree(digest: Digest, path: Path, seen: Checked) -> Iterator[Problem]:
    seen.blobs += 1
    try:
        data = path.read_bytes()
        if digests.of_tree_bytes(data) != digest:
            raise ValueError("its bytes do not match its digest")
        tree.decode(data)
        seen.trees[digest] = path
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        yield Problem(digest, f"this list of files is damaged: {error}", path)


def _index(root: Path, index: Index, seen: Checked) -> Iterator[Problem]:
    """Packs of which the index says something else than they do."""
    sums: dict[str, int] = {}
    for place in index.rows():
        sums[place.pack] = (sums.get(place.pack, 0) + _sum(place.row)) & _MASK
    for name, expected in seen.sums.items():
        found = sums.get(name)
        there = (root / "packs" / f"{name}{pack.SUFFIX}").exists()
        if there and found is not None and found != expected:
            yield Problem(
                None, f"the index is wrong about the pack {name[:12]}", root / "index.sqlite"
            )


def _sum(row: Row) -> int:
    return hash((row.digest, int(row.shape), row.offset, row.length, row.size, row.compressed))


def _lost_chunks(root: Path, index: Index, parts: list[recipe.Part], seen: Checked) -> list[Digest]:
    """Chunks that no pack and no plain object has."""
    rest = [part for part in parts if key(part.digest) not in seen.files]
    inside = index.inside([part.digest for part in rest])
    lost: list[Digest] = []
    for part in rest:
        held = inside.get(part.digest)
        if held is None or not _lies_in(root, *held, part):
            lost.append(part.digest)
    return lost


def _lies_in(root: Path, held: Digest, offset: int, part: recipe.Part) -> bool:
    try:
        with place_of(root / "objects", held).open("rb", buffering=0) as file:
            return digests.of_bytes(os.pread(file.fileno(), part.size, offset)) == part.digest
    except OSError:
        return False


def _tree(digest: Digest, data: bytes, path: Path, files: set[int]) -> Iterator[Problem]:
    entries = tree.decode(data)
    lost = [entry for entry in entries if key(entry.digest) not in files]
    if lost:
        what = f"{len(lost)} of the {len(entries)} files of this folder are not here, first {lost[0].path!r}"
        missing = tuple(dict.fromkeys(entry.digest for entry in lost))
        yield Problem(digest, what, path, absent=True, missing=missing)


def _again(reader: Reader, digest: Digest, shape: Shape, path: Path) -> bytes | None:
    """A list that was good, wherever it is by now; None where somebody deleted it meanwhile."""
    try:
        return reader.blob(digest, shape) if path.suffix == pack.SUFFIX else path.read_bytes()
    except (FileNotFoundError, ObjectCorrupt):
        return None


def lists_of(store: Rooted, seen: Checked, wanted: set[Digest]) -> dict[Digest, list[Digest]]:
    """In which trees and recipes each of `wanted` is listed, of those that were read. Reads all of them: once for all that is wanted."""
    found: dict[Digest, list[Digest]] = {}
    if not wanted:
        return found
    index = Index(store.root)
    try:
        reader = Reader(store.root, index)
        for parent, path in (*seen.recipes.items(), *seen.trees.items()):
            is_tree = parent in seen.trees
            data = _again(reader, parent, Shape.TREE if is_tree else Shape.RECIPE, path)
            if data is not None:
                listed = tree.decode(data) if is_tree else recipe.parse(data)
                for digest in {each.digest for each in listed} & wanted:
                    found.setdefault(digest, []).append(parent)
    finally:
        index.close()
    return found
