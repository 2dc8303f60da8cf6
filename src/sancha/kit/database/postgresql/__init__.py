"""PostgreSQL 引擎。"""
