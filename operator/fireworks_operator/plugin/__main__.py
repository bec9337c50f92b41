"""Commands `kubectl-fireworks` and `kubectl_complete-fireworks`; without their extra they say what to install."""

import sys


def main() -> None:
    """Run the command."""
    _run(sys.argv[1:])


def complete() -> None:
    """Answer kubectl, which asks what may come next."""
    _run(["__complete", "--", *sys.argv[1:]])


def _run(words: list[str]) -> None:
    try:
        from fireworks_operator.plugin.cli import main as run

        run(words, prog_name="kubectl fireworks")
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        sys.exit(
            f"kubectl fireworks requires the Python package {package}, which comes with the extra cli: install "
            "'fireworks-operator[cli]', for example with pipx or uv tool"
        )


if __name__ == "__main__":
    main()
