"""The command line's manners: errors, interruption, progress, tables and the reference."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.console import Pace, RichProgress, end_drawing, in_words, print_table, printable, say
from cli.guard import GuardedGroup, debug_first, run_script
from cli.main import app
from cli.reference import reference, write
from faces.errors import AnotherYouError, PhotoError
from faces.progress import Progress

ORDER = [
    "index",
    "watch",
    "search",
    "people",
    "serve",
    "edit",
    "info",
    "reindex",
    "rebuild",
    "copy",
    "forget",
    "data",
]
ORDER += ["train"]
ORDER += ["train-classifier", "train-flow", "train-rivals", "train-cpi", "fit-projection", "calibrate"]
ORDER += ["benchmark"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def failing(error: BaseException, progress: RichProgress | None = None) -> Callable[..., Result]:
    """A program whose one command, ``fail``, meets this error, with a bar drawn where progress is given."""
    program = typer.Typer(cls=GuardedGroup, rich_markup_mode=None, pretty_exceptions_enable=False)

    @program.callback()
    def root(debug: bool = False) -> None:
        return

    @program.command()
    def fail(words: list[str] | None = None) -> None:
        if progress is not None:
            progress.start("Indexing", 10, "faces")
        raise error

    return lambda *arguments: CliRunner().invoke(program, list(arguments))


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name; groups are walked into."""

    def walk(prefix: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield prefix, command
            return
        for name, one in command.commands.items():
            yield from walk(f"{prefix} {name}", one)

    return walk("anotheryou", typer.main.get_command(app))


# Errors


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AnotherYouError("there is no collection in x; make one"), "there is no collection in x; make one"),
        (PhotoError("a.jpg", "file is empty"), "a.jpg: file is empty"),
        (PhotoError("a\nb\x1b[2J.jpg", "file is empty"), r"a\nb\x1b[2J.jpg: file is empty"),
        (PermissionError(13, "Permission denied", "out.png"), "out.png: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (
            ModuleNotFoundError("No module named 'faiss'", name="faiss"),
            "this needs the module faiss; install it with: pip install 'anotheryou[cpu]'",
        ),
    ],
)
def test_a_known_error_is_one_plain_line_and_status_1(error: Exception, line: str) -> None:
    result = failing(error)("fail")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"anotheryou: {line}\n")


@pytest.mark.parametrize("arguments", [("--debug", "fail"), ("fail", "--debug")])
def test_debug_anywhere_shows_the_traceback(arguments: tuple[str, ...]) -> None:
    result = failing(AnotherYouError("no luck"))(*arguments)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("anotheryou: no luck\n")


def test_a_script_tells_errors_as_the_commands_do(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise AnotherYouError("no luck")

    def stop() -> None:
        raise KeyboardInterrupt

    def mistake() -> None:
        raise ZeroDivisionError

    assert (run_script(fail), capsys.readouterr().err) == (1, "anotheryou: no luck\n")
    assert (run_script(stop), capsys.readouterr().err) == (130, "anotheryou: interrupted\n")
    assert (run_script(lambda: None), capsys.readouterr().err) == (0, "")
    with pytest.raises(ZeroDivisionError):
        run_script(mistake)


def test_a_mistake_in_the_program_keeps_its_traceback() -> None:
    error = ZeroDivisionError("a bug")
    result = failing(error)("fail")
    assert result.exception is error


def test_debug_after_two_dashes_is_an_ordinary_word() -> None:
    assert debug_first(["search", "--", "--debug"]) == ["search", "--", "--debug"]
    assert debug_first(["search", "a.jpg", "--debug"]) == ["--debug", "search", "a.jpg"]


def test_an_interruption_is_one_plain_line_and_status_130() -> None:
    result = failing(KeyboardInterrupt())("fail")
    assert (result.exit_code, result.stderr) == (130, "anotheryou: interrupted\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"]])
def test_a_usage_mistake_is_status_2(run_cli: Callable[..., Result], arguments: list[str]) -> None:
    result = run_cli(*arguments)
    assert result.exit_code == 2
    assert "nonsense" in result.stderr
    assert result.stdout == ""


def test_an_error_puts_the_bar_away_first(screen: Terminal) -> None:
    progress = RichProgress(stream=screen, draw_after=0.0)
    result = failing(AnotherYouError("no luck"), progress)("fail")
    assert result.stderr == "anotheryou: no luck\n"
    drawn = screen.getvalue()
    assert "0 of 10 faces" in drawn
    progress.advance(5)
    progress.finish()
    assert screen.getvalue() == drawn


def test_completion_offers_the_commands(
    run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_ANOTHERYOU_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "anotheryou ben")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run_cli().stdout.split() == ["benchmark"]


# The whole program, in a process of its own


def run_program(program: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """``cli.main.main`` with one more command, ``probe``, whose body is ``program``."""
    text = (
        "import sys, typer, cli.main as main\n"
        "def probe() -> None:\n"
        "    '''Probe.'''\n"
        + "".join(f"    {line}\n" for line in program.splitlines())
        + "main.app.command()(probe)\nsys.argv = ['anotheryou', 'probe']\nmain.main()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )


def test_ctrl_c_ends_a_running_command_with_one_line() -> None:
    process = run_program("import time\nprint('ready', flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "anotheryou: interrupted\n")


@pytest.mark.parametrize("body", ["print('x')", "for _ in range(100_000): print('x')"])
def test_a_reader_that_goes_away_is_no_error(body: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = run_program(body, stdout=writer)
    os.close(writer)
    _, errors = process.communicate(timeout=30)
    assert errors == ""


def test_warnings_of_libraries_are_kept_from_users() -> None:
    process = run_program("import warnings\nwarnings.warn('soon gone', RuntimeWarning)")
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_a_file_name_that_is_no_text_can_be_printed() -> None:
    process = run_program(r"print('caf\udce9 é.jpg')")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "caf\udce9 é.jpg\n", "")


def test_the_version_is_that_of_the_distribution(run_cli: Callable[..., Result]) -> None:
    from importlib.metadata import version

    assert run_cli("--version").stdout == f"anotheryou {version('anotheryou')}\n"


# Commands and their reference


def test_commands_stand_in_the_order_in_which_a_user_meets_them(run_cli: Callable[..., Result]) -> None:
    listed = run_cli("--help").stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines() if line[:3].strip()] == ORDER


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_ends_its_help_with_an_example_that_it_understands(name: str, command: Any) -> None:
    lines = [line.strip() for line in (command.help or "").splitlines()]
    examples = [line for line in lines if line.startswith(f"{name} ") or line == name]
    assert examples, f"{name} has no example"
    assert lines[-1].startswith("anotheryou "), f"the help of {name} does not end with its example"
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for example in examples:
        used = [word.split("=")[0] for word in shlex.split(example) if word.startswith("--")]
        assert set(used) <= options, example


def test_the_reference_holds_every_command_and_option() -> None:
    text = reference(app)
    for name, command in commands():
        assert f"# `{name}`\n" in text
        for parameter in command.params:
            shown = parameter.metavar or parameter.name.upper()  # an argument has no other name
            assert parameter.hidden or parameter.opts[0] in text or shown in text


def test_the_reference_in_docs_is_current() -> None:
    assert (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8") == reference(app), (
        "run: make docs"
    )


def test_a_stale_reference_fails_the_check_and_a_new_one_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "commands.md"
    with pytest.raises(typer.Exit) as stale:
        write(check=True, path=page)
    assert stale.value.exit_code == 1
    assert "make docs" in capsys.readouterr().err
    write(check=False, path=page)
    write(check=True, path=page)
    page.write_text(page.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(typer.Exit):
        write(check=True, path=page)


# Progress


def test_short_work_says_nothing() -> None:
    for stream in (io.StringIO(), Terminal()):
        progress: Progress = RichProgress(stream=stream)
        progress.start("Indexing", 3, "faces")
        progress.advance(3)
        progress.finish()
        assert stream.getvalue() == ""


def test_without_a_terminal_a_line_comes_every_ten_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = RichProgress(stream=stream, clock=clock)
    progress.start("Indexing", 2000, "faces")
    for _ in range(25):
        clock.now += 1
        progress.advance(40, note="sofa.jpg")
    progress.finish()
    assert stream.getvalue().splitlines() == [
        "Indexing: 400 of 2,000 faces, 40.0 faces/s, 40 s left, sofa.jpg",
        "Indexing: 800 of 2,000 faces, 40.0 faces/s, 30 s left, sofa.jpg",
        "Indexing: 1,000 of 2,000 faces in 25 s",
    ]


def test_work_of_unknown_length_has_no_time_left() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = RichProgress(stream=stream, clock=clock)
    progress.start("Looking for photographs", None, "files")
    clock.now += 10
    progress.advance(50)
    assert stream.getvalue() == "Looking for photographs: 50 files, 5.0 files/s\n"
    progress.finish()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def test_on_a_terminal_a_bar_shows_count_rate_and_time_left(screen: Terminal) -> None:
    clock = Clock()
    progress = RichProgress(stream=screen, clock=clock, draw_after=0.0)
    progress.start("Indexing [x]", 2000, "faces")
    clock.now += 10
    progress.advance(500, note="[/odd].jpg")
    clock.now += 10
    progress.advance(500)
    end_drawing()
    drawn = screen.getvalue()
    assert "Indexing [x]" in drawn
    assert "0 of 2,000 faces" in drawn
    assert "1,000 of 2,000 faces in 20 s" in drawn


def test_a_dumb_terminal_gets_lines(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    clock = Clock()
    progress = RichProgress(stream=screen, clock=clock, draw_after=0.0)
    progress.start("Indexing", None, "faces")
    clock.now += 20
    progress.finish()
    assert screen.getvalue() == "Indexing: 0 faces in 20 s\n"


def test_starting_anew_ends_what_was_not_finished() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = RichProgress(stream=stream, clock=clock)
    progress.start("First", 10, "faces")
    clock.now += 20
    progress.start("Second", 10, "faces")
    progress.finish()
    progress.finish()
    progress.advance()
    assert stream.getvalue() == "First: 0 of 10 faces in 20 s\n"


def test_work_taken_over_from_an_earlier_run_does_not_count_as_fast() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.advance(10_000)
    for _ in range(10):
        clock.now += 1
        pace.advance(5)
    assert pace.rate() == pytest.approx(5.0)
    assert pace.left(10_100) == pytest.approx(10.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1000)), max_size=50), st.integers(0, 10_000))
def test_rate_and_time_left_are_never_negative(steps: list[tuple[float, int]], total: int) -> None:
    clock = Clock()
    pace = Pace(clock)
    for seconds, count in steps:
        clock.now += seconds
        pace.advance(count)
    rate, left = pace.rate(), pace.left(total)
    assert rate is None or rate >= 0
    assert left is None or left >= 0
    assert pace.done == sum(count for _, count in steps)


def test_the_rate_follows_the_last_half_minute() -> None:
    clock = Clock()
    pace = Pace(clock)
    for count in [1] * 100 + [10] * 40:
        clock.now += 1
        pace.advance(count)
    assert pace.rate() == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40.4, "40 s"), (99, "99 s"), (100, "2 min"), (720, "12 min"), (11_100, "3 h 5 min")],
)
def test_durations_are_put_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


# Tables and lines


def test_tables_are_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/photos/" + "a" * 200 + ".jpg"
    print_table(["rank", "name", "photograph"], [[1, "晴れ", path], [12, "x", "b\n.jpg"]], right={"rank"})
    assert capsys.readouterr().out.splitlines() == [
        "rank  name  photograph",
        f"   1  晴れ  {path}",
        r"  12  x     b\n.jpg",
    ]


@given(st.text())
def test_printable_text_stays_and_the_rest_becomes_one_line(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    if text.isprintable():
        assert line == text


def test_a_message_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("two\nlines")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "anotheryou: two\\nlines\n")
