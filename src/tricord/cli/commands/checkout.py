"""`tricord checkout`: bring versions of datasets into the work tree."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, count, named
from tricord.cli.progress import bar
from tricord.data.checkout import Brought, checkout, checkout_all
from tricord.project.project import Project

EXAMPLE = "tricord checkout flights@v3"
_MOST = 5


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        metavar="NAME[@VERSION]",
        help="a dataset at a version: v3, a tag, a digest's beginning, latest (default: every dataset "
        "at the version that its pointer names)",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only these files, folders, patterns"
    )
    parser.add_argument(
        "--force", action="store_true", help="throw changes away that are saved nowhere"
    )
    parser.add_argument(
        "--link",
        choices=("auto", "reflink", "hardlink", "copy"),
        help="how files come from the store (default: the setting store.link)",
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    force, link = arguments.force, arguments.link or ""
    with bar("checking out") as watch:
        if arguments.what is None:
            found = checkout_all(project, force=force, link=link, watch=watch)
        else:
            found = [
                checkout(
                    project, arguments.what, arguments.paths, force=force, link=link, watch=watch
                )
            ]
    failed = any(brought.problem for brought in found)
    return Answer([to_json(each) for each in found], lambda on: _draw(on, found), code=int(failed))


def to_json(brought: Brought) -> dict[str, Any]:
    """What came of one dataset, the same wherever a command brings some."""
    problem = brought.problem
    return {
        "name": brought.name,
        "path": brought.path,
        "digest": brought.digest or None,
        "written": brought.written,
        "removed": brought.removed,
        "same": brought.same,
        "kept": list(brought.kept),
        "error": problem.what if problem else None,
        "next": problem.hint if problem else None,
    }


def draw(on: Any, brought: Brought) -> None:
    """One dataset: what was written and removed, what stays, why it could not be brought."""
    from rich.markup import escape

    if brought.problem:
        on.print(
            f"[red]✗[/] {escape(brought.name)}: {escape(str(brought.problem))}", soft_wrap=True
        )
        return
    done = [
        f"{count(number, 'file')} {word}"
        for number, word in ((brought.written, "written"), (brought.removed, "removed"))
        if number
    ]
    version = f" {named(brought.digest)}" if brought.digest else " left by another branch"
    on.print(f"{escape(brought.name)}{version}: {', '.join(done) or 'as it was'}", soft_wrap=True)
    if brought.kept:
        shown = ", ".join(path or brought.path for path in brought.kept[:_MOST])
        more = f" and {len(brought.kept) - _MOST} more" if brought.kept[_MOST:] else ""
        on.print(f"  [yellow]kept, as no version has it:[/] {escape(shown)}{more}", soft_wrap=True)


def _draw(on: Any, found: list[Brought]) -> None:
    if not found:
        on.print("no dataset has a pointer here\n  next: tricord add PATH")
        return
    told = [each for each in found if each.written or each.removed or each.kept or each.problem]
    for brought in told:
        draw(on, brought)
    if len(told) < len(found):
        rest = count(len(found) - len(told), "dataset")
        on.print(f"{rest} as the pointers say already")
