"""Rows that the dashboards of all services share."""

from grafana import RATE, Panel, Row, quantile, quantiles, rate, rising

SERVICE = " * on (namespace, instance) group_left (service) topk by (namespace, instance) (1, valor_build_info{HERE})"
"""Behind a metric of a process: which service it runs."""


def calls(service: str) -> Row:
    """Rate, errors and duration of the calls that a service takes."""
    where = f', grpc_service="valor.{service}.v1.{service.capitalize()}Service"'
    unary = f'{where}, grpc_method!~"Follow|RunTurn"'
    return Row(
        "Calls",
        [
            Panel(
                "Calls",
                "How often each method is called. A stream counts when it ends.",
                [rate("grpc_server_handled_total", "grpc_method", where)],
                "reqps",
                width=6,
            ),
            Panel(
                "Under way",
                "Calls and streams that began and have not ended; and calls that came without a deadline, which no"
                " caller of ours makes.",
                [
                    (
                        (
                            f"sum by (grpc_method) (grpc_server_started_total{{HERE{where}}})"
                            f" - sum by (grpc_method) (grpc_server_handled_total{{HERE{where}}})"
                        ),
                        "{{grpc_method}}",
                    ),
                    (f"sum(rate(grpc_server_without_deadline_total{{HERE}}[{RATE}]))", "without a deadline"),
                ],
                width=6,
            ),
            Panel(
                "Calls that failed",
                "By code. NOT_FOUND or INVALID_ARGUMENT are answers to a caller; UNAVAILABLE and INTERNAL are faults.",
                [rate("grpc_server_handled_total", "grpc_method, grpc_code", f'{where}, grpc_code!~"OK|CANCELLED"')],
                "reqps",
                width=6,
            ),
            Panel(
                "Duration",
                "What nineteen calls in twenty take at most; streams are left out, as they last.",
                [(quantile(0.95, "grpc_server_handling_seconds", "grpc_method", unary), "{{grpc_method}}")],
                "s",
                width=6,
            ),
        ],
    )


def called() -> Panel:
    """Calls that a service makes itself."""
    return Panel(
        "Calls to others",
        "By method and code, as this service sees them: also those that never arrived (UNAVAILABLE).",
        [rate("grpc_client_handled_total", "grpc_method, grpc_code")],
        "reqps",
    )


def database(service: str) -> Row:
    """The store of a service."""
    where = f', service="{service}"'
    return Row(
        "Database",
        [
            Panel(
                "Up",
                "1 while the store takes what it is given, as each replica sees it.",
                [(f"min by (instance) (valor_database_up{{HERE{where}}})", "{{instance}}")],
                "bool_on_off",
                width=6,
                most=1,
            ),
            Panel(
                "Transactions",
                "Duration of nineteen in twenty: a write ends with a durable commit, which costs a sync of the disk.",
                [(quantile(0.95, "valor_database_transaction_seconds", "kind", where), "{{kind}}")],
                "s",
                width=6,
                steps=rising(0.1, 0.3),
            ),
            Panel(
                "Functions",
                "Pieces of work given to the store, and those that wait for it: many mean that it is the limit.",
                [
                    rate("valor_database_functions_total", "kind", where),
                    (f"max by (kind) (valor_database_waiting_functions{{HERE{where}}})", "{{kind}} waits"),
                ],
                width=6,
            ),
            Panel(
                "Trouble",
                "Work that the store refused, work that ran again because another process was in the way, and lost"
                " connections. A few repeats are normal with several replicas.",
                [
                    rate("valor_database_refusals_total", "reason", where),
                    (f"sum(rate(valor_database_repeats_total{{HERE{where}}}[{RATE}]))", "repeats"),
                    (f"sum(rate(valor_database_reconnects_total{{HERE{where}}}[{RATE}]))", "reconnects"),
                ],
                "ops",
                width=6,
            ),
        ],
    )


def process(service: str) -> Row:
    """What the processes of a service use."""
    return Row(
        "Process",
        [
            Panel(
                "Memory",
                "Resident memory of each replica. It grows with turns under way and falls again; a step that stays is a"
                " leak or a new habit of the people.",
                [(_of(service, "process_resident_memory_bytes{HERE}"), "{{instance}}")],
                "bytes",
                width=6,
            ),
            Panel(
                "Memory ladder",
                "What each replica does about its memory: 0 nothing, 1 cleans, 2 takes no new work, 3 ends and is"
                " started anew. And how often it cleaned.",
                [
                    (_of(service, "process_memory_step{HERE}"), "{{instance}}"),
                    (_of(service, f"rate(process_memory_cleanings_total{{HERE}}[{RATE}])"), "{{instance}} cleans"),
                ],
                width=6,
                steps=rising(1, 2),
            ),
            Panel(
                "Processor",
                "Cores that each replica uses. One is the most: a process has one event loop.",
                [(_of(service, f"rate(process_cpu_seconds_total{{HERE}}[{RATE}])"), "{{instance}}")],
                steps=rising(0.7, 0.9),
                width=6,
                decimals=2,
            ),
            Panel(
                "Event loop",
                "How late the event loop wakes up: all that a process does waits as long.",
                quantiles("valor_event_loop_delay_seconds", 0.5, 0.99),
                "s",
                width=6,
                steps=rising(0.1, 0.5),
            ),
        ],
    )


def _of(service: str, metric: str) -> str:
    """A metric of all processes, of those that run a service."""
    return f'{metric} * on (namespace, instance) valor_build_info{{HERE, service="{service}"}}'
