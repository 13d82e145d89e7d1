"""The command `simplebits`, also `python -m simplebits`."""

from simplebits import _here


def main() -> None:
    """Run the command line; where the book's packages are missing, say so in one sentence and exit with code 1."""
    try:
        _here.require_book("The command simplebits")
    except ModuleNotFoundError as error:
        raise SystemExit(str(error)) from None
    from simplebits.run.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
