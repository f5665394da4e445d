"""Runs checks by name and says of each whether it held."""
import sys


def same(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


def run(names, check):
    failed = False
    for name in names:
        try:
            check(name)
            print(f"ok {name}")
        except BaseException as error:
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            failed = True
            print(f"FAILED {name}: {type(error).__name__}: {error}")
    sys.exit(failed)
