"""American and British spelling of clinical words, for texts that this program writes itself.

Only words of medicine: what may be a name ("Gray", "Center") stays as it is.
"""

import re
from typing import Literal

Spelling = Literal["us", "uk"]

#: (American, British): beginnings or middles of words, in small letters.
_PAIRS = (
    ("gastroesophag", "gastro-oesophag"), ("esophag", "oesophag"), ("cecum", "caecum"), ("cecal", "caecal"),
    ("hemorrh", "haemorrh"), ("hematem", "haematem"),
    ("hematochez", "haematochez"), ("hemostas", "haemostas"), ("hemostat", "haemostat"), ("hematoma", "haematoma"),
    ("hemoglobin", "haemoglobin"), ("hemobilia", "haemobilia"), ("anemi", "anaemi"), ("anesthe", "anaesthe"),
    ("tumor", "tumour"), ("diarrhea", "diarrhoea"), ("melena", "melaena"), ("edema", "oedema"),
    ("ischemi", "ischaemi"), ("celiac", "coeliac"), ("fecal", "faecal"), ("feces", "faeces"), ("maneuver", "manoeuvre"),
    ("discolor", "discolour"), ("acinarization", "acinarisation"), ("visualized", "visualised"), ("fiber", "fibre"),
)  # fmt: skip
_TO: dict[Spelling, dict[str, str]] = {"uk": dict(_PAIRS), "us": {uk: us for us, uk in _PAIRS}}
#: Those that begin with an o in British spelling are words' beginnings: the o of "gastroesophageal" is another one.
_WORDS: dict[Spelling, re.Pattern[str]] = {
    spelling: re.compile("|".join(rf"\b{word}" if word[0] in "eo" else word for word in words), re.IGNORECASE)
    for spelling, words in _TO.items()
}


def spelled(text: str, spelling: Spelling) -> str:
    """The text with its clinical words in one spelling; capitals stay capitals."""
    return _WORDS[spelling].sub(lambda match: _like(match.group(), _TO[spelling][match.group().lower()]), text)


def _like(found: str, wanted: str) -> str:
    if found.isupper():
        return wanted.upper()
    return wanted.capitalize() if found[0].isupper() else wanted
