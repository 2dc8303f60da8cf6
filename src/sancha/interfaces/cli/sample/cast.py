"""样例里的人与事：机构、岗位、姓名、行业、用途、村镇。全部虚构；身份证号只求校验位成立。"""

from __future__ import annotations

from datetime import date
from random import Random

# 代码 → (名称, 类别, 上级)
INSTITUTIONS = {
    "01": ("江源农村商业银行", "HEAD_OFFICE", None),
    "0101": ("江州分行", "TIER1_BRANCH", "01"),
    "010101": ("清河县分行", "TIER2_BRANCH", "0101"),
    "01010101": ("城关支行", "TIER1_SUB_BRANCH", "010101"),
    "01010102": ("柳河支行", "TIER1_SUB_BRANCH", "010101"),
    "0101010101": ("东门分理处", "TIER2_SUB_BRANCH", "01010101"),
    "0101010201": ("石桥分理处", "TIER2_SUB_BRANCH", "01010102"),
    "90": ("清河县创业担保贷款中心", "GUARANTEE_CENTER", None),
    "9001": ("城关街道劳动保障所", "STREET", "90"),
    "9002": ("柳河镇劳动保障所", "STREET", "90"),
    "900101": ("东门社区", "COMMUNITY", "9001"),
    "900201": ("柳河村", "COMMUNITY", "9002"),
}
LENDERS = ("01010101", "01010102", "0101010101", "0101010201")

# (用户名, 姓名, 岗位, 机构)
STAFF = (
    ("zhaoming", "赵明", "ADMINISTRATOR", "01"),
    ("qianjing", "钱静", "AUDITOR", "01"),
    ("sunlei", "孙磊", "DAYCLOSE_OPERATOR", "01"),
    ("lizhong", "李中", "DEPARTMENT_HEAD", "010101"),
    ("caojun", "曹军", "BUSINESS_MANAGER", "010101"),
    ("zhouyan", "周燕", "PRODUCT_MANAGER", "0101"),
    ("taoan", "陶安", "DEPARTMENT_HEAD", "0101"),
    ("dingrui", "丁锐", "BUSINESS_MANAGER", "0101"),
    ("tianlin", "田林", "APPROVER", "0101"),
    ("gaoshan", "高珊", "ACCOUNTING_SUPERVISOR", "0101"),
    ("wuhao", "吴昊", "REVIEWER", "010101"),
    ("zhengli", "郑丽", "APPROVER", "010101"),
    ("jinrong", "金荣", "ACCOUNTING_SUPERVISOR", "010101"),
    ("wangfang", "王芳", "BRANCH_MANAGER", "01010101"),
    ("fengtao", "冯涛", "ACCOUNTING_SUPERVISOR", "01010101"),
    ("chenjie", "陈洁", "DISBURSEMENT_CLERK", "01010101"),
    ("chuwei", "褚伟", "LOAN_OFFICER", "01010101"),
    ("fanglei", "方磊", "LOAN_OFFICER", "01010101"),
    ("weina", "卫娜", "LOAN_OFFICER", "0101010101"),
    ("tongxin", "童欣", "TEAM_LEAD", "0101010101"),
    ("jiangbo", "蒋波", "POST_LOAN", "01010101"),
    ("shenyu", "沈玉", "CASHIER", "01010101"),
    ("weimin", "魏敏", "BRANCH_MANAGER", "01010102"),
    ("hanmei", "韩梅", "ACCOUNTING_SUPERVISOR", "01010102"),
    ("yangqi", "杨琪", "DISBURSEMENT_CLERK", "01010102"),
    ("zhuning", "朱宁", "LOAN_OFFICER", "01010102"),
    ("qinfeng", "秦峰", "LOAN_OFFICER", "0101010201"),
    ("youlan", "尤兰", "CASHIER", "01010102"),
    ("xujing", "许静", "INTAKE", "01010101"),
    ("heping", "何平", "GC_HANDLER", "90"),
    ("lvqing", "吕青", "GC_REVIEWER", "90"),
    ("shidan", "施丹", "GC_UNDERWRITER", "90"),
    ("huaqiang", "华强", "GC_DIRECTOR", "90"),
    ("kongling", "孔玲", "CASHIER", "90"),
    ("douwen", "窦文", "COMMUNITY_CLERK", "9001"),
    ("zhangyue", "张月", "COMMUNITY_CLERK", "900101"),
    ("yunxia", "云霞", "COMMUNITY_CLERK", "9002"),
)

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
GIVEN_MALE = [
    "建国",
    "志强",
    "海涛",
    "永贵",
    "德明",
    "文斌",
    "学军",
    "春生",
    "长林",
    "国庆",
    "金宝",
    "小龙",
    "俊杰",
    "立新",
    "大勇",
    "玉柱",
    "宏伟",
    "晓东",
    "明亮",
    "宝山",
    "福来",
    "振华",
    "世杰",
    "克勤",
]
GIVEN_FEMALE = [
    "秀兰",
    "桂英",
    "玉梅",
    "春花",
    "丽华",
    "红霞",
    "小燕",
    "雪芹",
    "桂芳",
    "淑珍",
    "凤英",
    "美玲",
    "爱华",
    "翠萍",
    "秋菊",
    "海燕",
    "慧敏",
    "巧云",
    "金凤",
    "月娥",
    "素琴",
    "佳慧",
    "婷婷",
    "冬梅",
]

# (类别, 产品, 行业代码, 行业, 用途, 职业)
TRADES = (
    ("FARMER", "FARMER_GUARANTEE", "0313", "生猪养殖", "购买仔猪与饲料", "养殖户"),
    ("FARMER", "FARMER_GUARANTEE", "0141", "蔬菜种植", "大棚薄膜与种苗", "菜农"),
    ("FARMER", "FARMER_JOINT", "0412", "内陆养殖", "鱼苗与增氧机", "水产养殖户"),
    ("FARMER", "FARMER_JOINT", "0111", "稻谷种植", "农资与机收费用", "种粮大户"),
    ("FARMER", "HARVEST_BULLET", "0151", "水果种植", "果园春季农资", "果农"),
    ("FARMER", "HARVEST_BULLET", "0321", "鸡的饲养", "购买鸡苗", "养殖户"),
    ("SOLE_TRADER", "MERCHANT_GUARANTEE", "5212", "便利店零售", "节前备货", "便利店店主"),
    ("SOLE_TRADER", "MERCHANT_GUARANTEE", "6210", "正餐服务", "店面装修与设备", "饭店经营者"),
    ("SOLE_TRADER", "MERCHANT_GUARANTEE", "5283", "五金零售", "补充库存", "五金店店主"),
    ("SOLE_TRADER", "TRADER_REVOLVING", "5163", "建材批发", "垫付货款", "建材批发商"),
    ("SOLE_TRADER", "TRADER_REVOLVING", "1713", "棉织造加工", "购进棉纱", "加工户"),
    ("PERSON", "STARTUP_PERSON", "8121", "计算机和办公设备维修", "创办维修店", "返乡创业者"),
    ("PERSON", "STARTUP_PERSON", "6220", "快餐服务", "早餐店开业", "登记失业人员"),
    ("PERSON", "STARTUP_PERSON", "8051", "理发及美容服务", "美容店设备", "退役军人"),
    ("PERSON", "CONSUMER_INSTALLMENT", "", "", "家电分期", "企业职工"),
)
PLACES = (
    "城关街道东门社区",
    "城关街道南桥社区",
    "柳河镇柳河村",
    "柳河镇杨家湾村",
    "石桥镇石桥村",
    "石桥镇北坪村",
    "石桥镇大塘村",
    "柳河镇沙洲村",
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_AREA = "340822"


def id_number(rng: Random, born: date, *, male: bool) -> str:
    """一个校验位成立的虚构身份证号。"""
    serial = rng.randrange(1, 500) * 2 - (1 if male else 0)
    body = f"{_AREA}{born:%Y%m%d}{serial:03d}"
    return body + _CHECK[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def person_name(rng: Random, *, male: bool) -> str:
    """一个姓名。"""
    return rng.choice(SURNAMES) + rng.choice(GIVEN_MALE if male else GIVEN_FEMALE)
