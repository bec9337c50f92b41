"""The documentation as a reader follows it: pages, their blocks, a terminal to run them in."""
