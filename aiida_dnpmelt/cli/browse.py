"""Look at what a profile holds in a browser."""

from __future__ import annotations

import os
import threading
import webbrowser
from contextlib import suppress

import click

from aiida_dnpmelt.cli.options import profile_option

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to listen on. Default: one that is free.", metavar="PORT"
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@profile_option
def browse(port: int | None, no_open: bool) -> None:
    """Show melting temperatures, their reports and what they stand on as pages, until Ctrl-C ends it.

    The pages can be reached from this machine only, and change nothing.
    """
    from aiida.manage import get_manager

    try:
        from aiida_dnpmelt.browse.server import HOST, listen, make_app, serve
        from aiida_dnpmelt.browse.shelf import Shelf
    except ImportError as exception:
        message = f"{exception}: the pages need the extra [browse], pip install 'aiida-dnpmelt[browse]'"
        raise click.ClickException(message) from exception
    try:
        listening = listen(port or 0)
    except OSError as exception:
        message = f"--port: {port} cannot be listened on: {exception.strerror}; leave it out for one that is free"
        raise click.ClickException(message) from exception
    profile, shelf = get_manager().get_profile(), Shelf()
    assert profile is not None
    number = len(shelf.points())
    url = f"http://{HOST}:{listening.getsockname()[1]}/"
    with suppress(KeyboardInterrupt):
        click.echo(f"profile {profile.name} (melting temperatures: {number}) is at {url} - Ctrl-C ends it")
        if not no_open and any(os.environ.get(name) for name in _SCREENS):
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        serve(make_app(profile.name, shelf), listening)
    click.echo(" ended")
