"""Company and listing names, parsed: what identifies (tokens) is told from what does not (form, class, line noise).

Nothing is dropped silently: `parse_name` keeps what leaves the tokens in a field of its own. Parsing is a pure function
of the text, and the same for a record and for a reference. Names become ASCII here, one by one where they are not; all
else is one compiled pass over as many names as there are (`read_names`), by the rules of `matching.name_tables`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from matching.name_tables import HIDDEN, HOMOGLYPHS, INSTRUMENTS, MARKS

MAX_TOKENS = 16
LONGEST_NAME = 512  # characters that are read: no company has a longer name, and some patterns are slow on long texts
FEED_WIDTHS = range(28, 33)  # feeds cut names at 30 or 31 characters: at this length the last word may be a fragment
MOST_DIGITS = 2
MEANINGLESS = frozenset({"Cn", "Co"})
FLAGS = (
    "hidden_characters", "mixed_script", *(f"instrument:{kind}" for kind, _ in INSTRUMENTS),
    "overlong", "truncated", "untransliterated", "empty", "illegible",
)  # fmt: skip
_WORD = re.compile(r"\w+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class ParsedName:
    """A name in its parts.

    tokens: lower-case ASCII words without legal form and line noise, at most MAX_TOKENS of them.
    line_noise: what was taken off, in words; also what stands after the last token that fits.
    flags: `empty`, `truncated` (may have been cut by a feed), `overlong` (more than MAX_TOKENS words or LONGEST_NAME
    characters), `mixed_script` (letters of another script among Latin ones), `hidden_characters`, `untransliterated`
    (no letter that could be read), `illegible` (as written a single letter, a number of two digits, or characters that
    mean nothing: one letter of another script may become a company's name in Latin ones), `instrument:<kind>`.
    """

    raw: str
    tokens: tuple[str, ...]
    legal_form: str
    share_class: str
    line_noise: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def core(self) -> str:
        """The tokens joined by a space: equal cores are the same name."""
        return " ".join(self.tokens)


@dataclass(frozen=True)
class ReadNames:
    """n names as the compiled pass gives them.

    Token t of name i is spelling[rooms[i] + token_ends[i, t - 1] : rooms[i] + token_ends[i, t]] (0 before the first).
    counts: int32 [n], of all tokens, also of those after MAX_TOKENS. form: int64 [n], see `form_text`.
    share_class: uint8 [n], a letter or 0. flags: uint16 [n], bit i for FLAGS[i]. noise: each part and a line feed, then
    the tokens that do not fit; only where it was asked for.
    """

    spelling: NDArray[np.uint8]
    rooms: NDArray[np.int64]
    token_ends: NDArray[np.int32]
    counts: NDArray[np.int32]
    form: NDArray[np.int64]
    share_class: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    noise: str = ""


def parse_name(raw: str | None) -> ParsedName:
    """Parse one name. `None` and blank text give no tokens and the flag `empty`."""
    read = read_names([raw], with_noise=True)
    ends = read.token_ends[0, : read.counts[0]].tolist()
    text = read.spelling[: max(ends, default=0)].tobytes().decode()
    tokens = tuple(text[a:b] for a, b in zip([0, *ends], ends, strict=False))
    flags = tuple(f for i, f in enumerate(FLAGS) if int(read.flags[0]) >> i & 1)
    *noise, behind = read.noise.split("\n")
    if "overlong" in flags:
        noise.append((behind + " ".join((raw or "").split())[LONGEST_NAME:]).strip())
    letter = chr(read.share_class[0]) if read.share_class[0] else ""
    return ParsedName(raw or "", tokens, form_text(int(read.form[0])), letter, tuple(noise), flags)


def form_text(form: int) -> str:
    """A legal form in words: its parts, from the first to the last."""
    from matching.name_rules import rules
    from matching.word_kernels import FORM_BITS

    parts = []
    while form:
        parts.append(rules()[1][(form & (1 << FORM_BITS) - 1) - 1])
        form >>= FORM_BITS
    return " ".join(parts)


def flag_bits(flags: Iterable[str]) -> int:
    """Flags as they stand in `ReadNames.flags`."""
    return sum(1 << FLAGS.index(f) for f in flags)


def read_names(names: Sequence[str | None], with_noise: bool = False) -> ReadNames:
    """Read names. `with_noise` is for one name only: what leaves the tokens is of use to who looks at that name."""
    from matching.line_kernels import read_lines
    from matching.name_rules import programs, rules
    from matching.word_kernels import read_words

    texts = [n or "" for n in names]
    widths, wholes = np.full(len(texts), -1, np.int32), np.full(len(texts), -1, np.int32)
    flags = np.zeros(len(texts), np.uint16)
    if not "".join(texts).isascii():
        for i in (i for i, text in enumerate(texts) if not text.isascii()):
            widths[i], wholes[i] = len(texts[i].strip()), len(" ".join(texts[i].split()))
            texts[i], flags[i] = _latin(texts[i])
    starts = np.fromiter(accumulate(map(len, texts), initial=0), np.int64, len(texts) + 1)
    raw = np.frombuffer("".join(texts).encode(), np.uint8)
    noise = np.empty(20 * len(raw) + 400 if with_noise else 0, np.uint8)  # no rule writes more than that
    text, sizes, share_class, kinds, plain, noted = read_lines(
        raw, starts, widths, wholes, programs(), len(INSTRUMENTS), LONGEST_NAME, noise
    )
    truncated = (widths >= FEED_WIDTHS.start) & (widths < FEED_WIDTHS.stop)
    spelling, rooms, token_ends, counts, form = read_words(
        text, starts, sizes, plain, truncated, rules()[0], MAX_TOKENS, noise, noted
    )
    flags |= kinds.astype(np.uint16) << FLAGS.index(f"instrument:{INSTRUMENTS[0][0]}")
    for flag, there in (
        ("overlong", (counts > MAX_TOKENS) | (wholes > LONGEST_NAME)),
        ("truncated", truncated),
        ("untransliterated", (counts == 0) & (wholes > 0)),
        ("empty", (counts == 0) & (wholes == 0)),
    ):
        flags |= there.astype(np.uint16) << FLAGS.index(flag)
    for i in np.flatnonzero((counts == 1) & (token_ends[:, 0] <= 2)).tolist():
        if _is_illegible(names[i] or ""):
            flags[i] |= flag_bits(["illegible"])
    kept = noise[: noted[0]].tobytes().decode() if with_noise else ""
    return ReadNames(spelling, rooms, token_ends, counts, form, share_class, flags, kept)


@lru_cache(maxsize=65536)
def _latin(raw: str) -> tuple[str, int]:
    """ASCII of any script, cut to length, and flags as bits.

    Letters that only look Latin are read as what they look like.
    """
    text = unicodedata.normalize("NFKC", MARKS.sub(" ", " ".join(raw.split())[:LONGEST_NAME]))
    flags = set()
    if HIDDEN.search(text):
        flags.add("hidden_characters")
        text = HIDDEN.sub("", text)
    text, mixed = _mend_homoglyphs(text)
    if mixed:
        flags.add("mixed_script")
    if text and _is_illegible(text):
        flags.add("illegible")
    return _ascii(text), flag_bits(flags)


def _is_illegible(text: str) -> bool:
    """Whether a text with letters or digits is no name: see the flag `illegible`. Meaning is Unicode's: Cn and Co."""
    said = "".join(filter(str.isalnum, text))
    short = len(said) == 1 or (said.isdigit() and len(said.lstrip("0")) <= MOST_DIGITS)
    return short or not MEANINGLESS.isdisjoint(map(unicodedata.category, text))


def _mend_homoglyphs(text: str) -> tuple[str, bool]:
    """Mend words of Latin and other letters, and, where a name has Latin letters, words of nothing but look-alikes.

    Returns the text, and whether there was such a word.
    """
    if text.isascii() or not _ASCII_LETTER.search(text):
        return text, False
    mixed = False

    def mend(match: re.Match[str]) -> str:
        nonlocal mixed
        word = match.group()
        among_latin = _ASCII_LETTER.search(word) and any(map(_is_foreign, word))
        if not among_latin and not all(ord(c) in HOMOGLYPHS for c in word):
            return word
        mixed = True
        return word.translate(HOMOGLYPHS)

    return _WORD.sub(mend, text), mixed


def _is_foreign(letter: str) -> bool:
    """Whether a letter may be taken for a Latin one: a known look-alike, or of another script that has capitals."""
    other = letter.lower() != letter.upper() and not unicodedata.name(letter, "LATIN").startswith("LATIN")
    return other or ord(letter) in HOMOGLYPHS


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    from rigour.text.translit import ascii_text

    return str(ascii_text(text)).encode("ascii", "replace").decode()
