"""SQLite 引擎。"""
