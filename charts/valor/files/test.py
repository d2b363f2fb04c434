"""`helm test`: every service says that it serves, and who may not call is refused.

python test.py PEOPLE REPLICAS/SERVICE …: the address of people's calls, then health ports with the name to ask for.
"""

import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from valor.people.v1 import people_pb2, people_pb2_grpc

OURS, FORGED = Path("/run/valor/tls"), Path("/run/valor/forgery")
SECONDS = 20


def serves(address: str, service: str) -> str:
    """What a service says of itself; the process, where the service has no name."""
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS, wait_for_ready=True)
        except grpc.RpcError as error:
            return error.code().name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def call(address: str, folder: Path | None) -> str:
    """How a call of people ends with the certificate of a folder, or with none."""
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes()) if folder else ()
    credentials = grpc.ssl_channel_credentials((OURS / "ca.crt").read_bytes(), *pair)
    with grpc.secure_channel(address, credentials) as channel:
        try:
            request = people_pb2.ResolvePersonRequest()
            people_pb2_grpc.PeopleServiceStub(channel).ResolvePerson(request, timeout=SECONDS)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def check(what: str, got: str, *expected: str) -> bool:
    """Say how it is; true if it is as it has to be."""
    right = got in expected
    sys.stdout.write(f"{'ok  ' if right else 'FAIL'} {what}: {got}\n")
    return right


def main(people: str, targets: list[str]) -> bool:
    """All checks; true if nothing is wrong."""
    checks = [check(target, serves(*target.split("/")), "SERVING") for target in targets]
    checks += [
        check("a call with a certificate of ours, but no right", call(people, OURS), "PERMISSION_DENIED"),
        check("a call with a forged certificate", call(people, FORGED), "UNAVAILABLE"),
        check("a call without a certificate", call(people, None), "UNAVAILABLE"),
    ]
    return all(checks)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], sys.argv[2:]))
