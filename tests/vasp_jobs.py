"""A VASP code that is the stand-in, and a family of POTCAR files that nobody owns."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

FAMILY = "PBE.invented"
MARKER = "a line of a licensed file 8f3b2c"
"""Stands in the body of the invented POTCAR: it must be found nowhere but in the node of the file."""

_POTCAR = f"""  PAW_PBE Cu 22Jun2005
   11.0000000000000000
 parameters from PSCTR are:
   VRHFIN =Cu: d10 p1
   LEXCH  = PE
   EATOM  =  1390.9800 eV,  102.2342 Ry

   TITEL  = PAW_PBE Cu 22Jun2005
   LULTRA =        F    use ultrasoft PP ?
   IUNSCR =        1    unscreen: 0-lin 1-nonlin 2-no
   RPACOR =    2.000    partial core radius
   POMASS =   63.546; ZVAL   =   11.000    mass and valenz
   RCORE  =    2.300    outmost cutoff radius
   RWIGS  =    2.480; RWIGS  =    1.312    wigner-seitz radius (au A)
   ENMAX  =  295.446; ENMIN  =  221.585 eV
   LCOR   =        T    correct aug charges
   LPAW   =        T    paw PP
   EAUG   =  544.520

END of PSCTR-controll parameters
 local part
 {MARKER}
 End of Dataset
"""


@pytest.fixture
def potcar_family(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Store the invented POTCAR of copper, once more if another test has cleared the profile; return its family."""
    from aiida_vasp.data.potcar import PotcarData, PotcarGroup

    folder = tmp_path_factory.mktemp("potcars") / FAMILY / "Cu"
    folder.mkdir(parents=True)
    (folder / "POTCAR").write_text(_POTCAR)
    potcar, _ = PotcarData.get_or_create_from_file(folder / "POTCAR")
    group, _ = PotcarGroup.collection.get_or_create(label=FAMILY)
    group.add_nodes([potcar])
    return FAMILY


@pytest.fixture
def make_vasp(localhost: Any, tmp_path: Path) -> Any:
    """Give a function that returns a code of the stand-in for VASP that suffers what its arguments say."""

    def make(once: bool = False, **fate: Any) -> orm.InstalledCode:
        if once:
            fate["once"] = str(tmp_path / "suffered")
        script = Path(__file__).with_name("vasp_standin.py")
        program = tmp_path / f"vasp_std_{len(list(tmp_path.iterdir()))}"
        program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            label=program.name,
            computer=localhost,
            filepath_executable=str(program),
            default_calc_job_plugin="vasp.vasp",
            prepend_text=f"export VASP_STANDIN={shlex.quote(json.dumps(fate))}",
            with_mpi=False,
        ).store()

    return make
