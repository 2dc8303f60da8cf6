"""只许追加的表：签字。"""

from sancha.kit.guards import Guard

GUARDS = (Guard("PaperSignature", erasable=("signer", "place")),)
