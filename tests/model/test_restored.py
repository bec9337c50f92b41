"""The API server is put back to an earlier state: its versions begin again where the backup was made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from testkit.promises.invariants import holds
from testkit.promises.specs import new_spec
from testkit.virtual.api_server import Raw, WatchEvent
from testkit.virtual.copying import copied
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.process import Process
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF, LATER = "team-b/chat", "team-b/later"


@dataclass
class Backup:
    """What etcd held at a moment."""

    world: World
    objects: dict[str, Raw]
    version: int

    def restore(self) -> None:
        """Put it back; the watch begins anew with all that there is, as after every break."""
        server = self.world.server
        server.objects, server.version = copied(self.objects), self.version
        server.history.extend(WatchEvent(copied(raw), deleted=False) for raw in server.objects.values())


def backup(world: World) -> Backup:
    return Backup(world, copied(world.server.objects), world.server.version)


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world with one resource, whose deployment serves."""
    world = World(loop, simulator)
    world.server.create(REF, new_spec("team-b", []))
    _live(world, 65.0)
    assert holds(world.server.objects[REF]["status"], "Ready")
    yield world
    world.close()


def _live(world: World, seconds: float) -> None:
    for _ in range(int(seconds / 5)):
        world.advance(5.0)
        world.poll()


def _sweep(world: World) -> None:
    async def sweep(process: Process) -> None:
        process.sweep()
        await process.work()

    world.run(sweep)


def _edit(world: World, **fields: object) -> None:
    world.server.edit(REF, {**world.server.objects[REF]["spec"], **fields})


def _change(world: World) -> None:
    _edit(world, displayName="after the backup")


def _delete(world: World) -> None:
    world.server.delete(REF)


@pytest.mark.parametrize("meanwhile", [_change, _delete], ids=["changed", "deleted"])
def test_an_edit_after_a_restore_is_acted_upon_without_a_restart(
    world: World, meanwhile: Callable[[World], None]
) -> None:
    saved = backup(world)
    meanwhile(world)
    _live(world, 65.0)
    world.server.version += 500  # much else happens in the cluster: versions do not catch up soon
    _sweep(world)
    saved.restore()
    world.work()
    if meanwhile is _change:
        assert world.process.controller.sweep_wanted.is_set(), "it need not wait ten minutes"
    _sweep(world)
    _live(world, 65.0)
    _edit(world, displayName="after the restore")
    _live(world, 65.0)
    (name,) = world.ours()
    assert world.fireworks.state().deployments[name]["displayName"] == "after the restore"
    assert holds(world.server.objects[REF]["status"], "Ready")
    writes = world.server.writes
    _sweep(world)
    _live(world, 120.0)
    assert world.server.writes == writes, "at rest"


def test_a_resource_that_the_backup_does_not_have_is_not_looked_after_any_more(world: World) -> None:
    saved = backup(world)
    world.server.create(LATER, new_spec("team-b", []))
    _live(world, 65.0)
    saved.restore()
    _sweep(world)
    assert [each.ref for each in world.process.store] == [REF]
    assert len(world.ours()) == 2, "what it left behind is counted as orphaned, and not deleted"


def test_a_resource_that_a_restore_brings_back_can_be_deleted_although_it_was_let_go_before(world: World) -> None:
    _edit(world, deletionPolicy="Retain")
    _live(world, 10.0)
    world.server.delete(REF)
    saved = backup(world)

    async def let_go(process: Process) -> None:
        process.watch()
        await process.work()

    world.run(let_go)
    assert REF not in world.server.objects
    assert world.server.history.pop().deleted, "the watch breaks before it tells"
    saved.restore()
    _sweep(world)
    _live(world, 90.0)
    assert REF not in world.server.objects
