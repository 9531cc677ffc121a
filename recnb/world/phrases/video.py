"""Films: what they tell, how they feel, where they play and who leads them."""

from __future__ import annotations

from recnb.world.language import Bank, Theme

THEMES = (
    Theme(
        "heist",
        "Crime",
        """a bank robbery planned to the second | a crew of ageing safecrackers
        | the vault under the old mint | a con that takes in an entire casino
        | stolen diamonds nobody dares to sell | a getaway driver with a conscience
        | a forged masterpiece | one last job before retirement | a gang of gentlemen thieves
        | a train loaded with bullion | pickpockets who aim too high
        | a swindle that gets out of hand | burglars in the wrong house
        | an inside man at the auction rooms""",
        """assembles a team to empty a private bank | agrees to crack one more safe
        | cheats a crooked gambler out of his fortune | plots to lift a crown from its glass case
        | is hired to steal a painting that may be fake | slips into the strongroom with a borrowed key""",
        """vault | getaway | safecracker | bullion | swindle | robbery | crew | diamond | con""",
        """loot | burglars | alarms | blueprints | lock picks | masks | hideouts | ransom notes
        | gold bars | bank tellers | security guards | jewels | smuggled cash | thieves
        | hold-ups | armoured vans | double-crosses | counterfeit notes | accomplices
        | escape routes | fences and dealers | decoys | laser beams | padlocks | duplicate keys
        | stakeouts | hush money | necklaces | crowbars | black gloves | tunnels under banks
        | stolen cars | hostages | stopwatches | plunder | larceny | fraudsters | hustlers
        | card sharps | racketeers | safe combinations | casino chips | pilfered art | robbers
        | bandits | ill-gotten gains | shoplifters | inside information | grifters
        | tellers' windows | outlaws | money laundering | hacked cameras""",
    ),
    Theme(
        "detective",
        "Crime",
        """a murder with seven suspects | a missing heiress | a string of unexplained killings
        | a body found at low tide | an inspector who trusts nobody | clues hidden in old letters
        | a cold case reopened after twenty years | a private eye down on his luck
        | an alibi that is too good | a poisoned dinner party | the witness who saw too much
        | a sleuth with a perfect memory | fingerprints that match a dead man
        | an unsolved disappearance""",
        """investigates a killing that nobody wants solved | follows a trail of clues
        | hunts a murderer through the back streets | reopens the file on a forgotten crime
        | questions every guest at a country house | finds the one mistake the culprit made""",
        """alibi | inspector | witness | clue | suspect | corpse | motive | sleuth | evidence""",
        """murderers | homicide squads | footprints | bloodstains | interrogations
        | red herrings | magnifying glasses | crime scenes | autopsies | confessions
        | police files | motives | poison | strangled victims | prime suspects | fingerprints
        | anonymous letters | gumshoes | whodunits | missing persons | ballistics | false trails
        | culprits | serial killers | eyewitnesses | deductions | locked rooms | mysteries
        | detectives | forensic labs | slayings | cover-ups | informants | stabbings
        | gossip and lies | a killer's signature | post-mortems | hunches | daggers
        | missing bodies | manhunts | murder weapons | mug shots | constables | disguises
        | wiretaps | blackmail | puzzles | perpetrators | sergeants and superintendents""",
    ),
    Theme(
        "courtroom",
        "Crime",
        """a trial that divides a town | a jury of strangers | an innocent man on death row
        | a lawyer who has never lost | a judge with a secret | an appeal against all odds
        | the case nobody would take | a hostile cross-examination | a public defender without sleep
        | a verdict overturned | a class action against a chemical giant
        | an attorney and her guilty client | testimony that changes by the hour""",
        """defends a client whom everyone has condemned | takes a powerful company to court
        | must persuade eleven other jurors | argues an appeal with a day to spare
        | prosecutes an old friend | swears an oath and then lies under it""",
        """verdict | jury | appeal | oath | defence | witness stand | counsel | sentence""",
        """objections | closing arguments | plaintiffs | lawsuits | barristers | prosecutors
        | hung juries | bail hearings | perjury | legal loopholes | gavels | affidavits
        | acquittals | injustice | attorneys | judges in wigs | subpoenas | pleas | defendants
        | settlements | miscarriages of justice | sworn statements | tribunals | legal briefs
        | damning evidence | the death penalty | convictions | magistrates | cross-questioning
        | litigation | retrials | jurors | law clerks | precedents | corrupt judges
        | constitutional rights | prison visits | hearings | parole boards | libel | solicitors
        | indictments | character witnesses | guilt and innocence | clemency | whistle-blowers
        | lawyers at war | courthouse steps""",
    ),
    Theme(
        "space",
        "Science Fiction",
        """a colony on a distant moon | a starship far off course | the first crew to reach Saturn
        | a signal from another galaxy | an orbital station running out of air
        | astronauts cut off from Earth | a rescue beyond the asteroid belt
        | a planet with two suns | settlers under a glass dome on Mars | an abandoned spacecraft
        | a cosmonaut who should be dead | first contact with an alien mind
        | a rocket built by volunteers""",
        """pilots a damaged shuttle home | signs on for a one-way flight to Mars
        | answers a message from the stars | wakes too early from a century of sleep
        | commands the last ship to leave Earth | repairs a failing station in orbit""",
        """orbit | starship | nebula | colony | gravity | satellite | cosmonaut | meteor | eclipse""",
        """astronauts | spaceships | wormholes | black holes | zero gravity | asteroids
        | lunar bases | aliens | galaxies | rockets | space suits | interstellar travel
        | life support | Martians | distant worlds | cosmic rays | mission control | comets
        | airlocks | space stations | terraforming | star maps | extraterrestrials | launch pads
        | red dwarfs | oxygen tanks | moon landings | capsules | hyperdrives | telescopes
        | Jupiter's moons | cryosleep | the Milky Way | spacewalks | escape pods | supernovas
        | planetary rings | radio silence | ground crews | solar winds | light years
        | flight engineers | exoplanets | space debris | pilots and navigators | star charts
        | Venus | unknown life forms""",
    ),
    Theme(
        "machines",
        "Science Fiction",
        """a robot that learns to lie | an artificial mind with a plan of its own
        | an android who remembers a childhood | a program that predicts every choice
        | a factory run without people | a chess computer that wants to lose
        | a digital copy of a dead husband | cyborgs in hiding | an algorithm that runs the city
        | a household automaton | a network that has begun to dream
        | code that rewrites itself | a synthetic daughter""",
        """builds a machine that can feel | is paired with an android
        | discovers that a colleague is not human | tries to switch off a mind that does not want to die
        | teaches a robot to tell jokes | falls for the voice of an operating system""",
        """android | circuit | algorithm | automaton | signal | machine | cipher | engine""",
        """robots | artificial intelligence | cyborgs | neural networks | computers | sentience
        | humanoids | programmers | chatbots | virtual worlds | microchips | automation
        | surveillance drones | hackers | mainframes | replicants | self-driving cars
        | software bugs | simulated people | bionic limbs | data centres | mechanical servants
        | assembly lines | deep learning | uploaded minds | digital ghosts | robot uprisings
        | silicon valleys | firewalls | talking appliances | clones | engineers | holograms
        | supercomputers | passwords | metal hands | glitches | test subjects | machine ethics
        | obsolete models | nanobots | cyberspace | code | consciousness | androids in love
        | remote controls | circuit boards""",
    ),
    Theme(
        "time",
        "Science Fiction",
        """a day that will not end | a watch that runs backwards | letters from forty years ahead
        | a door into last summer | two versions of the same morning | a paradox in a small laboratory
        | visitors from a ruined future | a loop that only one person notices
        | a past that keeps changing | a second chance at Tuesday | an old photograph of tomorrow
        | a traveller stranded in the wrong century""",
        """wakes up on the same morning again and again | travels back to prevent an accident
        | meets an older self | finds a way to telephone the past
        | is stranded a hundred years too early | changes one small thing and loses everything""",
        """yesterday | clock | paradox | tomorrow | hour | century | loop | calendar""",
        """time machines | paradoxes | parallel timelines | premonitions | deja vu
        | alternate histories | temporal rifts | future selves | ancestors | stopped clocks
        | time capsules | butterfly effects | repeating days | lost years | chronology | destiny
        | flashbacks | portals | prophetic dreams | rewound tapes | duplicates
        | history rewritten | historians from tomorrow | causality | clockmakers | calendars
        | hourglasses | anachronisms | time tourists | memories that have not happened
        | second chances | vanished centuries | eras | quantum physics | wristwatches | fate
        | leaps through the ages | time travellers | yesterday's newspapers
        | tangled chronologies | altered pasts | temporal agents""",
    ),
    Theme(
        "magic",
        "Fantasy",
        """a school for young sorcerers | an enchanted forest | a spell that cannot be undone
        | a kingdom asleep under a curse | a wizard who has lost his powers
        | a dragon in the mountains | a talking fox with a bargain to offer
        | three wishes and their price | a book of forbidden charms | a witch living next door
        | a sword only a child can lift | a prophecy nobody believes | a map to the realm of the elves""",
        """learns that an old family gift is real magic | breaks a curse laid on a village
        | is apprenticed to a bad-tempered wizard | sets out to wake a sleeping dragon
        | opens a forbidden book of spells | strikes a bargain with a witch""",
        """spell | dragon | enchantress | realm | wizard | talisman | prophecy | curse""",
        """sorcery | wands | potions | unicorns | fairies | witches | wizards | goblins
        | enchanted mirrors | dragons | spellbooks | elves | dwarves | magic rings | familiars
        | shape-shifters | trolls | amulets | warlocks | incantations | crystal balls
        | flying carpets | giants | mythical beasts | mages | runes | cauldrons
        | castles in the clouds | hexes | griffins | genies | sorceresses
        | princes turned to stone | fire-breathers | enchantments | quests | alchemy | mermaids
        | broomsticks | conjurers | magical creatures | oracles | swords of legend | druids
        | charms | fairy tales | thrones | talking animals""",
    ),
    Theme(
        "haunting",
        "Horror",
        """a house that remembers | footsteps in an empty attic | a ghost with unfinished business
        | a seance that works | something under the floorboards | a doll that moves at night
        | a possessed choirboy | a graveyard with one grave too many | voices in the static
        | a demon invited by mistake | a nightmare shared by a whole street
        | an apparition in the mirror | the dead who will not lie down""",
        """moves into a house where nobody stays long | hears a child crying behind the wall
        | holds a seance for a joke | is followed by a figure that only cameras see
        | digs up what should have stayed buried | starts to sleepwalk towards the cellar""",
        """cellar | phantom | seance | whisper | grave | shadow | attic | spectre""",
        """ghosts | spirits | demons | exorcists | creaking doors | poltergeists | vampires
        | seances | curses | cobwebs | zombies | cemeteries | screams | nightmares | mediums
        | coffins | haunted dolls | occult rituals | unquiet graves | possession | spectres
        | Ouija boards | tombs | bloodcurdling cries | crypts | the undead
        | paranormal investigators | cold spots | monsters under beds | terror | ghouls
        | evil twins | werewolves | apparitions | black masses | skeletons | dread
        | abandoned asylums | the afterlife | flickering lights | bats | hauntings
        | witching hours | unearthly voices | horror | restless souls | eerie lullabies
        | morgues""",
    ),
    Theme(
        "sea",
        "Adventure",
        """a whaling ship trapped in ice | a lighthouse in the worst storm of the century
        | pirates without a captain | a wreck full of silver | a lone yacht race around the world
        | a mutiny in the southern ocean | castaways on a coral island | a submarine that cannot surface
        | a crew of fishermen lost in fog | a stowaway on a tall ship
        | a diver who has gone too deep | a captain chasing a white squall""",
        """sails alone around the cape | stows away on a merchant ship
        | dives for a sunken treasure | leads a mutiny against a cruel captain
        | keeps the lamp burning through the gale | is washed up on an unmapped shore""",
        """tide | lighthouse | mutiny | harbour | anchor | captain | storm | reef | voyage""",
        """sailors | shipwrecks | pirates | whales | lighthouses | navies | treasure chests
        | desert islands | sharks | hurricanes | lifeboats | compasses | cabin boys | harpoons
        | sails | cutlasses | anchors | galleons | coral reefs | deckhands | buccaneers
        | ocean currents | submarines | giant squid | sea legs | harbours | admirals | frigates
        | castaways | fishermen | trawlers | regattas | rum | masts | nautical charts
        | buried treasure | marooned crews | typhoons | deep-sea divers | icebergs | schooners
        | ferries | seasickness | port taverns | waves | sea shanties""",
    ),
    Theme(
        "wilderness",
        "Adventure",
        """a climb that has killed eleven people | a plane down in the jungle
        | a winter alone in a trapper's hut | a sled-dog race across the tundra
        | a river no one has paddled | an expedition without a map | wolves at the edge of camp
        | a desert crossing on foot | an avalanche that buries the only road
        | hikers off the marked trail | a rope that is too short | a rescue above eight thousand metres""",
        """walks out of the desert with one bottle of water | climbs a north face in winter
        | survives a crash in the rainforest | tracks a bear across the mountains
        | paddles an unknown river to its source | leads a lost party through the snow""",
        """summit | avalanche | trail | glacier | canyon | ridge | wolf | expedition""",
        """mountaineers | frostbite | blizzards | base camps | jungles | grizzly bears
        | survival | rucksacks | rapids | ice axes | explorers | quicksand | crevasses | sherpas
        | canoes | trackers | wildfires | rock faces | snowshoes | thirst | wild animals
        | compass needles | hypothermia | rangers | campfires | hunters | oxygen masks | cliffs
        | huskies | deserts | lost hikers | backpackers | waterfalls | rescue helicopters
        | caves | trappers | altitude | peaks | tundra | swamps | snakes | moose | foraging
        | bush pilots | parachutes | wilderness guides""",
    ),
    Theme(
        "spies",
        "Thriller",
        """a mole inside the ministry | a double agent with two families | a coded message in a crossword
        | a defector who changes his mind | an assassin's last contract | microfilm in a violin case
        | a safe house that is not safe | a handler with divided loyalties
        | the interpreter who heard too much | a sleeper waiting for a phone call
        | an embassy under surveillance | forged passports and false names""",
        """is sent behind enemy lines under a false name | hunts a traitor in the secret service
        | smuggles a scientist across the border | deciphers a message meant for someone else
        | goes undercover in an arms ring | discovers that both sides are paying the same man""",
        """agent | cipher | defector | mole | dossier | handler | passport | embassy""",
        """espionage | secret agents | double agents | codebreakers | assassins | dead drops
        | intelligence services | undercover work | hidden microphones | defectors
        | state secrets | cyanide pills | Cold War games | moles | wiretapped phones | diplomats
        | counterspies | sabotage | classified files | gadgets | interrogators | exiles
        | invisible ink | terrorists | handlers | infiltration | border crossings
        | secret police | spymasters | cover stories | surveillance | kidnapped scientists
        | traitors | briefcases | brainwashing | conspiracies | coups | poisoned umbrellas
        | safe houses | stolen plans | aliases | encrypted radios | honey traps | watchers""",
    ),
    Theme(
        "war",
        "History",
        """two brothers in opposing armies | a field hospital near the front
        | a village under occupation | a soldier who refuses to fire | letters home from the trenches
        | a bridge that must be held until dawn | partisans in the forest | a nurse who hides a deserter
        | a ceasefire that lasts one night | the siege of a starving city
        | a tank crew of five | prisoners digging a tunnel""",
        """joins the resistance | leads a platoon behind the lines
        | carries a message across no man's land | shelters a wounded enemy
        | comes home from the front a stranger | digs a tunnel out of a prison camp""",
        """trench | armistice | siege | regiment | bridge | deserter | ceasefire | front""",
        """soldiers | trenches | tanks | battlefields | bombers | prisoners of war | infantry
        | generals | barbed wire | refugees | resistance fighters | sieges | snipers | medics
        | artillery | air raids | medals | ration cards | comrades in arms | invasions | cavalry
        | occupied towns | war widows | minefields | conscripts | bayonets | field surgeons
        | gunfire | guerrillas | deserters | dugouts | evacuations | landing craft | veterans
        | ruins | camps | armistices | bunkers | fighter pilots | military courts | troops
        | shell shock | uniforms | partisans | victory parades""",
    ),
    Theme(
        "romance",
        "Romance",
        """a summer love affair | two strangers on a night train | a wedding with the wrong groom
        | pen pals who have never met | an old flame back in town | a kiss that was only a dare
        | rivals who fall for each other | a marriage of convenience | a proposal on the wrong bridge
        | soulmates at the worst possible time | a courtship by letter | a fake engagement
        | sweethearts parted for thirty years""",
        """falls in love on a train | runs into a first love at a wedding
        | pretends to be engaged for a weekend | writes love letters for someone else
        | must choose between two suitors | misses a plane and meets a soulmate""",
        """kiss | sweetheart | wedding | promise | valentine | proposal | honeymoon | heart""",
        """love letters | kisses | weddings | first dates | bouquets | engagement rings
        | matchmakers | jealousy | secret admirers | broken hearts | candlelit dinners
        | bridesmaids | flirtation | honeymooners | lovers | crushes | marriage proposals
        | moonlit walks | longing | soulmates | blind dates | elopements | passion | valentines
        | suitors | love triangles | childhood sweethearts | red roses | infatuation
        | reunited couples | ballroom dances | romance | newlyweds | affection | serenades
        | star-crossed lovers | dating apps | brides | tender glances | devotion
        | missed chances | holiday flings""",
    ),
    Theme(
        "family",
        "Drama",
        """three sisters and an inheritance | a father who comes back after years
        | a funeral that reunites the cousins | an adopted son looking for his mother
        | a farm that must be sold | a grandmother's secret | a divorce seen through a child's eyes
        | twins raised apart | a Christmas nobody will forget | a household under one leaking roof
        | a stepmother on probation | parents who have stopped talking""",
        """returns home to sell the family house | raises a younger brother alone
        | meets a daughter for the first time | brings four generations to one table
        | cares for a father who is losing his memory | finds out who the real parents are""",
        """sister | inheritance | kitchen | homecoming | cousin | daughter | orchard | reunion""",
        """siblings | grandparents | in-laws | christenings | family feuds | orphans | wills
        | childhood memories | stepchildren | Sunday lunches | motherhood | fathers and sons
        | custody battles | adoption | dinner tables | old photo albums | heirlooms
        | estranged brothers | aunts and uncles | funerals | pregnancies | generations | nephews
        | marriages under strain | caregivers | home movies | household secrets | parents
        | runaways | teenagers | birthdays | sibling rivalry | dementia | foster homes
        | unpaid mortgages | reconciliation | black sheep | widowhood | mothers and daughters
        | bedtime stories""",
    ),
    Theme(
        "sport",
        "Drama",
        """a boxing champion past his best | a women's football club short of money
        | a marathon run for a bet | a swimming coach with something to prove
        | a team that has never won | an underdog at the world title fight | a race driver afraid of rain
        | a cycling tour and its secret | a gymnast's last season | a village cricket match
        | a comeback after a broken knee | penalty kicks in the final minute""",
        """trains for one final fight | coaches a hopeless team to the final
        | swaps the ring for the classroom | runs the race of a lifetime
        | returns to the track after a terrible crash | is picked for the national team by mistake""",
        """champion | underdog | final | comeback | knockout | season | finish line | coach""",
        """boxers | coaches | championships | goalkeepers | locker rooms | marathons | stadiums
        | trophies | referees | training camps | athletes | penalties | doping | relay races
        | medals and defeats | sprinters | wrestling | tennis | basketball | knockouts
        | swimmers | injuries | team spirit | pit stops | scouts | rivals | Olympic dreams
        | cyclists | baseball | title fights | gymnasts | skaters | hurdles | fans | cup finals
        | horse races | surfing | rugby | overtime | amateurs | underdogs | winning streaks
        | playoffs""",
    ),
    Theme(
        "stage",
        "Music and Stage",
        """a jazz band on its last tour | an opera house about to close | a ballet dancer's return
        | a songwriter who cannot hear | a school musical | a pianist in exile
        | a rock group that never had a hit | backstage rivalry | a street violinist with a rare gift
        | the understudy's big night | a forgotten blues record | a choir of retired miners
        | a conductor at war with his orchestra""",
        """forms a band with three neighbours | steps in for the star on opening night
        | composes a symphony in secret | auditions for a place at the conservatory
        | goes back on tour after ten silent years | teaches a village to sing""",
        """encore | melody | overture | spotlight | ballad | rehearsal | violin | chorus""",
        """musicians | ballet shoes | orchestras | opera singers | rehearsals | rock stars
        | record deals | auditions | guitars | jazz clubs | stage fright | pianos
        | concert halls | choirs | songwriters | dancers | cellos | applause | drummers
        | recording studios | tours | karaoke | symphonies | theatre troupes | prima donnas
        | saxophones | melodies | playwrights | cabarets | conservatories | folk songs
        | hit singles | divas | conductors | tap dancing | understudies | actors | musicals
        | trumpets | curtain calls | busking | gospel | hip-hop""",
    ),
)

MOODS = {
    "dark": "dark | bleak | brooding | grim | sombre | pitch-black | unforgiving | shadowy",
    "funny": "funny | hilarious | witty | playful | comic | laugh-out-loud | cheeky | droll",
    "tender": "tender | warm-hearted | gentle | touching | affectionate | heartfelt | moving",
    "tense": "tense | nail-biting | gripping | breathless | suspenseful | edge-of-the-seat | taut",
    "dreamy": "dreamy | surreal | poetic | hypnotic | otherworldly | hazy | lyrical",
    "epic": "epic | sweeping | grand | monumental | spectacular | larger-than-life | majestic",
    "quiet": "quiet | understated | slow-burning | meditative | unhurried | restrained | hushed",
    "bitter": "bitter | satirical | biting | ironic | sharp-tongued | cynical | caustic",
}

SETTINGS = {
    "city": """in a sleepless metropolis | among the skyscrapers of a huge city
        | in the neon-lit streets downtown | in a crowded high-rise district
        | on the subway lines of a capital""",
    "village": """in a remote mountain village | in a sleepy market town | in a hamlet of forty souls
        | deep in farming country | at the end of a country lane""",
    "coast": """on a windswept coast | in a fishing port | on an island with one ferry a week
        | in a seaside resort out of season | along a shore of black cliffs""",
    "desert": """at the edge of the desert | in a dusty border town | among red dunes
        | in a sun-bleached mining camp | on an endless dry plain""",
    "north": """in the Arctic winter | above the polar circle | in a snowbound valley
        | in the dark months of the far north | on a frozen lake""",
    "past": """in Victorian times | in the 1920s | at a royal court three centuries ago
        | in the years after the revolution | in a medieval town""",
    "future": """in the year 2190 | two centuries from now | after the collapse of the old nations
        | in a future without night | a generation after the floods""",
    "campus": """at a boarding school | on a university campus | in a run-down high school
        | in the halls of an old college | during one term at an academy""",
}

LEADS = {
    "outsider": """a drifter | an exile | a lonely night porter | a newcomer nobody knows
        | an outcast | a stranger with no papers""",
    "child": """a ten-year-old girl | a stubborn boy | a curious orphan | a schoolgirl
        | a fearless little brother | a shy child""",
    "veteran": """a retired colonel | an ageing widow | a grandfather of six | a worn-out old hand
        | a pensioner with time to spare | a grey-haired professor""",
    "mother": """a single mother | a working mother of three | a young widow with a baby
        | a mother at the end of her patience | a pregnant taxi driver""",
    "scholar": """a brilliant physicist | a failed historian | a young doctor | an absent-minded linguist
        | a librarian | a mathematician""",
    "rogue": """a charming liar | an ex-convict | a gambler in debt | a smooth-talking smuggler
        | a small-time crook | an unreliable rascal""",
    "pair": """an unlikely pair of friends | a bickering couple | a pair of twins
        | an odd couple of neighbours | a teacher and pupil duo""",
    "officer": """a young police officer | a disgraced captain | a rookie sergeant | a tired customs officer
        | a stern commander | a by-the-book inspector""",
}

BANK = Bank(
    prefix="v",
    blocks=("theme", "mood", "setting", "lead"),
    themes=THEMES,
    moods=MOODS,
    settings=SETTINGS,
    leads=LEADS,
    titles="""the {word} | the last {word} | {word} and {word_b} | the {otherword} and the {word}
        | a {word} for winter | the {mood} {word} | no {word} tonight | the {word} at midnight
        | beyond the {word} | {word} season | the secret of the {word} | a {mood} {word}
        | the {word} between us | under the {word} | the other {word} | before the {otherword}
        | goodbye, {word} | {word} road | seven days of {word} | the silent {word}
        | return of the {word} | the {word} on Mill Street | every {word} has a {otherword}
        | once more, the {word} | the glass {word} | of {tag} and {tag_b} | no more {tag}
        | {tag} and {tag_b} | {tag}, {tag_b} | all about {tag} | {mood} {tag} | between {tag} and {tag_b}
        | the night of {tag} | {tag} first | without {tag} | my life with {tag} | a year of {tag}""",
    sentences=(
        """{Lead} {act}. | {Setting}, {lead} {act}. | {Lead} {act} {setting}.
        | {Setting}, {lead} {act}, with no idea of the price. | The hero: {lead}, {setting}.
        | {Lead} comes face to face with {tag} {setting}. | {Setting}, {lead} meets with {tag}.
        | {Lead} is out of luck {setting}. | {Lead} dreams of {tag} {setting}.""",
        """The story turns on {thing}. | It tells of {thing}. | A tale of {thing}, {tag} and {tag_b}.
        | Everything comes down to {thing}. | A film of {tag}, {tag_b} and {tag_c}.
        | Expect {tag}, {tag_b} and {tag_c}. | At stake: {thing}. | {Tag}, {tag_b}, {tag_c}.""",
        """There is more: {tag}, {tag_b} and {tag_c}. | With {tag} and {tag_b}. | {Tag} and {tag_b} abound.
        | Look out for {tag} and {tag_b}. | A feast of {tag}, {tag_b} and {tag_c}.""",
        """Then comes word of {other}. | On the side: {other}. | There is room, too, for {other}.
        | A second thread brings in {othertag} and {othertag_b}. | And then, {othertag}.
        | Add to that {othertag} and {othertag_b}.""",
        """{Mood} and {mood_b}. | {Mood} from the first scene. | A {mood} film with a {mood_b} ending.
        | {Mood} and {mood_b} to the end. | Critics called it {mood}.""",
    ),
    creators=(
        """Ana | Bjorn | Chidi | Dalia | Emre | Farah | Goran | Hana | Ines | Jonas | Kavya | Lars
        | Mei | Nadia | Oskar | Priya | Quentin | Rosa | Samuel | Tomoko | Umberto | Vera | Wanda
        | Xavier | Yusuf | Zofia""",
        """Abara | Brandt | Castellano | Duarte | Eriksen | Fontaine | Grigoryan | Haddad | Ivanova
        | Jansen | Kowalski | Lindqvist | Moreau | Nakamura | Okafor | Petrov | Quiroga | Rossi
        | Sandoval | Takahashi | Ueda | Varga | Whitfield | Yilmaz | Zamora""",
    ),
    columns={
        "format": "film | film | film | series | short film",
        "country": """Argentina | Brazil | Canada | France | Germany | India | Italy | Japan | Kenya
            | Mexico | Nigeria | Norway | Poland | South Korea | Spain | Turkey | United Kingdom
            | United States""",
    },
)
