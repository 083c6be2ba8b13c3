"""Nouns, names, values and syllables that composed worlds are made from.

Themes are lines `server|server: letter:noun=synonym ...`; the letter says what kind of thing the noun is: p person,
i item in stock, c case that is worked on, r room or place, v vehicle or device, e event.
"""

from __future__ import annotations

import builtins
import keyword
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .base import Split, pool

RESERVED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"uid", "no"}
"""What no name of practice may be: words of Python, and short names that are held out."""
_THEMES = """
crm|salesdesk: p:client=customer c:deal=sale p:lead=prospect
shop|webshop: i:product=article c:order=purchase p:shopper=buyer
library|stacks: i:book=title p:reader=borrower c:loan=lending
fleet|motorpool: v:truck=lorry p:driver=chauffeur c:trip=journey
clinic|practice: p:patient=case_holder e:appointment=slot c:referral
garden|greenhouse: i:plant=shrub r:bed=plot c:watering
billing|accounts: c:invoice=bill c:payment=remittance p:debtor
helpdesk|support: c:ticket=issue p:agent=supporter i:article
hr|staffing: p:employee=worker c:absence=leave p:applicant=candidate
school|campus: p:pupil=student e:lesson r:classroom=schoolroom
hotel|frontdesk: r:suite p:guest=visitor c:booking=reservation
warehouse|depot: i:pallet c:shipment=delivery r:aisle
gym|fitness: p:member e:workout=training_session i:dumbbell
museum|gallery: i:painting=picture e:exhibition=show p:curator
cinema|boxoffice: i:movie=film e:screening=showing p:projectionist
restaurant|kitchen: i:dish=meal r:table c:tab
bakery|ovens: i:loaf c:cake_order p:baker
farm|barn: v:tractor i:crop=harvest r:field
zoo|enclosures: r:enclosure=cage p:keeper i:animal
vet|petcare: p:pet_owner c:vaccination=jab i:pet
airline|flights: e:flight p:passenger=traveller v:plane=aircraft
railway|trains: v:locomotive=engine e:departure r:platform
port|harbor: v:ship=vessel r:dock=berth c:cargo
taxi|rides: p:cabbie c:ride v:cab
post|mailroom: c:parcel=package p:courier r:mailbox
bank|vault: c:transfer p:account_holder c:mortgage
insurance|policies: c:claim p:adjuster c:coverage
realty|homes: r:apartment=flat p:tenant=renter c:lease
legal|lawdesk: c:lawsuit=court_case p:attorney=lawyer c:contract=agreement
courts|docket: e:hearing p:judge c:verdict
police|precinct: c:incident p:officer v:patrol_car
fire|station: v:hydrant p:firefighter c:alarm
weather|meteo: v:sensor=probe r:region c:storm_warning
energy|grid: v:turbine r:substation c:outage=blackout
water|utility: v:pump r:reservoir c:leak
telecom|network: v:router c:subscription p:subscriber
cloud|servers: v:instance=machine c:deployment=release r:cluster
devops|pipelines: c:build c:rollback p:maintainer
security|guard: c:threat p:analyst v:firewall
tracker|bugs: c:bug=defect p:tester c:milestone
projects|planner: c:project p:contributor c:todo=task_item
calendar|agenda: e:meeting p:attendee=participant c:reminder
contacts|addressbook: p:contact=acquaintance p:supplier=vendor c:greeting
notes|notebook: i:notebook c:memo c:draft
music|studio: i:song=track p:musician e:concert=gig
radio|broadcast: e:broadcast p:presenter=host i:jingle
podcast|episodes: e:recording p:sponsor i:teaser
theatre|stage: e:rehearsal p:actor=performer i:costume
dance|ballroom: e:recital p:dancer r:ballroom
sports|league: e:match=fixture p:player=athlete r:stadium=arena
chess|club: e:tournament p:grandmaster i:chessboard
golf|fairway: r:hole p:caddie i:golf_club
ski|slopes: r:slope=piste v:ski_lift p:instructor=trainer
surf|beach: i:surfboard p:lifeguard c:rescue
diving|reef: p:diver e:dive i:oxygen_tank
climbing|crag: r:route p:climber i:rope
bikes|cycling: v:bicycle=bike p:cyclist c:repair=fix
garage|workshop: v:car=automobile p:mechanic c:inspection=checkup
carpool|sharing: v:van c:rental p:renter_member
parking|lots: r:parking_spot p:commuter c:fine=penalty
toll|highway: r:toll_gate c:crossing p:inspector
factory|assembly: v:robot c:work_order i:component=part
tools|toolshed: i:drill v:sander c:tool_loan
lumber|sawmill: i:plank v:saw c:felling
mining|quarry: v:excavator r:shaft p:miner
oil|rig: r:well v:drill_rig c:spill
chem|lab: i:reagent c:experiment=trial p:chemist
bio|genome: i:specimen=sample c:assay p:biologist
space|mission: v:satellite e:launch p:astronaut
observatory|stars: v:telescope i:comet c:observation=sighting
hospital|wards: r:ward p:nurse c:surgery=operation
dental|teeth: p:dentist c:filling i:crown
pharmacy|drugstore: i:medicine=drug c:prescription p:pharmacist
optics|eyewear: i:lens c:eye_test p:optician
spa|wellness: e:massage p:therapist i:lotion
salon|hair: e:haircut p:stylist=hairdresser i:shampoo
fashion|boutique: i:dress=gown p:designer c:fitting
shoes|cobbler: i:boot c:resoling p:cobbler
jewels|goldsmith: i:ring c:engraving p:goldsmith
toys|playroom: i:toy=plaything p:child_member c:wish
games|arcade: i:console p:gamer e:raid
books|press: c:manuscript p:author=writer i:novel
news|editor: c:story p:reporter=journalist e:briefing
photo|darkroom: i:camera p:photographer c:shoot
print|copyshop: v:printer c:print_job i:poster
ads|campaigns: c:campaign p:advertiser i:banner
survey|polls: c:survey=poll p:respondent c:complaint
events|venue: r:venue p:caterer e:party=celebration
wedding|bridal: p:bride e:ceremony i:bouquet
florist|blossom: i:flower p:florist_helper c:arrangement
wine|cellar: i:bottle p:sommelier e:tasting
coffee|roaster: i:blend p:barista c:roast
brewery|taps: i:beer=ale c:brew p:brewer
cheese|dairy: i:cheese v:churn p:dairy_worker
fish|market: i:trout p:fisher=angler v:trawler
honey|apiary: v:hive=beehive p:beekeeper i:honey_jar
forest|rangers: r:trail=path p:ranger=warden c:wildfire
camping|campsite: r:campsite i:tent p:camper
travel|tours: e:tour=excursion p:guide c:itinerary
visa|passports: c:visa_request p:embassy_clerk c:permit=licence
charity|giving: c:donation=gift p:volunteer=helper p:donor
church|parish: e:service p:parishioner i:hymn
senate|votes: c:motion p:senator e:ballot
academy|courses: e:course=class p:lecturer=teacher c:enrolment
thesis|research: c:thesis=dissertation p:supervisor c:grant=stipend
exam|grading: e:exam p:examiner c:essay
kids|nursery: p:toddler p:nanny e:nap
elder|carehome: p:resident p:caregiver c:visit
food|pantry: i:ingredient c:recipe i:snack
catering|banquet: i:menu e:banquet p:waiter
cleaning|janitor: p:cleaner c:cleaning_job i:detergent
moving|haul: c:move p:mover i:crate
auction|bids: i:lot c:bid=offer p:bidder
pawn|loans: i:watch c:pledge p:pawnbroker
stocks|broker: i:share c:trade=transaction p:investor
crypto|ledger: v:wallet c:swap i:token
tax|fiscus: c:tax_return p:taxpayer c:refund
customs|border: c:declaration p:importer i:container
translation|lingua: c:translation p:translator i:glossary
audio|sound: v:amplifier i:microphone p:sound_engineer
lights|smart_home: v:lamp=light r:zone e:scene
heating|climate: v:heater=radiator r:office v:thermostat
elevator|lifts: v:elevator c:breakdown=failure p:technician
recycling|waste: v:bin=trash_can c:pickup=collection r:landfill
"""

_TEXT_LISTS = {
    "first": """Anna Ben Carla David Elena Felix Greta Hugo Ines Jonas Karin Lukas Maria Nils Olga Paul Quinn Rosa Simon
Tina Ursula Viktor Wanda Xaver Yara Zeno Amir Bella Carlos Dora Emil Fatima Georg Hanna Igor Julia Kofi
Lena Marco Nadia Omar Petra Rafael Sara Tomas Uma Vera Willem Ximena Yusuf Zoe Alice Bruno Chloe Dmitri
Edith Finn Gloria Henry Iris Jack Kate Liam Mona Noah Olivia Peter Rita Stefan Thea Umar Vincent Wilma
Yvonne Zack Aisha Boris Clara Diego Erika Frank Grace Hans Irina Jorge Klara Leon Mei Nora Oscar Priya
Ralf Sofia Timo Valeria Walter Yuki Ada Bjorn Celine Dario Esra Fiona Gus Hilde Ivan Jana Kenji Lars
Mila""",
    "last": """Berg Moor Stone Keller Novak Silva Costa Weber Lind Park Mori Santos Becker Larsen Fischer Rossi Dubois
Garcia Hansen Ivanov Jensen Kowalski Lopez Meyer Nielsen Olsen Petrov Quist Romano Schmidt Tanaka Ueda
Vogel Wagner Yilmaz Zimmer Adler Brandt Cruz Diaz Ekman Frost Gruber Holm Ito Janssen Klein Lang Marsh
North Ortiz Pohl Reyes Sato Thorne Urban Vance Wolff York Zhang Abbott Blake Carter Dale Ellis Ford
Grant Hale Irwin Jones Kerr Lowe Mason Nash Owens Price Quill Reed Shaw Tate Usher Voss Webb Young
Archer Bishop Chen Drake Evans Flynn Gibbs Hunt Kent Lamb Mercer Nolan Perez Roth Singh Turner Vega West
Winter Haddad Okafor Mensah Nakamura Baker Lindqvist Marchetti Delgado Fontaine Petersen Aguilar
Whitfield""",
    "city": """Berlin Paris Rome Madrid Vienna Oslo Lisbon Prague Dublin Warsaw Athens Helsinki Hamburg Munich Cologne
Leipzig Lyon Nice Turin Naples Milan Porto Seville Valencia Zurich Geneva Basel Bern Graz Linz Ghent
Antwerp Bruges Utrecht Rotterdam Delft Aarhus Bergen Malmo Turku Tartu Riga Vilnius Krakow Gdansk Brno
Budapest Zagreb Split Sopot Leeds Exeter Bristol Cardiff Glasgow Belfast Cork Galway Boston Chicago
Denver Austin Dallas Seattle Portland Miami Atlanta Phoenix Toronto Montreal Ottawa Quito Lima Bogota
Santiago Havana Cairo Tunis Nairobi Lagos Accra Dakar Cape_Town Tokyo Osaka Kyoto Seoul Busan Hanoi
Bangkok Manila Jakarta Mumbai Delhi Perth Sydney Auckland Dubai Doha New_York San_Diego Buenos_Aires
Hong_Kong Tel_Aviv Le_Havre""",
    "adjective": """red blue green silver golden copper wooden iron quiet rapid heavy light small large narrow wide royal
northern southern eastern western upper lower old modern classic simple double triple soft hard warm
cold bright dark round square flat deep shallow sharp smooth rough clear misty sunny crystal velvet
marble amber ivory scarlet crimson violet turquoise electric magnetic solar hidden open broken spare
central outer inner coastal alpine polar tropical urban rural ancient gentle sturdy slender compact
portable foldable leather cotton linen bamboo ceramic""",
    "thing": """lamp bridge tower river falcon maple cedar anchor lantern compass engine mirror bell window door ladder
kettle hammer basket carpet pillow blanket candle helmet jacket bottle bucket barrel wheel valve filter
cable switch battery panel pipe tank frame cushion drawer cabinet shelf desk stool bench clock scale
brush broom tray bowl cup plate spoon knife pan jar vase pen pencil ruler folder stapler magnet spring
gear chain bolt screw hinge handle knob lever pulley crown arrow feather harbor meadow orchard summit
valley canyon glacier island lagoon prairie comet nebula""",
    "problem": """Broken lamp|Login fails|No hot water|Wrong address|Missing invoice|Late delivery|Cracked screen
Door stuck|Window leaks|Heating off|Noise at night|Lost key|Double charge|Refund request|Slow website
Password reset|Empty printer|Flat tyre|Loose cable|Bad smell|Torn carpet|Engine light|Dead battery
Blocked drain|Wrong size|Faulty switch|Damp wall|Spring sale|Garden fence|Roof repair|Kitchen upgrade
New website|Summer festival|Winter tyres|Team outing|Annual report|Floor polish|Brake check|Oil change
Budget review|Brand refresh|Market study|Safety audit|Data cleanup|Office move|Blood test|Yearly check
Paint job|Tax advice|Rent increase|Phone upgrade|Glass order|Truck wash|Road works|Tree cutting
Night shift|Stock count|Price change|Menu update|Map update|Photo session|Contract renewal|Rusty gate
Frozen pipe|Test drive|Open house|Bulk order|Gift wrapping|Express parcel|Sample box|Water damage
Power cut|Smoke detector|Parking dispute|Broken chair|Dim light""",
    "message": """Your order is ready|Please call us back|The meeting is moved to Friday|We are closed on Monday
Thanks for your help|Your invoice is overdue|See you tomorrow|The delivery is late
Please bring your papers|Your key is at the desk|Happy birthday|The lift is out of order
New prices from June|Your parcel has arrived|We miss you|Please confirm by noon|The doors open at eight
Your visit is confirmed|Check your mailbox|We found your bag|The road is closed|Dinner is at seven
Please send the form|The sale starts today|Your card expires soon|Good news from the team
Please update your address|The bus leaves at nine|Your room is ready|We need one more signature
Lunch is cancelled|Thank you for waiting|The water is off until noon|Please park in the yard
Your refund is on its way|Tickets are at the gate|The course is full|Remember your badge
Welcome on board|The report is due|Your seat has changed|Bring warm clothes|The gate is open
We will be there at five|Please reply today|Snow is expected|Your code has changed|All went well
The results are in|Start at the back door""",
    "note": """called twice|prefers email|paid in cash|needs a second check|left the keys inside|wants a quote
very urgent|handle with care|asked for a discount|arrived early|no answer|speaks French|allergic to nuts
follow up in May|ready for pickup|check the brakes|missing one part|photo attached|waiting for papers
back next week|do not call|new address soon|moved to storage|leave at reception|cleaned on Sunday
needs new paint|spare key in office|complained about noise|very friendly|first visit|agreed by phone
rear door only|fragile glass|keep dry|talk to the manager|needs a ramp|returned unused|seal was broken
double checked|pay on arrival""",
    "tag": """vip urgent new fragile seasonal family spring autumn local export bulk rare premium organic recycled
event staff partner trial returning night weekend outdoor indoor loyal press student senior heavy cold""",
    "company": """Northwind Acme Globex Initech Umbra Solaris Vertex Lumen Orbis Cobalt Nimbus Zenith Aurora Boreal Castor
Delphi Everest Fjord Granit Helix Indigo Juniper Krypton Lotus Magnolia Nautilus Onyx Pegasus Quantum
Raven Sequoia Titan Unity Vega_Works Willow Xenon Yonder Zephyr Atlas_Foods Beacon Crest Drift Ember
Fable""",
}

_PLURALS = {
    "person": "people",
    "child_member": "child_members",
    "shelf": "shelves",
    "loaf": "loaves",
    "thesis": "theses",
    "cargo": "cargos",
    "leave": "leaves",
    "dish": "dishes",
    "fish": "fish",
    "knife": "knives",
}


class Theme:
    """Server names and the nouns that fit them, each with its kind and perhaps a synonym."""

    def __init__(self, line: str) -> None:
        servers, nouns = line.split(":", 1)
        self.servers = servers.strip().split("|")
        self.nouns: list[tuple[str, str, str | None]] = []
        for word in nouns.split():
            kind, noun = word.split(":")
            name, _, synonym = noun.partition("=")
            self.nouns.append((kind, name, synonym or None))
        self.key = self.servers[0]

    def __repr__(self) -> str:
        return f"Theme({self.key})"  # decides the split, see `pool`


def _themes() -> list[Theme]:
    """All themes; a noun or synonym that an earlier theme has is dropped, so that none is in both splits.

    So is a server that would hide a function of the language.
    """
    seen: set[str] = set()
    themes = []
    for line in _THEMES.strip().splitlines():
        theme = Theme(line)
        kept = []
        for kind, noun, synonym in theme.nouns:
            if noun in seen:
                continue
            synonym = None if synonym in seen else synonym
            seen.update({noun, synonym} if synonym else {noun})
            kept.append((kind, noun, synonym))
        theme.nouns = kept
        theme.servers = [name for name in theme.servers if name not in seen]
        if kept and theme.servers:
            theme.key = theme.servers[0]
            theme.servers = [name for name in theme.servers if name not in RESERVED]
            themes.append(theme)
    return themes


THEMES = _themes()
WORDS: dict[str, list[str]] = {
    name: [word.strip().replace("_", " ") for word in (text.replace("\n", "|").split("|") if "|" in text else text.split())]
    for name, text in _TEXT_LISTS.items()
}


@lru_cache(maxsize=4096)
def cached_pool(options: tuple[Any, ...], split: Split) -> tuple[Any, ...]:
    """`base.pool`, remembered."""
    return tuple(pool(options, split))


_POOLED = {(name, split): tuple(pool(words, split)) for name, words in WORDS.items() for split in ("practice", "heldout")}


def word(rng: random.Random, name: str, split: Split) -> str:
    """A random value of a word list."""
    return rng.choice(_POOLED[name, split])


def plural(noun: str) -> str:
    """English plural of a lower-case noun."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "z")) else "s")


_SYLLABLES = tuple(
    onset + vowel + coda
    for onset in (
        "b",
        "br",
        "d",
        "dr",
        "f",
        "fl",
        "g",
        "gr",
        "h",
        "j",
        "k",
        "kl",
        "l",
        "m",
        "n",
        "p",
        "pl",
        "qu",
        "r",
        "s",
        "sk",
        "st",
        "t",
        "tr",
        "v",
        "w",
        "x",
        "y",
        "z",
        "zh",
    )
    for vowel in ("a", "e", "i", "o", "u", "ai", "ou")
    for coda in ("", "", "l", "m", "n", "r", "k", "x", "v", "b", "nd", "sh")
)
_SYLLABLE_POOLS = {split: tuple(pool(sorted(set(_SYLLABLES)), split)) for split in ("practice", "heldout")}


def pseudo_word(rng: random.Random, split: Split) -> str:
    """A word that no language has: two or three syllables, another set in each split."""
    count = rng.choice((2, 2, 2, 3))
    return "".join(rng.choice(_SYLLABLE_POOLS[split]) for _ in range(count))[:11]


def wide_name(rng: random.Random, words: Sequence[str]) -> str:
    """A name that has to be read, because nobody could guess it: one word of the lexicon, two, or a few letters."""
    kind = rng.random()
    if kind < 0.12:
        letters = "".join(rng.choice("abcdefghiklmnoprstuvw") for _ in range(rng.choice((2, 3))))
        return letters if letters not in RESERVED else rng.choice(words)
    return rng.choice(words) if kind < 0.7 else f"{rng.choice(words)}_{rng.choice(words)}"


def random_code(rng: random.Random, size: int) -> str:
    """Random lower-case letters and digits."""
    return "".join(rng.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(size))
