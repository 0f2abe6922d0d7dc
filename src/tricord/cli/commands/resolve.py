"""`tricord resolve`: solve the conflict of a dataset that two branches changed."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, count, named, size, table
from tricord.cli.commands import checkout
from tricord.cli.progress import bar
from tricord.core.errors import DataError
from tricord.core.pointer import Pointer
from tricord.data.merging import Merged, Resolved, compare, resolve
from tricord.data.seeing import WHOLE
from tricord.project import conflicts
from tricord.project.conflicts import Conflict
from tricord.project.project import Project

EXAMPLE = "tricord resolve flights --merge"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="the dataset (default: show every conflict)"
    )
    parser.add_argument("--ours", action="store_true", help="take the version of this branch")
    parser.add_argument("--theirs", action="store_true", help="take that of the branch merged in")
    parser.add_argument("--merge", action="store_true", help="merge both, file by file")
    parser.add_argument(
        "--prefer", choices=("ours", "theirs"), help="--merge: whose file, where both changed it"
    )
    parser.add_argument(
        "--force", action="store_true", help="throw changes away that are saved nowhere"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    chosen = [how for how in ("ours", "theirs", "merge") if getattr(arguments, how)]
    if len(chosen) > 1 or (arguments.prefer and chosen != ["merge"]):
        raise DataError(
            "take one side, or merge", hint="tricord resolve NAME --merge --prefer ours"
        )
    if not chosen:
        found = (
            [conflicts.get(project.root, arguments.name)]
            if arguments.name
            else conflicts.find_all(project.root)
        )
        shown = [(conflict, compare(project, conflict)) for conflict in found]
        return Answer([_to_json(*each) for each in shown], lambda on: _draw(on, shown))
    if not arguments.name:
        raise DataError("which dataset?", hint=f"tricord resolve NAME --{chosen[0]}")
    with bar("checking out") as watch:
        done = resolve(
            project,
            arguments.name,
            chosen[0],  # pyright: ignore[reportArgumentType] - one of the three
            prefer=arguments.prefer,
            force=arguments.force,
            watch=watch,
        )
    pointer = done.pointer
    data = {
        "name": done.name,
        "digest": pointer.digest if pointer else None,
        "brought": checkout.to_json(done.brought) if done.brought else None,
        "merged": _merged(done.merged),
    }
    return Answer(data, lambda on: _draw_done(on, done))


def _to_json(conflict: Conflict, merged: Merged | None) -> dict[str, Any]:
    return {
        "name": conflict.name,
        "file": str(conflict.file),
        "base": _side(conflict.base),
        "ours": _side(conflict.ours),
        "theirs": _side(conflict.theirs),
        "merge": _merged(merged),
    }


def _side(side: Pointer | None) -> dict[str, Any] | None:
    return side and {"digest": side.digest, "size": side.size, "files": side.files}


def _merged(merged: Merged | None) -> dict[str, Any] | None:
    return merged and {
        "from_ours": merged.from_ours,
        "from_theirs": merged.from_theirs,
        "clashes": list(merged.clashes),
        "said": list(merged.said),
    }


def _draw(on: Any, shown: list[tuple[Conflict, Merged | None]]) -> None:
    from rich.markup import escape

    if not shown:
        on.print("no dataset is in conflict")
    for conflict, merged in shown:
        drawn = table(
            "side", "digest", "files", "size", title=conflict.name, right=("files", "size")
        )
        for word in ("base", "ours", "theirs"):
            side: Pointer | None = getattr(conflict, word)
            if side is None:
                drawn.add_row(word, "–" if word == "base" else "deleted", "", "")
            else:
                drawn.add_row(word, named(side.digest), f"{side.files:,}", size(side.size))
        on.print(drawn)
        if merged is not None:
            whole = conflict.ours.path if conflict.ours else conflict.name
            clashes = ", ".join(path or whole for path in merged.clashes[:5])
            on.print(
                f"a merge takes {count(merged.from_ours, 'change')} of ours and "
                f"{merged.from_theirs:,} of theirs; both changed {count(len(merged.clashes), 'file')}"
                + (f": {clashes}" if clashes else ""),
                markup=False,
                soft_wrap=True,
            )
            _draw_said(on, merged)
        on.print(
            f"  next: tricord resolve {escape(conflict.name)} {_ways(conflict, merged)}",
            soft_wrap=True,
        )


def _ways(conflict: Conflict, merged: Merged | None) -> str:
    """The options that would solve a conflict. Of one file that both changed, and of a deletion, a merge is
    no more than a side; where its content is not here, it may be tried after a fetch."""
    if None in (conflict.ours, conflict.theirs) or (merged and WHOLE in merged.clashes):
        return "--ours or --theirs"
    prefer = " --prefer ours" if merged is not None and merged.clashes else ""
    return f"--ours, --theirs or --merge{prefer}"


def _draw_said(on: Any, merged: Merged) -> None:
    if merged.said:
        named = ", ".join(merged.said)
        on.print(
            f"both changed {named}, too: as the preferred side has it, or ours",
            markup=False,
            soft_wrap=True,
        )


def _draw_done(on: Any, done: Resolved) -> None:
    from rich.markup import escape

    if done.pointer is None:
        files = count(done.brought.removed if done.brought else 0, "file")
        on.print(f"{escape(done.name)} is gone, as on the branch that deleted it: {files} removed")
    elif done.brought:
        checkout.draw(on, done.brought)
    if done.merged is not None:
        _draw_said(on, done.merged)
    if done.absent:
        on.print(f"its content is not in the store\n  next: tricord pull {escape(done.name)}")
    else:
        on.print("  next: git commit")
