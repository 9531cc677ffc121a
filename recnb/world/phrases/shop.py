"""Things to buy: what they are for, their style, where they are used and by whom."""

from __future__ import annotations

from recnb.world.language import Bank, Theme

THEMES = (
    Theme(
        "camping", "Outdoors",
        """nights under canvas | a weekend at the lakeside campsite | sleeping in the open
        | summer festivals in a field | a fortnight with a rucksack | evenings round the fire
        | bivouacs above the tree line | scout trips | wild camping | cooking far from a kitchen
        | a tent pitched in the dark | breakfast outdoors""",
        """packs down to the size of a loaf | stays dry through a night of rain
        | weighs next to nothing on the trail | sets up in under a minute | shrugs off wind and mud""",
        """two-person tent | sleeping bag | gas stove | headlamp | folding chair | ground mat
        | camp lantern | rucksack | mess tin set | hammock | cool box | tarpaulin""",
    ),
    Theme(
        "cycling", "Outdoors",
        """the daily ride to work | long Sunday rides | steep climbs and fast descents
        | gravel tracks | touring with panniers | a commute in traffic | repairs at the roadside
        | a hundred kilometres in the saddle | wet autumn roads | mountain trails
        | a first triathlon | riding after dark""",
        """fits every common frame | takes potholes without a rattle | clips on without tools
        | keeps its grip in the wet | cuts drag without fuss""",
        """bike light | helmet | pannier | floor pump | saddle | repair kit | chain lock | bottle cage
        | cycling jersey | multi-tool | mudguard set | handlebar bag""",
    ),
    Theme(
        "garden", "Home and Garden",
        """beds full of perennials | growing tomatoes on a balcony | pruning roses
        | a lawn after winter | raising seedlings | an allotment with heavy clay
        | the first potatoes of the year | hedges that grow too fast | compost and mulch
        | watering in a dry summer | planting bulbs | herbs on the windowsill""",
        """cuts cleanly without bruising the stem | turns hard soil with little effort
        | stays sharp season after season | saves water and time | stands outside all year""",
        """pruning shears | watering can | seed tray | hand trowel | garden hose | raised bed | rake
        | greenhouse kit | planter | wheelbarrow | spade | compost bin""",
    ),
    Theme(
        "baking", "Kitchen",
        """sourdough at the weekend | birthday cakes | pastry that has to stay cold
        | biscuits by the dozen | a loaf with a proper crust | kneading by hand
        | tarts and quiches | icing and sprinkles | bread for the whole family
        | meringues | cinnamon rolls on Sunday | rye and spelt doughs""",
        """spreads the heat evenly to the edges | lets go of every crumb
        | measures to the gram | cleans up in one rinse | survives years in a hot oven""",
        """loaf tin | mixing bowl | rolling pin | proving basket | kitchen scale | cake stand
        | stand mixer | baking sheet | piping set | whisk | pie dish | dough scraper""",
    ),
    Theme(
        "coffee", "Kitchen",
        """the first cup in the morning | a slow pour-over | espresso with a thick crema
        | freshly ground beans | guests who take it black | milk foam and latte art
        | brewing for one | a mug on the train | cold brew in July | light roasts
        | mocha on the stove | an afternoon break""",
        """brings out the flavour of good beans | holds its temperature to the last sip
        | brews in under three minutes | takes apart for cleaning | pours without a drip""",
        """pour-over set | burr grinder | moka pot | espresso cup set | milk frother | travel mug
        | cafetiere | gooseneck kettle | bean canister | cold-brew jug | tamper | pack of filter papers""",
    ),
    Theme(
        "running", "Sports",
        """a first marathon | jogging before breakfast | interval sessions on the track
        | trail races in the mud | five kilometres in the park | recovery after a long run
        | training in the rain | counting every kilometre | sprints up the hill
        | a half marathon in spring | getting back in shape | winter miles""",
        """stays put at any pace | wicks sweat away from the skin | cushions every stride
        | weighs less than an apple | dries overnight""",
        """running shoe | hydration vest | sports watch | pair of running tights | foam roller | armband
        | reflective jacket | sock set | headband | race belt | heart-rate strap | windbreaker""",
    ),
    Theme(
        "yoga", "Sports",
        """morning stretches | a quiet half-hour of meditation | balance poses | deep breathing
        | a flow class at home | sore shoulders after a desk day | restorative evenings
        | pilates on the rug | sitting still | sun salutations | loosening tight hips
        | mindfulness before bed""",
        """grips even with damp hands | supports the lower back | rolls up with one strap
        | feels soft but never slips | keeps its shape after years""",
        """yoga mat | cork block | meditation cushion | stretch strap | bolster | pilates ring
        | balance board | resistance band set | knee pad | eye pillow | singing bowl | mat bag""",
    ),
    Theme(
        "music making", "Hobbies",
        """practising scales after work | a first guitar lesson | recording demos in the bedroom
        | jam sessions with friends | songs round the piano | busking on the high street
        | tuning before the gig | learning chords | drumming without angry neighbours
        | mixing tracks at night | a school orchestra | writing melodies""",
        """stays in tune for hours | sounds bigger than it looks | plugs in and just works
        | forgives a beginner's touch | travels safely to the gig""",
        """ukulele | guitar stand | metronome | pair of studio headphones | keyboard | clip-on tuner
        | practice pad | microphone | capo | music stand | audio interface | harmonica""",
    ),
    Theme(
        "painting", "Hobbies",
        """watercolours by the river | life drawing classes | sketching on the train
        | oil portraits | lettering and calligraphy | acrylics on a big canvas
        | an illustrated travel diary | still lifes | mixing the right green | ink washes
        | colouring with children | a first exhibition""",
        """lays down colour without streaks | holds a fine point | blends smoothly on paper
        | opens flat on any page | washes out in plain water""",
        """watercolour set | easel | sketchbook | brush set | drawing pencil tin | canvas pack
        | palette | ink pen | pastel box | acrylic set | portfolio case | marker set""",
    ),
    Theme(
        "gaming", "Electronics",
        """late-night raids with the guild | couch co-op | ranked matches | retro consoles
        | long strategy campaigns | speedruns | streaming to a handful of fans
        | LAN parties | racing simulators | boss fights | an evening of button mashing
        | e-sports tournaments""",
        """reacts in a millisecond | survives furious clicking | lights up in any colour
        | stays comfortable for hours | pairs with every console""",
        """mechanical keyboard | gaming mouse | headset | controller | mouse mat | capture card
        | gaming chair | joystick | charging dock | racing wheel | webcam | monitor arm""",
    ),
    Theme(
        "home office", "Electronics",
        """a day of video calls | spreadsheets and deadlines | writing without distraction
        | a desk in the corner of the bedroom | paperwork | typing for hours
        | tangled cables | a second screen | hybrid work | sitting up straight
        | remote meetings | deep concentration""",
        """keeps the desk clear | saves the wrists | charges three devices at once
        | adjusts in seconds | makes you look good on camera""",
        """desk lamp | laptop stand | docking station | ergonomic chair | document tray
        | wireless keyboard | footrest | monitor riser | cable box | webcam light | notebook
        | conference speaker""",
    ),
    Theme(
        "nursery", "Family",
        """the first months with a newborn | bedtime stories | crawling and first steps
        | bath time | feeding at night | teething | walks with the pram | naps on the move
        | a toddler who climbs everything | building with blocks | learning to use a spoon
        | a baby's first winter""",
        """has no sharp corners | is safe to chew | folds with one hand | wipes clean in seconds
        | grows with the child""",
        """baby monitor | play mat | night light | bottle warmer | block tower | carrier | high chair
        | changing bag | muslin set | bath seat | mobile | sippy cup""",
    ),
    Theme(
        "pets", "Family",
        """a puppy with too much energy | an indoor cat | walks in all weathers
        | muddy paws | training with treats | a senior dog's joints | kittens at play
        | trips to the vet | chewing and scratching | an anxious rescue dog
        | hamsters and guinea pigs | fur on the sofa""",
        """stands up to teeth and claws | comes clean in the washing machine
        | keeps curious noses busy | is gentle on the coat | never slides on the floor""",
        """dog lead | cat tree | chew toy | pet bed | grooming brush | food bowl | travel crate
        | scratching post | harness | treat pouch | litter scoop | feather teaser""",
    ),
)  # fmt: skip

BANK = Bank(
    prefix="p",
    blocks=("use", "style", "place", "audience"),
    themes=THEMES,
    moods={
        "minimal": "minimalist | plain | understated | clean-lined | pared-down | simple",
        "rustic": "rustic | handmade | earthy | farmhouse-style | weathered | artisan",
        "rugged": "rugged | heavy-duty | hard-wearing | tough | sturdy | built-to-last",
        "playful": "playful | colourful | bright | cheerful | quirky | fun",
        "elegant": "elegant | refined | luxurious | polished | premium | sophisticated",
        "green": "recycled | plant-based | low-waste | climate-neutral | organic | biodegradable",
        "technical": "smart | high-tech | precision-made | app-connected | sensor-equipped",
        "retro": "vintage-look | retro | old-school | nostalgic | mid-century | classic",
    },
    settings={
        "small flats": """for small flats | where every inch counts | for a studio apartment
            | for cramped rooms | that hides in a drawer""",
        "outdoors": """for the open air | for rough weather | for fields and forests
            | for the great outdoors | for muddy ground""",
        "travel": """for life on the road | for hand luggage | for long journeys | for frequent flyers
            | to take along on holiday""",
        "family home": """for a busy household | for the family kitchen table | for a house full of people
            | for a home with a hallway full of shoes""",
        "workshop": """for the shed | for the workbench | for the hobby room | for a garage workshop
            | for the studio""",
        "gift": """that makes a fine present | to give to a friend | in a gift box
            | for birthdays and anniversaries | for under the tree""",
    },
    leads={
        "beginners": "beginners | first-timers | newcomers | people just starting out | novices",
        "experts": "experts | professionals | seasoned hands | perfectionists | old pros",
        "children": "children | youngsters | school-age kids | little ones | young explorers",
        "seniors": "older people | grandparents | pensioners | people with stiff hands | retirees",
        "students": "students | people on a budget | young sharers | apprentices | first-year undergraduates",
        "parents": "busy parents | mothers and fathers | young families | carers | new parents",
    },
    titles="""{mood} {main} | {mood} {main} {mark} | {mark} {main} | {mark} {mood} {main}
        | {main} {mark}, {mood} | {mood} and {mood_b} {main} | {main} {mark}""",
    sentences=(
        """A {mood} {main} {setting}. | A {mood}, {mood_b} {main} {setting}. | This {main} is {mood} and {mood_b}.
        | Meet the {mood} {main} {setting}.""",
        "It {act} and {act_b}. | It {act}. | What sets it apart: it {act}.",
        """Made for {thing} and {thing_b}. | Ideal for {thing}. | We had {thing} in mind.
        | Good company for {thing}, and for {thing_b}. | Think of {thing}.""",
        """Buyers also mention {other}. | It does just as well for {other}.
        | Some keep it for {other}. | It has even been seen at work on {other}.""",
        """Popular with {lead}. | Recommended by {lead}. | Designed with {lead} in mind.
        | A {mood_c} choice for {lead}.""",
    ),
    creators=(
        """Nord | Alder | Brook | Cobalt | Dune | Ember | Fern | Gale | Hazel | Iris | Juniper | Kestrel
        | Lark | Maple | Nimbus | Oak | Pebble | Quarry | Rowan | Sable""",
        """and Sons | Works | Supply | Goods | Living | Co. | Makers | Trading | Studio | House | Craft""",
    ),
    columns={"colour": "black | white | grey | blue | green | red | yellow | natural",
             "origin": "Denmark | Germany | India | Italy | Japan | Poland | Portugal | Vietnam"},
    creator_column="brand",
    marks="""Alba | Boreas | Cirrus | Delta | Echo | Fjord | Gamma | Halo | Ion | Jura | Kappa | Luna
        | Mira | Nova | Orion | Pico | Quill | Rho | Solo | Terra | Uno | Vega | Wave | Zeno""",
)  # fmt: skip
