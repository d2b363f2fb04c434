"""Errors over the wire: canonical codes with one ErrorInfo, and RetryInfo or BadRequest where they help (AIP-193)."""

from typing import Any, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc_status import rpc_status

from services.chassis import errors

DOMAIN = "valor"

CODES: dict[type[errors.ValorError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.WrongState: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LostOwnership: grpc.StatusCode.ABORTED,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Denied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.TimedOut: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}
CLASSES = {code: cls for cls, code in CODES.items()}

BROKEN_OFF = (grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL)
"""What gRPC itself says of calls under way when the callee ends or dies: a bug of the callee comes with its reason.
We never hear CANCELLED of calls that we cancel ourselves."""


def code_of(error: errors.ValorError) -> grpc.StatusCode:
    """The code of an error, also of one of a class that a service derived from ours."""
    return next(CODES[cls] for cls in (*type(error).__mro__, errors.Internal) if cls in CODES)


def to_status(error: errors.ValorError) -> Any:
    """What `context.abort_with_status` wants for this error."""
    packed = [_pack(details.ErrorInfo(reason=error.reason, domain=DOMAIN))]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        packed.append(_pack(details.RetryInfo(retry_delay=delay)))
    if error.field:
        violation = details.BadRequest.FieldViolation(field=error.field, description=error.message)
        packed.append(_pack(details.BadRequest(field_violations=[violation])))
    number = code_of(error).value[0]
    return rpc_status.to_status(status_pb2.Status(code=number, message=error.message, details=packed))


def from_rpc(error: grpc.aio.AioRpcError) -> errors.ValorError:
    """The error that the callee raised; what no service raised itself becomes the class of its code."""
    rich = rpc_status.from_call(cast("grpc.Call", error))
    broken_off = rich is None and error.code() in BROKEN_OFF
    kind = errors.Unavailable if broken_off else CLASSES.get(error.code(), errors.Internal)
    result = kind(error.details() or error.code().name)
    for packed in rich.details if rich is not None else ():
        _read_detail(packed, result)
    return result


def _read_detail(packed: AnyMessage, result: errors.ValorError) -> None:
    info, retry, bad = details.ErrorInfo(), details.RetryInfo(), details.BadRequest()
    if packed.Unpack(info):
        result.reason = info.reason
    elif packed.Unpack(retry):
        result.retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    elif packed.Unpack(bad) and bad.field_violations:
        result.field = bad.field_violations[0].field


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
