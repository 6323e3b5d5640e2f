"""What has to be closed may stand behind `with`."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self


class Closing(abc.ABC):
    """Is closed when the block ends, however it does."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
