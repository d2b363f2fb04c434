"""What the model costs: the price in the settings, else genai-prices', else a high one that is said to be assumed."""

import math
from contextlib import suppress
from dataclasses import dataclass

from genai_prices import Usage, calc_price
from genai_prices.types import PriceCalculation
from pydantic_ai.usage import RequestUsage

from services.agent.model import Price
from services.agent.settings import OFFLINE, Settings
from services.chassis import logs

log = logs.get()

ASSUMED = Price(15_000_000, 75_000_000, assumed=True)
"""What the dearest models in common use cost: nobody is billed more than was counted."""

SAMPLE = 100_000
"""Tokens by which a price is asked for: large enough for the dearer rate of long contexts where there is one."""


@dataclass(frozen=True)
class PriceList:
    """The prices of one model."""

    model: str
    """As the settings name it."""
    price: Price
    listed: bool = False
    """genai-prices knows the model: its price of a call tells cached tokens and long contexts apart."""

    def cost(self, usage: RequestUsage) -> int:
        """What a response cost: millionths of a US dollar, rounded up."""
        if self.listed:
            with suppress(ValueError):  # the provider's figures contradict each other
                return math.ceil(_listed(self.model, usage).total_price * 1_000_000)
        return self.price.of(usage.input_tokens, usage.output_tokens)


def price_list(settings: Settings) -> PriceList:
    """The prices of the settings' model; says so where they are assumed."""
    if settings.model == OFFLINE:
        return PriceList(settings.model, Price())
    if settings.price is not None:
        return PriceList(settings.model, settings.price)
    try:
        price = Price(
            _per_million(settings.model, input_tokens=SAMPLE), _per_million(settings.model, output_tokens=SAMPLE)
        )
    except LookupError:
        dollars = f"{ASSUMED.input // 1_000_000}/{ASSUMED.output // 1_000_000}"
        log.warning("price_assumed", model=settings.model, dollars_per_million=dollars, setting="VALOR_MODEL_PRICE")
        return PriceList(settings.model, ASSUMED)
    return PriceList(settings.model, price, listed=True)


def _per_million(model: str, **tokens: int) -> int:
    return math.ceil(_listed(model, Usage(**tokens)).total_price * 1_000_000 * 1_000_000 / SAMPLE)


def _listed(model: str, usage: Usage | RequestUsage) -> PriceCalculation:
    provider, _, name = model.partition(":")
    return calc_price(usage, model_ref=name, provider_id=provider)
