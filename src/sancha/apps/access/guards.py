"""只许追加的表：任职与机构隶属的历史。结束任职是一条新记录。"""

from sancha.kit.guards import Guard

GUARDS = (Guard("PostHolding"), Guard("Placement"))
