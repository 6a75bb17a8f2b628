"""The command line: ``finetune-search``, also ``python -m search``."""

from typing import NoReturn

import typer

from search.cli import compare, curves, data, jobs, predict, preflight, recipes, run, studies
from search.cli.parts import NAME
from search.exits import run_as_program

app = typer.Typer(
    name=NAME,
    help="Find the best way to fine-tune a pretrained image classifier, with the least compute.",
    epilog=f"Try: {NAME} run digits  (a few minutes on a laptop, nothing to download)",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(run.run)
app.command()(run.confirm)
app.command()(run.perturb)
app.command()(compare.compare)
app.command()(data.check)
app.command()(preflight.preflight)
app.command(name="list")(studies.list_studies)
app.command()(studies.show)
app.command()(studies.report)
app.command()(studies.inspect)
app.command()(studies.log)
app.command()(studies.best)
app.command()(recipes.train)
app.command()(predict.predict)
app.command()(curves.rehearse)
app.command()(curves.record)
app.command(context_settings=jobs.OPTIONS_OF_RUN, options_metavar="[OPTIONS] STUDY [OPTIONS OF run]")(
    jobs.submit
)
app.command()(jobs.status)
app.command()(jobs.logs)
app.command()(jobs.stop)
app.command()(studies.clean)
app.command()(studies.ui)


def main() -> NoReturn:
    """Run the command line; exit 0 when done, 2 for bad input with one sentence, 1 for anything else."""
    run_as_program(app, NAME)
