"""Command `kubectl-fireworks`; where its extra is missing, it says what to install."""

import sys


def main() -> None:
    """Run the command."""
    try:
        from fireworks_operator.plugin.cli import main as run
    except ModuleNotFoundError as error:
        sys.exit(
            f"kubectl fireworks requires the Python package {error.name}; install it with its extra: pip install "
            "'fireworks-operator[cli]'"
        )
    run(prog_name="kubectl fireworks")


if __name__ == "__main__":
    main()
