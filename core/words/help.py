"""What the command line's help says of verbs and arguments."""

from core.base.errors import JsonValue
from core.words.filling import fill
from core.words.language import PLAIN
from core.words.tables import table


def help_text(
    section: str | tuple[str, ...], entry: str, language: str = PLAIN, /, **facts: JsonValue
) -> str:
    """Return the text of a verb or an argument; empty when the tables have none.

    Args:
        section: a verb, or several in whose sections the entry is sought.
        entry: the argument's name in the program.
        language: a code that `languages()` lists.
        facts: that fill it.
    """
    found = table(language, "help")
    sections = (section,) if isinstance(section, str) else section
    template = next((found[one][entry] for one in sections if entry in found.get(one, {})), "")
    return fill(template, facts)
