"""Invented names, places, amounts and numbers, in three pools that never meet.

A word's pool is decided by its own spelling (CRC-32), so pretraining, the sites' train and validation splits, and their
test splits draw from sets that are disjoint by construction. Places and surnames are put together from syllables:
about 100,000 of them, so that a model has to copy and cannot memorise. None is meant to name anyone or anything real.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Literal, TypeVar
from zlib import crc32

from kommunbench.synthetic.phrases import words

Pool = Literal["pretraining", "local", "test"]
T = TypeVar("T")

_ONSETS = words("B Bl Br D Dr F Fl G Gl Gr H K Kl Kn Kr L M N R S Sk Sl Sm Sn Sp St Str Sv T Tr V")
_VOWELS = tuple("aeiouyåäö")
_CODAS = words("l ll m n r rk lm nd st v rn ng sk ls rt")
_RUDE = frozenset(words("Knull Hor Röv Ball Neg Stånd Svin Slyn Dum Fis Tar Mord Död Hel Hat Slag Krig"))
_PLACES = words("hult vik by torp ryd sund holm hamra berga lunda dal fors bro tuna arp mo bo sätra åsa näs")
_SURNAMES = words("ström gren lund berg stedt mark blad vall dahl ling ander hed qvist fors man")
_COMMON_WORDS = words(
    "Rask Modig Frisk Lager Sten Ros Gran Blom Stark Sköld Hjälm Fager Ek Lind Berg Ström Dahl Gren Kvist Lilja Falk "
    "Hjort Björk Rönn Alm Stål Kula Flink Glad Tapper Trogen Quick Svärd Pil Båge Skog Fors Holm"
)
_GIVEN = words(
    "Agnes Ahmed Aino Albin Alma Amina Anders Anneli Arvid Astrid Axel Barbro Birgit Björn Bo Britta Cecilia Dag Dalia "
    "Disa Ebba Edvin Einar Elin Elsa Emil Erik Eskil Eva Farid Fatima Fredrik Frida Gerd Greta Gunnar Hanna Harald "
    "Hassan Hedvig Helge Henrik Hilda Holger Ida Inga Ingrid Isak Ivar Jamila Jonas Josef Julia Kajsa Karin Kerstin "
    "Klara Knut Lars Leila Lennart Linnea Liv Lovisa Maja Malte Marit Märta Melker Mina Mohamed Nadia Nils Noor Olga "
    "Olle Omar Oskar Otto Per Petra Rakel Ragnar Rolf Rosa Ruben Rut Saga Samira Sara Selma Signe Sigrid Sixten Sofia "
    "Solveig Stig Stina Sven Svea Tage Tekla Tilda Tor Tova Tyra Ulla Valter Vera Viktor Vilma Yasmin Yngve Yusuf "
    "Åke Åsa Örjan Östen"
)
_MONTHS = words("januari februari mars april maj juni juli augusti september oktober november december")
_AREA_CODES = ("019", "021", "026", "033", "042", "054", "060", "063", "0470", "0480", "0550", "0650", "0910")


def pool_of(value: object) -> Pool:
    """The only pool that may use `value`: of ten, six are for pretraining, two for sites' training, two for test."""
    bucket = crc32(str(value).encode()) % 10
    return "pretraining" if bucket < 6 else "local" if bucket < 8 else "test"


def spaced(number: int) -> str:
    """12500 as '12 500': groups of three with a space, as Swedish is written."""
    return f"{number:,}".replace(",", " ")


def long_date(day: datetime.date) -> str:
    """'1 mars 2026'."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


class Fillers:
    """Draws fillers of one pool with one random source."""

    def __init__(self, rng: random.Random, pool: Pool) -> None:
        self.rng = rng
        self.pool = pool

    def _own(self, draw: Callable[[], T]) -> T:
        while True:
            if pool_of(value := draw()) == self.pool:
                return value

    def _stem(self) -> str:
        while True:
            stem = self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) + self.rng.choice(_CODAS)
            if stem not in _RUDE:
                return stem

    def place(self) -> str:
        """A town or a part of one: 'Trällhult'."""
        return self._own(lambda: _joined(self._stem(), self.rng.choice(_PLACES)))

    def given_name(self) -> str:
        """A first name."""
        return self._own(lambda: self.rng.choice(_GIVEN))

    def surname(self) -> str:
        """An invented surname; one in six looks like a common word ('Modig'), as soldiers' names do."""
        if self.rng.random() < 1 / 6:
            return self._own(lambda: self.rng.choice(_COMMON_WORDS))
        return self._own(lambda: _joined(self._stem(), self.rng.choice(_SURNAMES)))

    def person(self) -> str:
        """First name and surname."""
        return f"{self.given_name()} {self.surname()}"

    def street(self) -> str:
        """A street without a number: 'Gryllstigen'."""
        return self._own(lambda: self._stem() + self.rng.choice(("gatan", "vägen", "gränden", "stigen", "backen")))

    def address(self) -> str:
        """A street with a number that no register has: 900 to 999."""
        return f"{self.street()} {self.rng.randint(900, 999)}"

    def kronor(self, low: int = 1_000, high: int = 9_000_000) -> str:
        """An amount: '412 500 kronor', evenly spread over orders of magnitude."""
        return spaced(self.number(low, high)) + " kronor"

    def number(self, low: int, high: int) -> int:
        """A whole number of the pool, with two to four digits that matter, evenly spread over orders of magnitude."""

        def draw() -> int:
            raw: float = low * (high / low) ** self.rng.random()
            zeros = max(0, len(str(int(raw))) - self.rng.choice((2, 3, 3, 4)))
            unit = int("1" + "0" * zeros)
            return max(low, min(high, round(raw / unit) * unit))

        return self._own(draw)

    def date(self, first: int = 2024, last: int = 2028) -> datetime.date:
        """A day between two years, both included."""
        start = datetime.date(first, 1, 1)
        days = (datetime.date(last, 12, 31) - start).days
        return self._own(lambda: start + datetime.timedelta(days=self.rng.randint(0, days)))

    def phone(self) -> str:
        """'021-03 45 17'. No subscriber's number begins with 0, so it reaches nobody."""

        def draw() -> str:
            digits = f"0{self.rng.randint(0, 99999):05d}"
            return f"{self.rng.choice(_AREA_CODES)}-{digits[:2]} {digits[2:4]} {digits[4:]}"

        return self._own(draw)

    def personal_number(self) -> str:
        """'19480312-2397' with a check digit (Luhn) that is wrong on purpose."""

        def draw() -> str:
            day = datetime.date(1930, 1, 1) + datetime.timedelta(days=self.rng.randint(0, 28_000))
            nine = f"{day:%y%m%d}{self.rng.randint(0, 999):03d}"
            wrong = (check_digit(nine) + self.rng.randint(1, 9)) % 10
            return f"{day:%Y%m%d}-{nine[6:]}{wrong}"

        return self._own(draw)

    def time(self) -> str:
        """'14.30'."""
        return f"{self.rng.randint(6, 21):02d}.{self.rng.choice((0, 10, 15, 20, 30, 45)):02d}"

    def serial(self) -> tuple[int, int]:
        """Year and running number of a diary number."""
        return self._own(lambda: (self.rng.randint(2022, 2027), self.rng.randint(1, 2999)))


def _joined(stem: str, ending: str) -> str:
    """No three of the same consonant in a row: Tröll + lund is Tröllund."""
    return stem + (ending[1:] if stem.endswith(ending[0] * 2) else ending)


def check_digit(nine: str) -> int:
    """The Luhn digit of the nine digits YYMMDDNNN."""
    products = [int(digit) * (2 - place % 2) for place, digit in enumerate(nine)]
    return -sum(product // 10 + product % 10 for product in products) % 10
