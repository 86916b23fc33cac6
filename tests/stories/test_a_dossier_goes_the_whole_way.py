"""A citizen files, the desk accepts, the fee is paid, the leader signs, the result is in hand: on real parts."""

import pytest

from deploy.demo.story import SCENES, Story
from deploy.local.stack import Stack


@pytest.mark.timeout(600)
async def test_a_dossier_goes_the_whole_way(stack: Stack) -> None:
    story = Story(stack.site)
    try:
        await story.play()
    finally:
        await story.close()
    assert [step.title for step in story.steps] == [scene.title for scene in SCENES]
    assert all(step.tracking_ms is not None for step in story.steps if step.events)
