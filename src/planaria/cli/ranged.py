"""Help that shows the range of each numeric setting: `[in 1..4096]`."""

from functools import cached_property

from cyclopts.help import DefaultFormatter, HelpPanel
from cyclopts.help.inline_text import InlineText
from rich.console import Console, ConsoleOptions
from rich.text import Text

from planaria.config import describe


class Ranged:
    """Formatter of the help of a command whose options are the settings of the dataclass `cls`, dashed or not."""

    def __init__(self, cls: type):
        self._cls, self._plain = cls, DefaultFormatter()

    @cached_property
    def _ranges(self) -> dict[str, str]:
        found = {f"--{field.key}": field.range for field in describe(self._cls) if field.range}
        return found | {name.replace("_", "-"): words for name, words in found.items()}

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel, the range of each setting after its sentence."""
        for entry in panel.entries:
            words = next((self._ranges[name] for name in entry.names if name in self._ranges), "")
            if words and isinstance(entry.description, InlineText):
                entry.description.append(Text(f"[{words}]", "cyclopts.choices"))
        self._plain(console, options, panel)
