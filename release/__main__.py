"""The steps of a release, as .github/workflows/release.yml calls them.

    python -m release check [TAG]                   what must agree before anything is built
    python -m release image TARGET                  name, tag and build arguments of an image, for $GITHUB_OUTPUT
    python -m release publish-image TARGET DIGEST   SBOM and signature of an image that has been pushed
    python -m release plugin                        kubectl-fireworks for this platform, with its own Python
    python -m release assets                        chart, install.yaml, wheel, krew manifest, checksums
    python -m release publish-chart                 push and sign the chart, sign the checksums
    python -m release notes                         the text of the release

Environment:
    REGISTRY        host and path below which images and chart are pushed
    REGISTRY_HTTP   if set, the registry speaks plain HTTP, as a local one does
    SOURCE          address of the repository; default: that of the workflow
    ASSETS          folder of the files of the release; default dist/release
    COSIGN_KEY      sign with this private key instead of the workflow's identity
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from release import assets, plugin
from release.check import disagreements
from release.errors import ReleaseError
from release.plan import ROOT, SOURCE_PLACEHOLDER, TARGETS, Plan, make_plan
from release.publish import Cosign, describe, push_chart


def plan() -> Plan:
    """Return the plan that the environment asks for.

    Raises:
        ReleaseError: There is no registry, or it is no name of one.
    """
    registry = os.environ.get("REGISTRY", "")
    return make_plan(registry, os.environ.get("SOURCE") or _source_of_the_workflow() or SOURCE_PLACEHOLDER)


def _source_of_the_workflow() -> str | None:
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{repository}" if server and repository else None


def _folder() -> Path:
    folder = Path(os.environ.get("ASSETS") or ROOT / "dist/release").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cosign() -> Cosign:
    key = os.environ.get("COSIGN_KEY")
    return Cosign(Path(key) if key else None)


def _plain_http() -> bool:
    return bool(os.environ.get("REGISTRY_HTTP"))


def _check(given: argparse.Namespace) -> int:
    found = list(disagreements(given.tag))
    print(*found, sep="\n", file=sys.stderr)
    return 1 if found else 0


def _image(given: argparse.Namespace) -> int:
    the = plan()
    print(f"repository={the.repository(given.target)}")
    print(f"reference={the.image(given.target)}")
    print("build-args<<END", *(f"{name}={value}" for name, value in the.build_arguments().items()), "END", sep="\n")
    return 0


def _publish_image(given: argparse.Namespace) -> int:
    reference = f"{plan().repository(given.target)}@{given.digest}"
    sbom = _folder() / f"fireworks-{given.target}.spdx.json"
    describe(reference, sbom, plain_http=_plain_http())
    cosign = _cosign()
    cosign.sign(reference)
    cosign.attest(reference, sbom)
    assets.note_digest(_folder(), given.target, given.digest)
    return 0


def _plugin(_: argparse.Namespace) -> int:
    print(plugin.build(_folder()))
    return 0


def _assets(_: argparse.Namespace) -> int:
    written = assets.write_assets(plan(), _folder())
    print(*written, sep="\n")
    return 0


def _publish_chart(_: argparse.Namespace) -> int:
    the, folder, cosign = plan(), _folder(), _cosign()
    digest = push_chart(the, folder / f"fireworks-operator-{the.version}.tgz", plain_http=_plain_http())
    cosign.sign(f"{the.chart}@{digest}")
    cosign.sign_file(folder / assets.SUMS)
    print(f"digest={digest}")
    return 0


def _notes(_: argparse.Namespace) -> int:
    print(assets.notes(plan()), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name)
        added.set_defaults(does=does)
        return added

    command("check", _check).add_argument("tag", nargs="?")
    command("image", _image).add_argument("target", choices=TARGETS)
    image = command("publish-image", _publish_image)
    image.add_argument("target", choices=TARGETS)
    image.add_argument("digest")
    command("plugin", _plugin)
    command("assets", _assets)
    command("publish-chart", _publish_chart)
    command("notes", _notes)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.does(given)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
