"""A full disk, a missing permission: what they are called here, and what they leave behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tricord.core.errors import DataError, StorageFull, StoreError
from tricord.store.faults import in_source, in_store
from tricord.store.local import LocalStore

LIMITED = """
import resource, sys
from pathlib import Path
from tricord.core.errors import StorageFull
from tricord.store.local import LocalStore

root, source = map(Path, sys.argv[1:])
store = LocalStore(root)
kept = store.put_bytes(b"kept")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
digest = store.put_bytes(b"small")
target = root.parent / "out"
for put in (store.put_file, store.put_tree, lambda path: store.put_bytes(bytes(2 << 20))):
    try:
        put(source if put == store.put_file else source.parent)
    except StorageFull as error:
        assert error.hint and "half-written" in str(error), error
    else:
        raise SystemExit("not full")
    assert not list((root / "tmp").iterdir())
    assert not list(store.verify())
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.put_file(source)
store.put_tree(source.parent)
"""


def test_a_put_that_finds_no_space_leaves_nothing_and_can_be_repeated(tmp_path: Path):  # S5
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(os.urandom(6 << 20))
    (source / "small").write_bytes(b"small")
    root = tmp_path / "store"
    subprocess.run([sys.executable, "-c", LIMITED, str(root), str(source / "large")], check=True)
    store = LocalStore(root)
    assert len(list(store)) == 2 + 1 + 1
    assert list(store.verify()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_space_is_storage_full(number: int):
    with pytest.raises(StorageFull, match="half-written"), in_store(Path("here")):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_other_errors_say_where_and_what_to_do(number: int):
    with pytest.raises(StoreError) as raised, in_store(Path("here")):
        raise OSError(number, os.strerror(number))
    assert raised.value.where == "here"
    assert raised.value.hint
    assert os.strerror(number) in str(raised.value)


def test_errors_of_the_source_are_about_the_data():
    with pytest.raises(DataError, match="Input/output"), in_source(Path("there")):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
