"""The usual names of columns, and which of ours each one means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_TYPES = re.compile(r":(token|token_seq|float|float_seq|id|label)$")


def squashed(name: object) -> str:
    """A column's name without case, punctuation and RecBole's type.

    Examples
    --------
    >>> [squashed(name) for name in ("User-ID", "user_id:token", " userId ", "#user")]
    ['userid', 'userid', 'userid', 'user']
    """
    return re.sub(r"[^0-9a-z\u0080-\uffff]", "", _TYPES.sub("", str(name).strip().lower()))


def snake(name: object) -> str:
    """A name as we write them: `Book-Title` is book_title, `movieTitle:token_seq` movie_title."""
    text = _TYPES.sub("", str(name).strip())
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^0-9a-z\u0080-\uffff]+", "_", text.lower()).strip("_")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Synonyms, in the order in which they are preferred where a file has several.
EXACT = {
    "user_id": _words("userid user uid useridx userno"),
    "item_id": _words("itemid item iid itemidx itemno"),
}
# Names of things: two of these in one file are two readings.
NAMED = {
    "user_id": _words(
        "customerid customer custid customerkey reviewerid reviewer visitorid visitor memberid member "
        "profileid accountid householdid householdkey playerid listenerid viewerid readerid clientid buyerid "
        "personid username usernames nickname authorid profilename reviewusername reviewprofilename steamid "
        "steamid64 shopperid subscriberid consumerid studentid userhash usersha1 usermboxsha1 msisdn patron"
    ),
    "item_id": _words(
        "parentasin asin movieid movie filmid film bookid isbn isbn13 productid productkey product prodid "
        "stockcode sku articleid article newsid videoid vid animeid mangaid artistid trackid songid albumid "
        "gameid appid businessid venueid poiid placeid locationid restaurantid hotelid listingid propertyid "
        "jokeid recipeid courseid jobid beerid beerbeerid wineid showid contentid materialid adid goodsid "
        "goodid merchandiseid repoid postid imageid photoid pinid musicid musicbrainzartistid podcastid "
        "programid eventitemid webpageid vrootid docid documentid paperid questionid photo artist track song "
        "game tconst barcode upc gtin itemsku skuid prodcode productcode storeid"
    ),
}
# What they are called: an item where nothing better stands there.
TITLES = _words(
    "title itemname itemtitle movietitle moviename filmtitle booktitle bookname productname producttitle "
    "productdescription gametitle gamename artistname trackname songname songtitle tracktitle albumname "
    "animetitle animename recipename beername restaurantname businessname venuename placename name originaltitle "
    "description appname coursename coursetitle jobtitle headline"
)
# A visit in place of a user.
VISITS = _words(
    "sessionid session visitid orderid basketid invoiceno invoiceid invoice invoicenumber transactionid cartid "
    "playlistid listid pid"
)
RATINGS = _words(
    "rating stars star score overall bookrating userrating movierating reviewscore reviewrating reviewoverall "
    "ratingvalue ratingscore starrating myrating userscore myscore rate ratings grade points preference pref "
    "reviewstars scores"
)
LABELS = _words(
    "label click clicked isclick liked like isliked target purchased converted isbuy reaction"
)
COUNTS = _words(
    "weight playcount plays playcounts playcnt listens listencount listeningcount count counts cnt hours "
    "hoursplayed playtime playtimeforever playtimehours views viewcount frequency freq nplays numplays "
    "totalplays scrobbles watchratio ncount nevents nclicks clicks nviews times numevents playhours"
)
TIMES = _words(
    "timestamp time ts unixreviewtime unixtime unixtimestamp epoch reviewtime datetime date createdat created "
    "creationdate createdate reviewdate ratingdate ratedat ratetime eventtime eventdate eventtimestamp "
    "orderdate ordertime invoicedate purchasedate purchasetime boughtat transactiondt transactiondate "
    "transactiontime tdat saledate visittime visitdate clicktime clickts timems timestampms starttime playedat "
    "listenedat checkintime checkindate utctime utctimestamp localtime addedat dateadded datecreated dateupdated "
    "updatedat dateofpurchase dateofreview reviewtimestamp servertime logtime day"
)
OTHERS = {
    "event": _words(
        "event eventtype eventname action actiontype behavior behaviortype behaviour behaviourtype "
        "interaction interactiontype activity activitytype type"
    ),
    "quantity": _words("quantity qty amount units numitems itemsqty"),
    "position": _words("position addtocartorder sequence seq"),
    "split": ("split",),
}
IDS_OF_ITEMS = _words("id index key code")  # in a file of items
TEXTS = _words(
    "text description overview plot plots summary abstract synopsis productdescription desc content body intro "
    "plotsummary itemdescription"
)
ATTRIBUTES = {
    "author": _words("author authors bookauthor writer"),
    "year": _words(
        "year yearofpublication publicationyear originalpublicationyear releaseyear startyear"
    ),
    "genres": _words("genres genre tags"),
    "brand": _words("brand publisher studio store manufacturer"),
    "category": _words("category categories maincategory maincat categoryname department"),
}


def candidates(names: Iterable[object], wanted: Sequence[str]) -> list:
    """The columns whose names are among these, in the order of `wanted`."""
    place = {name: at for at, name in enumerate(wanted)}
    found = [name for name in names if squashed(name) in place]
    return sorted(found, key=lambda name: place[squashed(name)])


def is_known(name: object) -> bool:
    """Whether it is a usual name of a column that interactions or items have."""
    word = squashed(name)
    return any(
        word in group
        for group in (
            *EXACT.values(),
            *NAMED.values(),
            TITLES,
            VISITS,
            RATINGS,
            COUNTS,
            TIMES,
            *OTHERS.values(),
            IDS_OF_ITEMS,
            TEXTS,
            *ATTRIBUTES.values(),
        )
    )
