"""All code of the operator and the plugin, imported: what `testkit.forked` forks processes from."""

import gc
import pkgutil

import fireworks_operator.app
import fireworks_operator.plugin

for each in pkgutil.walk_packages(fireworks_operator.plugin.__path__, f"{fireworks_operator.plugin.__name__}."):
    __import__(each.name)
gc.freeze()  # or each process would copy what its first collection of garbage looks at
