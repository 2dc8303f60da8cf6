"""只许追加的表：授权书、证书、停权。"""

from sancha.kit.guards import Guard

GUARDS = (Guard("Mandate"), Guard("Certificate"), Guard("Suspension"))
