"""Search in the documents that were given to Valor."""

from typing import Annotated

from pydantic import Field

from services.toolrunner.model import Passage
from services.toolrunner.ports import Knowledge
from services.toolrunner.registry import Tool, tool

Query = Annotated[str, Field(min_length=1, max_length=1_000, description="Words to look for, or a question.")]
Limit = Annotated[int, Field(ge=1, le=20, description="How many passages at most.")]


def bind(knowledge: Knowledge) -> Tool:
    """The tool on the documents."""

    @tool(timeout=30)  # the first search after many new documents indexes them
    async def search_knowledge(query: Query, limit: Limit = 5) -> str:
        """Search the documents that people gave to Valor; the best passages come first, with document and section.

        Words are found by their beginnings. Quote the document and section that an answer rests on.
        """
        passages = await knowledge.search(query, limit)
        if passages:
            return "\n\n".join(map(_shown, passages))
        count = await knowledge.count()
        return f"Nothing found in {count} documents." if count else "There are no documents to search."

    return search_knowledge


def _shown(passage: Passage) -> str:
    place = f"{passage.document} › {passage.section}" if passage.section else passage.document
    return f"[{place}]\n{passage.snippet}"
