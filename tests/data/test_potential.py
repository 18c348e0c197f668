from __future__ import annotations

import io
import shutil

import pytest
from aiida.common.exceptions import ModificationNotAllowed, ValidationError
from aiida.orm import QueryBuilder, load_node
from aiida.plugins import DataFactory
from ase.build import bulk
from ase.io import write
from deepmd_model import CUTOFF, TYPE_MAP
from lammps_runs import run_lammps

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.setup.engines import find_lammps_deepmd

EAM_FILES = {
    "eam": ("Cu_u3.eam", ["Cu"], 4.95, "funcfl"),
    "eam/alloy": ("NiAlH_jea.eam.alloy", ["Ni", "Al", "H"], 5.65, "setfl"),
    "eam/fs": ("AlFe_mm.eam.fs", ["Al", "Fe"], 6.5, "setfl"),
}


def model(**kwargs) -> PotentialData:
    arguments = {"pair_style": "deepmd", "type_map": ["Al", "Cu"], "cutoff": 6.0, **kwargs}
    return PotentialData(io.BytesIO(b"model"), "graph.pb", **arguments)


@pytest.mark.parametrize("pair_style", EAM_FILES)
def test_eam_file_fills_the_attributes(potentials_folder, pair_style):
    name, type_map, cutoff, file_format = EAM_FILES[pair_style]
    potential = PotentialData.from_file(
        potentials_folder / name, origin="https://lammps.org", licence="GPL-2.0-only", label="mine"
    ).store()
    loaded = load_node(potential.pk)
    assert isinstance(loaded, DataFactory("dnpmelt.potential"))
    assert (loaded.pair_style, loaded.type_map, loaded.format) == (pair_style, type_map, file_format)
    assert loaded.cutoff == pytest.approx(cutoff)
    assert (loaded.origin, loaded.licence, loaded.label) == ("https://lammps.org", "GPL-2.0-only", "mine")
    assert loaded.filename == name
    assert loaded.content == (potentials_folder / name).read_bytes()


def test_attributes_can_be_queried():
    potential = model(origin="doi:10.1/queried").store()
    filters = {"attributes.pair_style": "deepmd", "attributes.cutoff": {"<": 6.5}}
    filters["attributes.origin"] = "doi:10.1/queried"
    assert QueryBuilder().append(PotentialData, filters=filters).all(flat=True) == [potential]


def test_model_has_the_label_of_its_file_and_its_suffix_as_format():
    potential = model()
    assert (potential.label, potential.format, potential.type_map) == ("graph.pb", "pb", ["Al", "Cu"])


@pytest.mark.parametrize("missing", ["type_map", "cutoff"])
def test_model_without_type_map_or_cutoff_names_the_job(missing):
    with pytest.raises(ValueError, match=r"'graph\.pb' is a DeePMD model.*dnpmelt\.deepmd_show"):
        model(**{missing: None})


def test_model_from_a_file_names_the_job(tmp_path):
    (tmp_path / "graph.pth").write_bytes(b"model")
    with pytest.raises(ValueError, match=r"dnpmelt\.deepmd_show"):
        PotentialData.from_file(tmp_path / "graph.pth")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair_style": "meam"}, r"pair_style is 'meam', it can be one of deepmd, eam, eam/alloy, eam/fs"),
        ({"type_map": []}, r"type_map is \[\], it must be a list of different chemical symbols"),
        ({"type_map": ["Al", "Al"]}, "different chemical symbols"),
        ({"type_map": ["Al", "Xy"]}, "different chemical symbols"),
        ({"cutoff": 0.0}, r"cutoff is 0\.0 Angstrom, it must be positive"),
        ({"cutoff": float("nan")}, "cutoff is nan Angstrom, it must be positive"),
        ({"pair_style": "eam"}, "type_map and cutoff are read from the EAM file"),
    ],
)
def test_constructor_refuses_with_key_and_value(changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes)


@pytest.mark.parametrize("name", ["model.pt", "graph.pbtxt", "model.dp", "model.savedmodel", "MODEL.PT"])
def test_model_that_is_not_frozen_is_refused_with_advice(name, tmp_path):
    (tmp_path / name).write_text("no frozen model")
    for pair_style in (None, "deepmd"):
        with pytest.raises(ValueError, match=r"no frozen DeePMD model .*\.pb, \.pth, \.pt2.*`dp freeze`"):
            PotentialData.from_file(tmp_path / name, pair_style, type_map=["Cu"], cutoff=6.0)


@pytest.mark.parametrize("name", ["graph", "graph.txt", "graph.PB", ".pb"])
def test_model_needs_a_suffix_that_tells_its_backend(name):
    with pytest.raises(ValueError, match=r"ends in \.pb, \.pth, \.pt2"):
        PotentialData(io.BytesIO(b"model"), name, pair_style="deepmd", type_map=["Al"], cutoff=6.0)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("my model; rm -rf $HOME.pb", "my_model__rm_-rf__HOME.pb"),
        ("-in.pb", "in.pb"),
        ("../../_aiidasubmit.pb", "aiidasubmit.pb"),
        ("Alumínio.pb", "Alum_nio.pb"),
        ("a" * 300 + ".pb", "a" * 117 + ".pb"),
    ],
)
def test_name_of_a_model_becomes_one_harmless_word(name, safe):
    potential = PotentialData(io.BytesIO(b"model"), name, pair_style="deepmd", type_map=["Al"], cutoff=6.0)
    assert potential.store().filename == safe


@pytest.mark.parametrize("name", ["log.lammps", "Cu_u3", "Cu.alloy", "_aiidasubmit.sh"])
def test_name_of_an_eam_file_gets_the_suffix_of_its_style(potentials_folder, tmp_path, name):
    shutil.copy(potentials_folder / "Cu_u3.eam", tmp_path / name)
    potential = PotentialData.from_file(tmp_path / name, "eam")
    assert potential.filename == f"{name.lstrip('_')}.eam"


def test_eam_of_a_stream_without_a_name(potentials_folder):
    content = (potentials_folder / "Cu_u3.eam").read_bytes()
    assert PotentialData(io.BytesIO(content), pair_style="eam").filename == "potential.eam"


def test_wrong_file_is_refused_with_its_name_and_the_reason(potentials_folder):
    with pytest.raises(ValueError, match=r"'Cu_u3\.eam' is not a file for pair_style 'eam/fs': line 4.*'eam' it"):
        PotentialData.from_file(potentials_folder / "Cu_u3.eam", "eam/fs")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not correspond to an existing file"):
        PotentialData.from_file(tmp_path, "eam")


def test_same_file_makes_one_node(potentials_folder, tmp_path):
    first = PotentialData.get_or_create(potentials_folder / "Ni_u3.eam")
    shutil.copy(potentials_folder / "Ni_u3.eam", tmp_path / "other_name.eam")
    again = PotentialData.get_or_create(tmp_path / "other_name.eam", origin="elsewhere")
    assert again.uuid == first.uuid
    assert (again.filename, again.origin) == ("Ni_u3.eam", "")


def test_same_file_for_another_pair_style_is_another_node(potentials_folder):
    path = potentials_folder / "Zr_mm.eam.fs"
    assert PotentialData.get_or_create(path).uuid != PotentialData.get_or_create(path, "eam/alloy").uuid


def test_file_that_was_never_stored_is_not_found(potentials_folder):
    assert PotentialData.find(potentials_folder / "Pd_u3.eam") is None


def test_a_failed_import_leaves_the_next_one_alone(potentials_folder, tmp_path):
    (tmp_path / "broken.eam").write_text("no potential")
    with pytest.raises(ValueError, match="broken"):
        PotentialData.get_or_create(tmp_path / "broken.eam")
    assert PotentialData.get_or_create(potentials_folder / "Ag_u3.eam").type_map == ["Ag"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sha256", "0", "sha256 is not that of the file"),
        ("type_map", ["Xy"], "type_map is"),
        ("cutoff", -1.0, "cutoff is -1"),
    ],
)
def test_what_was_tampered_with_is_not_stored(key, value, message):
    potential = model()
    potential.base.attributes.set(key, value)
    with pytest.raises(ValidationError, match=message):
        potential.store()


def test_what_lacks_an_attribute_is_not_stored():
    potential = model()
    potential.base.attributes.delete("cutoff")
    with pytest.raises(ValidationError, match="cutoff"):
        potential.store()


def test_stored_potential_does_not_change():
    with pytest.raises(ModificationNotAllowed):
        model().store().base.attributes.set("cutoff", 1.0)


def test_supports():
    assert model().supports(["Cu"])
    assert model().supports(["Cu", "Al", "Cu"])
    assert not model().supports(["Cu", "Ni"])


def test_commands_of_each_style(potentials_folder):
    eam = PotentialData.from_file(potentials_folder / "Cu_u3.eam")
    alloy = PotentialData.from_file(potentials_folder / "NiAlH_jea.eam.alloy")
    assert eam.lammps_commands("f.eam", ["Cu"]) == ["pair_style eam", "pair_coeff * * f.eam"]
    assert alloy.lammps_commands("f.eam.alloy", ["Al", "Ni"]) == [
        "pair_style eam/alloy",
        "pair_coeff * * f.eam.alloy Al Ni",
    ]
    assert model().lammps_commands("graph.pb", ["Cu", "Al"]) == ["pair_style deepmd graph.pb", "pair_coeff * * Cu Al"]


@pytest.mark.parametrize("species", [["Ni"], ["Al", "Ni"], []])
def test_commands_refuse_species_that_the_potential_lacks(species):
    with pytest.raises(ValueError, match=f"species are '{' '.join(species)}', 'graph.pb' knows 'Al Cu'"):
        model().lammps_commands("graph.pb", species)


@pytest.mark.parametrize("filename", ["a b.pb", "a\nshell rm", "${x}", ""])
def test_commands_refuse_a_path_that_is_not_one_word(filename):
    with pytest.raises(ValueError, match="letters, digits"):
        model().lammps_commands(filename, ["Al"])


def energy_per_atom(potential, atoms, species, folder, engine=None) -> float:
    """Run LAMMPS on one crystal cell, with atom types in the order of the species."""
    folder.mkdir()
    (folder / potential.filename).write_bytes(potential.content)
    write(folder / "cell.lmp", atoms, format="lammps-data", specorder=species, masses=True)
    lines = ["units metal", "atom_style atomic", "read_data cell.lmp"]
    lines += [*potential.lammps_commands(potential.filename, species), "thermo_style custom step pe", "run 0"]
    with run_lammps("\n".join(lines), folder, engine=engine).open() as handle:
        return float(read_log(handle).blocks[-1]["PotEng"][-1]) / len(atoms)


@pytest.mark.parametrize(
    ("name", "symbol", "a", "energy"),
    [
        ("Cu_u3.eam", "Cu", 3.615, -3.54),
        ("Cu_mishin1.eam.alloy", "Cu", 3.615, -3.54),
        ("Al_mm.eam.fs", "Al", 4.045, -3.41),
    ],
)
def test_lammps_runs_the_commands_of_each_eam_style(potentials_folder, tmp_path, name, symbol, a, energy):
    potential = PotentialData.from_file(potentials_folder / name)
    crystal = bulk(symbol, "fcc", a=a, cubic=True)
    assert energy_per_atom(potential, crystal, [symbol], tmp_path / "run") == pytest.approx(energy, abs=0.02)


def test_lammps_runs_the_commands_of_a_model(tiny_model, tmp_path):
    potential = PotentialData(tiny_model, pair_style="deepmd", type_map=TYPE_MAP, cutoff=CUTOFF)
    engine = find_lammps_deepmd()
    assert engine is not None, "LAMMPS with DeePMD-kit was not found: install the extra [engines]"
    copper, nickel = (bulk(symbol, "fcc", a=3.6, cubic=True) for symbol in ("Cu", "Ni"))
    energy = energy_per_atom(potential, copper, ["Cu"], tmp_path / "one", engine)
    assert energy_per_atom(potential, copper, ["Ni", "Cu"], tmp_path / "two", engine) == pytest.approx(energy, abs=1e-6)
    assert energy_per_atom(potential, nickel, ["Ni", "Cu"], tmp_path / "other", engine) != pytest.approx(
        energy, abs=1e-3
    )


def test_lammps_takes_the_species_in_any_order(potentials_folder, tmp_path):
    potential = PotentialData.from_file(potentials_folder / "AlFe_mm.eam.fs")
    crystal = bulk("FeAl", "cesiumchloride", a=2.9)
    energies = [
        energy_per_atom(potential, crystal, species, tmp_path / "".join(species))
        for species in (["Al", "Fe"], ["Fe", "Al"])
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert energies[0] < -3.5


def with_a_number_more(path, place: str) -> str:
    """Give the text of a file of one column with a number more: at the end of a line, on one of its own, at the end."""
    lines = path.read_text().splitlines()
    end = 6 + int(lines[4].split()[0])
    if place == "same line":
        lines[end - 1] += "  0.0"
    elif place == "own line":
        lines.insert(end, "  0.0")
    else:
        lines.append("0.0 0.0")
    return "\n".join(lines)


class FileOnly:
    """A potential that nobody has checked."""

    def __init__(self, path) -> None:
        self.filename, self.content = path.name, path.read_bytes()

    def lammps_commands(self, filename: str, species: list[str]) -> list[str]:
        return ["pair_style eam/alloy", f"pair_coeff * * {filename} {' '.join(species)}"]


def test_lammps_and_the_reader_agree_on_a_number_too_many(potentials_folder, tmp_path):
    whole, copper = potentials_folder / "Cu_mishin1.eam.alloy", bulk("Cu", cubic=True)
    right = energy_per_atom(FileOnly(whole), copper, ["Cu"], tmp_path / "whole")
    for number, place in enumerate(("same line", "at the end")):
        file = tmp_path / f"more_{number}.eam.alloy"
        file.write_text(with_a_number_more(whole, place))
        assert energy_per_atom(FileOnly(file), copper, ["Cu"], tmp_path / str(number)) == right
        (remark,) = PotentialData.from_file(file).remarks
        assert "LAMMPS leaves out '0.0" in remark
    file.write_text(with_a_number_more(whole, "own line"))
    misread = energy_per_atom(FileOnly(file), copper, ["Cu"], tmp_path / "misread")
    assert misread != pytest.approx(right, abs=1e-6)
    with pytest.raises(ValueError, match="the file goes on with"):
        PotentialData.from_file(file)
    assert PotentialData.from_file(whole).remarks == []
