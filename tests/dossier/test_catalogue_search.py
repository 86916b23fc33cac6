"""Finding a procedure: by keyword without diacritics, life event, and every filter; in a large catalogue too."""

from typing import Any

from deploy.bench.catalogue import fill
from services.dossier.catalogue.search import store as search
from services.dossier.catalogue.search.domain import Search
from services.dossier.catalogue.store import today
from tests.dossier.office import OTHER_UNIT, UNIT, Office


async def find(office: Office, **query: Any) -> dict[str, Any]:
    return await office.call("GET", "/procedures", {}, params=query)


async def codes(office: Office, **query: Any) -> list[str]:
    return [item["code"] for item in (await find(office, **query))["items"]]


def counts(found: dict[str, Any], name: str) -> dict[str, int]:
    return {each["value"]: each["count"] for each in found["counts"][name]}


async def test_a_name_that_begins_with_the_words_comes_before_one_that_has_them_somewhere(office: Office) -> None:
    assert (await codes(office, q="dang ky khai sinh"))[0] == "1.001193"
    assert (await codes(office, q="chứng thực chữ ký"))[0] == "2.000884"
    assert await codes(office, q="1.0011") == ["1.001193"]
    assert await codes(office, q="2.0008") == ["2.000815", "2.000884"]


async def test_everyday_words_find_the_procedure(office: Office) -> None:
    assert await codes(office, q="xay nha") == ["1.013225"]
    assert "1.004873" in await codes(office, q="độc thân")
    assert (await codes(office, q="ho khau"))[0] == "1.004222", "together before apart"


async def test_what_was_replaced_is_not_offered(office: Office) -> None:
    assert "2.002621" not in await codes(office)
    assert await codes(office, q="2.002621") == []


async def test_a_life_event_gathers_what_belongs_to_it(office: Office) -> None:
    found = await find(office, life_event="death")
    assert {item["code"] for item in found["items"]} == {"1.000656", "2.002913"}
    assert {"value": "death", "label": "Người thân qua đời", "count": 2} in found["counts"]["life_event"]


async def test_the_filters_narrow_together_and_say_what_each_value_would_give(office: Office) -> None:
    found = await find(office, field="G15-TP07", level="full")
    assert {item["code"] for item in found["items"]} == {"1.001193", "1.000656", "1.004873", "2.000635"}
    assert found["total"] == 4
    assert counts(found, "level") == {"full": 4, "partial": 1}, "of the field, whatever level is chosen"
    assert counts(found, "field")["G15-TP03"] == 1, "of the level, whatever field is chosen"
    assert counts(found, "audience") == {"citizen": 4}


async def test_the_level_depends_on_the_unit(office: Office) -> None:
    here = {i["code"]: i["service_level"] for i in (await find(office, unit=UNIT))["items"]}
    there = {i["code"]: i["service_level"] for i in (await find(office, unit=OTHER_UNIT))["items"]}
    assert (here["1.001193"], there["1.001193"]) == ("full", "partial")
    assert "1.001193" not in await codes(office, unit=OTHER_UNIT, level="full")


async def test_a_unit_offers_what_all_offer_and_what_only_it_does(office: Office) -> None:
    found = await find(office)
    assert counts(found, "unit") == {"H99.01": 14, "H99.02.01": 17, "H99.02.02": 17}
    assert "3.000722" not in await codes(office, unit="H99.01")
    assert "3.000722" in await codes(office, unit=UNIT)


async def test_pages_follow_each_other_without_a_gap(office: Office) -> None:
    seen, after = [], None
    while True:
        page = await find(office, limit=5, **({"after": after} if after else {}))
        seen += [item["code"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == await codes(office, limit=100)
    assert len(seen) == len(set(seen)) == 17


async def test_a_strange_filter_is_refused_or_finds_nothing(office: Office) -> None:
    assert await codes(office, field="NONE") == []
    assert await codes(office, after="NONE") == []
    await office.call("GET", "/procedures", {}, 422, params={"unit": "H99'; --"})


async def test_a_large_catalogue_is_searched_as_well(office: Office) -> None:
    """How fast, with as many as the nation has, is measured by `./motcua bench catalogue`."""
    await fill(office.db, 300)
    for words in ("giay phep", "cap giay", "3.1", ""):
        found = await search.search(office.db, Search(words, unit=UNIT), today(), limit=20)
        assert (len(found.hits), found.more) == (20, True)
        assert sum(each.count for each in found.counts["level"]) == found.total
    assert found.total == 300 + 17
