"""Songs: what they sing of, how they feel, in which genre and with what voice."""

from __future__ import annotations

from recnb.world.language import Bank, Theme

THEMES = (
    Theme(
        "heartbreak", "Love",
        """a lover who left in the night | tears on a pillow | an empty side of the bed | a goodbye at the door
        | the ring returned by post | lonely Sundays | a breakup in the rain | letters never answered
        | sleeping alone again | the ache of missing someone | an ex with somebody new | broken promises""",
        """counts the days since the breakup | begs an old lover to stay
        | burns a box of photographs | walks home alone from the party""",
        "Goodbye | Teardrop | Empty Room | Lonely Heart | Broken Glass | Lost Letter | Rain | Ashes",
    ),
    Theme(
        "new love", "Love",
        """butterflies before a first date | a dance with a stranger | hands that touch by accident
        | a crush on the girl next door | kisses on the fire escape | falling too fast
        | a text at two in the morning | being head over heels | sparks across a crowded bar
        | a honeymoon week | the sweetest hello | courage to say it first""",
        """falls for somebody on the dance floor | waits by the phone with a smile
        | confesses a crush at last | kisses somebody under the streetlights""",
        "Hello | Butterflies | First Kiss | Darling | Honey | Spark | Crush | Sweet Talk",
    ),
    Theme(
        "road trips", "Journeys",
        """an open highway | a motel with a broken sign | wheels turning all night | a full tank and no plan
        | state lines and petrol stations | windows down | the long drive west | a dusty convertible
        | truck stops | a map left at home | hitchhiking south | sunrise over the interstate""",
        """drives all night towards the coast | leaves town with a full tank
        | hitchhikes across the country | follows the white line to the sea""",
        "Highway | Gasoline | Mile Marker | Motel | Wheels | Westbound Train | Headlights | Backseat",
    ),
    Theme(
        "home", "Journeys",
        """the street where we grew up | a porch light left on | mother's kitchen | the smell of cut hay
        | coming back after years | a small town that never changes | an old dog waiting
        | childhood summers | father's workshop | church bells at noon | roots that hold
        | a village by the river""",
        """comes back to the old neighbourhood | remembers a house by the river
        | rings a mother after too long | walks down the street of childhood""",
        "Hometown | Porch Light | River | Roots | Backyard | Kitchen | Old Street | Homecoming",
    ),
    Theme(
        "party", "Night",
        """a Friday that never ends | hands in the air | glitter and sweat | the last round
        | a rooftop full of strangers | bass that shakes the walls | dancing on tables
        | the DJ's final record | neon and champagne | a queue round the block
        | friends who refuse to go home | confetti in your hair""",
        """dances until the lights come on | turns the whole street into a club
        | shouts for one more record | forgets Monday exists""",
        "Dance Floor | Glitter | Friday | Neon | Champagne | Bassline | Confetti | Sunrise",
    ),
    Theme(
        "insomnia", "Night",
        """thoughts that will not stop | the ceiling at four in the morning | sirens far away
        | an unfinished dream | shadows on the wall | the hum of the fridge | a city that never sleeps
        | counting sheep | the blue light of a screen | ghosts of old mistakes | waiting for dawn
        | a restless mind""",
        """lies awake until the birds begin | talks to the moon
        | wanders through empty streets at three | stares at the ceiling and hums""",
        "Sleepless Town | Midnight | Ceiling | Moonlight | Small Hours | Dreamless Night | Shadow | Streetlight",
    ),
    Theme(
        "protest", "World",
        """a march on the capital | voices that will not be silenced | workers at the gate | justice delayed
        | bread and dignity | a wall that must fall | the price of freedom | banners and drums
        | a strike in its tenth week | power to the people | fists in the air | the lies of the mighty""",
        """calls the crowd to the barricades | sings for the ones without a voice
        | tells the powerful to listen | marches at the front of the crowd""",
        "Uprising | Banner | Barricade | Freedom | Picket Line | Justice | Loudspeaker | Megaphone",
    ),
    Theme(
        "nature", "World",
        """a forest after rain | wild geese overhead | the first snow | tides and moons
        | a meadow full of bees | wind in the pines | a lake without a ripple | the smell of moss
        | a storm rolling in | autumn leaves | a fox at the edge of the field | mountains at dusk""",
        """listens to the wind in the pines | follows wild geese down the valley
        | sits by a still lake | greets the first snow""",
        "Meadow | Wild Geese | First Snow | Pines | Thunder | Moss | Harvest Moon | Tide",
    ),
    Theme(
        "work", "Life",
        """the night shift | calloused hands | a boss who never smiles | five o'clock and freedom
        | overtime without pay | the factory whistle | dreams behind a counter | a wage that is gone by Friday
        | alarm clocks | mines and railways | an office without windows | a resignation letter""",
        """clocks in before sunrise | quits with a song on the lips
        | loads trucks and dreams of the stage | sings to forget the night shift""",
        "Night Shift | Payday | Overtime | Factory | Clocking Off | Rust | Callouses | Monday",
    ),
    Theme(
        "growing up", "Life",
        """being seventeen | a yearbook full of strangers | the last day of school | bikes at sunset
        | first mistakes | leaving the nest | promises of eternal friendship | fake IDs
        | a bedroom full of posters | learning to lose | parents who were right
        | the end of being a child""",
        """remembers the summer of being seventeen | packs a childhood into two boxes
        | writes to a younger self | meets an old school friend by chance""",
        "Seventeen | Yearbook | Growing Pains | Bicycle | Graduation | Teenager | Polaroid | Curfew",
    ),
    Theme(
        "faith", "Spirit",
        """a prayer in a crowded train | angels in work clothes | doubt and mercy | light through stained glass
        | a soul laid bare | forgiveness | a river to be washed in | candles for the dead
        | grace when least expected | a hymn half remembered | a preacher on the corner | heaven on the line""",
        """prays for one more chance | asks heaven for a sign
        | lights a candle and begins to hum | lays down a burden by the river""",
        "Hallelujah | Mercy | Angel | Candle | Prayer | Grace | Heaven | Pilgrim",
    ),
    Theme(
        "loss", "Spirit",
        """a friend gone too soon | an empty chair at the table | a voice on an old answering machine
        | the year after the funeral | a coat still on its hook | grief that comes in waves
        | flowers by the roadside | a name nobody says | ashes over the bay | learning to live on
        | a grandfather's watch | memories that fade""",
        """sets a place for one who is gone | plays an old voice message again
        | scatters ashes over the bay | keeps a promise made at a bedside""",
        "Empty Chair | Elegy | Photograph | Lilies | Farewell | Stone | Wave | Last Call",
    ),
)  # fmt: skip

BANK = Bank(
    prefix="m",
    blocks=("subject", "mood", "genre", "voice"),
    themes=THEMES,
    moods={
        "melancholy": "melancholy | wistful | sorrowful | blue | mournful | downcast",
        "euphoric": "euphoric | jubilant | ecstatic | soaring | triumphant | exhilarating",
        "mellow": "mellow | laid-back | easy-going | relaxed | warm | unhurried",
        "angry": "angry | furious | raw | seething | snarling | defiant",
        "dreamy": "dreamy | hazy | floating | hypnotic | ethereal | woozy",
        "playful": "playful | cheeky | bouncy | light-hearted | sunny | carefree",
    },
    settings={
        "folk": """over a finger-picked guitar | in the old ballad style | with fiddle and banjo
            | around an acoustic guitar""",
        "electronic": """over a pulsing synthesiser | to a four-on-the-floor beat | with drum machines
            | over house piano and sequencers""",
        "rock": """over distorted guitars | to pounding drums | with a wall of amplifiers
            | over power chords""",
        "jazz": """over brushed drums and double bass | in smoky swing time | with a muted trumpet
            | in a small-club quartet""",
        "hip-hop": """over a dusty sample | to a boom-bap beat | with scratches and a heavy kick
            | over a trap beat""",
        "soul": """with horns and a gospel choir | over a Hammond organ | to a slow rhythm-and-blues groove
            | with sweet Motown strings""",
        "country": """with pedal steel | to a two-step | over a honky-tonk piano | with twang and a shuffle""",
        "classical": """with a string quartet | over a grand piano | with a full orchestra
            | over cello and harp""",
    },
    leads={
        "baritone": "a gravelly baritone | a deep, worn voice | a low male voice | a whisky-soaked baritone",
        "soprano": "a crystal-clear soprano | a high, bright voice | a soaring female voice",
        "whisper": "a voice close to a whisper | a breathy singer | a hushed, intimate voice",
        "shout": "a hoarse shouter | a singer at full throttle | a voice near breaking point",
        "duo": "a duo in close harmony | a duet of old friends | a pair of singers",
        "crooner": "a velvet-voiced crooner | a smooth singer | a silken tenor",
    },
    titles="""{word} | {word} Song | The {word} | {word} Blues | Another {word} | {word}, {word_b}
        | Dear {word} | No More {word} | {word} (Part One) | {mood} {word} | Ballad of the {word}
        | {word} Again | {word} in June | Like {word} | Kingdom of {word} | {word} and {otherword}
        | Chasing {word} | {word} Forever | Half a {word} | {word} on Repeat | This {word} of Ours
        | {word} for Two | Tell Me, {word} | {word} Waltz | Before the {word} | So Long, {word}""",
    sentences=(
        """{Lead} {act} {setting}. | {Setting}, {lead} {act}. | {Lead} {act}.""",
        """A song about {thing} and {thing_b}. | The verses tell of {thing}.
        | It is a tale of {thing}, played {setting_b}. | The lyrics circle around {thing}.""",
        """The bridge brings in {other}. | A second verse remembers {other}.
        | The chorus calls up {other}. | Listen closely for {other}.""",
        """{Mood} from the first bar. | A {mood} tune with a {mood_b} chorus.
        | The mood is {mood}, even {mood_b}. | {Mood} and {mood_b}, right to the fade-out.""",
    ),
    creators=(
        """The Paper | Velvet | Northern | Golden | Silent | Electric | Little | The Wandering | Crimson
        | Midnight | The Honest | Desert | Marble | Saint | Holy | The Broken | Atlantic | Silver""",
        """Lanterns | Harbour | Sisters | Parade | Foxes | Engine | Choir | Orchard | Kings | Echo
        | Tigers | Radio | Cathedral | Brothers | Swallows | Machine | Postcards | Union""",
    ),
    columns={"decade": "1960s | 1970s | 1980s | 1990s | 2000s | 2010s | 2020s",
             "tempo": "slow | medium | fast"},
    creator_column="artist",
)  # fmt: skip
