"""An S3 server (moto) for the tests: prints its port, and ends when its standard input does."""

import logging
import sys
import threading
from typing import Any

from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

WRITING = threading.Lock()
put_object = S3Response.put_object


def one_at_a_time(response: S3Response) -> Any:
    """moto looks at a condition and then writes, and another thread may write in between; S3 does both at once."""
    with WRITING:
        return put_object(response)


if __name__ == "__main__":
    S3Response.put_object = one_at_a_time  # type: ignore[method-assign]
    logging.disable(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()
    server.stop()
