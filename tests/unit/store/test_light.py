"""A command that only looks at the store and the ledger starts without the numeric libraries."""

import subprocess
import sys

HEAVY = "numpy polars pyarrow pandas sklearn onnx onnxruntime starlette uvicorn msgspec yaml rich"


def test_store_and_ledger_load_nothing_heavy():
    program = f"""
import sys
import tricord.store.local, tricord.ledger.sqlite
sys.exit(", ".join(set({HEAVY.split()!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""
