"""Forum topics and topics of private chats: what is asked in one is answered in it. F87, F17."""

import pytest

from services.testdc.model import Account, Draft, Group, Post
from tests.integration.telegram.scene import Scene
from tests.support.sandbox import until

GENERAL = 1


@pytest.fixture
def team(scene: Scene, anna: Account) -> Group:
    return scene.dc.world.add_group("Team", anna, scene.bot, admins=[anna], forum=True)


@pytest.fixture
def topic(scene: Scene, anna: Account, team: Group) -> Post:
    return scene.dc.world.begin_topic(anna, team, "Release")


def topics(scene: Scene, chat: int) -> dict[str, tuple[int, int]]:
    """Of each text that arrived: its topic, and what it replies to."""
    kept = scene.pipeline.kept.values()
    return {m.text: (m.address.topic_id, m.reply_to_message_id) for m in kept if m.address.chat_id == chat}


def answers(scene: Scene, person: Account, chat: Group | Account) -> list[tuple[str, int]]:
    """The bot's messages and their topics, as the person sees them."""
    messages = scene.dc.world.view(person, chat).messages
    return [(seen.text, seen.topic) for seen in messages if seen.sender == scene.bot.id]


async def test_every_message_comes_from_its_topic(scene: Scene, anna: Account, team: Group, topic: Post) -> None:
    """F87. General is 1, also for a reply there, whose thread looks like a topic and is none."""
    number = topic.message_id(scene.bot.id)
    async with scene.telegram():
        first = scene.say(anna, "in general", team)
        second = scene.say(anna, "reply in general", team, reply_to=first)
        scene.say(anna, "reply to a reply in general", team, reply_to=second)
        inside = scene.say(anna, "in the topic", team, topic=topic)
        scene.say(anna, "reply in the topic", team, reply_to=inside)
        scene.say(anna, "in private")
        await until(lambda: len(scene.pipeline.kept) == 6)
    ids = [post.message_id(scene.bot.id) for post in (first, second, inside)]
    assert topics(scene, team.id) == {
        "in general": (GENERAL, 0),
        "reply in general": (GENERAL, ids[0]),
        "reply to a reply in general": (GENERAL, ids[1]),
        "in the topic": (number, 0),
        "reply in the topic": (number, ids[2]),
    }
    assert topics(scene, anna.id) == {"in private": (0, 0)}


async def test_a_message_of_a_topic_that_was_missed_comes_from_its_topic(
    scene: Scene, anna: Account, team: Group, topic: Post
) -> None:
    """F87. By difference it is the same address as by push, or the message would be kept twice."""
    async with scene.telegram():
        scene.say(anna, "heard", team, topic=topic)
        await scene.received(team.id, "heard")
    scene.say(anna, "missed", team, topic=topic)
    scene.say(anna, "missed in general", team)
    async with scene.telegram():
        await scene.received(team.id, "heard", "missed", "missed in general")
    number = topic.message_id(scene.bot.id)
    assert [place for place, _ in topics(scene, team.id).values()] == [number, number, GENERAL]


async def test_answers_go_to_their_topics(scene: Scene, anna: Account, team: Group, topic: Post) -> None:
    """F87. Also a reply, one in General, and one whose question is gone."""
    number = topic.message_id(scene.bot.id)
    question, gone = (scene.say(anna, text, team, topic=topic) for text in ("why?", "gone"))
    scene.dc.world.delete(anna, gone)
    async with scene.telegram():
        parts = [
            scene.pipeline.send(team.id, "plain", topic=number),
            scene.pipeline.send(team.id, "because", topic=number, reply_to_message_id=question.message_id(team.id)),
            scene.pipeline.send(team.id, "to nobody", topic=number, reply_to_message_id=gone.ids[team.id]),
            scene.pipeline.send(team.id, "to all", topic=GENERAL),
        ]
        await scene.delivered(*parts)
    assert sorted(answers(scene, anna, team)) == [
        ("because", number),
        ("plain", number),
        ("to all", 0),
        ("to nobody", number),
    ]


@pytest.mark.parametrize("how", ["closed", "deleted"])
async def test_an_answer_to_a_topic_that_is_no_more_is_given_in_general_and_says_why(
    scene: Scene, anna: Account, team: Group, topic: Post, how: str
) -> None:
    """F87. The answers behind it go the same way; nothing is doubled after a restart."""
    number, world = topic.message_id(scene.bot.id), scene.dc.world
    world.close_topic(anna, topic) if how == "closed" else world.delete_topic(anna, topic)
    async with scene.telegram():
        await scene.delivered(
            scene.pipeline.send(team.id, "42", topic=number), scene.pipeline.send(team.id, "43", topic=number)
        )
    async with scene.telegram():
        pass
    assert answers(scene, anna, team) == [
        (f"{text}\n\n(The topic {'is' if how == 'closed' else 'was'} {how}, so I answer here.)", 0)
        for text in ("42", "43")
    ]


async def test_two_topics_stream_at_once_and_their_texts_never_mix(
    scene: Scene, anna: Account, team: Group, topic: Post
) -> None:
    """F17."""
    other = scene.dc.world.begin_topic(anna, team, "Other")
    async with scene.telegram():
        for turn, post in ((5, topic), (6, other)):
            scene.pipeline.typing(team.id, turn=turn, topic=post.message_id(scene.bot.id))
        view = scene.dc.world.view
        await until(lambda: all(view(anna, team, topic=post).typing == [scene.bot.id] for post in (topic, other)))
        assert scene.dc.world.view(anna, team).typing == []


async def test_a_private_chat_with_topics(scene: Scene, anna: Account) -> None:
    """F87. Message ids differ for the two sides, and so do the topic's."""
    world = scene.dc.world
    scene.say(world.add_user("Ben"), "moves the bot's ids")
    scene.bot = world.add_bot("Desk", forum=True)
    await scene.log_in()
    world.publish(anna, anna, "moves her ids")
    topic, other = (world.begin_topic(anna, scene.bot, title) for title in ("Work", "Home"))
    number = topic.message_id(scene.bot.id)
    assert number != topic.message_id(anna.id)
    async with scene.telegram():
        scene.say(anna, "at work", topic=topic)
        scene.say(anna, "nowhere")
        await scene.received(anna.id, "at work", "nowhere")
        assert topics(scene, anna.id) == {"at work": (number, 0), "nowhere": (0, 0)}
        scene.pipeline.draft(anna.id, "I am thi", turn=5, topic=number)
        await until(lambda: world.view(anna, scene.bot, topic=topic).drafts == {scene.bot.id: "I am thi"})
        assert world.view(anna, scene.bot).drafts == world.view(anna, scene.bot, topic=other).drafts == {}
        await scene.delivered(scene.pipeline.send(anna.id, "done", turn=5, topic=number))
    assert answers(scene, anna, scene.bot) == [("done", topic.message_id(anna.id))]
    assert world.view(anna, scene.bot, topic=topic).drafts == {}


async def test_a_person_stops_a_draft(scene: Scene, anna: Account) -> None:
    """F73. The stop button of a streamed answer reaches the pipeline with the turn's name; in a topic as well."""
    async with scene.telegram():
        scene.pipeline.draft(anna.id, "On and on", turn=5)
        await until(lambda: scene.dc.world.view(anna, scene.bot).drafts)
        scene.pipeline.away = True
        scene.dc.world.signs.press_stop(anna, scene.bot)
        await until(lambda: scene.pipeline.calls["StopTurn"])
        scene.pipeline.away = False
        await until(lambda: scene.pipeline.stopped == ["5"])


async def test_a_stop_of_a_draft_that_nobody_here_showed_is_passed_over(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        scene.dc.world.signs.draft(scene.bot, anna, Draft(99, "of an earlier life", can_stop=True))
        scene.dc.world.signs.press_stop(anna, scene.bot)
        scene.say(anna, "marker")
        await scene.received(anna.id, "marker")
    assert scene.pipeline.stopped == []
