"""Acceptance scenario 8: two accounts say to be one person; who proves it first keeps it, and no dossier is lost."""

import pytest

from deploy.demo.story import Story
from deploy.demo.web import Refused
from deploy.local.stack import Stack
from tests.stories.people import PASSWORD, person, register
from tests.support import eventually

HAI = {"full_name": "Võ Minh Hải", "identity_number": "000092000006"}


@pytest.mark.timeout(300)
async def test_of_two_accounts_of_one_person_the_proven_one_stays_and_has_the_others_dossiers(stack: Stack) -> None:
    story = Story(stack.site)
    try:
        first = await register(story, "0900000581", **HAI)
        third = await register(story, "0900000583", full_name="Người Khác Tên", identity_number=HAI["identity_number"])
        story.citizen = person(story, first)
        for act in (Story.draft, Story.upload, Story.send):
            await act(story)

        proven = await story.portal.citizen(HAI["identity_number"])

        async def sees_it() -> bool:
            found = await proven.get("tracking", "my/dossiers")
            return [one["code"] for one in found["items"]] == [story.code]

        await eventually(sees_it, within=30)
        assert (await proven.get("dossier", f"dossiers/{story.code}"))["code"] == story.code
        for locked, phone, why in (
            (first, "0900000581", "xác thực cho một tài khoản khác"),
            (third, "0900000583", "khác tên"),
        ):
            with pytest.raises(Refused):
                await story.portal.token_of(locked["session"], "dossier")
            with pytest.raises(Refused) as refused:
                await story.portal._ask("local-logins", {"phone": phone, "password": PASSWORD})
            assert why in str(refused.value)
    finally:
        await story.close()
