"""When two URLs are one: the scheme, `www.`, letter case of the host, a dot behind it, the fragment and a slash at the end do not count.

The query stays: on many sites it names the page. Nothing is decoded or sorted in it.
"""

from urllib.parse import SplitResult, urlsplit


def url_key(url: str | None) -> str | None:
    """What equal URLs have in common; None for what is no URL with a host.

    >>> url_key("HTTPS://www.Example.org./a/?q=1#top")
    'example.org/a?q=1'
    """
    parts = _parts(url)
    if parts is None:
        return None
    port = f":{parts.port}" if parts.port else ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{_host(parts)}{port}{parts.path.rstrip('/')}{query}"


def host_of(url: str | None) -> str | None:
    """The host of a URL, without `www.` and port; None for what is no URL with a host."""
    parts = _parts(url)
    return _host(parts) if parts else None


def _parts(url: str | None) -> SplitResult | None:
    try:
        parts = urlsplit(url or "")
        return parts if parts.hostname and (parts.port is None or parts.port >= 0) else None  # reading the port checks it
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").removeprefix("www.").rstrip(".")
