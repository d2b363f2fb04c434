"""Asks the pipeline what waits."""

from services.chassis import logs
from services.chassis.client import Caller
from services.chassis.errors import ValorError
from services.monitor.model import Queue
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

SECONDS = 2.0

log = logs.get()


class PipelineQueue:
    """The reader of `ports.QueueReader`."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._stub = caller, rpc.PipelineServiceStub(caller.channel)

    async def read(self) -> Queue | None:
        """How much waits."""
        try:
            found = await self._caller.call(self._stub.GetQueue, pb.GetQueueRequest(), timeout=SECONDS)
        except ValorError as error:
            log.warning("queue_unknown", reason=error.reason, error=error.message)
            return None
        return Queue(
            waiting=found.waiting,
            running=found.running,
            undelivered=found.undelivered,
            oldest_waiting=found.oldest_waiting_seconds,
            dead=found.dead,
            claimable=found.claimable,
            oldest_undelivered=found.oldest_undelivered_seconds,
        )
