"""`tricord data`: the catalogue of datasets."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tricord.cli.answer import Answer, count, named, size, table
from tricord.core.errors import DataError
from tricord.data import catalog, parts, views
from tricord.data.catalog import Listed
from tricord.project.project import Project
from tricord.store.tree import Entry

EXAMPLE = 'tricord data describe flights --owner "Ada" --licence CC0-1.0'
ACTIONS = ("list", "show", "describe", "tag", "untag", "schema", "path", "parts")
_MOST_FILES = 20


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument(
        "what",
        nargs="?",
        metavar="NAME[@VERSION]",
        help="the dataset; for list, a part of its name",
    )
    parser.add_argument(
        "more",
        nargs="?",
        metavar="TAG/FILE",
        help="tag, untag: the tag; path: one of its files; schema: a schema file to attach",
    )
    parser.add_argument("--description", help="describe: what it is")
    parser.add_argument("--licence", help="describe: under which terms it may be used")
    parser.add_argument("--owner", help="describe: who answers for it")
    parser.add_argument("--key", help="describe: the columns that tell its rows apart: COL,COL")
    parser.add_argument("--glob", metavar="PATTERN", help="parts: which files, such as '*.csv'")
    parser.add_argument("--why", default="", help="tag, untag, schema: for the record")
    parser.add_argument(
        "--force", action="store_true", help="tag: even if another version has the tag"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if arguments.action == "list":
        return _list(project, arguments.what or "")
    if not arguments.what:
        raise DataError("which dataset?", hint=f"tricord data {arguments.action} NAME")
    match arguments.action:
        case "show":
            return _show(project, arguments.what)
        case "describe":
            return _describe(project, arguments)
        case "schema":
            return _schema(project, arguments)
        case "path":
            where = views.path(project, arguments.what, arguments.more)
            return Answer({"path": str(where)}, lambda on: on.out(str(where), highlight=False))
        case "parts":
            return _parts(project, arguments.what, arguments.glob)
        case _:
            return _tag(project, arguments)


def _list(project: Project, part: str) -> Answer:
    found = [listed for listed in catalog.datasets_of(project) if part in listed.name]

    def draw(on: Any) -> None:
        from rich.markup import escape

        if not found:
            on.print("no datasets\n  next: tricord add PATH")
            return
        drawn = table("name", "version", "files", "size", "tags", "owner", "licence", "description",
                      right=("files", "size"))  # fmt: skip
        for listed in found:
            about: Mapping[str, str] = listed.pointer.about if listed.pointer else {}
            drawn.add_row(
                escape(listed.name),
                f"v{listed.latest.number}" if listed.latest else "not fetched",
                f"{listed.pointer.files:,}" if listed.pointer else "–",
                "–" if listed.size is None else size(listed.size),
                escape(", ".join(listed.tags)),
                *(escape(about.get(key, "")) for key in ("owner", "licence", "description")),
            )
        on.print(drawn)
        for listed in found:
            if listed.problem:
                on.print(f"[red]✗[/] {escape(listed.name)}: {escape(str(listed.problem))}", soft_wrap=True)  # fmt: skip

    return Answer([listed.to_json() for listed in found], draw)


def _show(project: Project, what: str) -> Answer:
    listed, files = catalog.show(project, what)
    shown = (
        None
        if files is None
        else [
            {"path": e.path, "digest": e.digest, "size": e.size, "executable": e.executable}
            for e in files
        ]
    )
    return Answer({**listed.to_json(), "contents": shown}, lambda on: _draw_show(on, listed, files))


def _draw_show(on: Any, listed: Listed, files: list[Entry] | None) -> None:
    from rich.markup import escape

    data = listed.to_json()
    version = f"v{data['version']} of {listed.versions}" if listed.latest else "not fetched"
    on.print(f"[bold]{escape(listed.name)}[/]  latest {version}", soft_wrap=True)
    about: dict[str, Any] = {"path": data["path"], **data["about"]}  # pyright: ignore[reportGeneralTypeIssues]
    tags = ", ".join(f"{tag} {named(digest)}" for tag, digest in listed.tags.items())
    for key, value in {**about, "tags": tags}.items():
        if value:
            on.print(f"  {key}: {escape(str(value))}", soft_wrap=True)
    if files is None:
        on.print(f"its content is not in the store\n  next: tricord pull {escape(listed.name)}")
        return
    drawn = table("file", "size", "digest", right=("size",))
    for entry in files[:_MOST_FILES]:
        drawn.add_row(
            escape(entry.path or str(data["path"])), size(entry.size), named(entry.digest)
        )
    on.print(drawn)
    if files[_MOST_FILES:]:
        on.print(f"… and {count(len(files) - _MOST_FILES, 'more file')}")


def _describe(project: Project, arguments: Namespace) -> Answer:
    about = {key: getattr(arguments, key) for key in catalog.ABOUT}
    said = {key: text for key, text in about.items() if text is not None}
    if not said:
        raise DataError(
            "nothing to say of it",
            hint=f"tricord data describe {arguments.what} --description TEXT",
        )
    pointer = catalog.describe(project, arguments.what, said)
    lines = [f"{key}: {text}" for key, text in sorted(pointer.about.items())]
    return Answer(
        {"name": pointer.name, "about": dict(pointer.about)},
        lambda on: on.print("\n  ".join([pointer.name, *lines]), markup=False, soft_wrap=True),
    )


def _tag(project: Project, arguments: Namespace) -> Answer:
    what, label = arguments.what, arguments.more
    if not label:
        raise DataError("which tag?", hint=f"tricord data {arguments.action} {what} TAG")
    if arguments.action == "untag":
        catalog.untag(project, what, label, why=arguments.why)
        return Answer(
            {"name": what, "tag": label},
            lambda on: on.print(f"{what} has no tag {label} any more", markup=False),
        )
    version = catalog.tag(project, what, label, why=arguments.why, force=arguments.force)
    return Answer(
        version.to_json(), lambda on: on.print(f"{version} is tagged {label}", markup=False)
    )


def _schema(project: Project, arguments: Namespace) -> Answer:
    from tricord.data import attached  # tables are slow to load

    name = arguments.what
    if arguments.more:
        attached.attach(project, name, Path(arguments.more), why=arguments.why)
    schema, is_attached = attached.schema_of(project, name)
    text = schema.to_yaml()

    def draw(on: Any) -> None:
        if not is_attached:
            on.print(
                "# proposed from its rows; write it to a file, mend it, and attach it:",
                markup=False,
            )
            on.print(f"# tricord data schema {name} FILE", markup=False)
        on.out(text.rstrip(), highlight=False)

    return Answer({"name": name, "attached": is_attached, "schema": text}, draw)


def _parts(project: Project, what: str, pattern: str | None) -> Answer:
    if not pattern:
        raise DataError("which files?", hint=f"tricord data parts {what} --glob '*.csv'")
    found = parts.parts(project, what, pattern)

    def draw(on: Any) -> None:
        from rich.markup import escape

        drawn = table("part", "files", "size", "digest", right=("files", "size"))
        for part in found:
            artifact = part.artifact
            drawn.add_row(
                escape(part.name),
                f"{len(part.files):,}",
                size(artifact.size),
                named(artifact.digest),
            )
        on.print(drawn)

    return Answer([part.to_json() for part in found], draw)
