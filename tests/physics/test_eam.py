from __future__ import annotations

import io

import pytest

from aiida_dnpmelt.physics.eam import EAM_STYLES, EamHeader, guess_pair_style, read_eam

N_RHO, N_R, CUTOFF = 6, 8, 4.0
GRID = f"{N_RHO} 0.1 {N_R} 0.5 {CUTOFF}"


def table(count: int) -> str:
    """Give `count` numbers, five in a line."""
    words = [f"{0.25 * i:.3E}" for i in range(count)]
    return "\n".join(" ".join(words[i : i + 5]) for i in range(0, count, 5))


def funcfl() -> str:
    return "\n".join(["Cu UNITS: metal", "29 63.55 3.615 FCC", GRID, table(N_RHO), table(N_R), table(N_R), ""])


def setfl(elements: tuple[str, ...], densities: int) -> str:
    """Give a file of `eam/alloy` (1 density an element) or `eam/fs` (as many as there are elements)."""
    lines = ["first # UNITS: metal", "second", "", f"{len(elements)} {' '.join(elements)} # symbols", GRID]
    for _ in elements:
        lines += ["29 63.55 3.615 fcc", table(N_RHO), *[table(N_R)] * densities]
    pairs = len(elements) * (len(elements) + 1) // 2
    return "\n".join([*lines, *[table(N_R)] * pairs])


VALID = {
    "eam": funcfl(),
    "eam/alloy": setfl(("Cu", "Ni"), 1),
    "eam/fs": setfl(("Cu", "Ni"), 2),
}


def read(text: str | bytes, pair_style: str) -> EamHeader:
    return read_eam(io.BytesIO(text.encode() if isinstance(text, str) else text), pair_style)


@pytest.mark.parametrize("pair_style", EAM_STYLES)
def test_header_of_a_valid_file(pair_style):
    elements = ("Cu",) if pair_style == "eam" else ("Cu", "Ni")
    assert read(VALID[pair_style], pair_style) == EamHeader(elements, CUTOFF)


@pytest.mark.parametrize(
    ("name", "elements", "cutoff"),
    [
        ("Cu_u3.eam", ("Cu",), 4.95),
        ("Cu_mishin1.eam.alloy", ("Cu",), 5.50679),
        ("Al_mm.eam.fs", ("Al",), 6.5),
        ("AlFe_mm.eam.fs", ("Al", "Fe"), 6.5),
        ("NiAlH_jea.eam.alloy", ("Ni", "Al", "H"), 5.65),
        ("NiO.eam.fs", ("Ni", "O"), 6.0),
    ],
)
def test_files_of_the_lammps_distribution(potentials_folder, name, elements, cutoff):
    with (potentials_folder / name).open("rb") as handle:
        header = read_eam(handle, guess_pair_style(name))
    assert header.elements == elements
    assert header.cutoff == pytest.approx(cutoff)


@pytest.mark.parametrize(
    ("name", "pair_style"),
    [
        ("Cu_u3.eam", "eam"),
        ("Cu.eam.alloy", "eam/alloy"),
        ("Cu.ALLOY", "eam/alloy"),
        ("Al.eam.fs", "eam/fs"),
        ("Al.fs", "eam/fs"),
    ],
)
def test_suffix_tells_the_pair_style(name, pair_style):
    assert guess_pair_style(name) == pair_style


@pytest.mark.parametrize("name", ["library.meam", "FeCr.cdeam", "PdHHe.eam.he", "eam"])
def test_unknown_suffix_is_refused_with_the_choices(name):
    with pytest.raises(ValueError, match=f"'{name}' does not tell the pair style.*eam, eam/alloy, eam/fs"):
        guess_pair_style(name)


def test_unknown_pair_style_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"pair_style is 'eam/cd'.*eam, eam/alloy, eam/fs"):
        read(VALID["eam"], "eam/cd")


@pytest.mark.parametrize("pair_style", EAM_STYLES)
@pytest.mark.parametrize("other", EAM_STYLES)
def test_wrong_pair_style_is_refused_and_the_right_one_is_named(pair_style, other):
    if pair_style == other:
        return
    with pytest.raises(ValueError, match=rf"not a file for pair_style '{other}'.*; as pair_style '{pair_style}'"):
        read(VALID[pair_style], other)


def replaced(old: str, new: str, pair_style: str = "eam/alloy") -> str:
    assert old in VALID[pair_style]
    return VALID[pair_style].replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "pair_style", "message"),
    [
        ("", "eam", "line 0: the file ends before its header"),
        ("only one line", "eam", "line 1: expected atomic number and mass, found ''"),
        ("one\ntwo\n", "eam/fs", "line 2: the file ends before its header"),
        (b"\x00\x01\x02\n\xff", "eam", "line 1: the file is binary"),
        (replaced("metal", "real"), "eam/alloy", "line 1: the units are 'real', they must be 'metal'"),
        (replaced("29 ", "929 ", "eam"), "eam", "line 2: the atomic number is 929"),
        (replaced("29 ", "Cu ", "eam"), "eam", "the atomic number is 'Cu', it must be a positive int"),
        (replaced("2 Cu Ni", "3 Cu Ni"), "eam/alloy", "line 4: there are 2 symbols, but the number .* is 3"),
        (replaced("2 Cu Ni", "2 Cu Cu"), "eam/alloy", "line 4: 'Cu Cu' are not different chemical symbols"),
        (replaced("2 Cu Ni", "2 Cu Xy"), "eam/alloy", "line 4: 'Cu Xy' are not different chemical symbols"),
        (replaced(GRID, "6 0.1 8"), "eam/alloy", "line 5: expected Nrho, drho, Nr, dr, cutoff, found '6 0.1 8'"),
        (replaced(GRID, "-6 0.1 8 0.5 4.0"), "eam/alloy", "line 5: Nrho is -6, it must be positive"),
        (replaced(GRID, "6 0.1 8.5 0.5 4.0"), "eam/alloy", "line 5: Nr is '8.5', it must be a positive int"),
        (replaced(GRID, "6 0.1 8 0.5 nan"), "eam/alloy", "line 5: the cutoff is nan, it must be positive"),
        (replaced(GRID, "6 0.1 8 0.5 9.0"), "eam/alloy", "tables end at 4 Angstrom, below the cutoff 9"),
        (replaced("63.55", "0"), "eam/alloy", "line 6: the mass of Cu is 0, it must be positive"),
        (replaced("2.500E-01", "nan"), "eam/alloy", "line 7: the embedding function of Cu holds a number that"),
        (replaced("2.500E-01", "inf"), "eam/alloy", "line 7: the embedding function of Cu .* not finite"),
        (replaced("2.500E-01", "2.5D-01"), "eam/alloy", "line 7: the embedding function of Cu .* not numbers"),
        (replaced("2.500E-01 ", ""), "eam/alloy", r"line 9: the embedding function of Cu \(from line 7\) has 6"),
        (
            replaced("2.500E-01", "1 2 3"),
            "eam/alloy",
            r"line 10: the density of Cu for Cu .* has 8 numbers",
        ),
        (
            VALID["eam/alloy"][:-10],
            "eam/alloy",
            r"the file ends in the pair function of Ni and Ni \(from line 20\): 7 of 8",
        ),
        (VALID["eam/alloy"] + "\n1 2 3 4 5", "eam/alloy", "tables are complete, but the file goes on with '1 2 3 4 5'"),
    ],
)
def test_damaged_file_is_refused_with_line_and_reason(text, pair_style, message):
    with pytest.raises(ValueError, match=message):
        read(text, pair_style)


def test_a_header_that_promises_too_much_costs_no_memory():
    with pytest.raises(ValueError, match="of 1000000000000 numbers"):
        read(replaced(GRID, f"1000000000000 0.1 8 0.5 {CUTOFF}", "eam"), "eam")


ONE_COLUMN = "\n".join(["a", "b", "c", "1 Cu", GRID, "29 63.55 3.615 fcc", *(f"{i}.0" for i in range(N_RHO + 2 * N_R))])
FIRST_TABLE_ENDS = 6 + N_RHO
FIVE_COLUMNS = VALID["eam/alloy"]


def with_line(text: str, number: int, line: str) -> str:
    """Give a text with another line after that of a number."""
    lines = text.splitlines()
    return "\n".join([*lines[:number], line, *lines[number:]])


def longer(text: str, number: int, words: str) -> str:
    """Give a text with words at the end of a line."""
    lines = text.splitlines()
    lines[number - 1] += f" {words}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        (longer(ONE_COLUMN, FIRST_TABLE_ENDS, "0.5"), "line 12: LAMMPS leaves out '0.5' at the end of the embedding"),
        (longer(ONE_COLUMN, 6 + N_RHO + 2 * N_R, "0.5 7"), "LAMMPS leaves out '0.5 7' at the end of the pair function"),
        (longer(FIVE_COLUMNS, 8, "0.5"), "line 8: LAMMPS leaves out '0.5' at the end of the embedding function of Cu"),
        (f"{ONE_COLUMN}\n0.0 0.0", "line 29: LAMMPS leaves out '0.0 0.0' and what follows after the last table"),
        (f"{ONE_COLUMN}\nmade by hand", "LAMMPS leaves out 'made by hand' and what follows"),
        (f"{FIVE_COLUMNS}\n1.0 2.0", "LAMMPS leaves out '1.0 2.0' and what follows"),
    ],
)
def test_what_lammps_leaves_out_is_read_over_and_told(text, remark):
    header = read(text, "eam/alloy")
    assert header.elements in (("Cu",), ("Cu", "Ni"))
    (told,) = header.remarks
    assert remark in told


@pytest.mark.parametrize(
    "text",
    [
        with_line(ONE_COLUMN, FIRST_TABLE_ENDS, "0.0"),
        with_line(ONE_COLUMN, FIRST_TABLE_ENDS - 2, "0.0"),
        longer(ONE_COLUMN, FIRST_TABLE_ENDS - 2, "0.0"),
        with_line(FIVE_COLUMNS, 8, "0.0"),
        with_line(FIVE_COLUMNS, 7, "0 0 0 0 0"),
    ],
)
def test_a_number_too_many_that_moves_the_others_is_refused(text):
    with pytest.raises(ValueError, match=r"has \d numbers, but its last line goes on|the file goes on with"):
        read(text, "eam/alloy")


def test_files_of_the_distribution_have_no_remarks(potentials_folder):
    names = [path.name for path in potentials_folder.iterdir() if path.name.endswith((".eam", ".eam.alloy", ".eam.fs"))]
    assert len(names) > 20
    told = {}
    for name in names:
        with (potentials_folder / name).open("rb") as handle:
            told[name] = read_eam(handle, guess_pair_style(name)).remarks
    assert not {name: remarks for name, remarks in told.items() if remarks}
