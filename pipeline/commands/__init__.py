"""The commands of `corpus` by subject. Each is a thin face of a function; what is slow to import is imported when it is called."""
