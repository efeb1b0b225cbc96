"""Lists that a user keeps as text files: ids, URLs, hosts, words; one entry a line, `#` starts a comment."""

from configs.errors import ConfigError
from configs.loader import find_file


def entries(path: str | None) -> list[str]:
    """The entries of a file, none without one. Raises `ConfigError` if the file is not UTF-8."""
    if path is None:
        return []
    try:
        text = find_file(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: a list must be UTF-8 text: {error}") from None
    lines = (line.strip() for line in text.split("\n"))  # not splitlines: an id may hold U+2028
    return [line for line in lines if line and not line.startswith("#")]
