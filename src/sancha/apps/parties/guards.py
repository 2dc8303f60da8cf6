"""只许追加的表：信用档案、查看明文的记录、联系方式、关系与家庭成员的历史。主档是投影，可改。个人信息的栏依法删除时可改。"""

from sancha.kit.guards import Guard

GUARDS = (
    Guard("PartyFileEntry", erasable=("content", "note")),
    Guard("PartyReveal", erasable=("reason",)),
    Guard("PartyContact", erasable=("value", "holder")),
    Guard("PartyRelation", erasable=("note",)),
    Guard(
        "RiskEntry",
        changing=("state", "decided_by_id", "decided_on", "released_on", "release_reason", "source_on"),
        erasable=("name", "identity_digest", "id_shown", "evidence", "hearing"),
    ),
    Guard("RiskReview", changing=("state", "decided_by_id", "decided_on", "answer"), erasable=("statement",)),
    Guard("HouseholdMember", erasable=("name", "note")),
)
