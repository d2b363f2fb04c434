"""What `valor up` says of the model's price: that nobody knows it."""

from services.chassis import client
from services.chassis.errors import ValorError
from services.cli.run import Run
from valor.agent.v1 import agent_pb2, agent_pb2_grpc


async def assumed(run: Run) -> str:
    """The sentence, where the price is assumed; empty while the agent does not answer."""
    async with client.connect(run.addresses["agent"], run.credential) as caller:
        stub = agent_pb2_grpc.AgentServiceStub(caller.channel)
        try:
            model = await caller.call(stub.GetModel, agent_pb2.GetModelRequest(), timeout=5)
        except ValorError:
            return ""
    if not model.price_assumed:
        return ""
    counted = f"{model.input_price / 1_000_000:g}/{model.output_price / 1_000_000:g}"
    return f"Nobody knows the price of {model.model}: budgets count it as VALOR_MODEL_PRICE={counted}. Set yours.\n"
