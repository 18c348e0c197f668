"""Describe a publication for machines, as an RO-Crate after the profile Provenance Run Crate 0.5.

Sources: https://w3id.org/ro/wfrun/provenance/0.5, https://w3id.org/ro/crate/1.1, and the package `rocrate`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.common.links import LinkType
from aiida.plugins import CalculationFactory, WorkflowFactory

from aiida_dnpmelt.publication.citation import Author, Description
from aiida_dnpmelt.report.chains import descendants
from aiida_dnpmelt.report.citations import Reference

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
DESCRIPTOR = ("https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0")
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
DONE, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
WORKFLOWS = "workflows"
"""Folder of the sources of the work chains, which are the workflows."""
_PYTHON = "https://www.python.org"
_NUMBER = re.compile(r"_?\d+")
_FORMATS = {
    ".aiida": "application/zip",
    ".bib": "application/x-bibtex",
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
}
_VALUES: dict[type, str] = {orm.Str: "Text", orm.Int: "Integer", orm.Float: "Float", orm.Bool: "Boolean"}


def write_crate(
    folder: Path,
    roots: Iterable[orm.WorkChainNode],
    description: Description,
    files: Mapping[str, str],
    references: Iterable[Reference],
) -> None:
    """Write `ro-crate-metadata.json`, and the sources of the work chains beside it.

    There is one action for each work chain and each job, none for the small functions between them: these are in the
    archive.

    :param files: what is in each file of the folder, in words.
    :raises ImportError: without the extra ``[publish]``.
    """
    crate = _Crate(folder, description, files, references)
    for root in roots:
        crate.add_run(root)
    crate.write()


class _Crate:
    """A crate that is being made."""

    def __init__(
        self, folder: Path, description: Description, files: Mapping[str, str], references: Iterable[Reference]
    ) -> None:
        from rocrate.rocrate import ROCrate

        self.folder = folder
        self.crate: ROCrate = ROCrate(version="1.1")
        self.crate.metadata["conformsTo"] = [{"@id": uri} for uri in DESCRIPTOR]
        self._describe(description, references)
        self._add_files(files)
        self.archives = [{"@id": name} for name in files if name.endswith(".aiida")]
        self.engine = self._software("AiiDA", "https://www.aiida.net", importlib.metadata.version("aiida-core"))
        self.python = self._add(_PYTHON, "ComputerLanguage", name="Python", url=_PYTHON)

    def _add(self, uri: str, kind: str | list[str], **properties: Any) -> dict[str, str]:
        """Add an entity, and return what refers to it; an entity that is there stays as it is."""
        from rocrate.model.contextentity import ContextEntity

        if self.crate.get(uri) is None:
            told = {key: value for key, value in properties.items() if value not in (None, "", [])}
            self.crate.add(ContextEntity(self.crate, uri, properties={"@type": kind, **told}))
        return {"@id": uri}

    def _describe(self, description: Description, references: Iterable[Reference]) -> None:
        """Say what the whole is."""
        root = self.crate.root_dataset
        root["name"] = description.title
        root["description"] = "Melting temperatures by two-phase coexistence, with the provenance of every step."
        root["datePublished"] = description.made.isoformat()
        root["keywords"] = list(description.keywords)
        licence = f"https://spdx.org/licenses/{description.licence}"
        root["license"] = self._add(licence, "CreativeWork", name=description.licence, identifier=licence)
        root["conformsTo"] = [self._add(uri, "CreativeWork", name=name, version=v) for uri, name, v in PROFILES]
        self.authors = [self._person(author) for author in description.authors]
        root["author"] = self.authors
        root["citation"] = [self._citation(reference) for reference in references]

    def _person(self, author: Author) -> dict[str, str]:
        given, family = author.parts
        identifier = f"https://orcid.org/{author.orcid}" if author.orcid else f"#author-{_slug(author.name)}"
        return self._add(identifier, "Person", name=author.name, givenName=given, familyName=family)

    def _citation(self, reference: Reference) -> dict[str, str]:
        doi = reference.fields.get("doi")
        identifier = f"https://doi.org/{doi}" if doi else f"#{reference.key}"
        kind = {"article": "ScholarlyArticle", "software": "SoftwareApplication"}.get(reference.kind, "CreativeWork")
        properties = {"url": reference.fields.get("url")}
        if kind == "SoftwareApplication":
            properties["softwareVersion"] = reference.fields.get("version")
        text = reference.title if kind != "CreativeWork" else reference.fields.get("note", reference.title)
        return self._add(identifier, kind, name=text, **properties)

    def _add_files(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            properties: dict[str, Any] = {"name": name, "description": text}
            path = self.folder / name
            if path.exists():
                properties["contentSize"] = str(path.stat().st_size)
            properties["encodingFormat"] = _FORMATS.get(path.suffix, "text/plain")
            if name == "README.md":
                properties["about"] = {"@id": "./"}
            self.crate.add_file(None, name, properties=properties, validate_url=False)

    def _software(self, name: str, url: str, version: str) -> dict[str, str]:
        return self._add(url, "SoftwareApplication", name=name, url=url, softwareVersion=version)

    def add_run(self, root: orm.WorkChainNode) -> None:
        """Add a work chain that was named with all jobs and work chains below it."""
        workflow = self._workflow(root)
        if self.crate.mainEntity is None:
            self.crate.root_dataset["mainEntity"] = workflow
        outputs = [*self.archives, *self._outputs(root, workflow)]
        run = self._action(root, workflow, self._inputs(root, workflow), outputs)
        controls = []
        for label, node in _steps(root):
            tool = self._tool(node)
            inner = self._action(node, tool, [], self.archives)
            controls.append(self._control(node, self._step(workflow, tool, label), inner))
        if controls:
            self._add(
                f"#organize-{root.uuid}",
                "OrganizeAction",
                name=f"AiiDA runs {_title(root)}",
                agent=self.authors,
                instrument=self.engine,
                object=controls,
                result=run,
                startTime=_start(root),
                endTime=_end(root),
            )

    def _workflow(self, node: orm.WorkChainNode) -> dict[str, str]:
        """Add the source of a work chain as a workflow."""
        process = WorkflowFactory(str(node.process_type).partition(":")[2])
        source = Path(inspect.getsourcefile(process) or "")
        name = f"{WORKFLOWS}/{source.name}"
        if self.crate.get(name) is None:
            (self.folder / WORKFLOWS).mkdir(exist_ok=True)
            (self.folder / name).write_bytes(source.read_bytes())
            properties = {
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": process.__name__,
                "description": _summary(process),
                "programmingLanguage": self.python,
                "encodingFormat": _FORMATS[source.suffix],
                "version": _version(node),
                "license": {"@id": "https://spdx.org/licenses/MIT"},
                "conformsTo": self._add(BIOSCHEMAS, "CreativeWork", name="ComputationalWorkflow", version="1.0"),
            }
            self._add("https://spdx.org/licenses/MIT", "CreativeWork", name="MIT")
            self.crate.add_file(None, name, properties=properties, validate_url=False)
        return {"@id": name}

    def _tool(self, node: orm.ProcessNode) -> dict[str, str]:
        """Add what ran a job or a work chain: the class of the process, at its version."""
        kind = str(node.process_type)
        entry_point = kind.partition(":")[2]
        try:
            factory = WorkflowFactory if isinstance(node, orm.WorkChainNode) else CalculationFactory
            text = _summary(factory(entry_point)) if entry_point else ""
        except EntryPointError:
            text = ""
        return self._add(
            f"#{_slug(kind)}",
            "SoftwareApplication",
            name=str(node.process_label or kind),
            description=text,
            softwareVersion=_version(node),
        )

    def _step(self, workflow: dict[str, str], tool: dict[str, str], label: str) -> dict[str, str]:
        """Add a step of a workflow: all calls of a tool under labels that differ by their numbers only."""
        entity = self.crate.get(workflow["@id"])
        name = _NUMBER.sub("", label) or label
        identifier = f"{workflow['@id']}#{_slug(name)}-{tool['@id'][1:]}"
        if self.crate.get(identifier) is None:
            position = str(len(_listed(entity.get("step"))) + 1)
            self._add(identifier, "HowToStep", name=name, position=position, workExample=tool)
            self._append(entity, "step", {"@id": identifier})
            self._append(entity, "hasPart", tool)
        return {"@id": identifier}

    def _control(self, node: orm.ProcessNode, step: dict[str, str], action: dict[str, str]) -> dict[str, str]:
        return self._add(
            f"#control-{node.uuid}",
            "ControlAction",
            name=f"orchestrate {_title(node)}",
            instrument=step,
            object=action,
        )

    def _action(
        self, node: orm.ProcessNode, tool: dict[str, str], inputs: list[Any], outputs: list[Any]
    ) -> dict[str, str]:
        """Add what a process did, and how it ended."""
        good = node.is_finished_ok
        self._append(self.crate.root_dataset, "mentions", {"@id": f"#{node.uuid}"})
        return self._add(
            f"#{node.uuid}",
            "CreateAction",
            name=_title(node),
            description=f"{node.process_label or 'process'}, node {node.uuid} of the archive",
            identifier=node.uuid,
            agent=self.authors,
            instrument=tool,
            object=inputs,
            result=outputs,
            startTime=_start(node),
            endTime=_end(node),
            actionStatus=DONE if good else FAILED,
            error=None if good else str(node.exit_message or node.process_state or "no message"),
        )

    def _inputs(self, node: orm.WorkChainNode, workflow: dict[str, str]) -> list[Any]:
        links = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all()
        return [self._value(link.node, str(link.link_label), workflow, "input") for link in links]

    def _outputs(self, node: orm.WorkChainNode, workflow: dict[str, str]) -> list[Any]:
        links = node.base.links.get_outgoing(link_type=LinkType.RETURN).all()
        return [self._value(link.node, str(link.link_label), workflow, "output") for link in links]

    def _value(self, node: orm.Data, name: str, workflow: dict[str, str], side: str) -> dict[str, str]:
        """Add an input or output with its formal parameter; what is no plain value is named by its node."""
        kind = _VALUES.get(type(node))
        parameter = f"{workflow['@id']}#{side}-{_slug(name)}"
        value = f"#{node.uuid}-{_slug(name)}"
        self._add(
            parameter,
            "FormalParameter",
            name=name,
            additionalType=kind or "PropertyValue",
            conformsTo=self._add(PARAMETER, "CreativeWork", name="FormalParameter", version="1.0"),
        )
        plain = node.value if kind else f"node {node.uuid} of the archive, {type(node).__name__}"
        self._add(value, "PropertyValue", name=name, value=plain, identifier=node.uuid)
        self._append(self.crate.get(parameter), "workExample", {"@id": value})
        self._append(self.crate.get(value), "exampleOfWork", {"@id": parameter})
        self._append(self.crate.get(workflow["@id"]), side, {"@id": parameter})
        return {"@id": value}

    @staticmethod
    def _append(entity: Any, key: str, reference: dict[str, str]) -> None:
        """Add a reference to those that an entity has, once."""
        known = [{"@id": each if isinstance(each, str) else each["@id"]} for each in _listed(entity.get(key))]
        if reference not in known:
            entity[key] = [*known, reference]

    def write(self) -> None:
        """Write the description into the folder; a list of one is written as what is in it, as RO-Crate has it."""
        for entity in self.crate.get_entities():
            for key, value in entity.properties().items():
                if isinstance(value, list) and len(value) == 1:
                    entity[key] = value[0]
        self.crate.metadata.write(self.folder)


def _steps(root: orm.WorkChainNode) -> list[tuple[str, orm.ProcessNode]]:
    """Return jobs and work chains below a work chain with the labels of the calls; functions if there are no others.

    A sweep that only took known points over has called nothing else.
    """
    below = [(path[-1], node) for path, node in descendants(root)]
    large = [(label, node) for label, node in below if isinstance(node, orm.CalcJobNode | orm.WorkChainNode)]
    return large or below


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def _title(node: orm.ProcessNode) -> str:
    return str(node.label or node.process_label or "process")


def _version(node: orm.ProcessNode) -> str:
    """Return the version of the plugin that ran a process, as its node has it."""
    return str((node.base.attributes.get("version", None) or {}).get("plugin") or "unknown")


def _summary(process: Any) -> str:
    return (inspect.getdoc(process) or "").partition("\n")[0]


def _start(node: orm.ProcessNode) -> str:
    return str(node.ctime.isoformat(timespec="seconds"))


def _end(node: orm.ProcessNode) -> str:
    return str(node.mtime.isoformat(timespec="seconds"))
