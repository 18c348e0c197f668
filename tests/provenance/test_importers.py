from __future__ import annotations

import pytest
from aiida.common.exceptions import NotExistent
from aiida.orm import CalcJobNode, InstalledCode, QueryBuilder

from aiida_dnpmelt.provenance.importers import import_potential


def jobs() -> int:
    return QueryBuilder().append(CalcJobNode).count()


def test_eam_file_needs_no_job_and_is_stored_once(potentials_folder):
    before = jobs()
    first = import_potential(potentials_folder / "Au_u3.eam", origin="somewhere", licence="free", label="gold")
    assert (first.type_map, first.origin, first.licence, first.label) == (["Au"], "somewhere", "free", "gold")
    assert import_potential(potentials_folder / "Au_u3.eam").uuid == first.uuid
    assert jobs() == before


def test_model_without_a_code_is_refused(tmp_path):
    (tmp_path / "graph.pb").write_text("never stored")
    with pytest.raises(NotExistent, match="nowhere"):
        import_potential(tmp_path / "graph.pb", code="dp@nowhere")


def test_failed_job_is_named_with_its_reason(tmp_path, localhost):
    code = InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false-import").store()
    (tmp_path / "graph.pb").write_text("never stored")
    with pytest.raises(ValueError, match=r"job \d+ made no potential of .*graph\.pb.*DeePMD-kit did not run"):
        import_potential(tmp_path / "graph.pb", code=code.full_label)


def test_unknown_suffix_is_refused(tmp_path):
    (tmp_path / "library.meam").write_text("any")
    with pytest.raises(ValueError, match=r"library\.meam"):
        import_potential(tmp_path / "library.meam")
