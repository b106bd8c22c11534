"""A Parquet file with checksums is read as it was written, or refused."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.sources.checksums import first_damaged, has_checksums, hold_checksums
from tests.damage.test_random import MANY, ask, rewrite, table, values


def write(path: Path, compression: str, version: str) -> None:
    pq.write_table(
        table().to_arrow(),
        path,
        write_page_checksum=True,
        compression=compression,
        data_page_version=version,
        row_group_size=100,
    )


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_no_flipped_bit_gives_another_number(tmp_path: Path, compression: str, version: str) -> None:
    path = tmp_path / "e.parquet"
    write(path, compression, version)
    assert has_checksums(path)
    assert first_damaged(path) is None
    whole, _ = ask(path)
    assert whole is not None
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    rng = random.Random(9)
    refused = 0
    for state in range(MANY // 3 + 1):
        copy = bytearray(content)
        copy[rng.randrange(60, end)] ^= 1 << rng.randrange(8)
        rewrite(path, bytes(copy), state + 1)
        result, codes = ask(path)
        if result is None:
            assert codes == ["unreadable-data"]
            refused += 1
        else:
            assert values(result) == values(whole)
    assert refused > MANY // 10


def test_the_file_and_the_place_are_named(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.parquet", "none", "1.0")
    path = tmp_path / "b.parquet"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(KpiError) as caught:
        hold_checksums([tmp_path / "a.parquet", path], None)
    assert caught.value.diagnostics[0].message.startswith("`b.parquet` is damaged: its page at byte ")
    hold_checksums([path], None, most=10)  # too large to be looked at by the way


def test_files_without_checksums_and_files_of_others_are_let_pass(tmp_path: Path) -> None:
    table().write_parquet(tmp_path / "e.parquet")
    for name, content in (("empty", b""), ("text", b"PAR1 of other bytes"), ("half", b"PAR1\x15\x04")):
        (tmp_path / f"{name}.parquet").write_bytes(content)
    for path in tmp_path.iterdir():
        assert not has_checksums(path)
    assert pl.read_parquet(tmp_path / "e.parquet").height == table().height
