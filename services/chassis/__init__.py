"""What every process needs: settings, logs, telemetry, gRPC server and client, errors, health, lifecycle, database.

It would be just as useful to a bank: it knows no service, no message, no Telegram and no model.
"""

import os

# gRPC's core writes to standard error in a form of its own, between our JSON lines and into a chat. What matters of it
# arrives as errors. It reads this when it starts, so it is said before anybody imports it.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
