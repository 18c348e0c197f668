"""Have a crate checked against its profile without a network."""

from __future__ import annotations

import io
import json
from pathlib import Path

import requests
from requests_cache import CachedSession
from rocrate_validator import models, services
from urllib3 import HTTPResponse

PROFILE = "provenance-run-crate"
PROFILES = (PROFILE, "workflow-run-crate", "process-run-crate", "workflow-ro-crate", "ro-crate")
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_SCHEMA = "http://schema.org/"
_TERMS = (
    "ComputerLanguage ControlAction CreateAction CreativeWork Dataset HowTo HowToStep OrganizeAction Person "
    "PropertyValue ScholarlyArticle SoftwareApplication SoftwareSourceCode about actionStatus additionalType "
    "agent author citation contentSize datePublished description encodingFormat endTime error exampleOfWork "
    "familyName givenName hasPart identifier instrument keywords license mainEntity mentions name object "
    "position programmingLanguage result softwareVersion startTime step url value version workExample"
)
"""What the published context takes from schema.org under the same name, as far as it is needed here."""
_OTHERS = {
    "File": f"{_SCHEMA}MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


def problems(crate: Path, cache: Path) -> list[str]:
    """Return what is wrong with a crate: all that the profile and those that it builds on require.

    The validator brings the profiles with it, and would fetch the context of JSON-LD. It finds it in its cache instead,
    as far as it is used here; a word that is not in it is a problem.
    """
    _store(cache)
    settings = models.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=PROFILE,
        requirement_severity=models.Severity.REQUIRED,
        offline=True,
        cache_path=cache,
    )
    found = services.validate(settings)
    done = " ".join(check.identifier for check in found.executed_checks)
    assert all(f"{profile}-" in done for profile in PROFILES), done
    assert found.skipped_checks_count == 0
    return [f"{issue.check.identifier}: {issue.message}" for issue in found.get_issues()]


def _store(cache: Path) -> None:
    """Put the context into the cache of the validator."""
    terms = {**{term: f"{_SCHEMA}{term}" for term in _TERMS.split()}, **_OTHERS}
    body = json.dumps({"@context": terms}).encode()
    headers = {"Content-Type": "application/ld+json"}
    response = requests.Response()
    response.status_code, response.url = 200, _CONTEXT
    response.headers.update(headers)
    response.raw = HTTPResponse(io.BytesIO(body), status=200, headers=headers, preload_content=False)
    response.request = requests.Request("GET", _CONTEXT).prepare()
    with CachedSession(cache_name=str(cache), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(response, session.cache.create_key(response.request))
