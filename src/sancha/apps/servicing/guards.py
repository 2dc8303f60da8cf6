"""只许追加的表：事实与分户账。错了记冲正，不改旧行。"""

from sancha.kit.guards import Guard

GUARDS = (Guard("LoanFact", erasable=("data",)), Guard("Movement"))
