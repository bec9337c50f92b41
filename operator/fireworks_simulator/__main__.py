"""Command `fireworks-simulator`; where its extra is missing, it says what to install."""

import sys


def main() -> None:
    """Run the command."""
    try:
        from fireworks_simulator.cli import main as run
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        sys.exit(
            f"fireworks-simulator needs the Python package {package}, which comes with the extra simulator: install "
            "'fireworks-operator[simulator]', for example with pipx or uv tool"
        )
    run()


if __name__ == "__main__":
    main()
