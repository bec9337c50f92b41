"""Every command in the documentation is run by a test, or says why not."""

import re
from pathlib import Path

import pytest

from testkit.documentation.commands import Block, Step, inline_commands, shell_blocks
from testkit.documentation.pages import DOCS, PAGES, ROOT
from testkit.documentation.script import Script
from testkit.documentation.terminal import Terminal

ALL = [*PAGES, ROOT / "charts/fireworks-operator/README.md"]
each_page = pytest.mark.parametrize("page", ALL, ids=lambda path: path.relative_to(ROOT).as_posix())


def followed(folder: str) -> set[str]:
    """Return the pages that tests of a folder go through from top to bottom, as their code says."""
    files = (ROOT / "tests" / folder).glob("test_*.py")
    return {name for file in files for name in re.findall(r"\.follow\(\s*\"([^\"]+)\"", file.read_text())}


@each_page
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    """A test that follows a page runs all of its blocks: `Script` sees to that."""
    blocks = list(shell_blocks(page))
    run = {"": followed("docs"), "make e2e": followed("e2e")}
    assert [str(each) for each in blocks if not each.excuse and each.page not in run[each.elsewhere]] == []


@each_page
def test_every_mark_belongs_to_a_block_and_gives_a_reason(page: Path) -> None:
    marks = re.findall(r"^ *<!-- (?:not run|run by)", page.read_text(), re.MULTILINE)
    blocks = list(shell_blocks(page))
    assert len(marks) == len([each for each in blocks if not each.here])
    assert all(len(each.excuse.split()) >= 3 for each in blocks if each.excuse)


def test_from_the_clone_to_an_answer_the_readme_needs_fewer_than_ten_commands() -> None:
    (block,) = (each for each in shell_blocks(ROOT / "README.md") if each.text.startswith("git clone"))
    commands = block.text.replace("\\\n", " ").splitlines()
    (asked,) = (number for number, line in enumerate(commands, start=1) if line.startswith("curl"))
    assert asked < 10


@each_page
def test_every_target_of_make_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)) <= targets


def test_every_flag_of_firectl_is_among_the_options() -> None:
    options = (DOCS / "options.md").read_text()
    table = set(re.findall(r"`(--[a-z-]+)", re.sub(r"```.*?```", "", options, flags=re.DOTALL)))
    typed = [each.text for page in ALL for each in shell_blocks(page) if "firectl" in each.text]
    assert len(typed) >= 7
    assert set(re.findall(r"--[a-z-]+", " ".join(typed))) <= table | {"--deployment"}


PAGE = """
```console
true
```

<!-- not run: it is too long -->
```sh
false
```

1. In a list:

    <!-- run by make e2e -->
    ```console
    $ echo \\
        3m
    12d
      indented
    $ exit 4
    ```

```yaml
five: six
```

Names such as `kubectl apply` are none; `kubectl get fwd NAME` and ``kubectl get -o `x` `` are commands.
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of a test's own."""
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_blocks_are_found_with_their_marks_commands_and_output(page: Path) -> None:
    one, two, three = shell_blocks(page)
    assert (one, two) == (
        Block("page.md", 2, "true\n"),
        Block("page.md", 7, "false\n", excuse="it is too long"),
    )
    assert three.elsewhere == "make e2e"
    assert three.steps() == [Step("echo \\\n    3m", ("12d", "  indented")), Step("exit 4")]
    assert list(inline_commands(page)) == ["kubectl get fwd NAME"]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal without programs of its own."""
    return Terminal(tmp_path / "terminal", tmp_path, [], {})


def test_a_block_that_a_test_leaves_out_is_told(page: Path, terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match=r"not run: page.md:2"), Script(str(page), terminal, {}):
        pass


def test_a_command_that_fails_is_told(page: Path, terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match="exit code 1"), Script(str(page), terminal, {"true": "false"}) as script:
        script.run("false")


def test_output_that_is_not_what_the_page_shows_is_told(page: Path, terminal: Terminal) -> None:
    with (
        pytest.raises(AssertionError, match=r"did not print '  indented', but:"),
        Script(str(page), terminal, {}, elsewhere="make e2e") as script,
    ):
        script.run("echo", code=4)


def test_a_terminal_keeps_variables_and_folder(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("mkdir below && cd below", 'WORD="two words"')
    assert terminal.run("pwd", 'echo "$WORD"') == [f"{tmp_path / 'below'}\n", "two words\n"]
