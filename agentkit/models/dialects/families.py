"""Every family of models that is known, and which one a model belongs to."""

from __future__ import annotations

from agentkit.errors import UsageError
from agentkit.models.dialects import fence, glm, hermes, invoke, llama, pythonic, qwen_xml
from agentkit.models.dialects.cohere import COHERE
from agentkit.models.dialects.deepseek import DEEPSEEK, DEEPSEEK_V3, STEP
from agentkit.models.dialects.dialect import Dialect, Family
from agentkit.models.dialects.functionary import FUNCTIONARY
from agentkit.models.dialects.gemma import FUNCTION_GEMMA, GEMMA4
from agentkit.models.dialects.harmony import HARMONY
from agentkit.models.dialects.kimi import KIMI
from agentkit.models.dialects.kimi_k3 import KIMI_K3
from agentkit.models.dialects.minimax_m3 import MINIMAX_M3
from agentkit.models.dialects.mistral import MISTRAL
from agentkit.models.dialects.qwen_agent import QWEN_AGENT
from agentkit.models.dialects.react import REACT

FAMILIES: tuple[Family, ...] = (
    hermes.QWEN,
    hermes.GRANITE,
    hermes.PHI,
    hermes.INTERNLM,
    hermes.JAMBA,
    hermes.NEMOTRON,
    hermes.LONGCAT,
    hermes.APERTUS,
    hermes.GIGACHAT,
    hermes.TOOL_USE,
    COHERE,
    MISTRAL,
    DEEPSEEK,
    DEEPSEEK_V3,
    STEP,
    KIMI,
    KIMI_K3,
    HARMONY,
    qwen_xml.QWEN_CODER,
    qwen_xml.SEED,
    qwen_xml.MINICPM,
    glm.GLM,
    glm.HUNYUAN,
    invoke.INVOKE,
    invoke.MINIMAX,
    invoke.DSML,
    MINIMAX_M3,
    GEMMA4,
    FUNCTION_GEMMA,
    fence.GEMMA,
    fence.GENERIC,
    pythonic.LLAMA4,
    pythonic.LFM2,
    pythonic.OLMO,
    REACT,
    FUNCTIONARY,
    QWEN_AGENT,
    llama.LLAMA,
    llama.XLAM,
)

_BARE = (llama.BARE_JSON, pythonic.BARE_LIST, fence.WHOLE, llama.BARE_NAMED)
"""What is left of any family when its markers are lost."""


def all_dialects() -> tuple[Dialect, ...]:
    """Every dialect, each once. A plain fence amid prose is none: only a model that was told so writes calls so."""
    found = dict.fromkeys(dialect for family in FAMILIES for dialect in family.dialects)
    found.pop(fence.ANYWHERE)
    return (*found, *(dialect for dialect in _BARE if dialect not in found))


def family_named(name: str) -> Family:
    """A family by its own name or by the name of one of its models.

    Raises:
        UsageError: There is none of this name.
    """
    wanted = name.lower()
    for family in FAMILIES:
        if family.name == wanted:
            return family
    matches = [(len(part), family) for family in FAMILIES for part in family.models if part in wanted]
    if not matches:
        known = ", ".join(family.name for family in FAMILIES)
        raise UsageError(f"no family of models is known for {name!r}; name one of: {known}")
    return max(matches, key=lambda match: match[0])[1]
