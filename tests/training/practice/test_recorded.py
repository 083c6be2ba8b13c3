"""Practice against recorded results: nothing live is called, and what is not recorded ends the rollout as unknown."""

from __future__ import annotations

import asyncio

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.policies import ScriptedPolicy
from atlas.training.practice import practice_task, practise
from atlas.training.practice.recorded import NotPractisable

SEND = "to = mail.find_address(name='Ann')\nmail.send_email(to=to, text='hi')\nanswer(mail.count_sent())"


def rollouts(task, replies, **options):
    async def go():
        with EpisodeStore(None) as store:
            policy = ScriptedPolicy(replies)
            groups = await practise(policy, [task], group=len(replies), store=store, at_once=1, **options)
            return groups[0]

    return asyncio.run(go())


def test_the_same_calls_get_their_logged_results_and_no_email_is_sent(mail):
    episode, record = mail.run([SEND])
    assert (episode.answer, mail.sent) == (1, ["ann@example.org"])
    task = practice_task(record, mail.home)
    done = rollouts(task, [SEND, SEND])
    assert task.place.kind == "recorded"
    assert [one.record.episode.answer for one in done] == [1, 1]
    assert not any(one.unknown for one in done)
    assert mail.sent == ["ann@example.org"]


@pytest.mark.parametrize(
    "program",
    [
        "mail.send_email(to='bob@example.org', text='hi')\nanswer(1)",
        "mail.send_email(to=mail.find_address(name='Ann'), text='hi')\nmail.send_email(to='ann@example.org', text='hi')",
        "answer(mail.count_sent())",
    ],
    ids=["other arguments", "sent twice", "read before the change that it was read after"],
)
def test_any_other_call_ends_the_rollout_as_unknown(mail, program):
    _, record = mail.run([SEND])
    (done,) = rollouts(practice_task(record, mail.home), [program])
    assert done.unknown and done.known is None and "mail." in done.why
    assert done.record.episode.outcome == "unknown" and done.record.episode.status == "interrupted"
    assert mail.sent == ["ann@example.org"]


def test_the_toolbox_works_on_a_copy_of_the_workspace(mail):
    _, record = mail.run(["answer(files.read('note.txt'))"], "What does the note say?")
    program = "files.write('note.txt', 'changed')\nfiles.write('new.txt', 'x')\nanswer(files.list())"
    first, again = rollouts(practice_task(record, mail.home), [program, program])
    assert first.record.episode.answer == again.record.episode.answer == ["new.txt", "note.txt"]
    assert (mail.workspace / "note.txt").read_text() == "hello\n" and not (mail.workspace / "new.txt").exists()


def test_a_logged_failure_is_given_again(mail):
    program = "try:\n    mail.send_email(to=1, text='x')\nexcept ToolError as e:\n    print(e.kind)\nanswer(2)"
    _, record = mail.run([program])
    (done,) = rollouts(practice_task(record, mail.home), [program])
    assert not done.unknown and done.record.episode.answer == 2


def test_only_tools_that_the_user_named_are_called_live(mail):
    _, record = mail.run([SEND])
    task = practice_task(record, mail.home, live=["mail.count_sent", "mail.find_address"])
    (done,) = rollouts(task, ["answer([mail.count_sent(), mail.find_address(name='Bob')])"])
    assert done.record.episode.answer == [1, "bob@example.org"]
    (other,) = rollouts(task, ["mail.send_email(to='bob@example.org', text='x')\nanswer(1)"])
    assert other.unknown and mail.sent == ["ann@example.org"]


def test_an_episode_without_a_safe_place_is_told_apart_with_its_reason(mail, store):
    _, record = mail.run([SEND])
    (mail.home / "catalogue.db").unlink()
    with pytest.raises(NotPractisable, match="not in the catalogue"):
        practice_task(record, mail.home)
    for path in mail.workspace.iterdir():
        path.unlink()
    mail.workspace.rmdir()
    with pytest.raises(NotPractisable, match="is gone"):
        practice_task(record, mail.home)


def test_a_task_that_changed_its_folder_is_not_practised_on_what_it_left_behind(mail):
    mail.workspace.joinpath("a.txt").write_text("x")
    _, record = mail.run(['answer(files.read(path="a.txt"))'])
    practice_task(record, mail.home)
    _, record = mail.run(['files.move(source="a.txt", target="b.txt")\nanswer("done")'])
    with pytest.raises(NotPractisable, match="no longer as it was"):
        practice_task(record, mail.home)
