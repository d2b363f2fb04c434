"""The tree of errors and its canonical codes."""

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from services.chassis import errors, signing, status
from services.chassis.errors import Denied, ValorError

CLASSES = ValorError.__subclasses__()


def test_every_error_has_a_code_of_its_own() -> None:
    assert set(CLASSES) == set(status.CODES)
    assert len(set(status.CODES.values())) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_stable_reason_that_can_be_narrowed(kind: type[ValorError]) -> None:
    assert kind("Sorry.").reason == kind.default_reason
    assert kind("Sorry.", reason="TOO_EARLY").reason == "TOO_EARLY"
    assert str(kind("Sorry.")) == kind("Sorry.").message == "Sorry."


def test_a_status_carries_one_error_info_and_what_else_helps() -> None:
    error = errors.Exhausted("Slow down.", reason="TOO_FAST", retry_after=1.5, field="text")
    packed = status_pb2.Status.FromString(dict(status.to_status(error).trailing_metadata)["grpc-status-details-bin"])
    kinds = {each.TypeName(): each for each in packed.details}
    assert set(kinds) == {"google.rpc.ErrorInfo", "google.rpc.RetryInfo", "google.rpc.BadRequest"}
    info = details.ErrorInfo()
    kinds["google.rpc.ErrorInfo"].Unpack(info)
    assert (info.reason, info.domain) == ("TOO_FAST", "valor")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.CANCELLED, errors.Unavailable),
        (grpc.StatusCode.INTERNAL, errors.Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.TimedOut),
        (grpc.StatusCode.UNKNOWN, errors.Internal),
    ],
)
def test_what_no_service_raised_has_the_class_of_its_code(code: grpc.StatusCode, kind: type[ValorError]) -> None:
    """F64: a callee that ends cancels its calls, and gRPC may call a dead one INTERNAL; one comes again."""
    assert type(status.from_rpc(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata()))) is kind


def test_a_bug_of_a_callee_is_no_broken_stream() -> None:
    raised = status.to_status(errors.Internal("Something went wrong inside."))
    trailing = grpc.aio.Metadata(*raised.trailing_metadata)
    error = status.from_rpc(grpc.aio.AioRpcError(raised.code, grpc.aio.Metadata(), trailing, details=raised.details))
    assert (type(error), error.reason) == (errors.Internal, "INTERNAL")


def test_a_signature_fits_only_its_key_and_content() -> None:
    signature = signing.sign(b"key", b"content")
    signing.check(b"key", b"content", signature)
    for key, content, shown in (
        (b"other", b"content", signature),
        (b"key", b"contents", signature),
        (b"key", b"content", signature[:-1]),
        (b"key", b"content", b""),
    ):
        with pytest.raises(Denied) as error:
            signing.check(key, content, shown)
        assert error.value.reason == "BAD_SIGNATURE"
