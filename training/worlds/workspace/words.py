"""Word lists of the workspace worlds: names of files and folders, people, things, table columns and their values."""

from __future__ import annotations

STEMS = tuple(
    "notes todo readme meeting plan draft report summary ideas journal diary minutes agenda letter memo recipe shopping "
    "packing travel budget goals review feedback changes changelog guide manual handbook overview intro faq questions "
    "contacts links bookmarks quotes lecture homework essay chapter outline story script speech interview survey proposal "
    "contract offer invoice receipt warranty checklist roadmap retro standup onboarding install setup usage design spec "
    "architecture decisions glossary credits license history archive-index inbox scratch research experiments results "
    "observations log-book project kickoff sprint backlog bugs features release garden kitchen workout training menu "
    "birthday wedding holiday family house car bike piano books movies music games thanks welcome about team people "
    "hiring press brief pitch strategy marketing campaign newsletter blog post article reading-list vocabulary grammar "
    "lesson exam syllabus thesis abstract methods discussion appendix".split()
)
MODIFIERS = tuple(
    "old new final draft my team weekly monthly daily q1 q2 q3 q4 2024 2025 2026 jan feb march april may june v1 v2 v3 work "
    "home office private shared extra short long copy backup monday friday summer winter client school north south "
    "spring autumn annual public first second".split()
)
FOLDERS = tuple(
    "docs notes archive data reports logs drafts projects work personal old misc backup photos scripts config src finance "
    "clients school recipes travel journal meetings research templates inbox exports letters invoices 2024 2025 2026 q1 q2 "
    "team shared public private tests assets sources material lectures blog posts planning marketing legal hr sales "
    "support library music stories garden house family events contracts receipts".split()
)
NEW_FOLDERS = tuple(
    "archive backup done old processed out output sorted final results summary export bin keep review later attic trash "
    "collected temp published ready sent closed history storage copies stash vault cellar offline".split()
)
TABLE_STEMS: tuple[tuple[str, str], ...] = tuple(
    (pair.split(":")[0], pair.split(":")[1])
    for pair in (
        "sales:sales orders:orders expenses:expenses customers:customers inventory:items products:products staff:employees "
        "invoices:invoices bookings:bookings members:members students:students results:results stock:items "
        "purchases:purchases budget:entries payments:payments readings:readings visits:visits books:books trips:trips "
        "employees:employees suppliers:suppliers tickets:tickets transactions:transactions shipments:shipments "
        "deliveries:deliveries returns:returns contracts:contracts projects:projects players:players races:races "
        "donations:donations tasks:tasks events:events cars:cars houses:houses plants:plants animals:animals songs:songs "
        "movies:movies courses:courses grades:grades patients:patients flights:flights hotels:hotels rooms:rooms "
        "leads:leads accounts:accounts subscriptions:subscriptions samples:samples measurements:measurements "
        "machines:machines parts:parts repairs:repairs campaigns:campaigns reviews:reviews votes:votes loans:loans "
        "salaries:salaries hours:entries fuel:entries harvest:harvests workouts:workouts"
    ).split()
)
MONEY = tuple(
    "amount total price cost revenue fee salary budget balance profit discount tax value net gross turnover wage rent "
    "refund bonus premium unit_price total_cost net_amount shipping_cost income spending paid".split()
)
COUNTS = tuple(
    "quantity stock age visits hours points votes pages seats score distance weight duration minutes items_sold clicks "
    "downloads guests children rooms floors goals wins calls views likes orders_placed mileage height length rating "
    "days_open participants stars kilometers returns units_sold".split()
)
CATEGORIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "city",
        tuple(
            "Rome Berlin Paris Madrid Vienna Oslo Lisbon Prague Zürich Köln Dublin Athens Turin Ghent Malmö Porto "
            "Graz Lyon Genoa Bergen".split()
        ),
    ),
    (
        "country",
        tuple(
            "Italy Germany France Spain Austria Norway Portugal Japan Brazil Canada Mexico India Kenya Peru Chile "
            "Poland Egypt Cuba".split()
        ),
    ),
    ("department", tuple("Sales Marketing Finance Support Legal Research Logistics Engineering Design Purchasing".split())),
    ("category", tuple("food travel office books rent hardware software clothes toys garden music sport health".split())),
    ("status", tuple("open closed paid pending cancelled shipped new done overdue active inactive draft".split())),
    ("region", tuple("north south east west central coast alps lowlands islands delta".split())),
    ("team", tuple("red blue green alpha beta falcons tigers otters comets rockets".split())),
    ("color", tuple("red blue green black white yellow grey orange purple brown silver".split())),
    ("brand", tuple("Acme Nordwind Lumo Bexa Corvo Tarn Ovela Kimbo Zenit Pavo".split())),
    ("supplier", tuple("Meyer Rossi Dupont Nielsen Tanaka Costa Novak Olsen Fischer Murphy".split())),
    ("warehouse", tuple("A1 A2 B1 B2 C3 D4 E5 F6 G7".split())),
    ("level", tuple("junior senior expert beginner advanced basic gold silver bronze".split())),
    ("payment", tuple("cash card invoice transfer cheque voucher".split())),
    ("priority", tuple("low medium high urgent normal critical".split())),
    ("currency", tuple("EUR USD GBP CHF JPY SEK".split())),
    ("size", tuple("small medium large tiny huge XL S M L".split())),
    ("channel", tuple("web shop phone mail fair partner kiosk".split())),
    ("language", tuple("English German French Spanish Italian Dutch Greek Danish".split())),
    ("genre", tuple("crime fantasy poetry comedy drama history horror romance".split())),
    ("material", tuple("wood steel glass cotton paper copper clay wool".split())),
    ("shift", tuple("morning night day evening weekend".split())),
    ("grade", tuple("A B C D E F".split())),
)
PERSON_COLUMNS = tuple("name customer employee client student author owner seller member contact".split())
THING_COLUMNS = tuple("product item title article model part dish plant course device".split())
DATE_COLUMNS = tuple("date day due created shipped joined ordered sold booked visited".split())
PEOPLE = tuple(
    "Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karla Leo Marta Nils Olga Paul Rosa Simon Tara Ugo Vera Walter "
    "Yara Zoe Jürgen Björn Renée José Chloé Sören Maya Omar Priya Kenji Lin Fatima Igor Nadia Pedro Sofia Liam Noah Ava Mia "
    "Ethan Grace Owen Ruby Oscar Stella Max Nina Tom Sara Jack Lucy Adam Eve Carl Dora".split()
)
THINGS = tuple(
    "lamp chair desk notebook pencil stapler monitor keyboard cable printer backpack bottle mug teapot blanket candle "
    "umbrella hammer ladder bucket shovel tent compass lantern guitar drum flute camera tripod scarf jacket boots helmet "
    "gloves towel soap mirror carpet shelf sofa pillow clock radio battery charger router scanner whiteboard marker folder "
    "envelope stamp globe puzzle kite marble anvil rope anchor wheel saddle basket crate barrel kettle skillet ladle whisk "
    "grater sieve apron".split()
)
TOPICS = tuple(
    "budget deadline contract invoice website printer kitchen garden meeting schedule server database backup password "
    "holiday ticket hotel train flight rent insurance dentist workshop newsletter logo prototype release test review "
    "customer supplier delivery order refund warranty training interview presentation report survey roadmap migration "
    "update bug feature design colour font menu recipe tomato bread cheese coffee tea sugar flour butter apple banana "
    "bicycle engine brake tyre window roof door paint piano violin concert museum library novel poem exam essay thesis "
    "lecture professor student coach match goal marathon river mountain forest beach island storm harvest tractor "
    "microphone satellite telescope volcano glacier compass".split()
)
LEVELS = ("INFO", "WARNING", "ERROR", "DEBUG", "CRITICAL")
EVENTS = tuple(
    "connection lost;user logged in;disk almost full;timeout while reading;backup finished;cache cleared;request failed;"
    "service started;service stopped;retry in 5 seconds;invalid token;file uploaded;payment accepted;queue is empty;"
    "memory low;config reloaded;job scheduled;certificate expires soon;permission denied;index rebuilt;worker restarted;"
    "session closed;email bounced;download complete".split(";")
)
SYLLABLES = tuple(
    "ba be bo da do fa fi ga go ka ke ki la le lo lu ma me mi mo na ne no pa pe po ra re ri ro sa se si "
    "so ta te ti to va ve vi "
    "vo za zu bran cor dril fen gup hol jat kel lum mip nor plo quen rus sil tov ulm vex wim yor zan".split()
)
CONFIG_KEYS = tuple(
    "port host timeout retries debug theme language version region color width height volume limit interval cache "
    "max_users log_level title owner workers delay threshold font_size homepage license author encoding".split()
)
SECTIONS = tuple("server database ui logging network editor window mail storage player printer search sync build".split())
PRICES = tuple(
    "coffee tea cake soup salad pizza ticket poster badge sticker map guide apple bread cheese wine juice water pen book "
    "candle soap towel rental deposit lesson parking locker".split()
)
SENTENCES = (
    "Call {person} about the {topic}.",
    "The {topic} is due on {date}.",
    "{person} will check the {topic} next week.",
    "Remember to order a new {thing}.",
    "We talked about the {topic} and the {topic2}.",
    "{person} said the {topic} costs ${n}.",
    "Ask {person} for the {thing}.",
    "The {thing} is broken again.",
    "Next meeting: {date} at {hour}:30.",
    "Mail: {mail}",
    "See {url} for the {topic}.",
    "{person} and {person2} share the {thing}.",
    "Nobody knows where the {thing} went.",
    "The {topic} took {n} hours.",
    "Buy {n} more of the {thing} type.",
    "{person} prefers the old {topic}.",
    "Decision: we keep the {topic}.",
    "Open question: who pays for the {topic}?",
    "It's {person}'s turn to bring the {thing}.",
    "Deadline moved to {date}.",
    "Too many {topic} problems this month.",
    "Send the {topic} to {mail}.",
    "{person} found {n} errors in the {topic}.",
    "We need a plan for the {topic}.",
)
BULLETS = (
    "- [ ] {topic} for {person}",
    "- [x] fix the {thing}",
    "- {topic}",
    "- {thing}",
    "* ask {person} about the {topic}",
    "- TODO: check the {topic}",
    "TODO: write to {person}",
    "- buy {thing}",
    "- {n} x {thing}",
    "* {topic} ({date})",
)
HEADINGS = ("# {Topic}", "## {Topic} and {topic2}", "# Notes about the {topic}", "## Week {n}", "# {Thing}", "## {person}")
CITIES: tuple[tuple[str, str], ...] = tuple(
    (part.split("=")[0].replace("_", " "), part.split("=")[1])
    for part in (
        "Berlin=Europe/Berlin Munich=Europe/Berlin Hamburg=Europe/Berlin Paris=Europe/Paris London=Europe/London "
        "Rome=Europe/Rome Milan=Europe/Rome Madrid=Europe/Madrid Barcelona=Europe/Madrid Lisbon=Europe/Lisbon "
        "Vienna=Europe/Vienna Zurich=Europe/Zurich Amsterdam=Europe/Amsterdam Brussels=Europe/Brussels "
        "Copenhagen=Europe/Copenhagen Stockholm=Europe/Stockholm Oslo=Europe/Oslo Helsinki=Europe/Helsinki "
        "Warsaw=Europe/Warsaw Prague=Europe/Prague Athens=Europe/Athens Dublin=Europe/Dublin Moscow=Europe/Moscow "
        "Istanbul=Europe/Istanbul New_York=America/New_York Boston=America/New_York Chicago=America/Chicago "
        "Denver=America/Denver Los_Angeles=America/Los_Angeles San_Francisco=America/Los_Angeles Toronto=America/Toronto "
        "Vancouver=America/Vancouver Mexico_City=America/Mexico_City Lima=America/Lima Bogota=America/Bogota "
        "Tokyo=Asia/Tokyo Osaka=Asia/Tokyo Seoul=Asia/Seoul Shanghai=Asia/Shanghai Beijing=Asia/Shanghai "
        "Hong_Kong=Asia/Hong_Kong Singapore=Asia/Singapore Bangkok=Asia/Bangkok Jakarta=Asia/Jakarta Dubai=Asia/Dubai "
        "Kolkata=Asia/Kolkata Mumbai=Asia/Kolkata Sydney=Australia/Sydney Melbourne=Australia/Melbourne "
        "Auckland=Pacific/Auckland Honolulu=Pacific/Honolulu Cairo=Africa/Cairo Lagos=Africa/Lagos "
        "Nairobi=Africa/Nairobi Johannesburg=Africa/Johannesburg"
    ).split()
)
UNITS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "length",
        (
            ("kilometers", "km"),
            ("miles", "mile"),
            ("meters", "m"),
            ("feet", "foot"),
            ("inches", "inch"),
            ("centimeters", "cm"),
            ("yards", "yard"),
            ("millimeters", "mm"),
            ("km", "km"),
            ("cm", "cm"),
            ("nautical miles", "nautical_mile"),
        ),
    ),
    (
        "mass",
        (
            ("kilograms", "kg"),
            ("kilos", "kg"),
            ("kg", "kg"),
            ("pounds", "pound"),
            ("ounces", "ounce"),
            ("grams", "gram"),
            ("tons", "tonne"),
            ("stone", "stone"),
        ),
    ),
    (
        "temperature",
        (
            ("degrees Celsius", "celsius"),
            ("Celsius", "celsius"),
            ("Fahrenheit", "fahrenheit"),
            ("degrees Fahrenheit", "fahrenheit"),
            ("kelvin", "kelvin"),
        ),
    ),
    (
        "volume",
        (
            ("liters", "liter"),
            ("litres", "liter"),
            ("gallons", "gallon"),
            ("milliliters", "milliliter"),
            ("ml", "milliliter"),
            ("cups", "cup"),
            ("pints", "pint"),
            ("teaspoons", "teaspoon"),
        ),
    ),
    (
        "speed",
        (
            ("km/h", "kph"),
            ("mph", "mph"),
            ("miles per hour", "mph"),
            ("meters per second", "mps"),
            ("kilometers per hour", "kph"),
            ("knots", "knot"),
        ),
    ),
    ("time", (("hours", "hour"), ("minutes", "minute"), ("seconds", "second"), ("days", "day"), ("weeks", "week"))),
    ("area", (("hectares", "hectare"), ("acres", "acre"), ("square feet", "square_foot"))),
    (
        "data",
        (
            ("megabytes", "megabyte"),
            ("gigabytes", "gigabyte"),
            ("kilobytes", "kilobyte"),
            ("GB", "gigabyte"),
            ("MB", "megabyte"),
            ("terabytes", "terabyte"),
        ),
    ),
    (
        "energy",
        (("joules", "joule"), ("calories", "calorie"), ("kilowatt hours", "kilowatt_hour"), ("kWh", "kilowatt_hour")),
    ),
    ("pressure", (("bar", "bar"), ("psi", "psi"), ("pascal", "pascal"))),
)
NUMBER_WORDS = ("zero one two three four five six seven eight nine ten eleven twelve").split()
NAMES = frozenset(
    id(names)
    for names in (
        STEMS, MODIFIERS, FOLDERS, NEW_FOLDERS, TABLE_STEMS, MONEY, COUNTS, CATEGORIES, PERSON_COLUMNS, THING_COLUMNS,
        PEOPLE, THINGS, TOPICS, CONFIG_KEYS, SECTIONS, PRICES,
    )
)  # fmt: skip
"""Which lists are names that could be any word (by the lists' identities); the others have a meaning of their own."""
