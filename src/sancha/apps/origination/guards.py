"""只许追加的表：事实、裁定、例外、建议、批复。个人信息可能在事实与裁定里，依法删除时可改。"""

from sancha.kit.guards import Guard

GUARDS = (
    Guard("CaseFact", erasable=("value", "reference")),
    Guard("Ruling", erasable=("facts", "verdicts")),
    Guard("RuleException", erasable=("opinion",)),
    Guard("Proposal", erasable=("opinion", "conditions")),
    Guard("Approval", erasable=("conditions",)),
)
