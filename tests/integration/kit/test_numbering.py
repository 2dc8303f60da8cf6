"""编号：连续、不复用、回滚即还、两人同时不重号。"""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from sancha.kit.numbering import next_number, next_numbers


@pytest.mark.django_db
def test_numbers_run_on_per_name():
    assert [next_number("甲"), next_number("甲"), next_number("乙")] == [1, 2, 1]
    assert list(next_numbers("甲", 3)) == [3, 4, 5]
    assert list(next_numbers("甲", 0)) == []
    with pytest.raises(ValueError, match="negative"):
        next_numbers("甲", -1)


@pytest.mark.django_db
def test_a_rolled_back_number_is_taken_again():
    next_number("甲")
    with transaction.atomic():
        assert next_number("甲") == 2
        transaction.set_rollback(True)
    assert next_number("甲") == 2


@pytest.mark.django_db
def test_a_number_costs_two_statements(django_assert_num_queries):
    next_number("甲")
    with django_assert_num_queries(2):
        next_numbers("甲", 1000)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_is_refused():
    with pytest.raises(AssertionError):
        next_number("甲")


@pytest.mark.django_db(transaction=True)
def test_two_at_once_never_get_the_same_number():
    if connection.vendor == "sqlite":
        pytest.skip("测试用的内存 SQLite 共享缓存，遇锁立即报错而不等待；并发取号在 PostgreSQL 上验证")
    taken: list[int] = []
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def take() -> None:
        try:
            start.wait()
            for _ in range(10):
                with transaction.atomic():
                    taken.append(next_number("并发"))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(taken) == list(range(1, 41))
