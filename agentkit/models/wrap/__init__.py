"""Models that wrap models: each is a model itself, so they nest: `Cached(Retrying(Fallback([...])))`."""

from __future__ import annotations

from agentkit.models.wrap.by_name import Prompted, Recovering
from agentkit.models.wrap.cached import Cached
from agentkit.models.wrap.fallback import Fallback
from agentkit.models.wrap.rate_limited import RateLimited
from agentkit.models.wrap.recorded import Recorded
from agentkit.models.wrap.retrying import Retrying

__all__ = ["Cached", "Fallback", "Prompted", "RateLimited", "Recorded", "Recovering", "Retrying"]
