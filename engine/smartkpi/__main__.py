"""`python -m smartkpi` is `kpi`."""

from smartkpi.app.cli import main

if __name__ == "__main__":
    main()
