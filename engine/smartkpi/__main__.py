"""`python -m smartkpi` is `kpi`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `kpi`; an interrupt while its modules load ends it in silence too."""
    try:
        from smartkpi.app.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
