"""News: what it is about, in which tone, from where, and who has the word."""

from __future__ import annotations

from recnb.world.language import Bank, Theme

THEMES = (
    Theme(
        "elections", "Politics",
        """the count of postal votes | a coalition in the making | a narrow lead in the polls
        | a televised debate | voters who stayed at home | the race for the presidency
        | a recount in three districts | campaign money | swing constituencies | a landslide at the ballot box
        | party leaders under pressure | the turnout among the young""",
        """opposition wins by a handful of ballots | president calls an early election
        | voters turn away from the big parties | mayor concedes defeat after recount
        | candidate drops out a week before polling day | parties open coalition talks
        | polling stations extend opening hours | young voters queue round the block""",
        "ballot | campaign | coalition",
    ),
    Theme(
        "courts and crime", "Politics",
        """a verdict expected this week | a fraud trial | stolen paintings | police under scrutiny
        | an appeal to the highest court | a wave of burglaries | a forged will
        | prison sentences | evidence that went missing | a smuggling ring | a settlement out of court
        | corruption in the building trade""",
        """judge throws out evidence in fraud case | police break up smuggling ring
        | former minister stands trial | jury fails to reach a verdict | detectives reopen an old case
        | prosecutors demand five years for bribery | burglars caught after leaving a receipt""",
        "trial | verdict | police",
    ),
    Theme(
        "economy", "Business",
        """rising prices at the till | interest rates | a weak currency | wage talks
        | the housing market | jobs lost and jobs created | a budget with a hole in it
        | consumer confidence | export figures | the cost of borrowing | inflation | a looming recession""",
        """central bank holds rates steady | inflation slows for the third month
        | unions and employers agree on pay | house prices dip after a decade of growth
        | small shops struggle with higher rents | exports recover faster than expected
        | households save more and spend less""",
        "inflation | budget | wages",
    ),
    Theme(
        "companies", "Business",
        """a takeover bid | a start-up worth billions | factory closures | a new chief executive
        | disappointing quarterly profits | a boardroom row | shareholders in revolt
        | a product recall | a merger of two rivals | an unexpected bankruptcy | the battle for customers
        | a stock-market debut""",
        """carmaker shuts oldest plant | founder steps down after boardroom row
        | retailer bets on smaller stores | rivals announce surprise merger
        | airline returns to profit | start-up cuts a third of its staff
        | shares tumble after profit warning""",
        "merger | start-up | shares",
    ),
    Theme(
        "climate", "Science",
        """melting glaciers | a record heatwave | wind farms off the coast | carbon emissions
        | rivers running dry | flood defences | forests that burn earlier each year
        | the price of clean energy | a warming ocean | solar roofs | coral reefs turning white
        | the end of coal""",
        """heatwave breaks a century of records | wind power overtakes coal
        | villages prepare for higher floods | glacier loses a tenth of its ice
        | drought forces farmers to switch crops | new forest planted on old mine
        | emissions fall for a second year""",
        "heatwave | glacier | emissions",
    ),
    Theme(
        "space", "Science",
        """a probe on its way to Jupiter | a telescope in deep space | astronauts in training
        | a rover on Mars | a satellite that fell silent | the search for distant planets
        | a comet visible to the naked eye | rockets that land upright | dust from an asteroid
        | a base on the moon | signals from a dying star | a crew back from orbit""",
        """rover finds traces of ancient water | telescope spots a planet like ours
        | crew returns after a year in orbit | rocket launch scrubbed at the last second
        | astronomers explain a mysterious signal | lunar lander touches down safely""",
        "rocket | telescope | orbit",
    ),
    Theme(
        "health", "Health",
        """waiting times in hospitals | a new vaccine | nurses leaving the profession
        | sleep and the heart | a promising cancer drug | loneliness in old age | antibiotic resistance
        | healthy eating | the flu season | a shortage of family doctors
        | mental health at school | an outbreak of measles""",
        """trial of new drug shows promise | hospitals delay operations as beds run out
        | doctors advise shorter screen time | vaccine reaches remote clinics
        | study links sleep to heart health | pharmacies run short of common medicines
        | surgeons perform a first transplant of its kind""",
        "vaccine | hospital | doctors",
    ),
    Theme(
        "technology", "Technology",
        """artificial intelligence at work | a leak of personal data | chips in short supply
        | self-driving buses | social networks under fire | quantum computers | robots in care homes
        | an outage that stopped the trains | passwords and hackers | a ban on facial recognition
        | phones at school | software nobody understands""",
        """hackers publish customer data | chatbot passes a bar exam
        | city bans facial recognition | schools lock away phones
        | driverless bus takes its first passengers | chipmaker builds a giant plant
        | regulator fines social network""",
        "software | hackers | robots",
    ),
    Theme(
        "football", "Sport",
        """the title race | a transfer for a record fee | a penalty in stoppage time | a sacked manager
        | relegation fears | the cup final | a goalkeeper in form of his life | a derby full of cards
        | an unbeaten run | a striker's knee | supporters against the owner | the national squad""",
        """underdogs knock out the champions | striker signs for a record fee
        | late penalty decides the derby | manager sacked after six defeats
        | captain misses the cup final | promoted side stuns the league leaders""",
        "derby | striker | cup",
    ),
    Theme(
        "athletics", "Sport",
        """a world record in the marathon | doping tests | gold on the last day of the games
        | a sprinter's comeback | a tennis final over five sets | the tour through the mountains
        | swimmers chasing medals | a gymnast of sixteen | a ski season without snow
        | a rower's last regatta | a pole vault above six metres""",
        """sprinter returns from injury to win gold | marathon record falls by a minute
        | teenager wins five-set tennis final | cyclist attacks on the steepest climb
        | swimmer takes a third medal | skiers race on a ribbon of artificial snow""",
        "medal | sprinter | record",
    ),
    Theme(
        "culture", "Arts",
        """a novel everyone is reading | a museum for forgotten painters | an opera without a conductor
        | a film festival | stolen manuscripts | a theatre saved by its audience | a prize for poetry
        | a sculpture nobody wants | a sold-out exhibition | a playwright's last work
        | a restored silent film | street art""",
        """first novel wins the big prize | museum returns looted bronzes
        | lost symphony performed at last | small film takes top festival award
        | theatre reopens after the fire | painter's studio found untouched""",
        "museum | novel | theatre",
    ),
    Theme(
        "food", "Life",
        """a bakery that sells out by nine | the return of forgotten vegetables | restaurants without staff
        | a cheese with a long history | street food | recipes handed down | a poor olive harvest
        | wine from the north | cooking for one | a star chef's new place | the perfect dumpling
        | leftovers""",
        """baker revives a medieval loaf | star chef closes restaurant to cook in schools
        | olive harvest halves after hot summer | night market feeds thousands
        | vineyard moves uphill to escape the heat | grandmothers teach a town to cook""",
        "bakery | harvest | chef",
    ),
    Theme(
        "travel", "Life",
        """night trains | islands with too many visitors | a footpath across three countries
        | cheap flights and their price | a hotel in a former prison | holidays close to home
        | queues at the border | a ferry line that comes back | the quiet season
        | lost luggage | cycling holidays | a village that pays people to stay""",
        """sleeper train returns after twenty years | island limits number of day trippers
        | old railway becomes a walking path | airport strike strands thousands
        | village offers free houses to newcomers | ferry reopens a forgotten route""",
        "sleeper | island | border",
    ),
)  # fmt: skip

BANK = Bank(
    prefix="n",
    blocks=("subject", "tone", "place", "voice"),
    themes=THEMES,
    moods={
        "hopeful": "hopeful | upbeat | encouraging | optimistic | heartening | bright",
        "alarmed": "alarming | worrying | urgent | stark | troubling | grave",
        "analytical": "analytical | in-depth | data-driven | thorough | detailed | background",
        "personal": "personal | first-hand | intimate | close-up | human | eyewitness",
        "mocking": "tongue-in-cheek | wry | satirical | light-hearted | amused | irreverent",
        "sober": "sober | matter-of-fact | brief | factual | dry | plain",
    },
    settings={
        "capital": "in the capital | near the ministries | in the government quarter",
        "coast": "on the coast | in the port towns | along the seafront | in fishing country",
        "mountains": "in the mountains | in the alpine valleys | in the highlands | below the peaks",
        "countryside": "in the countryside | in farming districts | in rural areas | in the villages",
        "suburbs": "in the suburbs | on the edge of the city | in commuter towns | on the estates",
        "abroad": "abroad | overseas | across the border | on another continent",
        "north": "in the north | in the far north | in the industrial north | up north",
        "islands": "on the islands | in the archipelago | on the outer isles",
    },
    leads={
        "experts": "researchers | university scientists | independent experts | academics | analysts",
        "officials": "officials | ministers | civil servants | the authorities | spokespeople",
        "residents": "residents | neighbours | ordinary families | people on the street | locals",
        "business": "business leaders | shop owners | investors | employers | managers",
        "activists": "campaigners | activists | protesters | volunteers | charity workers",
        "veterans": "old hands | retired insiders | historians | long-time observers",
    },
    titles="""{act} {setting} | {act} | {lead} react as {act} | {act}, say {lead} | {setting}: {act}
        | {word} news: {act} | why {lead} talk about {thing} | {thing}: what {lead} say | {mood} report: {act}
        | what comes after {thing}? | {lead} and {thing}: a {mood} look""",
    sentences=(
        """{Setting}, the talk is of {thing}. | A {mood} report on {thing} {setting}.
        | {Lead} {setting} speak of {thing}. | This week {setting}, attention turned to {thing}.""",
        """{Lead} point to {thing_b} as the reason. | At issue is {thing_b}, say {lead}.
        | For {lead}, it all comes down to {thing_b}. | {Lead} had long warned about {thing_b}.""",
        """The story also touches on {other}. | It has consequences for another debate, that about {other}.
        | Our reporter adds a word on {other}. | Many drew a comparison with {other}.""",
        """We take a {mood} view. | A {mood_b} account. | The piece is {mood}, and {mood_b} in parts.
        | Read our {mood_b} coverage.""",
    ),
    creators=(
        """Alma | Bruno | Carla | Dev | Elif | Felix | Greta | Hugo | Ida | Jamal | Karin | Leo | Mina
        | Noor | Otto | Pia | Rafael | Selma | Tariq | Ursula""",
        """Adler | Bianchi | Costa | Delgado | Ekman | Fischer | Greco | Holm | Iyer | Jovanovic | Khan
        | Larsen | Mbeki | Novak | Okoye | Park | Reyes | Stein | Tanaka | Weber""",
    ),
    columns={"kind": "report | report | analysis | interview | opinion",
             "length": "short | medium | long"},
    creator_column="author",
    title_case=False,
)  # fmt: skip
