"""When two URLs are one: the scheme, `www.`, letter case of the host, the fragment and a slash at the end make no difference.

The query stays: on many sites it names the page. Nothing is decoded or sorted in it.
"""

from urllib.parse import urlsplit


def url_key(url: str | None) -> str | None:
    """What equal URLs have in common; None for what is no URL with a host.

    >>> url_key("HTTPS://www.Example.org/a/?q=1#top")
    'example.org/a?q=1'
    """
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    query = f"?{parts.query}" if parts.query else ""
    return f"{host.removeprefix('www.')}{f':{port}' if port else ''}{parts.path.rstrip('/')}{query}"
