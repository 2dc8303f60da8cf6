"""客户的写入：登记、变更、联系方式、关系、信用档案、查看明文、批量登记。

一人一档：证件唯一键相同就是同一个人。主档是当日投影，每次变更都在信用档案留下前后值，什么也不被悄悄覆盖。
"""

from sancha.apps.parties.operations.amending import amend_party
from sancha.apps.parties.operations.erasing import decide_erasure, request_erasure
from sancha.apps.parties.operations.facts import append_facts, record_fact
from sancha.apps.parties.operations.households import add_household_member, end_household_member, open_household
from sancha.apps.parties.operations.listing import (
    decide_risk_entry,
    decide_risk_review,
    import_court_list,
    propose_risk_entry,
    request_risk_review,
)
from sancha.apps.parties.operations.merging import decide_merge, request_merge
from sancha.apps.parties.operations.registering import RowOutcome, add_parties, register_parties, register_party
from sancha.apps.parties.operations.relations import add_contact, add_relation, end_relation
from sancha.apps.parties.operations.revealing import REVEALABLE, record_reveal, reveal_party

__all__ = [
    "REVEALABLE",
    "RowOutcome",
    "add_contact",
    "add_household_member",
    "add_parties",
    "add_relation",
    "amend_party",
    "append_facts",
    "decide_erasure",
    "decide_merge",
    "decide_risk_entry",
    "decide_risk_review",
    "end_household_member",
    "end_relation",
    "import_court_list",
    "open_household",
    "propose_risk_entry",
    "record_fact",
    "record_reveal",
    "register_parties",
    "register_party",
    "request_erasure",
    "request_merge",
    "request_risk_review",
    "reveal_party",
]
