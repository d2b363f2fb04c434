import pytest

from services.testdc.delivery import PushFaults
from services.testdc.dispatch import CallFaults
from services.testdc.faults import DROP_AFTER, SWALLOW, Fault, delay, error, flood, slow_send

SEND, EDIT = "messages.sendMessage", "messages.editMessage"


def test_faults_come_in_the_order_they_were_queued_each_as_often_as_said() -> None:
    faults = CallFaults()
    faults.add(SEND, flood(3), DROP_AFTER)
    faults.add(SEND, SWALLOW, times=2)
    taken = [faults.take(SEND, None) for _ in range(5)]
    assert taken == [error(420, "FLOOD_WAIT_3"), DROP_AFTER, SWALLOW, SWALLOW, None]


def test_faults_hit_only_their_method_and_account() -> None:
    faults = CallFaults()
    faults.add(SEND, SWALLOW, account=7)
    faults.add(SEND, delay(1))
    assert faults.take(EDIT, 7) is None
    assert faults.take(SEND, 8) == delay(1)
    assert faults.take(SEND, 7) == SWALLOW


def test_a_fault_without_number_stays_until_it_is_cleared() -> None:
    faults = CallFaults()
    faults.add(SEND, SWALLOW, times=None)
    assert [faults.take(SEND, None) for _ in range(50)] == [SWALLOW] * 50
    faults.clear()
    assert faults.take(SEND, None) is None


def test_chances_are_the_same_for_the_same_seed() -> None:
    def run(seed: int) -> list[bool]:
        faults = CallFaults()
        faults.seed(seed)
        faults.add(SEND, SWALLOW, times=None, probability=0.5)
        return [faults.take(SEND, None) is not None for _ in range(40)]

    assert run(1) == run(1) != run(2)
    assert 5 < sum(run(1)) < 35


def test_a_call_that_was_lucky_leaves_the_fault_for_the_next() -> None:
    faults = CallFaults()
    faults.add(SEND, SWALLOW, probability=0.3)
    assert [faults.take(SEND, None) for _ in range(40)].count(SWALLOW) == 1


@pytest.mark.parametrize(("method", "fault"), [("messages.sendMesage", SWALLOW), (EDIT, slow_send())])
def test_a_fault_that_could_never_happen_is_refused(method: str, fault: Fault) -> None:
    with pytest.raises(ValueError, match=r"does not answer|slow send"):
        CallFaults().add(method, fault)


def test_pushes_of_one_chat_are_dropped_as_often_as_said() -> None:
    faults = PushFaults()
    faults.drop(2, chat=5)
    assert [faults.is_dropped(chat) for chat in (5, 6, 5, 5)] == [True, False, True, False]
    faults.drop(1)
    assert [faults.is_dropped(chat) for chat in (6, 6)] == [True, False]
