"""The shipped YAML files, the strict loader that reads them into frozen dataclasses, and the exception root."""
