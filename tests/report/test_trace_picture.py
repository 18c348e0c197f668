from __future__ import annotations

from xml.etree import ElementTree

from provenance.stored_traces import lineage

from aiida_dnpmelt.provenance.trace import trace
from aiida_dnpmelt.report.trace_picture import trace_svg, write_trace


def test_each_stage_is_a_box_that_leads_somewhere(aiida_profile_clean, aiida_localhost, tmp_path):
    found = trace(lineage(aiida_localhost, potential_label="<b>&").chain.pk)
    root = ElementTree.fromstring(trace_svg(found, lambda stage: f"/stage/{stage.key}"))
    targets = {each.get("{http://www.w3.org/1999/xlink}href") for each in root.iter("{http://www.w3.org/2000/svg}a")}
    drawn = {f"/stage/{stage.key}" for stage in found.stages if stage.kind not in ("given", "preparation")}
    assert targets == drawn
    for suffix in (".svg", ".png"):
        write_trace(found, tmp_path / f"trace{suffix}")
        assert (tmp_path / f"trace{suffix}").stat().st_size > 1000
