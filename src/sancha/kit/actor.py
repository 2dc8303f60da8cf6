"""操作人：以哪个岗位、在哪个机构、凭哪些权限做事。每个操作都要带上它。"""

from __future__ import annotations

from dataclasses import dataclass, field

from sancha.kit.errors import NotPermitted


@dataclass(frozen=True, slots=True)
class Actor:
    """操作人（岗位身份）。

    ``institution_path`` 形如 ``/1/4/9/``，数据范围 = 该前缀之下；``permissions`` 是权限代码集合，
    ``*`` 只属于系统本身（日终、导入引擎），登录的人永远没有。
    """

    person_id: int | None
    name: str
    post_code: str
    institution_id: int | None
    institution_path: str
    permissions: frozenset[str] = field(default_factory=frozenset)
    post_holding_id: int | None = None

    def may(self, permission: str) -> bool:
        """有无此权限。"""
        return permission in self.permissions or "*" in self.permissions

    def require(self, permission: str) -> None:
        """要求有此权限，否则拒绝并说明缺什么。

        :raises NotPermitted: 当前岗位没有该权限。
        """
        if not self.may(permission):
            raise NotPermitted(
                "PERMISSION_DENIED",
                f"{self.name} 以「{self.post_code}」岗位无权执行此操作（缺少权限 {permission}）。",
                fix="请切换到有此权限的岗位，或由有权人员办理。",
            )

    def covers(self, institution_path: str) -> bool:
        """该机构是否在数据范围之内。"""
        return institution_path.startswith(self.institution_path)


SYSTEM = Actor(
    person_id=None,
    name="系统",
    post_code="SYSTEM",
    institution_id=None,
    institution_path="/",
    permissions=frozenset("*"),
)
