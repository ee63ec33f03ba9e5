"""The pictures in messages: where they stand, and the same messages with others in their places. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.models import ImagePart, ImageUrl, Message, TextPart


def has_parts(messages: Sequence[Message]) -> bool:
    """Whether any message is more than a text: only then can there be pictures."""
    for message in messages:  # noqa: SIM110 - each question is looked through twice: `any` costs three times as much
        if not isinstance(message.content, str):
            return True
    return False


def list_places(messages: Sequence[Message]) -> dict[str, str]:
    """The urls of the pictures by their places, such as `messages[0].content[1].image_url.url`."""
    return {
        f"messages[{number}].content[{place}].image_url.url": part.image_url.url
        for number, message in enumerate(messages)
        if not isinstance(message.content, str)
        for place, part in enumerate(message.content)
        if isinstance(part, ImagePart)
    }


def with_urls(messages: Sequence[Message], urls: Mapping[str, str | None]) -> list[Message]:
    """The messages with each picture's url replaced by what it leads to in `urls`; None leaves a word in its place."""

    def told_anew(message: Message) -> Message:
        if isinstance(message.content, str):
            return message
        return Message(message.role, [replaced(part) for part in message.content])

    def replaced(part: TextPart | ImagePart) -> TextPart | ImagePart:
        if isinstance(part, TextPart):
            return part
        url = urls[part.image_url.url]
        return TextPart("[image]") if url is None else ImagePart(ImageUrl(url, part.image_url.detail))

    return [told_anew(message) for message in messages]
