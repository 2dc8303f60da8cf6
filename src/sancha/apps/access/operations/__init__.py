"""维护机构、人员、任职与令牌：每个动词一个函数，各在自己的文件里。"""

from sancha.apps.access.operations.institutions import (
    close_institution,
    edit_institution,
    move_institution,
    open_institution,
)
from sancha.apps.access.operations.people import (
    add_person,
    change_password,
    deactivate_person,
    edit_person,
    reactivate_person,
    reset_password,
)
from sancha.apps.access.operations.posts import end_post, grant_post
from sancha.apps.access.operations.tokens import issue_token, revoke_token

__all__ = [
    "add_person",
    "change_password",
    "close_institution",
    "deactivate_person",
    "edit_institution",
    "edit_person",
    "end_post",
    "grant_post",
    "issue_token",
    "move_institution",
    "open_institution",
    "reactivate_person",
    "reset_password",
    "revoke_token",
]
