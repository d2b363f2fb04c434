import subprocess
import sys


def test_the_client_of_the_control_port_is_light() -> None:
    """The command line and the bench import it; they need neither Telethon nor cryptography."""
    heavy = {"telethon", "cryptography", "services.testdc.store"}
    code = f"import services.testdc.remote, sys; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
