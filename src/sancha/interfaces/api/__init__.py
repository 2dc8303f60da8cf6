"""接口 ``/api/v1/``：与页面办同样的事、守同样的规矩，给机器用。

金额是元的十进制字符串（``"1234.50"``），日期 ISO 8601，年利率是百万分之一的整数（``rate_ppm``：14.4% = 144000）；
错误一律 ``application/problem+json``；每个写入都要 ``Idempotency-Key``，重试得首次结果。

写入接口由操作的签名生成（``endpoints.act``），查询接口由查询的返回类型生成（``endpoints.ask``）：
接口说的就是系统做的，两边不会走样。约定存于 ``tests/golden/api_contract.json``，减一项或改一项测试就会指出来。
"""
