"""``submit``, ``status``, ``logs``, ``stop``: studies on a Ray cluster, from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from search.cli.parts import NAME, console
from search.cli.run import asked_for, run

OPTIONS_OF_RUN = {"allow_extra_args": True, "ignore_unknown_options": True}
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="The cluster's dashboard (http://127.0.0.1:8265, or $RAY_API_SERVER_ADDRESS).",
        show_default=False,
    ),
]
JobArgument = Annotated[
    str, typer.Argument(help="A study's name, or a job's as `submit` said it.", metavar="NAME")
]


def submit(
    context: typer.Context,
    address: AddressOption = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="DIR",
            help="Folder on the cluster's head of everything that running leaves behind (~/finetune-search).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a study on a Ray cluster, or continue it there: submit STUDY, with the options of `run`.

    The study's files, data of at most 90 MiB and your own modules that it names are sent with it; the cluster's
    machines need what the project depends on.
    """
    from search.jobs.jobs import HOME, Jobs
    from search.reading import load_spec
    from spaces import InputError

    given = _as_run(context.args)
    if given["like"] is not None:
        raise InputError(
            f"`submit` needs a study's name or file, but got --like {given['like']}, which is in a store of this "
            "machine"
        )
    study, overrides = asked_for(given)
    spec = load_spec(study, overrides)
    job, secret = Jobs(address).submit(spec, store or HOME, center_lr=given["center_lr"])
    for name in secret:
        typer.echo(
            f"${name} was not sent: it holds a password, and a job's settings can be read by all who see the "
            "cluster's pages; set it on the cluster's machines"
        )
    at = f" --address {address}" if address else ""
    typer.echo(f"submitted {job}")
    typer.echo(f"  {NAME} logs {job} --follow{at}   # what it says")
    typer.echo(f"  {NAME} stop {job}{at}")


def status(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A study's name, or a job's; all without one.", metavar="NAME", show_default=False
        ),
    ] = None,
    address: AddressOption = None,
) -> None:
    """The studies that were submitted to a cluster."""
    from search.jobs.jobs import Jobs
    from search.view.jobs import print_jobs

    jobs = Jobs(address)
    print_jobs(jobs.all() if name is None else [jobs.find(name)], console())


def logs(
    name: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it is over.")] = False,
    address: AddressOption = None,
) -> None:
    """What a submitted study says."""
    from search.jobs.jobs import Jobs

    jobs = Jobs(address)
    job = jobs.find(name)
    for said in jobs.follow(job) if follow else [jobs.logs(job)]:
        typer.echo(said, nl=False)


def stop(name: JobArgument, address: AddressOption = None) -> None:
    """Let a submitted study end its epochs and stop; submitting it again goes on with it."""
    from search.jobs.jobs import Jobs

    jobs = Jobs(address)
    job = jobs.find(name)
    typer.echo(f"{job.id} ends its epochs and stops" if jobs.stop(job) else f"{job.id} was over already")


def _as_run(arguments: Sequence[str]) -> dict[str, Any]:
    """What `run` would be called with."""
    program = typer.Typer()
    program.command()(run)
    command: Any = typer.main.get_command(program)
    parameters: dict[str, Any] = command.make_context(f"{NAME} submit", list(arguments)).params
    return {**parameters, "address": None}
