"""Makes a release: `python -m release --help`.

The release workflow and the dry run (`make release-dry-run`) call the same commands. Names, versions, tags and digests
are therefore decided in one place, and tests can compare what is published with what the chart asks for. Only the
standard library is used, so that the workflow runs it with any Python.
"""
