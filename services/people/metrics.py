"""What operators see of people: who comes, and who is let in."""

from prometheus_client import Counter

from services.chassis.metrics import prepare
from services.people.model import Role

RESOLVED = Counter("people_resolved_identities", "Identities that were asked for, by the role they have.", ["role"])
PAIRINGS = Counter(
    "people_pairings", "Pairing codes: given, asked for again, approved, or refused as not valid.", ["outcome"]
)

prepare(RESOLVED, Role)
prepare(PAIRINGS, ("given", "asked_again", "approved", "refused"))
