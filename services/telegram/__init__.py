"""The one Telegram account: its session, its update cursor, its pace.

It translates updates into messages and parts into sends, and never decides what a message means.
In: client → intake → receive → inbox → pipeline. Out: pipeline → deliver → pace → sender.
"""
