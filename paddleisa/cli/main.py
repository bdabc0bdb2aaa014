"""``paddleisa COMMAND ...``: finds the command's file, prints its errors, gives its exit code.

A command is a module of this package with ``add_arguments(parser)`` and ``run(args) -> int``. Only the chosen
one is imported, so that ``paddleisa --help`` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import NoReturn

from paddleisa import __version__
from paddleisa.errors import PaddleISAError, essence, nearest, one_of
from paddleisa.utils.environment import docs_dir, rank
from paddleisa.utils.gpu import explained
from paddleisa.utils.memory import says_out_of_memory
from paddleisa.utils.nodes import shorten

COMMANDS = {
    "train": "train a model, or print its resolved config with --dry_run",
    "val": "evaluate a model on its data set",
    "predict": "write the masks of images, folders, lists, videos or a camera",
    "export": "export a model to Paddle Inference, ONNX or OpenVINO, checked against the model",
    "prepare": "make, check, generate and look at data sets",
    "zoo": "list, download and verify released models",
    "reproduce": "measure published scores again",
    "bench": "measure attention, models, reading and training on this machine",
    "components": "list what a config may name, with options and defaults",
    "view": "a local page: masks, worst images, and where interlaced attention looks",
    "doctor": "is this machine ready, and what to do where it is not",
    "demo": "the main job in a few minutes, on generated street scenes",
}
# Options of PaddleSeg's tools that have no place here: what to do instead.
ELSEWHERE = {
    "--data_format": "Leave it out: networks are NCHW",
    "--use_multilabel": "Leave it out: classes exclude each other here",
    "--for_fd": "Leave it out: deploy.yaml is written in any case",
    "--use_trt": "Leave it out: --engine paddle_inference takes TensorRT where it is there",
    "--enable_mkldnn": "Leave it out: --engine paddle_inference computes with oneDNN on a CPU",
    "--cpu_threads": "Set OMP_NUM_THREADS; without it every core computes",
    "--with_argmax": "Write --output_op argmax, which is the default",
    "--without_argmax": "Write --output_op none",
    "--with_softmax": "Write --output_op softmax",
    "--cfg": "Write --config",
    "--batch_size": "Leave it out: --streams computes several images at once",
    "--benchmark": "Write paddleisa bench model",
    "--enable_auto_tune": "Leave it out: --engine auto takes the fastest, measured once",
    "--input_shape": "Give it to paddleisa export",
    "--output_op": "Give it to paddleisa export",
}
TRACEBACK = "PADDLEISA_TRACEBACK"
EXIT_FAULT, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130
_PACKAGE = Path(__file__).resolve().parents[1]


class Parser(argparse.ArgumentParser):
    """argparse with our form of a mistake: one message that names the nearest option, exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_MISTAKE, f"{self.prog}: error: {message}{_stop(message)} See `{self.prog} --help`\n")

    def refuse(self, words: Sequence[str]) -> None:
        """End with the mistake that ``words`` are no arguments of this command."""
        wrong = words[0].partition("=")[0]
        hint = nearest(wrong, self.options()) if wrong.startswith("--") else ""
        hint = ELSEWHERE.get(wrong, hint)
        shown = _shortened(" ".join(map(shlex.quote, words)))
        self.error(f"unrecognized arguments: {shown}{hint and '. ' + hint}")

    def options(self) -> set[str]:
        """Names of all options, those of sub-commands included."""
        names: set[str] = set()
        for action in self._actions:
            names.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                names.update(*(parser.options() for parser in action.choices.values()))
        return names


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 2 for a mistake of the user's, 1 for a fault that nobody has foreseen, 130 after Ctrl-C, or what the command
        returns.
    """
    argv = [_with_underscores(word) for word in (sys.argv[1:] if argv is None else argv)]
    if "--traceback" in argv:
        argv.remove("--traceback")
        os.environ[TRACEBACK] = "1"  # also for the processes that the command starts
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
    try:
        with Path(os.devnull).open("w") if rank() else nullcontext(sys.stdout) as out, redirect_stdout(out):
            return _run(argv)  # of a job's processes only the first prints
    except SystemExit as stop:  # argparse, after --help or a mistake
        return stop.code if isinstance(stop.code, int) else EXIT_MISTAKE
    except PaddleISAError as error:
        if _tells_all():
            traceback.print_exception(error)
        print(f"paddleisa: error: {error}", file=sys.stderr)
        return EXIT_MISTAKE
    except KeyboardInterrupt:
        print("paddleisa: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `paddleisa zoo list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and error.filename is None:
            _show(error)
            return EXIT_FAULT
        # What is left here is a file that the system refuses: no permission, a folder, a name too long, a full disk.
        place = _shortened(error.filename or "a file")
        problem = "no space left to write. Free some space" if full else error.strerror
        print(f"paddleisa: error: {place}: {problem}", file=sys.stderr)
        return EXIT_MISTAKE
    except BaseException as error:  # the last net; a plug-in may raise anything
        _show(error)
        return EXIT_FAULT


def _run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="paddleisa",
        description="ISANet on PaddlePaddle: train, evaluate and use the published models.",
        epilog="`paddleisa COMMAND --help` lists a command's options; - and _ are the same in their names. "
        f"Pages to read: {docs_dir() / 'index.md'}",
    )
    parser.add_argument("--version", action="version", version=f"paddleisa {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    chosen_parser = parser
    for name, summary in COMMANDS.items():
        # No abbreviations: `--model` must not silently mean --model_path today and something else tomorrow.
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if name == chosen:
            module = importlib.import_module(f"paddleisa.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
            chosen_parser = command
    if chosen is not None and chosen not in COMMANDS:
        first = "" if chosen == argv[0] else "The command comes first. "
        parser.error(f"there is no command {_shortened(chosen)!r}. {first}{one_of(chosen, COMMANDS)}")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        chosen_parser.refuse(unknown)  # which knows what the word may have been meant to be; the outer one does not
    args.words = argv  # as it can be typed again
    return args.run(args)


def _stop(sentence: str) -> str:
    return "" if sentence.endswith("?") else "."


def _shortened(word: object) -> str:
    word = str(word)
    return word if len(word) <= 200 else f"{word[:200]}..."


def _with_underscores(word: str) -> str:
    """``--batch-size=4`` -> ``--batch_size=4``."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"


def _tells_all() -> bool:
    """Whether the user wants tracebacks: ``--traceback`` sets the variable."""
    return os.environ.get(TRACEBACK, "").strip().lower() not in ("", "0", "false", "no")


def _sentence(error: BaseException) -> str:
    """One line for an error that is none of ours."""
    if said := explained(error):
        return said
    kind, text = type(error).__name__, _shortened(essence(error))
    if isinstance(error, MemoryError) or says_out_of_memory(essence(error)):
        small = "Make batch_size, crop_size or the images smaller"
        return f"there is not enough memory for this ({text or kind}). {small}"
    place, ours = _place(error)
    if not ours:
        return f"{place} fails: {kind}: {text}"
    report = "Please report it, with the command and what it prints with --traceback"
    return f"a fault of paddleisa or of what it is built on: {kind}: {text} ({place}). {report}"


def _show(error: BaseException) -> None:
    """The sentence on stderr, the traceback with it where the user wants it."""
    if _tells_all():
        traceback.print_exception(error)
    print(f"paddleisa: error: {_sentence(error)}", file=sys.stderr)
    if not _tells_all():
        print(f"paddleisa: --traceback, or {TRACEBACK}=1, shows where it comes from", file=sys.stderr)


def _place(error: BaseException) -> tuple[str, bool]:
    """File and line that ``error`` comes from, and whether that is no plug-in: the innermost of either's lines."""
    place, ours = "unknown place", True
    for frame, line in traceback.walk_tb(error.__traceback__):
        plugin = str(frame.f_globals.get("__name__", "")).startswith("paddleisa_plugin_")
        if plugin or _PACKAGE in Path(frame.f_code.co_filename).parents:
            place, ours = f"{shorten(frame.f_code.co_filename)}:{line}", not plugin
    return (place if ours else f"the plugin {place}"), ours
