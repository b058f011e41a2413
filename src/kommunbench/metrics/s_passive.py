"""How often the answers use the s-passive ('ansökan behandlas')."""

from __future__ import annotations

import re
from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS

# Verbs whose present, past or supine has too short an ending, as the last part of a word: 'avförs', 'utses', 'bestäms'.
_STEMS = (
    "förs görs tas ges ses slås ställs läggs hålls drivs skrivs byggs bryts sätts köps säljs krävs används vänds "
    "sänds bjuds döms bestäms reds leds styrs stöds nås fås höjs sänks följs bärs skärs skjuts släpps stängs sköts "
    "söks väljs hörs märks stärks byts knyts begärs sägs ägs berörs täcks sprids ersätts hyrs förlängs tillåts gavs "
    "togs skrevs drevs bjöds hölls fölls sågs slogs bröts lästs lagts sagts satts setts skötts byggts köpts använts "
    "fyllts tänkts gjorts dömts höjts lyfts lyftes föds bemöts benämns anmäls föregås"
)
_ENDINGS = (
    r"\w{2,}(?:ades|ats|[bdfgjklmnprv]des|[kpstfx]tes|[ivut]its|gits|[öä]rts|[äå]tts|[äyo]ckts|ärkts)"
    r"|\w{2,}as"
)
_PASSIVE = re.compile(rf"(?:{_ENDINGS}|\w*(?:{'|'.join(_STEMS.split())}))")
# Deponents (active in sense), genitives and nouns with a passive's ending.
_OTHERS = (
    "andas avundas brottas enas enades envisas fattas finnas hoppas hoppades hoppats hövas kännas lyckas lyckades "
    "lyckats misslyckas misslyckades misslyckats låtsas låtsades minnas mötas nalkas saknas saknades svettas synas "
    "trivas trängas tyckas umgås vistas vistades vistats behövas deras allas bådas mångas vilkas ungas gamlas "
    "andras förras vuxnas sjukas samtligas någras egnas enskildas anställdas annas klas ras gas bas glas kalas kras "
    "ananas ses varandras stats"
)
_NOT_PASSIVE = frozenset(_OTHERS.split())
_NOUN = re.compile(r"\w*(?:[aeo]rnas|plats|insats|ansats|palats|klimats|resultats|mandats|formats)")


def is_s_passive(word: str) -> bool:
    """Whether a word looks like a verb in the s-passive, by its ending and lists of what else ends so."""
    if not word.islower() or word in _NOT_PASSIVE:
        return False
    return bool(_PASSIVE.fullmatch(word)) and not _NOUN.fullmatch(word)


class SPassive(Metric):
    """Words in the s-passive over all words, by ending; capitalised words never count.

    Rules without a parser, tried by hand on real official text: of 200 words found 199 were passives, and of 400 other
    words in -s 12 were (participles with 'bli' are another matter and do not count).
    """

    name = "s_passive"
    source = "s-passive share as a sign of bureaucratic style; suffix rules"
    fields = (Field("words", high=MOST_WORDS), Field("passives", high=MOST_WORDS))
    measures = (Measure("s_passive", ("passives",), ("words",), direction="none"),)

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Words of the answer, and those in the s-passive."""
        words = swedish.words(prediction)
        return len(words), sum(map(is_s_passive, words))


METRIC = SPassive()
