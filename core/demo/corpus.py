"""The text of the demo model: one public-domain book, split and wrapped as chats, and other English.

The book is `resources/demo/text/alice29.txt` (Lewis Carroll, Alice's Adventures in Wonderland, 1865), byte
for byte as the Canterbury corpus has it. Split rule: chapters I to XI are for training, chapter XII is held
out; nothing of chapter XII is seen by the tokenizer, by the plain lines or by the chat lines. Three more
texts of that corpus teach the language that one short book cannot; sources and digests:
`resources/demo/text/README.md`.
"""

import random
import re
from dataclasses import dataclass
from importlib import resources

TEXT_NAME = "alice29.txt"
TEXT_SHA256 = "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0"
OTHER_TEXTS = {
    "asyoulik.txt": "eaa3526fe53859f34ecdf255712f9ecf0b2c903451d4755b2edaa2e2599cb0fc",
    "lcet10.txt": "5314ba1dbb03f471df88bec6cd120a938ef60d0fd3511c5c1dce61bf7463245f",
    "plrabn12.txt": "07e2e0b461af78c7c647cb53dab39de560198e16f799b4516eccf0fbd69f764c",
}
HELD_OUT_HEADING = "CHAPTER XII."

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_HEADING = re.compile(r"CHAPTER ([IVX]+)")
_VERSE_INDENT = 4
_ABOUT = ("Tell me about {}.", "What do you know about {}?", "Who is {}?", "{}", "And {}?")
_CONTINUE = ("{}", "{}", "Go on: {}", "Continue: {}")
_FREELY = ("Hello!", "Hello, who are you?", "Hi", "Tell me a story.", "What happened next?", "Please go on.")
_TOPICS = {
    "Alice": "Alice",
    "the White Rabbit": "Rabbit",
    "the Queen": "Queen",
    "the King": "King",
    "the Duchess": "Duchess",
    "the Hatter": "Hatter",
    "the March Hare": "March Hare",
    "the Dormouse": "Dormouse",
    "the Cheshire Cat": "Cat",
    "the Caterpillar": "Caterpillar",
    "the Mock Turtle": "Mock Turtle",
    "the Gryphon": "Gryphon",
    "the Mouse": "Mouse",
    "the Dodo": "Dodo",
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Cleaned text; paragraphs are separated by one empty line, verse keeps its line breaks."""

    train: str
    held_out: str
    other: str


def load_corpus() -> Corpus:
    """Return the packaged book, cleaned and split."""
    other = "\n\n".join("\n\n".join(paragraphs(read_text(name))) for name in OTHER_TEXTS)
    return split(clean(read_text(TEXT_NAME)), other)


def read_text(name: str) -> str:
    """Return one packaged text as it is, decoded; the texts are ASCII but for a few letters."""
    return (resources.files("resources") / "demo" / "text" / name).read_bytes().decode("latin-1")


def clean(raw: str) -> str:
    """Join wrapped lines into paragraphs, keep verse lines, drop title page and rows of asterisks."""
    lines = raw.replace("\r\n", "\n").split("\n")
    first = next(index for index, line in enumerate(lines) if _HEADING.fullmatch(line.strip()))
    return "\n\n".join(_join_headings(paragraphs("\n".join(lines[first:])))) + "\n"


def paragraphs(raw: str) -> list[str]:
    """Return the paragraphs, one line each, or the lines of a verse or stage direction."""
    blocks = re.split(r"\n[ \t]*\n", raw.replace("\r\n", "\n"))
    return [text for text in map(_paragraph, blocks) if text]


def split(text: str, other: str = "") -> Corpus:
    """Split at the heading of chapter XII."""
    cut = text.index(HELD_OUT_HEADING)
    return Corpus(train=text[:cut], held_out=text[cut:], other=other)


def chat_lines(train: str, rng: random.Random, count: int) -> list[str]:
    """Return `count` chats whose answers are passages of the book: go on from here, or speak of someone."""
    passages = [
        text for text in train.split("\n\n") if len(text.split()) > 30 and not text.startswith("CHAPTER")
    ]
    by_topic = {topic: [text for text in passages if word in text] for topic, word in _TOPICS.items()}
    makers = (_continuation, _continuation, _about, _free)
    return [makers[index % len(makers)](passages, by_topic, rng) for index in range(count)]


def chat(prompt: str, answer: str) -> str:
    """Return one exchange in the form of `CHAT_TEMPLATE`."""
    return f"{TURN_START}user\n{prompt}{TURN_END}\n{TURN_START}assistant\n{answer}{TURN_END}\n"


def _paragraph(block: str) -> str:
    lines = [line for line in block.split("\n") if line.strip(" *\t\x1a")]
    verse = all(line.startswith(" " * _VERSE_INDENT) for line in lines)
    joined = ("\n" if verse else " ").join(re.sub(r" {2,}", " ", line.strip()) for line in lines)
    # The file's hyphenation at line ends ("sheep-\nbells") is always of a hyphenated word.
    return re.sub(r"(?<=\w)- (?=\w)", "-", joined).replace("`", "'")


def _join_headings(texts: list[str]) -> list[str]:
    """Turn "CHAPTER I" and the title below it into one line "CHAPTER I. Title"."""
    joined: list[str] = []
    for text in texts:
        if joined and _HEADING.fullmatch(joined[-1]):
            joined[-1] = f"{joined[-1]}. {text}"
        else:
            joined.append(text)
    return joined


def _passage(text: str, rng: random.Random) -> str:
    """Return the beginning of a paragraph, one to four sentences long."""
    sentences = re.findall(r".+?(?:[.!?]['\")]*(?= |$)|$)", text, re.DOTALL)
    return "".join(sentences[: rng.randint(1, 4)]).strip() or text


def _continuation(passages: list[str], by_topic: dict[str, list[str]], rng: random.Random) -> str:
    del by_topic
    words = rng.choice(passages).split(" ")
    taken = rng.randint(2, 10)
    return chat(rng.choice(_CONTINUE).format(" ".join(words[:taken])), _passage(" ".join(words[taken:]), rng))


def _about(passages: list[str], by_topic: dict[str, list[str]], rng: random.Random) -> str:
    del passages
    topic = rng.choice([name for name, texts in by_topic.items() if texts])
    return chat(rng.choice(_ABOUT).format(topic), _passage(rng.choice(by_topic[topic]), rng))


def _free(passages: list[str], by_topic: dict[str, list[str]], rng: random.Random) -> str:
    del by_topic
    return chat(rng.choice(_FREELY), _passage(rng.choice(passages), rng))
