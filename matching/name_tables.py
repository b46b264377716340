"""What the name parser knows by heart: line noise, share classes, abbreviations that letters do not show, homoglyphs.

Legal forms are not here: they come from a maintained table (`legal_forms.tsv`). Patterns are read in lower-case ASCII text
with single spaces, by `matching.patterns`. What is here was read off real feeds: exchange security names, 31-character feed names, and the lines of German, Brazilian, Australian and Mexican venues.
"""

from __future__ import annotations

import re

# Currency mnemonics of German venues (DL = US dollar, EO = euro, LS = sterling, ...), followed by a par value: `DL-,01`, `EO 1`, `LS -,25`.
PAR_VALUE = re.compile(
    r"(?<=\S)[\s.]+(?:dl|eo|ls|sf|hd|yc|yn|sk|nk|dk|rc|rp|rb|rm|ba|ir|tn|td|sd|ad|cd|kr|ph|zy|lt|mn|ft|ro|ps)\s?(?:-?\s?,\s?\d+|-?\d+(?:[.,]\d+)?)(?=\W|$)",
)
# A bare currency mnemonic at the very end that the feed's width has cut off from its par value.
PAR_VALUE_CUT = re.compile(r"(?<=\S)\s{2,}(?:dl|eo|ls|sf|hd|yc|yn|sk|nk|dk|lt)?-?,?$")
PAR_VALUE_PENCE = re.compile(
    r"(?<=\S)\s+(?:ord|ordinary)?\s*(?:shs\s*)?(?:(?:gbp|usd|eur|us\$|£|\$)\s?\d*[.,]\d+|\d+(?:[./]\d+)*\s?p(?:ence)?)(?=\W|$)"
)

# Instruments: the first pattern that is found cuts the name there; what is cut is kept as line noise.
INSTRUMENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "adr",
            r"(?:\(?(?:un)?sp(?:on(?:sored)?|\.|)\s*)?(?:american|global|european)\s+deposit[ao]ry\b.*|\b(?:un)?sp(?:on(?:s(?:ored)?)?)?\.?\s*[ag]d[rs]s?\b.*|\b[ag]d[rs]s?(?:\s*/?\s*[\d/]+.*|\s*$|\s+(?:rep|each|\().*)|\bdepositary\s+(?:shares?|receipts?|interests?)\b.*|\bcdi\b.*|\bcedear\b.*|\bdrn\w?\s*$|(?<=\w)drn\s*$|\bdr[nc]?\s*$",
        ),
        ("warrant", r"\bwarrants?\b.*|\bwt[s]?\b(?=\s*(?:\d|$|exp)).*|\brights?\s*(?:,|\(|to\b|$).*"),
        ("unit", r"\b(?:units?|uts)\s*(?:,|\(|each|consisting|cons\b|$).*"),
        (
            "preferred",
            r"\b(?:\d+(?:[.,/]\d+)*\s*%|series\s+\w{1,2}\b|cumulative|non-?cumulative|perpetual|redeemable|convertible|fixed|floating|depositary)[^,]*\bpref(?:erred|d|\.)?\b.*|\bpref(?:erred)?\s+(?:stock|shares?|units?|securit).*|\bpfd\b.*|\b(?:pref|prf|vz[o]?|vorzugs\w*)\.?\s*$",
        ),
        (
            "note",
            r"\b\d+(?:[.,]\d+)+\s*%.*|\b(?:senior|subordinated|junior)\b.*\b(?:notes?|debentures?)\b.*|\bnotes?\s+due\b.*",
        ),
        (
            "common",
            r"\b(?:class|series|cl\.?)\s+[a-z]\s+(?:common|ordinary|subordinate|limited|multiple|exchangeable)\b.*|\b(?:subordinate|limited|restricted|multiple)\s+voting\b.*|\bcommon\s+(?:stocks?|shares?|units?)\b.*|\bordinary\s+(?:shares?|stock)\b.*|\bcom(?:mon)?\s*(?:stk|shs)\b.*|\bshares?\s+of\s+(?:beneficial|common|\w+\s+beneficial).*|\bbeneficial\s+interest\b.*|\b(?:registered|reg\.?|bearer|capital|voting|namens|inhaber)[\s-]*(?:sh(?:a(?:r(?:e(?:s)?)?)?)?s?|aktien|stock)\b.*|\bord(?:inary|inar|ina|in)?\b\.?\s*(?:shs?|shares?|\d.*)?(?:\([^)]*)?$|\bfpo\b.*|\bnpv\b.*|\bshs\b.*",
        ),
    )
)
# Words of the line that say how a share is held and registered (`INH O.N.`, `NAM.`, `(PUBL)`), or how it trades; only after the first word.
HOLDING = re.compile(
    r"(?<=\S)[\s,(]+(?:inh\.?|nam\.?|o\.\s?n\.?|port\.?|nach\.?|regd?\.?|registered|bearer|publ|\(publ\)|s\.?t\.?|na|on|pn|pna|pnb|nm|n[12]|unt|jun|konv|ac\.?|port\.?|-?\s?nvdr\s?-?\.?|dep\.?|wi|w/i|when[\s-]issued|new|tbk)\)?\.?\s*$"
)
# EDGAR's suffixes: a state or a kind of filer (`/DE/`, `/NEW/`, `/ADV`), often without the closing slash.
BRACKETED_STATE = re.compile(
    r"\s*[/\\(](?:[a-z]{2}|[a-z]{4}|new|old|adr|can|bhd|del|adv)[/\\)]\s*$|(?<=\S)\s*/\s?(?:[a-z]{2}|new|old|adr|can|del|adv)\s*$"
)
LEADING_THE = re.compile(r"^\s*the\s+|[\s,]*\(?\bthe\)?\s*$")
SHARE_CLASS = re.compile(
    r"(?:\b(?:class|cl|ser(?:ies)?|kl)\b\.?\s*-?|(?<=inc)-(?:cl(?:ass)?\s?)?|(?<=corp)-(?:cl(?:ass)?\s?)?|(?<=ltd)-(?:cl(?:ass)?\s?)?|(?<=co)-(?:cl(?:ass)?\s?)?|(?<=plc)-(?:cl(?:ass)?\s?)?|\s-\s?)([a-h])\b(?!\w)\)?\s*"
)
TRAILING_CLASS = re.compile(
    r"(?:(?<=[\w.]{2})\s+|(?<=inc\.)|(?<=corp\.)|(?<=co\.)|(?<=ltd\.)|(?<=plc\.)|(?<=grp\.))([a-d])\s*$"
)
# Initials, with points (`J.P. Morgan`) or, of three letters or more, without (`I B M`): they are one word.
INITIALS = re.compile(r"\b(?:[a-z]\.\s?){2,}(?:[a-z]\b)?\.?|\b[a-z](?:\s[a-z]){2,}\b")

# Abbreviations that are not a beginning or a subsequence of what they stand for, or that are too common to leave to chance.
ABBREVIATIONS: dict[str, str] = {
    "intl": "international", "int": "international", "grp": "group", "gp": "group", "hldg": "holding", "hldgs": "holdings", "hld": "holding",
    "mgmt": "management", "mgt": "management", "mfg": "manufacturing", "svc": "service", "svcs": "services", "tech": "technology",
    "techs": "technologies", "natl": "national", "finl": "financial", "fin": "financial", "inds": "industries", "ind": "industries", "bk": "bank",
    "bncp": "bancorp", "bancorporation": "bancorp", "bancshs": "bancshares", "comm": "communications", "comms": "communications",
    "pharma": "pharmaceuticals", "pharm": "pharmaceuticals", "res": "resources", "rlty": "realty", "prop": "properties", "props": "properties", "ppty": "property", "pptys": "properties",
    "ins": "insurance", "invt": "investment", "inv": "investment", "invs": "investments", "acq": "acquisition", "amer": "american", "assoc": "associates",
    "mng": "mining", "mtl": "metal", "mtls": "metals", "sys": "systems", "labs": "laboratories", "lab": "laboratory", "elec": "electric",
    "engr": "engineering", "eng": "engineering", "dev": "development", "chem": "chemical", "petro": "petroleum", "tr": "trust", "fd": "fund",
    "tst": "trust", "univ": "universal", "util": "utilities", "sci": "sciences", "prods": "products", "prod": "products", "cos": "companies",
    "ctr": "center", "centre": "center", "fst": "first", "gen": "general", "govt": "government", "mun": "municipal", "muni": "municipal",
    "opp": "opportunities", "opps": "opportunities", "ptnrs": "partners", "prtnrs": "partners", "sec": "securities", "st": "saint",
    "telecom": "telecommunications", "trans": "transportation", "transp": "transportation", "u": "university", "bros": "brothers",
}  # fmt: skip
ROMAN = {
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "xi": "11",
    "xii": "12",
    "xiii": "13",
    "xiv": "14",
    "xv": "15",
}
NUMBER_WORDS = {
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
STOP_TOKENS = frozenset({"and", "the", "of", "und", "et", "y", "e", "de", "del", "da", "do", "la", "le"})
ARTICLES = frozenset({"the", "la", "le"})
NUMBERED = frozenset({"fund", "fd", "series", "ser", "trust", "tr"})  # a single i, v or x behind them is a number
# Legal forms that the feed's width cut short: `CORPORATIO`, `LIMI`, `PL`.
CUT_FORMS = (
    "corporation",
    "limited",
    "company",
    "incorporated",
    "aktiengesellschaft",
    "public limited company",
    "berhad",
    "plc",
    "inc",
    "corp",
    "ltd",
    "spa",
    "oyj",
)
CUT_LINES = (
    "ordinary",
    "registered",
    "common",
    "class",
    "shares",
    "depositary",
    "american",
    "inhaber",
    "namens",
    "bearer",
    "series",
    "subordinate",
    "unspons",
)
FORM_ALIASES = {
    "corp": "corp",
    "co": "co",
    "inc": "inc",
    "ltd": "ltd",
    "llc": "llc",
    "corporation": "corp",
    "incorporated": "inc",
    "limited": "ltd",
    "company": "co",
    "cos": "co",
    "companies": "co",
    "public co ltd": "pcl",  # Thailand
    "kk": "kk",  # Japan
}
# Forms that stand in front of the name.
PREFIX_FORMS = frozenset(
    {"pt", "oao", "pao", "zao", "ooo", "ojsc", "pjsc", "cjsc", "jsc", "oo", "ao", "ab", "as", "sa", "pjs", "tov", "ip"}
)
# Letters that look like Latin ones (Unicode confusables, the subset that occurs in Latin words), by code point: a reader
# could not tell them apart here either. Cyrillic, Greek, then an
# Armenian and two phonetic ones.
HOMOGLYPHS: dict[int, str] = {
    0x0410: "A", 0x0412: "B", 0x0415: "E", 0x0405: "S", 0x0406: "I", 0x0408: "J", 0x041a: "K", 0x041c: "M",
    0x041d: "H", 0x041e: "O", 0x0420: "P", 0x0421: "C", 0x0422: "T", 0x0425: "X", 0x0423: "Y", 0x0430: "a",
    0x0435: "e", 0x043e: "o", 0x0441: "c", 0x0440: "p", 0x0445: "x", 0x0443: "y", 0x0456: "i", 0x0458: "j",
    0x0455: "s", 0x0501: "d", 0x04bb: "h",
    0x0391: "A", 0x0392: "B", 0x0395: "E", 0x0396: "Z", 0x0397: "H", 0x0399: "I", 0x039a: "K", 0x039c: "M",
    0x039d: "N", 0x039f: "O", 0x03a1: "P", 0x03a4: "T", 0x03a5: "Y", 0x03a7: "X", 0x03bf: "o",
    0x0585: "o", 0x0251: "a", 0x0261: "g",
}  # fmt: skip
# What is not shown (Unicode's Default_Ignorable_Code_Point).
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
MARKS = re.compile("[\u00a9\u00ae\u2117\u2120\u2122]")  # copyright, trade and service marks
