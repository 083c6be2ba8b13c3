"""Tasks that no tool can do: they begin with a search, and end with saying so."""

from __future__ import annotations

from ..base import CANNOT
from . import words
from .draft import Desk, Draft, Unsuitable

LANGUAGES = (
    "French",
    "German",
    "Spanish",
    "Italian",
    "Japanese",
    "Dutch",
    "Polish",
    "Greek",
    "Latin",
    "Chinese",
    "Swedish",
    "Turkish",
)
SONGS = (
    "some jazz",
    "a song",
    "my favourite playlist",
    "classical music",
    "the radio",
    "something by Bach",
    "relaxing music",
    "a podcast",
    "the latest album",
)

Beyond = tuple[str, tuple[str, ...], tuple[str, ...]]
"""The query of the search, the stems that a tool for it would have in its name, and the phrasings."""

WISHES: tuple[Beyond, ...] = (
    (
        "send email",
        ("mail", "email", "message", "send", "letter", "notif"),
        (
            "send {file} <by|via> <email|e-mail|mail> to {name}",
            "email {file} to {name}",
            "mail the text of {file} to {name}",
            "write an email to {name} about the {topic}",
            "send {name} an email saying {text}",
            "e-mail {name} that the {topic} is late",
            "forward {file} to {name} by mail",
            "send a mail to {mail} with {file} attached",
        ),
    ),
    (
        "send text message",
        ("sms", "message", "send", "chat", "notif", "text"),
        (
            "send {name} a text message: {text}",
            "text {name} that I am late",
            "send an SMS to {name}",
            "message {name} on WhatsApp about the {topic}",
            "write {name} a WhatsApp message",
            "ping {name} on Slack: {text}",
            "post {text} in the team chat",
        ),
    ),
    (
        "print document",
        ("print", "paper", "document"),
        (
            "print {file} on <the office printer|paper|my printer>",
            "print out {file} on paper",
            "print two copies of {file} on the printer",
            "send {file} to the printer",
            "I need {file} on paper, print it out",
            "print {file} in colour on the laser printer",
        ),
    ),
    (
        "play music",
        ("play", "music", "song", "audio", "sound", "track"),
        (
            "play {song}",
            "put on {song}",
            "start playing {song}",
            "can you play {song} for me?",
            "turn up the volume and play {song}",
            "let me hear {song}",
            "stop the music and play {song}",
        ),
    ),
    (
        "translate text",
        ("translat", "language"),
        (
            "translate {file} into {lang}",
            "translate {file} to {lang}",
            "what does {file} say in {lang}?",
            "make a {lang} translation of {file}",
            "put {file} into {lang}",
            "I need {file} in {lang}",
            'how do you say "{topic}" in {lang}?',
            "translate the first line of {file} into {lang} and save it",
        ),
    ),
    (
        "weather forecast",
        ("weather", "forecast", "temperature", "rain"),
        (
            "what's the weather in {city}?",
            "will it rain <today|tomorrow> in {city}?",
            "weather forecast for {city}?",
            "how warm is it in {city} <now|today>?",
            "do I need an umbrella in {city} tomorrow?",
            "is it snowing in {city}?",
            "show me the weather for the weekend",
            "what will the temperature be in {city} tomorrow?",
        ),
    ),
    (
        "browse web page",
        ("web", "browse", "page", "url", "site", "internet", "http"),
        (
            "open {url} and tell me what it says",
            "browse to {url}",
            "download {url} to {out}",
            "fetch the page {url}",
            "what's on {url}?",
            "go to {url} and save the page as {out}",
            "visit {url} and summarise it",
            "load {url} in the browser",
        ),
    ),
    (
        "search the internet",
        ("web", "internet", "browse", "google", "news"),
        (
            "google {topic}",
            "search the web for {topic}",
            "look up {topic} on the internet",
            "find the latest news about {topic} online",
            "search Wikipedia for {topic}",
            "what does the internet say about {topic}?",
            "which shop online sells a {thing}?",
        ),
    ),
    (
        "resize image",
        ("image", "photo", "picture", "resize"),
        (
            "resize photo.jpg to {n} pixels",
            "crop logo.png to a square",
            "make picture.png black and white",
            "rotate the photo scan.jpg by 90 degrees",
            "shrink image.png to half its size",
            "convert cover.png to a JPEG",
            "draw a picture of a {thing}",
            "make a drawing of a {thing} and save it as art.png",
        ),
    ),
    (
        "make phone call",
        ("call", "phone", "dial", "voice"),
        (
            "call {name}",
            "phone {name} and say {text}",
            "ring {name} for me",
            "dial 555-0{n}",
            "give {name} a call on the phone",
            "make a phone call to {name}",
            "call a taxi",
            "video call {name}",
        ),
    ),
    (
        "buy product online",
        ("buy", "purchas", "shop", "order", "checkout"),
        (
            "buy a {thing}",
            "buy me a new {thing} on Amazon",
            "order a {thing} from the internet",
            "purchase two tickets for the {topic}",
            "order a pizza",
            "get me a {thing} from the shop",
            "pay for a new {thing} with my card",
        ),
    ),
    (
        "book travel",
        ("book", "flight", "hotel", "travel", "reserv", "trip"),
        (
            "book a flight to {city}",
            "reserve a table for {n2} in {city}",
            "book a hotel in {city}",
            "get me a train ticket to {city}",
            "reserve a room in {city} for Friday",
            "find and book the cheapest flight from {city} to {city2}",
        ),
    ),
    (
        "set alarm",
        ("alarm", "timer", "remind", "schedul", "calendar"),
        (
            "set an alarm for {h} am",
            "wake me at {h}",
            "remind me at {h} o'clock to call {name}",
            "set a timer for {n2} minutes",
            "start a timer of {n2} minutes",
            "remind me tomorrow about the {topic}",
        ),
    ),
    (
        "calendar event",
        ("calendar", "event", "appointment", "meeting", "schedul", "booking"),
        (
            "put a meeting with {name} into my calendar",
            "what's on my calendar today?",
            "move my appointment with {name} to {h} o'clock",
            "add {topic} to my calendar",
            "am I free on Friday?",
            "schedule a call with {name} for tomorrow",
            "cancel my meeting with {name}",
        ),
    ),
    (
        "turn on light",
        ("light", "lamp", "switch", "heat", "device", "turn", "thermostat"),
        (
            "turn on the <kitchen|bedroom|garden> light",
            "switch off the <lamp|lights>",
            "dim the lights",
            "set the heating to {n2} degrees",
            "turn off the TV",
            "close the blinds",
            "make it warmer in here",
            "lock the front door",
        ),
    ),
    (
        "stock price",
        ("stock", "share", "price", "market", "exchange", "quote"),
        (
            "what is the share price of {brand}?",
            "how is the stock market today?",
            "what's {brand} trading at?",
            "current price of Bitcoin?",
            "what did {brand} shares close at yesterday?",
        ),
    ),
    (
        "exchange rate",
        ("exchange", "currency", "rate", "money"),
        (
            "convert {n} euros to dollars",
            "how much is {n} dollars in yen?",
            "what is the exchange rate from euro to pound?",
            "{n} Swiss francs in euros?",
            "today's dollar rate?",
            "how many euros is {n} pounds sterling?",
        ),
    ),
    (
        "record audio",
        ("audio", "record", "voice", "sound", "speech", "microphone"),
        (
            "record a voice memo",
            "record my voice for {n2} seconds",
            "read {file} aloud",
            "speak the text of {file} out loud",
            "transcribe interview.mp3",
            "turn {file} into speech",
            "listen and write down what I say",
        ),
    ),
    (
        "make video",
        ("video", "film", "movie", "camera", "photo"),
        (
            "take a photo with my webcam",
            "cut the first minute from movie.mp4",
            "make a video of {file}",
            "record the screen",
            "take a picture of me",
            "add subtitles to film.mp4",
            "play the film trailer.mp4",
        ),
    ),
    (
        "edit pdf",
        ("pdf", "document", "page"),
        (
            "convert {file} to PDF",
            "make a PDF from {file}",
            "merge a.pdf and b.pdf",
            "sign the contract.pdf",
            "extract page {n2} of manual.pdf as a PDF",
            "fill in the form form.pdf",
            "export {file} as a PDF",
        ),
    ),
    (
        "compress zip archive",
        ("zip", "compress", "archiv", "pack"),
        (
            "zip <all files|this folder>",
            "make a zip archive of {file}",
            "unzip photos.zip",
            "compress {file}",
            "extract data.tar.gz",
            "pack everything into backup.zip",
            "put {file} in a zip file",
        ),
    ),
    (
        "run program",
        ("run", "exec", "process", "shell", "command", "job"),
        (
            "run setup.exe",
            "restart the computer",
            "kill the browser process",
            "install the latest update",
            "shut down the machine",
            "start Photoshop",
            "execute the shell script build.sh",
            "reboot the server",
        ),
    ),
    (
        "git commit",
        ("git", "commit", "repo", "push", "branch", "version"),
        (
            "commit my changes with git",
            "push this folder to GitHub",
            "git commit {file} with the message {text}",
            "create a pull request",
            "show the git history of {file}",
            "merge the branch dev into main",
            "check out the main branch",
        ),
    ),
    (
        "upload file",
        ("upload", "cloud", "share", "sync", "drive", "transfer", "backup"),
        (
            "upload {file} to <Dropbox|Google Drive|the cloud>",
            "share {file} with {name} on Google Drive",
            "upload {file} to the FTP server",
            "sync this folder with my phone",
            "publish {file} on my website",
            "put {file} on my USB stick",
        ),
    ),
    (
        "post on social media",
        ("post", "tweet", "social", "publish", "message"),
        (
            "tweet {text}",
            "post {text} on Facebook",
            "share {file} on LinkedIn",
            "put {text} on Instagram",
            "publish the {topic} on my blog",
            "like the last post of {name}",
        ),
    ),
    (
        "navigation route",
        ("route", "navig", "map", "direction", "distance", "location", "travel"),
        (
            "how do I get from {city} to {city2}?",
            "how far is it by car from {city} to {city2}?",
            "show me the way to {city} on the map",
            "navigate to {city}",
            "where am I right now?",
            "how long is the drive to {city}?",
            "which bus goes to {city}?",
        ),
    ),
    (
        "encrypt file with password",
        ("encrypt", "password", "crypt", "secret", "lock", "protect"),
        (
            "encrypt {file} with a password",
            "protect {file} with a password",
            "decrypt {file}",
            "change my password",
            "sign {file} with my key",
            "lock {file} so that nobody can open it",
        ),
    ),
    (
        "sports results",
        ("sport", "match", "score", "game", "result", "team"),
        (
            "who won the match yesterday?",
            "what was the score of the game last night?",
            "who is leading the league?",
            "when does {city} play next?",
            "who won the Olympic marathon?",
        ),
    ),
    (
        "permission of file",
        ("permission", "owner", "chmod", "access", "grant", "role"),
        (
            "make {file} read-only",
            "make {file} executable",
            "change the owner of {file} to {name}",
            "chmod 600 {file}",
            "give {name} access to {file}",
            "who has permission to read {file}?",
        ),
    ),
    (
        "make chart",
        ("chart", "plot", "graph", "diagram", "draw", "visual"),
        (
            "draw a chart of {table}",
            "plot {table} as a bar chart",
            "make a pie chart from {table}",
            "show {table} as a diagram",
            "create a graph of {table} and save it as chart.png",
        ),
    ),
)


def wish(desk: Desk, tool_words: frozenset[str]) -> Draft:
    """Something that the toolbox cannot do and that no other tool of the world has a word for."""
    query, stems, templates = desk.rng.choice(WISHES)
    if any(word.startswith(stem) for word in tool_words for stem in stems):
        raise Unsuitable("a tool might do it")
    draw = desk.draw
    tables = desk.folder.tables("csv")
    if not tables:
        raise Unsuitable("no table")
    from .folder import mail, url

    text = desk.say(
        templates,
        file=desk.path(desk.text_file().path),
        name=draw.name(),
        topic=draw.one(words.TOPICS),
        thing=draw.one(words.THINGS),
        text=desk.value(desk.plain_text()),
        mail=mail(draw),
        url=url(draw),
        song=draw.one(SONGS),
        lang=draw.one(LANGUAGES),
        out=desk.fresh_name("txt"),
        city=desk.rng.choice(words.CITIES)[0],
        city2=desk.rng.choice(words.CITIES)[0],
        n=str(draw.number(20, 900)),
        n2=str(desk.rng.randint(2, 25)),
        h=str(desk.rng.randint(5, 11)),
        brand=draw.one(("Acme", "Nordwind", "Lumo", "Apple", "Siemens", "Toyota", "Nestle", "Volvo")),
        table=desk.path(desk.rng.choice(tables).path),
    )
    return Draft(text, (f'load_tools(*search_tools("{query}", k=4))', f'answer("{CANNOT}")'))
