"""`tricord`: finds the command, imports only that one, shows its answer, turns errors into exit codes."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import tricord

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from tricord.core.errors import TricordError

COMMANDS = {
    "init": "make this folder a project",
    "new": "copy an example out as a project of your own",
    "demo": "run the flights example: a year round the whole loop",
    "add": "make a version of a dataset from files",
    "get": "bring data from elsewhere without tracking it",
    "import": "bring data from elsewhere as a dataset, or take a DVC project over",
    "status": "datasets, endpoints, releases and what changed",
    "diff": "what changed in a dataset: files, and rows and columns of its tables",
    "log": "the versions of a dataset: who, when, why, and which runs used them",
    "checkout": "bring versions of datasets into the work tree",
    "mv": "move a dataset, or give it another name",
    "rm": "remove a dataset from the work tree; its versions stay",
    "untrack": "keep a dataset's files and version them no more",
    "resolve": "solve the conflict of a dataset that two branches changed",
    "hooks": "let Git bring the data along: install, remove, show",
    "data": "the catalogue: list, show, describe, tag datasets",
    "run": "run a pipeline; finished steps are answered from the cache",
    "runs": "list runs, newest first",
    "show": "show a run, ref or artifact",
    "why": "trace a prediction, model or dataset back to code and data",
    "serve": "answer requests for an endpoint (Open Inference Protocol)",
    "release": "list, show or approve releases",
    "rollout": "bring a release to an endpoint: start, status, promote, abort",
    "rollback": "put an endpoint back to what it served before",
    "monitor": "judge what an endpoint served: drift and quality",
    "verify": "check every object of the store and the ledger's chain",
    "push": "bring content, and what is known about it, to a remote",
    "fetch": "bring content from a remote; the work tree stays as it is",
    "pull": "fetch, then check out what came",
    "gc": "show or delete what nobody needs any more",
    "du": "what takes how much of the store",
    "remote": "where content is pushed to: list, add, remove, default, check",
    "config": "every setting, its value and where it came from",
}

_THRESHOLDS = (20_000, 20, 20)
"""New objects before rings of them are looked for: tens of thousands of rows are no rings."""
OK, ERROR, USAGE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (0, 1 error, 2 usage, 3 a verdict said no, 130 Ctrl-C)."""
    if words is None:  # a process of its own
        gc.set_threshold(*_THRESHOLDS)
        words = sys.argv[1:]
    words = list(words)
    try:
        code = OK
        if words in (["--version"], ["-V"]):
            print(f"tricord {tricord.__version__}")
        else:
            code = _answer(_command_first(words))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (`head`, say) has had enough
        # the interpreter writes what is left as it ends, and would fail with it: nobody is to get it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return OK
    return code


def _command_first(words: Sequence[str]) -> list[str]:
    """The same line with `--project DIR` and `--json`, wherever they stood, right behind the command.

    >>> _command_first(["--project", "here", "remote", "add", "--json", "s3://x"])
    ['remote', '--project', 'here', '--json', 'add', 's3://x']
    """
    moved: list[str] = []
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            kept += [word, *rest]
            break
        if word == "--project" and rest:
            moved += [word, rest.pop(0)]
        elif word == "--json" or word.startswith("--project="):
            moved.append(word)
        else:
            kept.append(word)
    return [*kept[:1], *moved, *kept[1:]]


def _answer(words: Sequence[str]) -> int:
    from tricord.core.errors import Refused, TricordError

    as_json = "--json" in words
    try:
        try:
            parser, chosen = _parser(words)
            arguments = parser.parse_args(words)
        except SystemExit as stop:  # argparse: --help, or a usage error that it has explained
            return OK if stop.code in (None, 0) else USAGE
        if chosen is None:
            parser.print_help()
            return OK
        return _show(import_module(f"tricord.cli.commands.{chosen}").run(arguments), arguments)
    except SystemExit as stop:  # a user's code that a command ran
        shown = "" if stop.code is None else repr(stop.code)
        _complain(TricordError(f"the code called sys.exit({shown})"), "error", as_json)
        return ERROR
    except Refused as refusal:
        _complain(refusal, "refused", as_json)
        return REFUSED
    except TricordError as error:
        _complain(error, "error", as_json)
        return ERROR
    except PermissionError as error:
        _complain(TricordError(f"permission denied: {error.filename}"), "error", as_json)
        return ERROR
    except BrokenPipeError:  # told to nobody, see `main`
        raise
    except OSError as error:  # what no code between here and the system call could say more about
        _complain(_of_system(error), "error", as_json)
        return ERROR
    except KeyboardInterrupt:
        print("\nstopped; what had finished is kept", file=sys.stderr)
        return INTERRUPTED


def _of_system(error: OSError) -> "TricordError":
    import errno

    from tricord.core.errors import TricordError

    hints = {
        errno.ENOSPC: "make space, then type the same again: tricord du, tricord gc",
        errno.EDQUOT: "make space, then type the same again: tricord du, tricord gc",
        errno.ENAMETOOLONG: "give the file or folder a shorter name",
        errno.EROFS: "the file system is mounted read-only",
        errno.EMFILE: "raise the limit of open files: ulimit -n",
    }
    where = None if error.filename is None else str(error.filename)
    return TricordError(error.strerror or str(error), where=where, hint=hints.get(error.errno or 0))


def _parser(words: Sequence[str]) -> "tuple[ArgumentParser, str | None]":
    import argparse

    listing = "\n".join(f"  {name:<10}{meaning}" for name, meaning in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="tricord",
        description=f"Code, data and model, released as one.\n\ncommands:\n{listing}",
        epilog="tricord COMMAND --help gives an example of each",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tricord COMMAND …",
    )
    parser.add_argument("-V", "--version", action="version", version=tricord.__version__)
    chosen = next((word for word in words if not word.startswith("-")), None)
    if chosen is None:
        return parser, None
    if chosen not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(chosen, COMMANDS, n=1)
        meant = f": did you mean {near[0]!r}?" if near else "; tricord --help lists them"
        parser.error(f"there is no command {chosen!r}{meant}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, prog="tricord"
    )
    module = import_module(f"tricord.cli.commands.{chosen}")
    own = commands.add_parser(
        chosen,
        description=COMMANDS[chosen],
        epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.arguments(own)
    own.add_argument("--json", action="store_true", help="answer in JSON")
    own.add_argument("--project", metavar="DIR", help="the project (default: this folder)")
    return parser, chosen


def _show(answer: object, arguments: "Namespace") -> int:
    import json

    from tricord.cli.answer import Answer, console

    if not isinstance(answer, Answer):
        raise TypeError(f"a command answered with a {type(answer).__name__}")
    if arguments.json:
        print(json.dumps(answer.data, ensure_ascii=False, indent=2))
    elif answer.lines is not None:
        for line in answer.lines():
            print(line)
    elif answer.draw is not None:
        answer.draw(console())
    sys.stdout.flush()
    return answer.code


def _complain(error: "TricordError", word: str, as_json: bool) -> None:
    import json

    if as_json:
        body = {"error": error.what, "where": error.where, "next": error.hint}
        print(json.dumps(body, ensure_ascii=False))
    print(f"{word}: {error}", file=sys.stderr)
