"""etcd, kube-apiserver and kubectl that others have built: what `setup-envtest` keeps here, or else its download.

Environment:
    FIREWORKS_CLUSTER_COMPILE   if set, nothing that others have built is used
    FIREWORKS_ENVTEST_INDEX     address of the index of what can be downloaded, for a mirror; default: setup-envtest's
    FIREWORKS_ENVTEST_SECONDS   how long the download may take; default 10
    ENVTEST_INSTALLED_ONLY      if set, nothing is downloaded; setup-envtest itself reads it, too
"""

import contextlib
import os
import sys
from pathlib import Path

from testkit.kubernetes import build, envtest
from testkit.kubernetes.envtest import DownloadError, Wanted
from testkit.kubernetes.errors import ClusterError
from testkit.kubernetes.files import locked
from testkit.kubernetes.progress import Progress

_SECONDS = 10.0  # longer than a fast line takes, and nothing beside the minutes that compiling does


def find() -> Path | None:
    """Returns the folder with etcd, kube-apiserver and kubectl; None: there are none, and none can be had at once.

    They are of the newest release of the minor version that would be compiled otherwise. Whatever goes wrong is said
    in one line, and is no error.

    Raises:
        ClusterError: A setting cannot be understood.
    """
    version = build.kubernetes_version()
    if version is None or os.environ.get("FIREWORKS_CLUSTER_COMPILE"):
        return None
    wanted = Wanted(version[:2], envtest.this_platform())
    own = build.binaries_root() / "k8s"
    found = envtest.newest_in((own, envtest.default_store()), wanted)
    if found is not None or os.environ.get("ENVTEST_INSTALLED_ONLY"):
        return found
    return _download(wanted, own)


def _download(wanted: Wanted, store: Path) -> Path | None:
    index, seconds = os.environ.get("FIREWORKS_ENVTEST_INDEX") or envtest.INDEX, _seconds()
    with locked(store):
        found = envtest.newest_in((store,), wanted)  # by another command, since we looked
        if found is not None:
            return found
        progress = Progress()
        show = progress.show if sys.stderr.isatty() else lambda _: None
        try:
            found = envtest.download(index, wanted, store, seconds, show)
        except DownloadError as error:
            version = ".".join(map(str, wanted.minor))
            progress.say(f"no prebuilt Kubernetes {version} ({error}): it is compiled instead")
            with contextlib.suppress(OSError):  # not empty
                store.rmdir()
            return None
        progress.say(f"downloaded {', '.join(envtest.PROGRAMS)} {found.name} into {found}")
        return found


def _seconds() -> float:
    named = os.environ.get("FIREWORKS_ENVTEST_SECONDS")
    try:
        return float(named) if named else _SECONDS
    except ValueError:
        raise ClusterError(f"FIREWORKS_ENVTEST_SECONDS={named} is not a number of seconds") from None
