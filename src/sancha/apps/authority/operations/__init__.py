"""授权的写操作：授权书的起草与复核、资格证书、停权与恢复。"""

from sancha.apps.authority.operations.mandates import decide_mandate, propose_mandate, propose_revocation
from sancha.apps.authority.operations.officers import issue_certificate, resume_officer, suspend_officer

__all__ = [
    "decide_mandate",
    "issue_certificate",
    "propose_mandate",
    "propose_revocation",
    "resume_officer",
    "suspend_officer",
]
