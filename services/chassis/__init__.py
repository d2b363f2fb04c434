"""What every process needs: settings, logs, telemetry, gRPC server and client, errors, health, lifecycle, database.

It would be just as useful to a bank: it knows no service, no message, no Telegram and no model.
"""
