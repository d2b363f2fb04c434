"""`python -m services.chassis.probe`: ends with 0 if the process that answers at VALOR_HEALTH says that it serves.

For engines that look after a container by running a command in it; Kubernetes asks the port itself.
"""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PATIENCE = 3.0
"""Seconds."""


def probe(address: str) -> str:
    """What is wrong with the process at this address; empty if nothing is."""
    port = address.rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            return f"The health port {port} does not answer: {error.code().name}."
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "The process does not serve."


def main() -> None:
    """Exit with 0, or with 1 and a sentence."""
    if wrong := probe(os.environ["VALOR_HEALTH"]):
        sys.exit(wrong)


if __name__ == "__main__":
    main()
