"""Parquet whose bytes change where the table does, so that the store keeps only the change.

Pages end where the values say so (content-defined chunking), without dictionaries, since one new
value in a dictionary renumbers all that follow, and in as few row groups as can be. A store that cuts
files by content finds the untouched pages again. Equal tables give equal bytes. What each choice
brings is measured in docs/adr/0008.
"""

from pathlib import Path
from typing import Any, cast

import polars as pl

from tricord.core.errors import CodecError
from tricord.core.plugins import optional

LARGE = 1 << 20
"""Bytes of values from which on a table is written in pages by content: below, the store keeps the
file whole anyway, and pyarrow need not be imported."""
_PAGE = {"min_chunk_size": 16 << 10, "max_chunk_size": 64 << 10}
_GROUP = 1 << 24
"""Rows in a row group: an insertion moves rows over each border, and a reader takes a group at once."""
_SMALL_GROUP = 250_000
_LEVEL = 1  # of zstd: higher ones make no smaller pages of 64 KiB, and take longer


def write(frame: pl.DataFrame, target: Path) -> None:
    """Write a table to the file `target`. CodecError for a type that Parquet has no column for.

    Which of the two writers does it depends on the rows alone, never on how they lie in memory.
    """
    frame = frame.rechunk()
    try:
        if content_size(frame) < LARGE or not _paged(frame, target):
            frame.write_parquet(target, compression="zstd", row_group_size=_SMALL_GROUP)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise CodecError(f"the table cannot be written as Parquet: {reason}") from error


def content_size(frame: pl.DataFrame) -> int:
    """Bytes of the values: eight a cell, and the texts' and blobs' own. Equal tables, equal sizes.

    >>> content_size(pl.DataFrame({"a": [1, 2], "b": ["x", None]}))
    33
    """
    sizes = [
        pl.col(name).str.len_bytes().sum()
        if isinstance(dtype, pl.String)
        else pl.col(name).bin.size().sum()
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.String | pl.Binary)
    ]
    texts = sum(frame.select(size.alias(str(i)) for i, size in enumerate(sizes)).row(0)) if sizes else 0  # fmt: skip
    return 8 * frame.height * frame.width + texts


def _paged(frame: pl.DataFrame, target: Path) -> bool:
    """False, and nothing written, for a type that only polars writes (128-bit integers)."""
    arrow: Any = optional("pyarrow", extra="tables")
    parquet: Any = optional("pyarrow.parquet", extra="tables")
    try:
        parquet.write_table(
            cast("Any", frame).to_arrow(compat_level=pl.CompatLevel.oldest()),
            target,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=False,
            row_group_size=_GROUP,
            use_content_defined_chunking=_PAGE,
        )
    except (arrow.lib.ArrowInvalid, arrow.lib.ArrowNotImplementedError):
        target.unlink(missing_ok=True)
        return False
    return True
