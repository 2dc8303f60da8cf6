"""Django 的管理命令。"""
