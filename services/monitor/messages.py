"""What monitor knows as messages of its contract."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from services.monitor.episodes import Episode
from services.monitor.history import Point
from services.monitor.model import Check, Part, Probe, Process, Queue
from services.monitor.processes import first_text
from services.monitor.scaling import Change
from services.monitor.status import Status, Teller
from valor.monitor.v1 import monitor_pb2 as pb


def status(found: Status) -> pb.GetStatusResponse:
    """All of it."""
    seen, health = found.seen, found.health
    return pb.GetStatusResponse(
        score=health.score,
        checks=checks(health.checks),
        measure_time=timestamp(health.measure_time),
        replicas=[_replica(part, replica) for part in seen.parts for replica in part.replicas],
        processes=[_process(process) for process in seen.processes],
        queue=_queue(seen.queue) if seen.queue else None,
        first_text_seconds=first_text(seen.processes),
        model_limited_seconds=seen.model_limited,
        flood_wait_seconds=seen.flood_wait,
        alerts=[_alert(episode) for episode in found.firing],
        channels=[_channel(teller) for teller in found.tellers],
        scales=[_scale(change) for change in found.scales],
        changes=[_scale(change) for change in found.changes],
        history=[_point(point) for point in found.history],
        page_address=found.page,
    )


def checks(found: Sequence[Check]) -> list[pb.Check]:
    """The parts of a score."""
    return [pb.Check(name=check.name, score=check.score, detail=check.detail) for check in found]


def timestamp(seconds: float) -> Timestamp:
    """Epoch seconds."""
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp


def _replica(part: Part, replica: Probe) -> pb.Replica:
    return pb.Replica(
        service=part.name,
        address=replica.address,
        well=replica in part.well,
        standby=replica.standby,
        trouble=replica.trouble,
    )


def _process(process: Process) -> pb.Process:
    return pb.Process(
        services=process.names,
        address=process.address,
        resident_bytes=process.figures.resident,
        cpu_cores=process.cpu,
        sessions=process.sessions,
        step=pb.STEP_UNSPECIFIED if process.step is None else pb.Step.Value(f"STEP_{process.step.name}"),
        trouble=process.trouble,
    )


def _queue(queue: Queue) -> pb.Queue:
    return pb.Queue(
        waiting=queue.waiting,
        running=queue.running,
        claimable=queue.claimable,
        oldest_waiting_seconds=queue.oldest_waiting,
        undelivered=queue.undelivered,
        oldest_undelivered_seconds=queue.oldest_undelivered,
        dead=queue.dead,
    )


def _alert(episode: Episode) -> pb.Alert:
    trouble = episode.trouble
    return pb.Alert(
        alert=trouble.alert,
        subject=trouble.subject,
        severity=trouble.severity,
        text=trouble.text,
        start_time=timestamp(episode.since),
    )


def _channel(teller: Teller) -> pb.AlertChannel:
    sent = None if teller.sent_time is None else timestamp(teller.sent_time)
    return pb.AlertChannel(name=teller.name, pending=teller.pending, trouble=teller.trouble, send_time=sent)


def _scale(change: Change) -> pb.Scale:
    decision = change.decision
    return pb.Scale(
        service=change.service,
        desired=decision.desired,
        reason=decision.reason,
        held=decision.held,
        decide_time=timestamp(change.time),
    )


def _point(point: Point) -> pb.Point:
    return pb.Point(
        time=timestamp(point.time),
        score=point.score,
        checks=point.parts,
        oldest_waiting_seconds=point.oldest_waiting,
        resident_bytes=point.memory,
        dead=point.dead,
    )
