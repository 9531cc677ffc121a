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
    "user_id": _words("userid user uid useridx userno 用户id 用户 用戶id nutzer benutzer"),
    "item_id": _words("itemid item iid itemidx itemno 物品id 物品"),
}
# Names of things: two of these in one file are two readings.
NAMED = {
    "user_id": _words(
        "customerid customer custid customerkey reviewerid reviewer visitorid visitor memberid member "
        "profileid accountid householdid householdkey playerid listenerid viewerid readerid clientid buyerid "
        "personid username usernames nickname authorid profilename reviewusername reviewprofilename steamid "
        "steamid64 shopperid subscriberid consumerid studentid userhash usersha1 usermboxsha1 msisdn patron "
        "kunde kundennr kundennummer kundenid "
        "会员卡号 會員卡號 会员id 會員id 用户名"
    ),
    "item_id": _words(
        "parentasin asin movieid movie filmid film bookid isbn isbn13 productid productkey product prodid "
        "stockcode sku articleid article newsid videoid vid animeid mangaid artistid trackid songid albumid "
        "gameid appid businessid venueid poiid placeid locationid restaurantid hotelid listingid propertyid "
        "jokeid recipeid courseid jobid beerid beerbeerid wineid showid contentid materialid adid goodsid "
        "goodid merchandiseid repoid postid imageid photoid pinid musicid musicbrainzartistid podcastid "
        "programid eventitemid webpageid vrootid docid documentid paperid questionid photo artist track song "
        "game tconst barcode upc gtin itemsku skuid prodcode productcode storeid "
        "artikel artikelnr artikelnummer produkt produktid 商品id 商品原始id 商品 电影id 電影id"
    ),
}
# What they are called: an item where nothing better stands there.
TITLES = _words(
    "title itemname itemtitle movietitle moviename movienameen movienamecn "
    "filmtitle booktitle bookname productname producttitle "
    "productdescription gametitle gamename artistname trackname songname songtitle tracktitle albumname "
    "animetitle animename recipename beername restaurantname businessname venuename placename name originaltitle "
    "description appname coursename coursetitle jobtitle headline prodname bezeichnung artikelname artikelbezeichnung "
    "produktname titel 标题 名称 电影名 商品名称"
)
# A visit in place of a user.
VISITS = _words(
    "sessionid session visitid orderid basketid invoiceno invoiceid invoice invoicenumber transactionid cartid "
    "playlistid listid pid"
)
RATINGS = _words(
    "rating stars star score overall bookrating userrating movierating reviewscore reviewrating reviewoverall "
    "ratingvalue ratingscore starrating myrating userscore myscore rate ratings grade points preference pref "
    "reviewstars scores bewertung sterne 评分 評分"
)
LABELS = _words(
    "label click clicked isclick liked like isliked target purchased converted isbuy reaction"
)
COUNTS = _words(
    "weight playcount plays playcounts playcnt listens listencount listeningcount count counts cnt hours "
    "hoursplayed playtime playtimeforever playtimehours views viewcount frequency freq nplays numplays "
    "totalplays scrobbles watchratio ncount nevents nclicks clicks nviews times numevents playhours"
)
# Endings of names that rate one side of a thing: overall_rating, taste_score.
_RATED, _NOT_GIVEN = ("rating", "ratings", "stars", "score"), ("average", "avg", "mean", "num", "n")
TIMES = _words(
    "timestamp time ts unixreviewtime unixtime unixtimestamp epoch reviewtime datetime date createdat created "
    "creationdate createdate reviewdate ratingdate ratedat ratetime eventtime eventdate eventtimestamp "
    "orderdate ordertime invoicedate purchasedate purchasetime boughtat transactiondt transactiondate "
    "transactiontime tdat saledate visittime visitdate clicktime clickts timems timestampms starttime playedat "
    "listenedat checkintime checkindate utctime utctimestamp localtime addedat dateadded datecreated dateupdated "
    "updatedat dateofpurchase dateofreview reviewtimestamp servertime logtime day "
    "datum zeit zeitstempel 时间 时间戳 時間 日期 交易日期時間"
)
OTHERS = {
    "event": _words(
        "event eventtype eventname action actiontype behavior behaviortype behaviour behaviourtype "
        "interaction interactiontype activity activitytype type"
    ),
    "quantity": _words("quantity qty amount units numitems itemsqty menge anzahl 数量 數量"),
    "position": _words("position addtocartorder sequence seq"),
    "session": _words("session sessionid visitid"),
    "split": ("split",),
}
IDS_OF_ITEMS = _words("id index key code")  # in a file of items
TEXTS = _words(
    "text description overview plot plots summary abstract synopsis productdescription desc content body intro "
    "plotsummary itemdescription caption detaildesc joketext joke beschreibung 描述 简介"
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


def rated(names: Iterable[object]) -> list:
    """The columns whose names end as a rating's does and say no mean and no number of ratings.

    Examples
    --------
    >>> rated(["overall_rating", "taste_rating", "average_rating", "title"])
    ['overall_rating', 'taste_rating']
    """
    return [
        name
        for name in names
        if squashed(name).endswith(_RATED) and not squashed(name).startswith(_NOT_GIVEN)
    ]


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
