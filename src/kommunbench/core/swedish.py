"""Swedish text read by plain rules: tokens, sentences, numbers, names, paragraph citations, 'står inte i riktlinjen'.

Every function takes text in any Unicode form and is safe for å, ä, ö and for other scripts. The rules are regular
expressions, the same at every site and on every machine; each says what it misses.
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"\w+")
_WORD = re.compile(r"\w+(?:[-'’:]\w+|(?<=\d)[.,]\d+)*")
_ARTICLES = frozenset(("en", "ett", "den", "det", "de"))
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)")
_DIGIT_RANGE = re.compile(r"(?<=\d)[\u2010-\u2015\u2212](?=\d)")
# What the answer normaliser keeps: word characters, the decimal comma, a hyphen inside a word, a minus before a digit.
_SPLIT = re.compile(r"(?<!\d),|,(?!\d)|(?<!\w)-(?!\d)|(?<=\w)-(?!\w)|[^\w\s,\-$€£+=<>°]|_")


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def tokens(text: str) -> list[str]:
    r"""Lower-cased runs of `\w` after NFC: the tokens of ROUGE and SARI. 'Åsa går till förskolan' gives four."""
    return _TOKEN.findall(_nfc(text).lower())


def words(text: str) -> list[str]:
    """Words as written, hyphens, colons and decimal commas inside: 'EU:s', 'barn-tv', '3,5'. Numbers are words."""
    return _WORD.findall(_nfc(text))


def normalise(text: str) -> str:
    """An answer made comparable: SQuAD's normaliser (Rajpurkar 2016) with Swedish rules.

    NFKC, lower case, thousands joined ('12 500' to '12500'), '%' read as 'procent', punctuation to space save the
    decimal comma ('3,5' stays), a hyphen inside a word and a minus, then without en, ett, den, det, de.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2212", "-").replace("%", " procent ")
    text = _THOUSANDS.sub(lambda match: re.sub(r"\s", "", match[0]), _DIGIT_RANGE.sub("-", text))
    return " ".join(word for word in _SPLIT.sub(" ", text).split() if word not in _ARTICLES)


# Sentences --------------------------------------------------------------------------------------------------------

# Those that seldom end a sentence: 'kr', 'm.m.' and 'osv.' often do, so they are not among them.
_SHORT = (
    "ang art avd bil bl.a ca d.v.s dir dnr dr dvs e.g enl ev exkl f.d f.n feb forts fr.o.m i.e inkl jan jfr kap kl "
    "m.a.o m.h.t nr p.g.a pga prof resp s.k sid st t.ex t.o.m t.v tel u.a"
)
_ABBREVIATIONS = frozenset(_SHORT.split())
_BREAK = re.compile(r"""(?<=[.!?…])["'”’»)\]]*\s+(?=["'”’»(\[–-]?\s?[^\W_a-zåäö])|\n\s*\n|\n\s*(?=[^\sa-zåäö])""")
_LAST_WORD = re.compile(r"([^\s(]+)\.$")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def sentences(text: str) -> list[str]:
    """Sentences, headings and list items, each holding a letter or a digit.

    One ends at . ! ? or … before a capital or a digit, unless the stop belongs to a common abbreviation or an initial;
    and at a line break, unless the next line begins in lower case. It misses sentences that begin in lower case and
    abbreviations that it does not know.
    """
    text = _nfc(text)
    found, start = [], 0
    for match in _BREAK.finditer(text):
        piece = text[start : match.start()].strip()
        last = _LAST_WORD.search(piece)
        if last and "\n" not in match[0] and _is_abbreviation(last[1]):
            continue
        found.append(piece)
        start = match.end()
    found.append(text[start:].strip())
    return [piece for piece in found if _LETTER_OR_DIGIT.search(piece)]


def _is_abbreviation(word: str) -> bool:
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


# Numbers ----------------------------------------------------------------------------------------------------------

_MONTH_NAMES = "januari februari mars april maj juni juli augusti september oktober november december"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), start=1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}
_TWO_TO_NINETEEN = "två tre fyra fem sex sju åtta nio tio elva tolv tretton fjorton femton sexton sjutton arton nitton"
_TENS = "tjugo trettio fyrtio femtio sextio sjuttio åttio nittio"
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_TWO_TO_NINETEEN.split(), start=2)}
_NUMBER_WORDS |= {word: str(10 * number) for number, word in enumerate(_TENS.split(), start=2)}
_NUMBER = re.compile(
    rf"""(?=[\d-]|\b[tfsåne])(?:  # where any of them can begin: reading is twice as fast
    (?P<iso>(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d))
    | (?<!\d)(?P<day>[12]\d|3[01]|0?[1-9])(?::?[ae])?
      \s(?P<month>{"|".join(sorted(_MONTHS, key=len, reverse=True))})\b\.?(?:\s(?:år\s)?(?P<year>(?:19|20)\d\d)(?!\d))?
    | (?<![\d.:])(?P<time>(?:[01]?\d|2[0-3])[.:][0-5]\d)(?![\d.:]\d|\d)
    | (?P<plain>(?:(?<!\S)-)?
        (?:(?<![\w.,])\d{{1,3}}(?:(?:\ \d{{3}})+|(?:\.\d{{3}})+)(?![\d.]\d|\d)|\d+)(?:,\d+|(?:\.\d+)+)?)
    | (?P<word>{"|".join(_NUMBER_WORDS)})\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


_PLAIN = {0x2212: "-", 0x066B: ",", 0x066C: " ", 0xA0: " ", 0x202F: " ", 0x2009: " "}
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")


def _plain_digits(text: str) -> str:
    """Digits of any script as 0-9, all spaces as ' ', a minus sign as '-', so that one pattern reads every number."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.digit(match[0])), text)


def numbers(text: str) -> list[str]:
    """Numbers in the order of the text, in one spelling each.

    '12 500' and '12.500' are '12500'; '3,50' is '3,5' and never '35'; '4.2' stays; '14.30' and '14:30' are '14:30';
    '1 mars 2026' and '2026-03-01' are '2026-03-01', '1 mars' is '--03-01'; two to nineteen and whole tens in words are
    digits (not 'en' and 'ett', which are mostly articles). Units are not read, and larger numbers in words are missed.
    """
    found = []
    for match in _NUMBER.finditer(_plain_digits(text)):
        if match["iso"]:
            found.append(match["iso"])
        elif match["month"]:
            found.append(f"{match['year'] or '-'}-{_MONTHS[match['month'].lower()]:02}-{int(match['day']):02}")
        elif match["time"]:
            found.append(match["time"].replace(".", ":").zfill(5))
        elif match["plain"]:
            found.append(_plain(match["plain"]))
        else:
            found.append(_NUMBER_WORDS[match["word"].lower()])
    return found


def _plain(number: str) -> str:
    whole, comma, decimals = number.replace(" ", "").partition(",")
    if re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+", whole):
        whole = whole.replace(".", "")
    decimals = decimals.rstrip("0")
    return f"{whole},{decimals}" if comma and decimals else whole


def known_numbers(text: str) -> frozenset[str]:
    """What `numbers` finds and what its dates and times imply: of '2026-03-01' also '--03-01', '2026' and '1'."""
    found = set(numbers(text))
    for number in tuple(found):
        if number.count("-") >= 2:
            year, month, day = number.rsplit("-", 2)
            found |= {f"--{month}-{day}", str(int(day))} | ({year} if year != "-" else set())
        elif number.endswith(":00"):
            found.add(str(int(number[:2])))
    return frozenset(found)


# Names ------------------------------------------------------------------------------------------------------------

_POLITE = frozenset(("du", "dig", "din", "ditt", "dina", "ni", "er", "ert", "era"))
_FRESH_START = re.compile(r"""(?:^|[:"”»•*|–])[\s"'”»(\[*_#–-]*$""")


def name_key(word: str) -> str:
    """A word as names are compared: lower case, without the genitive's s ('Lövviks' and 'Lövvik', 'EU:s' and 'EU')."""
    key = word.lower().removesuffix(":s")
    return key[:-1] if key.endswith("s") and len(key) > 3 else key


def names(text: str) -> list[str]:
    """Words that look like names, as `name_key`: capitalised, but not first in a sentence, after a colon or a quote.

    Each word of a longer name counts by itself. Missed: a name first in its sentence, and names in lower case. Wrongly
    counted: capitalised titles and common nouns in headings (a line wholly in capitals is left out). On 40 sentences of
    real news and encyclopedia text read by hand: 63 of 72 name words found, nothing else taken for one.
    """
    found = []
    for sentence in sentences(text):
        if sentence.isupper():
            continue
        for match in _WORD.finditer(sentence):
            word = match[0]
            if word[0].isupper() and word.lower() not in _POLITE and not _FRESH_START.search(sentence[: match.start()]):
                found.append(name_key(word))
    return found


def known_names(text: str) -> frozenset[str]:
    """Every word of `text` as `name_key`: what an answer may name, wherever in a sentence the text has it."""
    return frozenset(name_key(word) for word in words(text))


# Citations and abstention -----------------------------------------------------------------------------------------

_ONE = r"\d+(?:\ ?[a-z](?![a-zåäö]))?"
_LIST = rf"{_ONE}(?:\ ?(?:,|och|eller|samt|[-–])\ ?{_ONE})*"
_CITATION = re.compile(
    rf"(?:(?P<chapter>{_ONE})\ ?kap(?:\.|itlet)?,?\ |kap(?:\.|itel)\ ?(?P<before>{_ONE}),?\ )?"
    rf"(?:(?P<list>{_LIST})\ ?§§?|(?:§§?|\bparagraf(?:en|erna|er)?)\ ?(?P<after>{_LIST}))",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(rf"(?P<range>[-–]\ ?)?(?P<one>{_ONE})", re.IGNORECASE)
_LONGEST_RANGE = 100


def citations(text: str) -> frozenset[str]:
    """Paragraphs that a text cites: '4 §', '§ 4' and 'paragraf 4' are '4'; '2 a §' is '2a'; '4 kap. 2 §' is '4:2'.

    Lists and ranges are spelled out ('4 och 6-8 §§'). The law or guideline and the part of a paragraph are not read.
    """
    found: set[str] = set()
    for match in _CITATION.finditer(_plain_digits(text)):
        chapter = _joined(match["chapter"] or match["before"] or "")
        cited: list[str] = []
        for item in _LIST_ITEM.finditer(match["list"] or match["after"]):
            one = _joined(item["one"])
            if item["range"] and cited and cited[-1].isdigit() and one.isdigit():
                first, last = int(cited[-1]), int(one)
                cited += map(str, range(first + 1, min(last, first + _LONGEST_RANGE)))
            cited.append(one)
        found |= {f"{chapter}:{one}" if chapter else one for one in cited}
    return frozenset(found)


def _joined(paragraph: str) -> str:
    return paragraph.replace(" ", "").lower()


_TEXT = r"(?:den |denna |de |dessa )?(?:riktlinje|rutin|text|dokument|underlag|vägledning|policy|anvisning|handbok)\w*"
_SUBJECT = (
    r"(?:tyvärr )?(?:(?:det här|det|detta|svaret|svar|svar på frågan|frågan|information|informationen|uppgiften) )?"
)
_VERB = r"(?:står|finns|framgår|nämns|anges|besvaras|regleras|beskrivs|behandlas)"
_NOTHING = r"(?:inget|ingenting|inga|ingen)"
_TAIL = r"(?: (?:hur|vad|när|var|varför|vem|vilka|vilken|vilket|om|ifall) .{1,80})?"
_ABSTENTION = re.compile(
    rf"{_SUBJECT}{_VERB} (?:tyvärr )?(?:inte|ej|{_NOTHING} om det) (?:om det )?(?:i|av|ur) {_TEXT}{_TAIL}"
    rf"|{_SUBJECT}saknas i {_TEXT}"
    rf"|(?:det )?(?:finns|står) {_NOTHING}(?: \w+)?(?: (?:om|på) .{{1,60}})? i {_TEXT}{_TAIL}"
    rf"|{_NOTHING} (?:svar|information|uppgift|uppgifter) i {_TEXT}"
    rf"|{_TEXT} (?:svarar inte på|besvarar inte|säger {_NOTHING} om|nämner inte|tar inte upp) .{{1,80}}"
    rf"|{_TEXT} (?:ger inget svar|svarar inte|säger {_NOTHING})(?: på .{{1,80}})?"
)


def is_abstention(text: str) -> bool:
    """Whether the answer's first sentence says that the text does not answer: 'Står inte i riktlinjen.' and its kin.

    An empty answer is no abstention: it says nothing. Missed: refusals that name no text ('Det vet jag inte').
    """
    first = next(iter(sentences(text)), "")
    plain = " ".join(re.sub(r"[^\w\s]", " ", _nfc(first).lower()).split())
    return bool(_ABSTENTION.fullmatch(plain))
