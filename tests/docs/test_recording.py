"""The recording on the first page: it is what the demo shows today, and the picture is drawn from it."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from examples.record import CAST, COLUMNS, PICTURE, ROOT, record
from testkit.site.cast import Line, Output, Recording, lines, outputs, without_waiting
from testkit.site.recording_svg import picture

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_drawn_from_the_recording() -> None:
    assert PICTURE.read_text() == picture(Recording.from_cast(CAST.read_text())), "run `make recording`"


def test_the_recording_shows_all_that_the_demo_shows_today() -> None:
    shown = " ".join(re.sub(r"\x1b\[\d*m", "", line.text) for line in lines(Recording.from_cast(CAST.read_text())))
    demo = (ROOT / "examples/demo.py").read_text()
    texts = re.findall(r'\.(?:section|step)\(f?"([^"{]+)', demo)
    # What only a demo that is kept shows.
    texts = [
        each
        for each in texts
        if each not in {"Everything is still running. Yours to try, in this terminal:", "To end it:"}
    ]
    assert len(texts) >= 20
    assert [each for each in texts if each not in shown] == [], "run `make recording`"


def test_no_line_is_wider_than_the_terminal() -> None:
    """The picture does not wrap lines."""
    shown = lines(Recording.from_cast(CAST.read_text()))
    assert max(len(re.sub(r"\x1b\[\d*m", "", line.text)) for line in shown) <= COLUMNS


def test_the_recording_names_nothing_of_the_machine() -> None:
    for file in (CAST, PICTURE):
        assert not re.search(r"/(home|root|tmp|work|Users)/", file.read_text())


def test_a_command_is_recorded_in_a_terminal_of_its_own() -> None:
    program = "import os, sys; print('\\x1b[32mgreen\\x1b[0m', os.get_terminal_size().columns, sys.stdout.isatty())"
    recording = record([sys.executable, "-c", program], "a title")
    assert [each.text for each in lines(recording)] == [f"\x1b[32mgreen\x1b[0m {COLUMNS} True"]
    assert Recording.from_cast(recording.to_cast()).outputs[0].text == recording.outputs[0].text


def test_a_command_that_fails_is_no_recording() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        record([sys.executable, "-c", "raise SystemExit(3)"], "a title")


def test_a_clock_is_kept_four_times_a_second() -> None:
    ticks = [(each / 10, f"\r{each}") for each in range(11)]
    kept = list(outputs([(0.0, "begin\n"), *ticks, (1.05, "\rend\n")]))
    assert [each.text for each in kept] == ["begin\n", "\r3", "\r6", "\r9", "\rend\n"]


def test_a_row_shows_what_was_written_last() -> None:
    shown = lines(Recording(80, 24, "", (Output(0, "a\r\nb"), Output(1, "\rc"), Output(2, "\rd\r\n"))))
    assert shown == [Line(0, 0, "a"), Line(0, 1, "b"), Line(1, 1, "c"), Line(2, 1, "d")]


def test_a_wait_is_shortened_and_its_end_is_kept() -> None:
    ticks = [Line(each, 1, str(each)) for each in range(1, 101)]
    shown = without_waiting([Line(0, 0, "begin"), *ticks, Line(100.5, 2, "after")], 2.0, 5)
    assert (shown[0], shown[-1]) == (Line(0, 0, "begin"), Line(2.5, 2, "after"))
    assert [each.text for each in shown if each.row == 1] == ["20", "40", "60", "80", "100"]
    assert next(each.seconds for each in shown if each.text == "100") == 2.0


def test_the_picture_has_the_text_the_colours_and_the_steps(tmp_path: Path) -> None:
    recording = Recording(
        40, 2, "A <title>", (Output(0, "\x1b[1mone\x1b[0m & \x1b[31mtwo\r\n"), Output(1, "three\x1b[0m\r\nfour\r\n"))
    )
    document = Xml.fromstring(picture(recording))  # noqa: S314 - our own
    texts = ["".join(each.itertext()) for each in document.iter(f"{SVG}text")]
    assert texts == ["one&two", "three", "four"]
    classes = {"".join(each.itertext()): each.get("class") for each in document.iter(f"{SVG}tspan")}
    assert classes == {"one": "bold", "&": None, "two": "red", "three": "red", "four": None}
    style = "".join(each.text or "" for each in document.iter(f"{SVG}style"))
    # Three rows on a screen of two: the first goes after a second, and eight seconds later all begins anew.
    assert (
        "@keyframes scroll { 0.000% { transform: translateY(0px) } 11.111% { transform: translateY(-20px) } }" in style
    )
