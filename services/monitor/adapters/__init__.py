"""The outside systems of monitor: health ports, the pipeline, the machine."""
