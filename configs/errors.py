"""The exception root. Everything that a user can cause derives from `CorpusError` and carries its own next step.

The command line prints such an error as one message and exits with status 2; anything else is a defect of ours and keeps its
traceback.
"""


class CorpusError(Exception):
    """A failure that a user can understand and mend: who, what, got, wanted, next step, and where."""


class ConfigError(CorpusError, ValueError):
    """A setting is unknown, of the wrong type, impossible, or names something that does not exist."""


class InputError(CorpusError):
    """An input file or folder is missing, unreadable, or not what the configuration says it is."""


class RunError(CorpusError):
    """A run cannot start, continue or finish: another configuration in the output folder, too little memory, lost work."""
