"""The pipeline's tables, one file a port; `SqlStore` is all of them."""

from services.pipeline.adapters.store.budgets import BudgetTable
from services.pipeline.adapters.store.history import HistoryTable
from services.pipeline.adapters.store.letters import LetterTable
from services.pipeline.adapters.store.messages import MessageTable
from services.pipeline.adapters.store.parts import PartTable
from services.pipeline.adapters.store.promises import PromiseTable
from services.pipeline.adapters.store.steering import SteerTable
from services.pipeline.adapters.store.turns import TurnTable


class SqlStore(MessageTable, TurnTable, BudgetTable, LetterTable, HistoryTable, PartTable, SteerTable, PromiseTable):
    """The store of `ports.Store` on SQL."""
