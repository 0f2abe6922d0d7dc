"""`python -m tricord` is `tricord`."""

import sys

from tricord.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
