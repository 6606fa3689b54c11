"""Groups of commands that are imported one by one: a command when it is called, not when it is listed or completed."""

from importlib import import_module

import rich_click as click


class Elsewhere(click.RichCommand):
    """A command as lists, help and completion name it; :meth:`there` imports what it is."""

    def __init__(self, module: str, attribute: str, help: str) -> None:
        super().__init__(name=attribute.rstrip("_").replace("_", "-"), help=help)
        self._module = module
        self._attribute = attribute

    def there(self) -> click.Command:
        """Import the command and return it."""
        found: click.Command = getattr(import_module(f"cjsm.command.{self._module}"), self._attribute)
        return found


class Group(click.RichGroup):
    """A group that may have commands elsewhere."""

    def elsewhere(self, module: str, **commands: str) -> None:
        """Add commands of another module, by the names that they have there.

        :param module: below :mod:`cjsm.command`.
        :param commands: for each the first paragraph of its help, which is what lists of commands show.
        """
        for attribute, help in commands.items():
            self.add_command(Elsewhere(module, attribute, help))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See :class:`click.Group`; who calls a command gets the command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.there() if isinstance(command, Elsewhere) else command, rest
