"""What the operator logs as a failure of its own."""

import logging


class Unexpected(logging.Handler):
    """Collects failures that the controller itself calls unexpected."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.records.append(record)
