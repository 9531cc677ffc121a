"""What a till prints, in words: "FRZN POTATOES" and "FRZN FRENCH FRIES" become "Frozen potatoes: French fries".

Only abbreviations whose meaning is certain are spelled out; the rest stays as printed.
"""

from __future__ import annotations

import re

WIDTH = 30  # the till cuts a product type here, in the middle of a word

# Whole names that word by word would stay riddles.
_NAMES = {
    "AUTO DISH DETERGENT - MONODOSE": "auto dish detergent - single dose",
    "BEERALEMALT LIQUORS": "beer, ale and malt liquors",
    "CHIX: CHICKEN DINNERS/SNACKS H": "chicken dinners/snacks (hot)",
    "DAIRY CASE 100% PURE JUICE - O": "dairy case 100% pure orange juice",
    "DAIRY CASE JUICE DRNK UNDER 10": "dairy case juice drink under 100%",
    "DAIRY CASE TEA WITH SUGAR OR S": "dairy case tea with sugar or sweetener",
    "DINNER MXS:DRY": "dry dinner mixes",
    "DRUG GM": "drugs and general merchandise",
    "DRY BEANS/PEAS/BARLEY: BAG & B": "dry beans/peas/barley: bag & box",
    "FRZN BOXED VEGETABLES- VALUE A": "frozen boxed vegetables - value added",
    "FRZN SS PREMIUM ENTREES/DNRS/N": "frozen single-serve premium entrees/dinners",
    "FRZN SS PREMIUM ENTREES/DNRS/T": "frozen single-serve premium entrees/dinners, traditional",
    "MEAT-PCKGD": "packaged meat",
    "MEXICAN SAUCESSALSAPICANTEE": "Mexican sauces, salsa, picante",
    "MUSHROOMS W/WHOLE PKG": "mushrooms whole packaged",
    "PLSTC CTLRYTBLCLTHSTTHPKSST": "plastic cutlery, tablecloths, toothpicks, straws",
    "PLASTIC WRAP (SARANETC.)": "plastic wrap",
    "REFRIGERATED COOKIES-BREAK N B": "refrigerated cookies, break and bake",
    "SEAFOOD-PCKGD": "packaged seafood",
    "SEMI-SOLID SALAD DRESSING MAY": "semi-solid salad dressing, mayonnaise",
    "SFT DRNK 2 LITER BTL CARB INCL": "soft drinks, 2 liter bottle, carbonated",
    "SGL SV/VEND MACH SNACKS CHIP/P": "single-serve snacks, chips",
    "SOFT DRINKS 12/18&15PK CAN CAR": "soft drinks, 12, 15 and 18 pack cans, carbonated",
    "SOFT DRINKS 20PK&24PK CAN CARB": "soft drinks, 20 and 24 pack cans, carbonated",
    "SOFT DRINKS 6PK/4PK CAN CARB (": "soft drinks, 4 and 6 pack cans, carbonated",
}
# Pairs of which a part alone could mean something else (BTR is butter here, batter elsewhere).
_PAIRS = {"LTR FLUID": "LIGHTER FLUID", "PNT BTR": "PEANUT BUTTER"}
_WORDS = {
    "ANGUS": "Angus",
    "BBQ": "BBQ",
    "BG": "bags",
    "BKD": "baked",
    "BN": "beans",
    "BR": "bread",
    "BRD": "breaded",
    "BRKFST": "breakfast",
    "BTL": "bottle",
    "CARB": "carbonated",
    "CATSUP": "ketchup",
    "CHICK": "chicken",
    "CHIX": "chicken",
    "CHOC": "chocolate",
    "CHOCOCLATE": "chocolate",
    "CILANTO": "cilantro",
    "CIG": "cigarette",
    "CKE": "cake",
    "CLEANG": "cleaning",
    "CND": "canned",
    "CONC": "concentrate",
    "CONTAINR": "containers",
    "CRBNTD": "carbonated",
    "CRYSTL": "crystal",
    "DAN": "Danish",
    "DISPOSIBLE": "disposable",
    "DNR": "dinner",
    "DNRS": "dinners",
    "DRNK": "drink",
    "DRNKING": "drinking",
    "DRNKNG": "drinking",
    "DRNKS": "drinks",
    "DRSNG": "dressing",
    "DSH": "dishes",
    "ENGLISH": "English",
    "EXCP": "except",
    "FD": "food",
    "FDS": "foods",
    "FLVR": "flavored",
    "FLVRD": "flavored",
    "FRD": "fried",
    "FRE": "fresh",
    "FRENCH": "French",
    "FRZ": "frozen",
    "FRZN": "frozen",
    "GDS": "goods",
    "GRND": "ground",
    "IQF": "individually quick-frozen",
    "ITALIAN": "Italian",
    "IWS": "individually wrapped",
    "JCE": "juice",
    "MARIN": "marinades",
    "MEXICAN": "Mexican",
    "MFG": "manufacturer",
    "MISC": "miscellaneous",
    "MIXS": "mixes",
    "MLK": "milk",
    "MLT": "multi",
    "MNERAL": "mineral",
    "MNR": "mineral",
    "MNRL": "mineral",
    "MULT": "multi",
    "MX": "mix",
    "MXS": "mixes",
    "OJ": "orange juice",
    "PAC": "pack",
    "PCKGD": "packaged",
    "PICKLD": "pickled",
    "PK": "pack",
    "PKG": "packaged",
    "PKGD": "packaged",
    "PKLD": "pickled",
    "PNCH": "punch",
    "PORTON": "portions",
    "PREM": "premium",
    "PREP": "prepared",
    "PREPACK": "prepacked",
    "PROTIEN": "protein",
    "PWDR": "powder",
    "PWDRS": "powders",
    "RANIER": "Rainier",
    "REFIGERATED": "refrigerated",
    "REFRGRATD": "refrigerated",
    "REFRIG": "refrigerated",
    "RTS": "ready-to-serve",
    "RW": "random weight",
    "SAL": "salads",
    "SALD": "salad",
    "SAUS": "sausage",
    "SCE": "sauce",
    "SFT": "soft",
    "SGL": "single",
    "SHERBTS": "sherbets",
    "SHOPPE": "shop",
    "SNDWCH": "sandwich",
    "SNGL": "single",
    "SPECILATY": "specialty",
    "SPLY": "supplies",
    "SPRD": "spread",
    "SRV": "serve",
    "SS": "single-serve",
    "SUPPPLIES": "supplies",
    "SV": "serve",
    "SW": "sweet",
    "SWEETNERS": "sweeteners",
    "TISS": "tissues",
    "TORT": "tortilla",
    "TRSH": "trash",
    "TV": "TV",
    "VAC": "vacuum",
    "VEG": "vegetables",
    "VIENNA": "Vienna",
    "WHL": "whole",
    "WHLSM": "wholesome",
    "WORCHESTER": "Worcestershire",
    "WT": "weight",
    "WTR": "water",
}
# How words that the width cuts off go on, where only one word can be meant.
_ENDS = {
    "ACTIVATI": "activation",
    "BA": "bags",
    "C": "",
    "CHOCOLA": "chocolate",
    "COOKI": "cookies",
    "CRACKE": "crackers",
    "EL": "electric",
    "ET": "",
    "FLO": "flour",
    "HANDKE": "handkerchiefs",
    "JUI": "juice",
    "MUSTAR": "mustard",
    "OTH": "other",
    "PRODUC": "products",
    "RIC": "rice",
    "SA": "sauce",
    "SANDWIC": "sandwiches",
    "SECT": "sections",
    "SUBS": "substitutes",
    "SUPPLEMEN": "supplements",
    "VALUE": "value added",
    "WAT": "water",
    "WATE": "water",
    "WRA": "wraps",
}
_UNITS = {"CT": "count", "GA": "gallon", "L": "liter", "ML": "ml", "PT": "pint", "QT": "quart"}
_TOKEN = re.compile(r"[A-Z]+(?:'[A-Z]+)?")
# A bracket that the width cut off, and the one that only says how fruit is packed.
_BRACKETS = re.compile(r"\s*\((?:[^()]*$|BULK&BAG\))")
_LETTERS = re.compile(r"[A-Za-z]+")
_BOTH = {"frozen", "refrigerated"}
_EDGES = " -:/&.,"


def spell(printed: str) -> str:
    """One name from the till in lower-case words.

    Parameters
    ----------
    printed : str
        As the till prints it: capitals, abbreviations, cut at 30 characters.

    Returns
    -------
    str
        Words that are no known abbreviation stay, in lower case.

    Examples
    --------
    >>> spell("FRZN VEGETABLE/VEG DSH"), spell("APPLES GALA (BULK&BAG)")
    ('frozen vegetable/vegetables dishes', 'apples gala')
    >>> spell("MEXICAN SOFT TORTILLAS AND WRA"), spell("CHIX: ROTISSERIE (HOT)")
    ('Mexican soft tortillas and wraps', 'chicken: rotisserie (hot)')
    """
    name = " ".join(printed.split())
    if name in _NAMES:
        return _NAMES[name]
    whole = _BRACKETS.sub("", name.replace("MISC.", "MISC"))
    end = (
        re.search(r"[A-Z]+$", whole)
        if "(" not in name[len(whole) :] and len(name) >= WIDTH - 3
        else None
    )
    last = None
    if end and end[0] in _ENDS:
        whole, last = whole[: end.start()], _ENDS[end[0]]
    for pair, meant in _PAIRS.items():
        whole = whole.replace(pair, meant)
    whole = re.sub(r"\bW/(?=[A-Z]{3}|$)", "WITH ", whole)
    words = _TOKEN.sub(lambda m: _WORDS.get(m[0], m[0].lower()), whole) + (last or "")
    words = re.sub(r"(?<=\d)(?=pack\b)", "-", words)
    words = re.sub(r"\s*&\s*", " & ", re.sub(r"(?<=\w)(?=\(|- )", " ", words))
    return re.sub(r"\s*([:,])\s*", r"\1 ", words).strip(_EDGES)


def product_name(category: str, kind: str) -> str:
    """Category and type as one name; words that the type repeats from the category are not said twice.

    Examples
    --------
    >>> product_name("PASTA SAUCE", "MAINSTREAM"), product_name("YOGURT", "YOGURT NOT MULTI-PACKS")
    ('Pasta sauce: mainstream', 'Yogurt: not multi-packs')
    >>> product_name("BUTTER", "BUTTER"), product_name("", "")
    ('Butter', 'Unnamed product')
    """
    group, name = spell(category), spell(kind.removeprefix("SW GDS:"))
    if not group or not name:
        return _first_upper(group or name or "unnamed product")
    known = {_stem(w) for w in _LETTERS.findall(group)}
    if {_stem(w) for w in _LETTERS.findall(name)} <= known:
        return _first_upper(name)
    # "Soup/stew" is one or the other: there only what holds for both need not be said again.
    shared = known & _BOTH if "/" in group else known
    rest = name
    while (word := _LETTERS.match(rest)) and _stem(word[0]) in shared:
        rest = rest[word.end() :].lstrip(_EDGES)
    if rest.startswith(("(", "and ")):
        return _first_upper(name)
    return f"{_first_upper(group)}: {rest}"


def package(printed: str) -> str:
    """A package size in words.

    Examples
    --------
    >>> package("26 OZ"), package("12 CT"), package("PT"), package("")
    ('26 oz', '12 count', 'pint', '')
    """
    return " ".join(_UNITS.get(w, w.lower()) for w in printed.split())


def _stem(word: str) -> str:
    word = word.lower()
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
