"""`python -m fireworks_operator`."""

from fireworks_operator.cli import main

if __name__ == "__main__":
    main()
