"""Which versions of Helm a test runs with."""

import pytest

OF_PROOF = [pytest.param(3, marks=pytest.mark.proof), 4]
"""Both, in `make proof`: what Helm 3 makes of the chart is the same (test_render)."""
NAMES = ["Helm 3", "Helm 4"]
with_both = pytest.mark.parametrize("helm", [3, 4], ids=NAMES, indirect=True)
"""Both in `make test`, too: for what may tell them apart."""
