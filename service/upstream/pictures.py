"""The pictures in what a relay wrote: Markdown, download links, data urls, HTML, bare links, behind progress lines.

Pure, and linear in the text's length whatever is in it. Nothing but a data url of an image or a link with a host is
ever given: never text. Whether a link really leads to a picture is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

# Possessive (`++`): what was taken is never given back, so that no text makes the search go over it twice.
# A link may hold one level of parentheses; it ends at a bracket, a quote or white space.
_PLAIN: Final = r"[^\s()<>\[\]\"'`\\^{|}]"
_URL: Final = re.compile(
    rf"data:image/[\w.+-]{{1,32}}(?:;[\w.=-]{{1,40}}){{0,3}};base64,[\w+/=-]++"
    rf"|https?://(?:{_PLAIN}++|\({_PLAIN}*+\)){{1,512}}+",
    re.ASCII | re.IGNORECASE,
)
_MAX_LINK_CHARS: Final = 4096
_MAX_LINKS: Final = 1000
_LOOK_BACK_CHARS: Final = 4000  # some write the whole prompt as the label
_DOWNLOAD: Final = re.compile(r"下载|保存|原图|大图|download|save|original|full.?size", re.IGNORECASE)
_PROGRESS: Final = re.compile(r"进度|排队|生成中|queu|generating|progress|processing|\d\s?%", re.IGNORECASE)
_JSON_PICTURE: Final = re.compile(r'"(?:url|image|image_url|images)"\s{0,4}:\s{0,4}\[?\s{0,4}"$')
_JSON_KEY_CHARS: Final = 40
_TRAILING: Final = ".,;:!?*_~"
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_EXTENSION: Final = re.compile(r"\.([a-z0-9]{2,5})$", re.IGNORECASE)
_PICTURE_EXTENSIONS: Final = frozenset({"png", "jpg", "jpeg", "webp", "gif"})
_MAYBE_A_PICTURE: Final = _PICTURE_EXTENSIONS | {""}
# A file name of this length with a digit in it is somebody's random name, not `image_1`.
_UNMISTAKABLE_CHARS: Final = 12


class _Role(Enum):
    """How a link stands in the text."""

    SHOWN = auto()  # ![..](url), <img src="url">, a data url
    DOWNLOAD = auto()  # [download](url)
    LINK = auto()  # [..](url)
    QUOTED = auto()  # {"url": "url"}
    BARE = auto()
    OTHER = auto()  # the label of a link, a progress line, any other quoted text


class _Link(NamedTuple):
    start: int
    url: str
    role: _Role


def find_pictures(text: str, *, shown_only: bool = False) -> list[str]:
    """The links and data urls of the pictures, each picture once: what is shown, then what is linked.

    `shown_only` takes only what the text shows as a picture: for a chat, where a link may lead anywhere.
    """
    if ":" not in text:
        return []
    links = list(_scan(text))
    if shown_only:
        return _urls(links, _Role.SHOWN)
    return [url for url, picture in _pictures(links, text).items() if url == picture]


def replace_links(text: str, stored: Mapping[str, str]) -> str:
    """The text with the links of stored pictures made ours, further links to the same pictures too.

    Shape: `stored` leads from a link that `find_pictures` gave to the link to write.
    """
    links = list(_scan(text))
    pictures = _pictures(links, text)
    pieces: list[str] = []
    position = 0
    for link in links:
        target = stored.get(pictures.get(link.url, link.url))
        if target is not None:
            pieces += text[position : link.start], target
            position = link.start + len(link.url)
    return "".join((*pieces, text[position:]))


def _pictures(links: list[_Link], text: str) -> dict[str, str]:
    """Each picture's link, and each further link to it, with the link that stands for it.

    What is shown is a picture. A link leads to one of those when both name the same file, or when there are no more
    download links than pictures shown. Any other link is a picture if it ends like one. Only where all this finds
    nothing do weaker signs count.
    """
    shown = _urls(links, _Role.SHOWN)
    pictures = {url: url for url in shown}
    by_file = {_file(url): url for url in reversed(shown)}
    if len(_urls(links, _Role.DOWNLOAD)) <= len(shown):
        pictures = _paired_downloads(links, by_file) | pictures
    for link in links:
        if link.role in (_Role.DOWNLOAD, _Role.LINK) and _extension(link.url) in _PICTURE_EXTENSIONS:
            pictures.setdefault(link.url, by_file.setdefault(_file(link.url), link.url))
    return pictures or {url: url for url in _weak_signs(links, text)}


def _paired_downloads(links: list[_Link], by_file: Mapping[str, str]) -> dict[str, str]:
    """Each download link with the picture of the same file, or else the one in the same place of its row."""
    shown = _urls(links, _Role.SHOWN)
    downloads = _urls(links, _Role.DOWNLOAD)
    in_place = dict(zip(downloads, shown, strict=False))
    return {url: by_file.get(_file(url), in_place[url]) for url in downloads}


def _weak_signs(links: list[_Link], text: str) -> list[str]:
    """A download link that ends like nothing; a bare link that ends like a picture, or one in a JSON answer, but not
    in a stub that repeats the question: that names the pictures it was given."""
    roles = (_Role.BARE,) if '"prompt"' in text else (_Role.BARE, _Role.QUOTED)
    return _urls(links, _Role.DOWNLOAD) or [
        url for url in _urls(links, *roles) if _extension(url) in _PICTURE_EXTENSIONS
    ]


def _urls(links: list[_Link], *roles: _Role) -> list[str]:
    return list(dict.fromkeys(link.url for link in links if link.role in roles))


def _scan(text: str) -> Iterator[_Link]:
    label_may_start = 0
    for match in islice(_URL.finditer(text), _MAX_LINKS):
        before = text[max(label_may_start, match.start() - _LOOK_BACK_CHARS) : match.start()]
        is_label = text.startswith("](", match.end())
        if not is_label:
            label_may_start = match.end()
        if not _is_data(match[0]) and not _has_host(match[0]):
            continue
        role = _Role.OTHER if _is_progress(before) else _role(before, match[0], is_label)
        yield _Link(match.start(), _without_prose(match[0]) if role == _Role.BARE else match[0], role)


def _role(before: str, url: str, is_label: bool) -> _Role:
    """Shape: `before` reaches back to the end of the link before this one at most."""
    opening = before.rstrip(" \t\n").removesuffix("<")
    if _is_data(url):
        return _Role.SHOWN
    if opening.endswith("]("):
        return _link_role(opening, url)
    if opening.endswith(('="', "='")) and opening[opening.rfind("<") :].lower().startswith("<img"):
        return _Role.SHOWN
    if before.endswith('"') and _JSON_PICTURE.search(before[-_JSON_KEY_CHARS:]):
        return _Role.QUOTED
    return _Role.OTHER if is_label or before.endswith('"') else _Role.BARE


def _link_role(opening: str, url: str) -> _Role:
    shown, label = opening.rfind("!["), opening[opening.rfind("![") + 2 : -2]
    if shown >= 0 and label.count("[") == label.count("]"):
        return _Role.SHOWN
    is_download = _DOWNLOAD.search(opening, max(opening.rfind("["), 0)) and _extension(url) in _MAYBE_A_PICTURE
    return _Role.DOWNLOAD if is_download else _Role.LINK


def _without_prose(url: str) -> str:
    """A bare link ends where its sentence goes on."""
    beyond = _NON_ASCII.search(url)
    return url[: beyond.start() if beyond else None].rstrip(_TRAILING)


def _is_progress(before: str) -> bool:
    line = before[before.rfind("\n") + 1 :]
    return line.lstrip().startswith(">") and _PROGRESS.search(line) is not None


def _is_data(url: str) -> bool:
    return url[:5].lower() == "data:"


def _path(url: str) -> str:
    """Escaped slashes are slashes here: some relays put a whole path into one segment."""
    return unquote(urlsplit(url).path)


def _extension(url: str) -> str:
    found = _EXTENSION.search(_path(url))
    return found[1].lower() if found else ""


def _has_host(url: str) -> bool:
    try:
        return len(url) <= _MAX_LINK_CHARS and any(letter.isalnum() for letter in urlsplit(url).hostname or "")
    except ValueError:
        return False


def _file(url: str) -> str:
    """What two links to one picture have in common: an unmistakable file name, or the address but for a `download` in
    its path and a signature behind it."""
    if _is_data(url):
        return url
    parts, path = urlsplit(url), _path(url)
    stem = path.rpartition("/")[2].rpartition(".")[0]
    if len(stem) >= _UNMISTAKABLE_CHARS and any(letter.isdigit() for letter in stem):
        return stem
    query = "" if _extension(url) in _PICTURE_EXTENSIONS else parts.query
    return f"{parts.netloc}{path.replace('/download/', '/')}?{query}"
