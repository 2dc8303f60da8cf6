"""存量转入：把别处的借据、计划、还款、余额与客户带进来。

一条路走到底：读文件（``reading``）→ 按版式认列（``layout``、``cells``）→ 归成一笔一笔（``dossier``）→ 逐行核对并试建（``checks``、
``building``）→ 成批入账（``writing``）→ 与重放对账（``reconciling``）。事务在 ``operations.importing``；
规矩与字段见 docs/guides/import.md。
"""
