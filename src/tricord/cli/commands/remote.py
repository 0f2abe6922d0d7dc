"""`tricord remote`: where content is pushed to and pulled from."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, table
from tricord.core.config import REMOTE_KEYS, REMOTE_NAME
from tricord.core.errors import ConfigError
from tricord.project import pointers
from tricord.project.project import Project
from tricord.project.remotes import add, default_of, make_default, remove
from tricord.store.remote.opening import open_backend
from tricord.store.remote.probing import probe

EXAMPLE = "tricord remote add origin s3://bucket/flights --default"

_OPTIONS = tuple(key for key in REMOTE_KEYS if key != "url")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "add", "remove", "default", "check"))
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of the remote")
    parser.add_argument("url", nargs="?", metavar="URL", help="add: where it is")
    parser.add_argument("--default", action="store_true", help="add: the one that push uses")
    parser.add_argument("--replace", action="store_true", help="add: in place of one of that name")
    for key in _OPTIONS:
        parser.add_argument(f"--{key}", metavar="VALUE", help=f"add: {REMOTE_KEYS[key]}")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    try:
        return _ACTIONS[arguments.action](project, arguments)
    finally:
        project.close()


def _list(project: Project, _: Namespace) -> Answer:
    remotes = project.config.remotes
    default = default_of(project.config)
    data = [{"name": name, "default": name == default, **own} for name, own in remotes.items()]

    def draw(on: Any) -> None:
        if not data:
            on.print("no remotes; next: tricord remote add NAME URL")
            return
        drawn = table("remote", "url", "settings")
        for name, own in remotes.items():
            rest = ", ".join(f"{key} = {value}" for key, value in own.items() if key != "url")
            drawn.add_row(f"{name} (default)" if name == default else name, own["url"], rest)
        on.print(drawn)

    return Answer(data, draw)


def _add(project: Project, arguments: Namespace) -> Answer:
    name = _name(arguments, "tricord remote add NAME URL")
    if not arguments.url:
        raise ConfigError(f"where is {name!r}?", hint=f"tricord remote add {name} URL")
    own = {"url": arguments.url}
    own |= {key: getattr(arguments, key) for key in _OPTIONS if getattr(arguments, key)}
    file = add(project.root, name, own, default=arguments.default, instead=arguments.replace)

    def draw(on: Any) -> None:
        on.print(f"remote {name} is {arguments.url}; next: tricord remote check {name}")

    return Answer({"name": name, **own, "default": arguments.default, "file": str(file)}, draw)


def _remove(project: Project, arguments: Namespace) -> Answer:
    name = _name(arguments, "tricord remote list")
    was_default = default_of(project.config) == name
    file = remove(project.root, name)
    others = sorted(project.config.remotes.keys() - {name})
    known, _ = pointers.read_all(project.root)
    lacking = project.store.missing({each.digest for each in known.values()})
    absent = [each.name for each in known.values() if each.digest in lacking]

    def draw(on: Any) -> None:
        on.print(f"remote {name} is forgotten; what it holds stays there", markup=False)
        if was_default and len(others) == 1:
            on.print(f"push, pull and fetch use {others[0]} now", markup=False)
        elif was_default:
            first = f"tricord remote default {others[0]}" if others else "tricord remote add NAME URL"  # fmt: skip
            on.print(f"push, pull and fetch have no remote now\n  next: {first}", markup=False)
        if absent:
            on.print(
                f"the content of {', '.join(absent)} is not in the store here: only a remote has it",
                markup=False, soft_wrap=True,
            )  # fmt: skip

    return Answer({"removed": name, "file": str(file), "others": others, "absent": absent}, draw)


def _default(project: Project, arguments: Namespace) -> Answer:
    name = _name(arguments, "tricord remote list")
    _own(project, name)
    file = make_default(project.root, name)
    return Answer(
        {"default": name, "file": str(file)},
        lambda on: on.print(f"push, pull and fetch use {name}"),
    )


def _check(project: Project, arguments: Namespace) -> Answer:
    name = (
        arguments.name
        or default_of(project.config)
        or _name(arguments, "tricord remote check NAME")
    )
    own = _own(project, name)
    found = probe(open_backend(own["url"], own))
    data = {
        "name": name, "url": own["url"], "sealed": bool(own.get("key")), "writes": found.writes,
        "conditional": found.conditional, "milliseconds": round(found.latency * 1000, 1),
        "skew_seconds": round(found.skew, 1),
    }  # fmt: skip

    def draw(on: Any) -> None:
        on.print(f"{name} ({own['url']}) answers in {data['milliseconds']} ms")
        on.print(f"  sealed: {'yes' if data['sealed'] else 'no'}")
        on.print(f"  writing: {'yes' if found.writes else 'no, it can only be read'}")
        if found.writes:
            on.print("  two at once: " + _TWO[found.conditional])
        if abs(found.skew) > 60:
            on.print(f"  its clock and this machine's are {abs(found.skew):.0f} s apart")

    return Answer(data, draw, 0 if found.conditional or not found.writes else 1)


_TWO = {
    True: "safe (conditional writes hold)",
    False: "not safe: it takes conditional writes and does not keep to them; push will refuse",
}
_ACTIONS = {"list": _list, "add": _add, "remove": _remove, "default": _default, "check": _check}


def _name(arguments: Namespace, hint: str) -> str:
    name = arguments.name
    if not name:
        raise ConfigError("which remote?", hint=hint)
    if not REMOTE_NAME.fullmatch(name):
        raise ConfigError(f"no name for a remote: {name!r}", hint="small letters, digits, - and _")
    return name


def _own(project: Project, name: str) -> Any:
    remotes = project.config.remotes
    if name not in remotes:
        raise ConfigError(
            f"no remote {name!r}",
            where=f"known: {', '.join(remotes) or 'none'}",
            hint=f"tricord remote add {name} URL",
        )
    return remotes[name]
