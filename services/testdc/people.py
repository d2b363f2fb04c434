"""Who there is: accounts, groups, membership and blocks. Everything is in memory and on disk."""

import re
import secrets
from hashlib import blake2b

from services.testdc.model import SUPERGROUP_BASE, Account, Group, GroupKind, Peer, bad
from services.testdc.store import Store

# Beyond 32 bits, as many real ids are.
FIRST_USER, FIRST_BOT, FIRST_BASIC, FIRST_SUPERGROUP = 5_000_000_001, 7_000_000_001, 4_000_001, 2_000_000_001


class People:
    """Accounts and groups by their marked id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts: dict[int, Account] = {}
        self._groups: dict[int, Group] = {}
        self._usernames: dict[str, Account] = {}
        self._tokens: dict[str, Account] = {}
        self._blocks: set[tuple[int, int]] = set()
        self._secret = store.fact("hash_secret") or secrets.token_bytes(16)
        self._next = {"user": FIRST_USER, "bot": FIRST_BOT, "basic": FIRST_BASIC, "supergroup": FIRST_SUPERGROUP}
        store.set_fact("hash_secret", self._secret)
        self._load()

    def _load(self) -> None:
        for uid, name, username, bot, token, forum in self._store.rows("SELECT * FROM accounts"):
            self._know(Account(uid, name, username, bool(bot), token, bool(forum)))
        for gid, title, kind, created, forum in self._store.rows("SELECT * FROM groups"):
            self._groups[gid] = Group(gid, title, kind, created, forum=bool(forum))
        for chat, account, admin in self._store.rows("SELECT * FROM members"):
            self._groups[chat].members.add(account)
            if admin:
                self._groups[chat].admins.add(account)
        self._blocks.update(self._store.rows("SELECT bot, person FROM blocks"))

    def _know(self, account: Account) -> None:
        self._accounts[account.id] = account
        if account.username:
            self._usernames[account.username.lower()] = account
        if account.bot:
            self._tokens[account.token] = account

    # -- accounts ---------------------------------------------------------------------------------------------------
    def accounts(self) -> list[Account]:
        """Everybody."""
        return list(self._accounts.values())

    def account(self, account_id: int) -> Account:
        """The account of that id; PEER_ID_INVALID when there is none."""
        if account_id not in self._accounts:
            raise bad("PEER_ID_INVALID")
        return self._accounts[account_id]

    def by_username(self, username: str) -> Account | None:
        """The account of that name, in any case of letters."""
        return self._usernames.get(username.lower())

    def by_token(self, token: str) -> Account | None:
        """The bot that logs in with this token."""
        return self._tokens.get(token)

    def by_phone(self, phone_number: str) -> Account | None:
        """The person with this number."""
        number = phone_number.removeprefix("+")
        return next((one for one in self._accounts.values() if phone_of(one) == number), None)

    def add_user(self, name: str, username: str | None) -> Account:
        """A new person; USERNAME_OCCUPIED when somebody else has the username."""
        return self._add(Account(self._free_id("user"), name, username, bot=False))

    def add_bot(self, name: str, token: str | None, username: str | None, *, forum: bool = False) -> Account:
        """A new bot, with a new token unless one is given; the bot that has this token, if there is one."""
        if token and (known := self._tokens.get(token)):
            return known
        if token and not re.fullmatch(r"[0-9]{1,15}:[A-Za-z0-9_-]+", token):
            raise bad("ACCESS_TOKEN_INVALID")
        bot_id = int(token.split(":")[0]) if token else self._free_id("bot")
        if bot_id in self._accounts:
            raise bad("ACCESS_TOKEN_INVALID")
        username = username or self._free_username(name, bot_id)
        token = token or f"{bot_id}:{secrets.token_urlsafe(26)}"
        return self._add(Account(bot_id, name, username, True, token, forum))

    def _add(self, account: Account) -> Account:
        if account.username and self.by_username(account.username):
            raise bad("USERNAME_OCCUPIED")
        self._know(account)
        self._store.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)",
            account.id,
            account.name,
            account.username,
            account.bot,
            account.token,
            account.forum,
        )
        return account

    def _free_id(self, kind: str) -> int:
        taken = self._groups if kind in ("basic", "supergroup") else self._accounts
        while (marked := _marked(kind, self._next[kind])) in taken:
            self._next[kind] += 1
        return marked

    def _free_username(self, name: str, bot_id: int) -> str:
        base = re.sub(r"\W", "", name, flags=re.ASCII).lower()[:20] or "sandbox"
        return f"{base}_bot" if not self.by_username(f"{base}_bot") else f"{base}{bot_id}_bot"

    # -- groups -----------------------------------------------------------------------------------------------------
    def groups(self) -> list[Group]:
        """All groups."""
        return list(self._groups.values())

    def group(self, group_id: int) -> Group:
        """The group of that marked id; CHAT_ID_INVALID when there is none."""
        if group_id not in self._groups:
            raise bad("CHAT_ID_INVALID")
        return self._groups[group_id]

    def peer(self, marked_id: int) -> Peer:
        """The account or group of that marked id; refused when there is none."""
        return self.group(marked_id) if marked_id < 0 else self.account(marked_id)

    def add_group(self, title: str, kind: GroupKind, created: float, *, forum: bool = False) -> Group:
        """A new group without members."""
        group = Group(self._free_id(kind), title, kind, created, forum=forum)
        self._groups[group.id] = group
        self._store.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?)", group.id, title, kind, created, forum)
        return group

    def join(self, account: Account, group: Group, *, admin: bool) -> None:
        """Become a member, or change to or from being an admin."""
        group.members.add(account.id)
        (group.admins.add if admin else group.admins.discard)(account.id)
        self._store.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", group.id, account.id, admin)

    def leave(self, account: Account, group: Group) -> None:
        """Be no member any more."""
        group.members.discard(account.id)
        group.admins.discard(account.id)
        self._store.execute("DELETE FROM members WHERE chat = ? AND account = ?", group.id, account.id)

    # -- blocks and hashes ------------------------------------------------------------------------------------------
    def block(self, person: Account, bot: Account, *, blocked: bool) -> None:
        """The person does, or does not any more, want to hear from the bot."""
        if blocked:
            self._blocks.add((bot.id, person.id))
            self._store.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?)", bot.id, person.id)
        else:
            self._blocks.discard((bot.id, person.id))
            self._store.execute("DELETE FROM blocks WHERE bot = ? AND person = ?", bot.id, person.id)

    def is_blocked(self, person: int, bot: int) -> bool:
        """Whether the person blocked the bot."""
        return (bot, person) in self._blocks

    def access_hash(self, viewer: int, peer: int) -> int:
        """The proof by which `viewer` may name `peer`: different for every viewer, as on the real Telegram."""
        digest = blake2b(f"{viewer}:{peer}".encode(), key=self._secret, digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1


def phone_of(account: Account) -> str:
    """The number that a person logs in with, as on Telegram's test servers: 99966, the DC, four digits."""
    return "" if account.bot else f"999662{account.id % 10_000:04}"


def _marked(kind: str, raw_id: int) -> int:
    return {"basic": -raw_id, "supergroup": SUPERGROUP_BASE - raw_id}.get(kind, raw_id)
