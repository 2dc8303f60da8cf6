"""只许追加的表：填报、签名、决定、任务履历。"""

from sancha.kit.guards import Guard

GUARDS = (
    Guard("Submission", erasable=("data",)),
    Guard("Signature", erasable=("signer",)),
    Guard("Decision", erasable=("opinion",)),
    Guard("TaskEvent", erasable=("data",)),
)
