"""Company and listing names, parsed: what identifies (tokens) is told from what does not (form, class, line noise).

`parse_name` never drops anything silently: what leaves the tokens is kept in a field of its own. Parsing is a pure
function of the text, and the same for a record and for a reference.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from matching.name_tables import (
    ABBREVIATIONS,
    ARTICLES,
    BRACKETED_STATE,
    CUT_FORMS,
    CUT_LINES,
    FORM_ALIASES,
    HIDDEN,
    HOLDING,
    HOMOGLYPHS,
    INSTRUMENTS,
    LEADING_THE,
    MARKS,
    MAY_BE_INSTRUMENT,
    NUMBER_WORDS,
    NUMBERED,
    PAR_VALUE,
    PAR_VALUE_CUT,
    PAR_VALUE_PENCE,
    PREFIX_FORMS,
    ROMAN,
    SHARE_CLASS,
    STOP_TOKENS,
    TRAILING_CLASS,
)

MAX_TOKENS = 16
LONGEST_NAME = 512  # characters that are read: no company has a longer name, and some patterns are slow on long texts
FEED_WIDTHS = range(28, 33)  # feeds cut names at 30 or 31 characters: at this length the last word may be a fragment
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_INITIALS = re.compile(r"\b(?:[a-z]\.\s?){2,}(?:[a-z]\b)?\.?|\b[a-z](?:\s[a-z]){2,}\b")
_WORD = re.compile(r"\w+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class ParsedName:
    """A name in its parts.

    tokens: lower-case ASCII words without legal form and line noise, at most MAX_TOKENS of them.
    line_noise: what was taken off, in words; also what stands after the last token that fits.
    flags: `empty`, `truncated` (may have been cut by a feed), `overlong` (more than MAX_TOKENS words or LONGEST_NAME
    characters), `mixed_script` (letters of another script among Latin ones), `hidden_characters`, `untransliterated`
    (no letter that could be read), `instrument:<kind>`.
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


def parse_name(raw: str | None) -> ParsedName:
    """Parse one name. `None` and blank text give no tokens and the flag `empty`."""
    flags: list[str] = []
    noise: list[str] = []
    whole = " ".join((raw or "").split())
    text = _latin(whole[:LONGEST_NAME], flags)
    truncated = len((raw or "").strip()) in FEED_WIDTHS
    text, share_class = _cut_line_noise(text, noise, flags)
    tokens, legal_form = _split(text, truncated, noise)
    if not tokens:  # the whole name looked like noise (`Units`, `The`): then it is the name
        text = _latin(whole[:LONGEST_NAME], [])
        tokens, noise, share_class = tuple(_SEPARATOR.sub(" ", text).split()), [], ""
    if len(tokens) > MAX_TOKENS or len(whole) > LONGEST_NAME:
        flags.append("overlong")
        noise.append(" ".join((*tokens[MAX_TOKENS:], whole[LONGEST_NAME:])).strip())
    if truncated:
        flags.append("truncated")
    if not tokens:
        flags.append("untransliterated" if whole else "empty")
    return ParsedName(raw or "", tokens[:MAX_TOKENS], legal_form, share_class, tuple(noise), tuple(flags))


def _latin(raw: str, flags: list[str]) -> str:
    """Lower-case ASCII of any script; letters that only look Latin are read as what they look like."""
    text = raw
    if not raw.isascii():
        text = unicodedata.normalize("NFKC", MARKS.sub(" ", raw))
        if HIDDEN.search(text):
            flags.append("hidden_characters")
            text = HIDDEN.sub("", text)
        text = _mend_homoglyphs(text, flags)
        text = _ascii(text)
    return " ".join(text.lower().split())


def _mend_homoglyphs(text: str, flags: list[str]) -> str:
    """Mend words of Latin and other letters, and, where a name has Latin letters, words of nothing but look-alikes."""
    if text.isascii() or not _ASCII_LETTER.search(text):
        return text

    def mend(match: re.Match[str]) -> str:
        word = match.group()
        among_latin = _ASCII_LETTER.search(word) and any(map(_is_foreign, word))
        if not among_latin and not all(ord(c) in HOMOGLYPHS for c in word):
            return word
        if "mixed_script" not in flags:
            flags.append("mixed_script")
        return word.translate(HOMOGLYPHS)

    return _WORD.sub(mend, text)


def _is_foreign(letter: str) -> bool:
    """Whether a letter may be taken for a Latin one: a known look-alike, or of another script that has capitals."""
    other = letter.lower() != letter.upper() and not unicodedata.name(letter, "LATIN").startswith("LATIN")
    return other or ord(letter) in HOMOGLYPHS


@lru_cache(maxsize=65536)
def _ascii(text: str) -> str:
    from rigour.text.translit import ascii_text

    return str(ascii_text(text))


def _cut_line_noise(text: str, noise: list[str], flags: list[str]) -> tuple[str, str]:
    """Take the security line off the name: par values, instrument words, holding words, state suffixes, share class."""
    share_class = ""

    def keep(match: re.Match[str]) -> str:
        noise.append(match.group().strip(" ,-()/"))
        return " "

    if any(c.isdigit() for c in text):
        text = PAR_VALUE.sub(keep, text)
        text = PAR_VALUE_PENCE.sub(keep, text)
    for kind, pattern in INSTRUMENTS if MAY_BE_INSTRUMENT.search(text) else ():
        found = pattern.search(text)
        if found and text[: found.start()].strip(" -,("):
            cut = found.group()
            named = SHARE_CLASS.search(" " + cut)
            share_class = share_class or (named.group(1) if named else "")
            noise.append(cut.strip(" ,-()"))
            flags.append(f"instrument:{kind}")
            text = text[: found.start()].rstrip(" -,(/")
    text = PAR_VALUE_CUT.sub(keep, text)
    for _ in range(4):
        before = text
        text = LEADING_THE.sub(" ", text).strip()
        text = HOLDING.sub(keep, text).rstrip(" ,-")
        text = BRACKETED_STATE.sub(keep, text).rstrip(" ,-")
        if text == before:
            break
    for pattern in (SHARE_CLASS, TRAILING_CLASS):
        named = pattern.search(text)
        if named and text[: named.start()].strip() and not text[named.end() :].strip():
            share_class = share_class or named.group(1)
            noise.append(named.group().strip(" -)"))
            text = text[: named.start()].rstrip(" -,(")
    return text, share_class


def _split(text: str, truncated: bool, noise: list[str]) -> tuple[tuple[str, ...], str]:
    """Words of a cleaned text, without the legal form that ends (or begins) it."""
    initials = {i.group(): re.sub(r"[.\s]", "", i.group()) for i in _INITIALS.finditer(text)}
    text = _INITIALS.sub(lambda i: f" {initials[i.group()]} ", text)
    text = text.replace("&", " and ").replace("+", " and ").replace("'", "").replace("`", "").replace("/", " ")
    text = re.sub(r"(?<=[a-z]{3})\.com\b|(?<=[a-z]{3})\.(?:net|org)\b", " com", text)
    words = [w for w in _SEPARATOR.split(text) if w]
    forms: list[str] = []
    if truncated and len(words) > 2 and _is_cut_off(words):
        noise.append(words.pop())
    while len(words) > 1:
        if _joins(words, -1) and not truncated:  # a cut name may go on after it: `FIRST TRUST COMPANY OF`
            words.pop()
            continue
        for width in (5, 4, 3, 2, 1):
            if width < len(words) and words[-width] not in ROMAN and (form := legal_form_of(" ".join(words[-width:]))):
                forms.insert(0, form)
                del words[-width:]
                break
        else:
            cut = _cut_form(words[-1]) if truncated and not forms else ""
            if not cut:
                break
            forms.insert(0, cut)
            noise.append(words.pop())
    # Two initials in front are a person's, as in A. O. Smith, unless they are Indonesia's P.T.
    persons = {i for i in initials.values() if len(i) == 2} - {"pt"}
    if len(words) > 1 and not forms and words[0] in PREFIX_FORMS - persons:
        forms.append(words.pop(0))
    while len(words) > 1 and _joins(words, -1):
        words.pop()
    kept = [w for i, w in enumerate(words) if not _joins(words, i)] or words
    return tuple(canonical_token(w) for w in kept), " ".join(forms)


def _joins(words: list[str], at: int) -> bool:
    """Whether a word only joins others: not the first one, as in `De Beers`, unless it is an article.

    A single letter does so only between words, and not in `PG&E`.
    """
    word, i = words[at], at % len(words)
    if len(word) == 1:
        return word in STOP_TOKENS and 0 < i < len(words) - 1 and "and" not in (words[i - 1], words[i + 1])
    return word in STOP_TOKENS and (i > 0 or word in ARTICLES)


def _is_cut_off(words: list[str]) -> bool:
    """Whether the last word of a cut name is what is left of a security line, or one letter that says nothing."""
    last, before = words[-1], words[-2]
    if len(last) > 1:
        return bool(legal_form_of(before)) and any(line.startswith(last) for line in CUT_LINES)
    counts = last in "ivx" and (before in NUMBERED or legal_form_of(before))  # `INCOME FUND I`
    return last.isalpha() and not counts


@lru_cache(maxsize=65536)
def legal_form_of(words: str) -> str:
    """The normalised legal form when `words` is one and nothing else (`company limited` -> `coltd`), else empty."""
    from rigour.names.org_types import extract_org_types

    parts = words.split()
    # As it stands, with its words shortened (`company limited` = `co ltd`), and with its letters together (`s a`).
    writings = [words, " ".join(FORM_ALIASES.get(w, w) for w in parts)]
    if all(len(w) == 1 for w in parts):
        writings.append("".join(parts))
    for writing in writings:
        if writing in FORM_ALIASES:
            return FORM_ALIASES[writing]
        found = extract_org_types(writing)
        if len(found) == 1 and found[0][0] == writing:
            return str(found[0][1])
    return ""


def _cut_form(word: str) -> str:
    for form in CUT_FORMS:
        if form.startswith(word) and len(word) >= min(2, len(form)) and word != form:
            return FORM_ALIASES.get(form, form)
    return ""


@lru_cache(maxsize=262144)
def canonical_token(word: str) -> str:
    """One spelling for numerals (II = 2, two = 2) and for abbreviations that do not show what they stand for."""
    if word in ROMAN:
        return ROMAN[word]
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    if word.isdigit():
        return word.lstrip("0") or "0"
    return ABBREVIATIONS.get(word, word)
