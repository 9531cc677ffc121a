"""Pages to follow: what they post about, in which tone and form, and who is behind them."""

from __future__ import annotations

from recnb.world.language import Bank, Theme

THEMES = (
    Theme(
        "baking", "Food",
        """sourdough that failed and sourdough that rose | layer cakes | croissants before dawn
        | flour tests | grandmother's strudel | tips for a better crust | gluten-free loaves
        | decorated biscuits | proving times | buns from around the world | pie crimping | home-milled rye""",
        """bakes a new loaf every Sunday | answers every question about dough
        | burns a tray so that you need not | swaps starters with strangers""",
        "Sourdough | Crumb | Oven | Flour | Pastry | Crust | Dough | Rolling Pin",
    ),
    Theme(
        "street food", "Food",
        """noodle stalls at midnight | the best dumplings in town | tacos worth a detour | chilli sauces
        | night markets | cheap lunches | curry from a van | grilled corn | hidden canteens
        | skewers by the harbour | recipes from hawkers | queues that pay off""",
        """eats at a different stall each evening | rates every taco in the region
        | talks cooks out of their secrets | never spends more than a few coins on lunch""",
        "Noodle | Taco | Dumpling | Chilli | Night Market | Skewer | Hawker | Curry",
    ),
    Theme(
        "hiking", "Outdoors",
        """ridge walks | forgotten footpaths | huts above the clouds | blisters and how to treat them
        | summit sunrises | packing lists | long-distance trails | maps | rainy day rambles
        | waterfalls off the road | boots after a thousand miles | solo trekking""",
        """walks a new trail every weekend | has crossed the range on foot three times
        | sleeps in huts more often than at home | marks paths as a volunteer""",
        "Trail | Summit | Ridge | Boots | Footpath | Ramble | Backpack | Cairn",
    ),
    Theme(
        "birds", "Outdoors",
        """kingfishers at dawn | owl calls | garden feeders | the spring migration | nest cams | rare gulls
        | swifts under the roof | hawks over the motorway | birdsong quizzes | ringing days
        | herons in the park | feathers found on walks""",
        """gets up at four for a warbler | has counted the same marsh for thirty years
        | films nests without disturbing them | knows every call in the hedge""",
        "Feather | Kingfisher | Nest | Owl | Wing | Heron | Warbler | Birdsong",
    ),
    Theme(
        "astronomy", "Science",
        """the moons of Jupiter | long exposures of nebulae | meteor showers | backyard telescopes
        | eclipses | constellations for beginners | news from space probes | light pollution
        | star trails | the rings of Saturn | black holes in plain words | tonight's sky""",
        """photographs galaxies from a rooftop | explains the night sky in plain words
        | grinds telescope mirrors by hand | chases eclipses round the world""",
        "Nebula | Telescope | Comet | Orbit | Starlight | Saturn | Eclipse | Galaxy",
    ),
    Theme(
        "history", "Science",
        """everyday life in Rome | lost railways | letters from the archive | castles and sieges
        | medieval recipes | forgotten queens | old maps | digs and finds | shipwrecks
        | the story behind street names | coins from the soil | a war in objects""",
        """reads old letters so that you need not | digs with the county archaeologists
        | tells one forgotten story a day | restores maps for a living""",
        "Archive | Castle | Relic | Century | Chronicle | Ruin | Scroll | Empire",
    ),
    Theme(
        "knitting", "Crafts",
        """cable jumpers | sock heels explained | yarn hauls | natural dyes | mended cuffs
        | lace shawls | crochet blankets | patterns to share | felted slippers | spinning wool
        | baby hats | colour charts""",
        """knits on the train to work | designs jumpers for tall people
        | spins wool from the neighbour's sheep | unravels and starts again without shame""",
        "Yarn | Needle | Stitch | Wool | Cable | Purl | Bobbin | Skein",
    ),
    Theme(
        "woodwork", "Crafts",
        """dovetail joints | hand-carved spoons | restoring old chairs | sharpening chisels
        | a bench from scrap | turned bowls | workshop mistakes | Japanese saws | oil finishes
        | tables from fallen oak | toys with wheels | a boat in the garage""",
        """builds furniture without screws | carves a spoon every evening
        | rescues chairs from skips | teaches joinery to teenagers""",
        "Chisel | Dovetail | Timber | Workbench | Grain | Sawdust | Oak | Mallet",
    ),
    Theme(
        "fitness", "Sport",
        """kettlebell routines | push-up challenges | mobility drills | lifting after fifty | rest days
        | meal prep | home workouts | pull-up progress | stretching at the desk
        | sprints | squats with good form | motivation on grey mornings""",
        """trains in a garage gym | coaches beginners for free
        | came back from a torn ligament | posts every set, good or bad""",
        "Kettlebell | Barbell | Sweat | Rep | Muscle | Workout | Stamina | Plank",
    ),
    Theme(
        "football", "Sport",
        """match reports from the lower leagues | tactics on a napkin | old shirts | away trips
        | transfer gossip | great goalkeepers | terrace songs | women's league highlights
        | stadium visits | penalty statistics | five-a-side tips | forgotten strikers""",
        """has missed two home games in forty years | draws tactics on napkins
        | collects shirts of clubs that no longer exist | referees the village derby""",
        "Terrace | Offside | Goalkeeper | Dugout | Volley | Derby | Corner Flag | Kick-Off",
    ),
    Theme(
        "books", "Culture",
        """novels in translation | crime fiction | first lines | a book club | overlooked poets
        | second-hand finds | reading slumps | short stories | library hauls | bedtime reading
        | marginal notes | the longest classics""",
        """reads a novel in translation every week | runs a bookshop with two chairs
        | reviews only what is out of print | finishes what everybody else gives up""",
        "Chapter | Bookshelf | Page | Novel | Paperback | Library | Ink | Bookmark",
    ),
    Theme(
        "gadgets", "Technology",
        """phone repairs | home automation | open-source tools | circuit boards | 3D prints
        | keyboards with real switches | retro computers | drone footage | tiny servers
        | battery tests | solder burns | code snippets""",
        """takes apart whatever beeps | automates a whole flat for fun
        | repairs phones at the kitchen table | writes code for old computers""",
        "Circuit | Solder | Pixel | Gadget | Keyboard | Byte | Drone | Server",
    ),
    Theme(
        "pets", "Life",
        """a three-legged cat | puppy training | adoption stories | hamster mazes | dogs in jumpers
        | parrots that swear | vet advice | kittens on keyboards | greyhounds on sofas
        | rescue updates | treats to bake | aquarium plants""",
        """fosters kittens for the shelter | trains guide dogs
        | lives with five greyhounds and no sofa | translates the moods of a grumpy parrot""",
        "Paw | Whisker | Kitten | Tail | Puppy | Purr | Kennel | Parrot",
    ),
)  # fmt: skip

BANK = Bank(
    prefix="s",
    blocks=("interest", "tone", "form", "host"),
    themes=THEMES,
    moods={
        "funny": "funny | silly | tongue-in-cheek | hilarious | playful | absurd",
        "calm": "calm | soothing | slow | peaceful | gentle | quiet",
        "nerdy": "nerdy | meticulous | detailed | geeky | precise | thorough",
        "warm": "warm | kind | welcoming | friendly | encouraging | big-hearted",
        "blunt": "blunt | opinionated | outspoken | grumpy | unfiltered | sharp",
        "inspiring": "inspiring | bold | ambitious | energetic | upbeat | fearless",
    },
    settings={
        "clips": "in short clips | in one-minute videos | in quick reels | in fast-cut films",
        "photos": "in photographs | in pictures | in carefully lit photos | in one picture a day",
        "essays": "in long posts | in essays | in threads to read over coffee | in written portraits",
        "live": "in live streams | on air every week | in live sessions | in broadcasts with questions",
        "drawings": "in drawings | in comics | in sketches | in hand-made diagrams",
        "lists": "in lists and rankings | in top tens | in tables | in checklists",
    },
    leads={
        "amateur": "an amateur | a hobbyist | a self-taught enthusiast | a weekend dabbler",
        "expert": "a professional | a trained expert | a specialist | a university lecturer",
        "retiree": "a retired engineer | a grandmother | a pensioner | a former headmaster",
        "student": "a student | a teenager | an apprentice | a young graduate",
        "couple": "a couple | a pair of friends | a brother and sister team | a husband and wife team",
        "collective": "a neighbourhood club | a small collective | a volunteer group | a local society",
    },
    titles="""{word} Diaries | Daily {word} | The {word} Club | {word} and {word_b} | Notes from the {word}
        | {mood} {word} | {word} Weekly | A {word} a Day | Just {word} | The {mood} {word}
        | {word} Corner | {word} at Dawn | Hello, {word} | {word} Lab | Little {word} | {word} & Co.
        | {word}, {word_b} and Me | More {word} | {word} Stories | The {word} Post | Our {word}
        | {word} Hour | {mood} {word} Notes | {word} Matters | Between {word} and {otherword}""",
    sentences=(
        """Here {lead} {act}. | Run by {lead}. The host {act}. | On this page {lead} {act}.
        | It is the work of {lead}. The author {act}.""",
        """Expect {thing} and {thing_b} {setting}. | Look out for {thing} {setting}.
        | It is all about {thing}, told {setting}. | You will find {thing} and {thing_b}.""",
        """Now and then there is a post on {other}. | Some posts drift off to {other}.
        | On slow days the subject is {other}. | Guests bring in {other}.""",
        """The tone is {mood} and {mood_b}. | Always {mood}, often {mood_b}. | A {mood} place {setting_c}.
        | Followers call it {mood}.""",
    ),
    creators=(
        """amber | birch | cloud | delta | early | foggy | green | happy | inky | jolly | kind | lucky
        | misty | noble | odd | plain | quiet | rusty | sunny | tiny""",
        """badger | crow | dolphin | elk | fox | goose | heron | ibis | jay | koala | lynx | moth | newt
        | otter | puffin | quail | raven | seal | toad | vole""",
    ),
    columns={"language": "English | English | English | bilingual",
             "rhythm": "daily | weekly | now and then"},
    creator_column="author",
)  # fmt: skip
