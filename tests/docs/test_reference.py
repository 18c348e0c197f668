"""What the pages say by hand is compared with what the code has."""

from __future__ import annotations

import re

import dnpmelt_tables
import pytest

from .conftest import DOCS, rows


@pytest.mark.parametrize("process", dnpmelt_tables.process_names())
def test_every_exit_code_has_a_remedy(process):
    listed = {
        (row[0].split()[0], row[0].split()[1].strip("`"))
        for row in rows(DOCS / "how-to" / "failures.md")
        if "`E" in row[0]
    }
    own, _ = dnpmelt_tables.exit_codes(dnpmelt_tables.load_process(process))
    assert own or process == "aiida.calculations:dnpmelt.vasp_md", "only the job of aiida-vasp has no code of ours"
    assert {(status, name.strip("`")) for status, name, _ in own} <= listed


@pytest.mark.parametrize("process", dnpmelt_tables.process_names())
def test_every_process_is_in_the_reference(process):
    assert f"{{dnpmelt-process}} {process}\n" in (DOCS / "reference" / "processes.md").read_text()


def test_tables_of_settings_name_range_and_default():
    from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings

    text = dnpmelt_tables.settings_text(CoexistenceSettings)
    assert "| `timestep_fs` | float | > 0, <= 10 | required | Time step in fs. |" in text
    assert "| `neighbour_delay` | int | >= 0, <= 100 | 5 |" in text


def test_table_of_protocols_shows_all_of_them():
    text = dnpmelt_tables.protocols_text("tpc")
    assert "`balanced` (default)" in text
    (row,) = re.findall(r"\| `run.timestep_fs` \|.*", text)
    assert row == "| `run.timestep_fs` | 3 | 3 | 2 | 1 | 1 |"


def test_commands_of_the_reference_are_those_of_the_program():
    names = [name for name, _, _ in dnpmelt_tables.commands()]
    assert {"aiida-dnpmelt setup", "aiida-dnpmelt launch tpc", "aiida-dnpmelt tm list"} <= set(names)


def test_records_of_a_campaign_are_described():
    from aiida_dnpmelt.campaign.modes import Load
    from aiida_dnpmelt.campaign.tables import STATE_KEYS

    listed = [name for row in rows(DOCS / "reference" / "campaign.md") for name in re.findall(r"`(\w+)`", row[0])]
    assert listed == list(STATE_KEYS)
    assert set(dnpmelt_tables.parameters(Load)) == set(Load.__dataclass_fields__)


def test_types_are_written_without_the_bounds_of_their_parts():
    from aiida_dnpmelt.campaign.settings import CampaignSettings

    text = dnpmelt_tables.settings_text(CampaignSettings)
    assert "| `pressures_gpa` | list[float] |" in text
    assert "| `elements` | dict[str, ElementSettings] |" in text
    assert "| `seeds` | list[int] \\| None |" in text
    assert "| `mode` | Literal['points', 'melting'] |" in text


def test_descriptions_of_a_run_cover_all_its_values():
    from aiida_dnpmelt.physics.run import ARRAYS, SCALARS, CoexistenceRun

    assert set(dnpmelt_tables.parameters(CoexistenceRun)) == {*ARRAYS, *SCALARS}


def test_table_of_the_elements_has_each_column_explained():
    from dataclasses import fields

    from aiida_dnpmelt.data.elements import Element, elements

    assert list(dnpmelt_tables.parameters(Element)) == [field.name for field in fields(Element)]
    text = dnpmelt_tables.elements_text()
    columns = {"symbol", *(name for names in dnpmelt_tables.ELEMENT_COLUMNS for name in names)}
    assert columns == set(dnpmelt_tables.parameters(Element))
    assert "| Ti | 1943.15 | 0.146654 | 4.85 |" in text
    assert "| Ti | hcp | 2.95 | 4.685 | bcc | 3.3065 |  |" in text
    assert "| Ti | d_block |  | CRC97; CRC95f; Kittel8; AM76; King |" in text
    assert all(text.count(f"\n| {symbol} |") == 3 for symbol in elements())
