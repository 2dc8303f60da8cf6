"""只许追加的表：信用档案、查看明文的记录、联系方式与关系的历史。主档是投影，可改。"""

from sancha.kit.guards import Guard

GUARDS = (Guard("PartyFileEntry"), Guard("PartyReveal"), Guard("PartyContact"), Guard("PartyRelation"))
