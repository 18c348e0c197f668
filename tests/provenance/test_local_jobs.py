from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from aiida import orm
from aiida.common.exceptions import NotExistent
from physics.labelled import labelled
from signals import start

from aiida_dnpmelt.calculations.screening import screen_frames
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.screening import ScreeningSettings
from aiida_dnpmelt.provenance.local_jobs import run_here

COMMAND = str(Path(sys.executable).with_name("aiida-dnpmelt"))
PAUSE = "sleep 345.6"


@pytest.fixture
def slow_code(dp_code) -> orm.InstalledCode:
    """Give a DeePMD-kit that has a rest before it starts."""
    try:
        return orm.load_code("slow@localhost")
    except NotExistent:
        return orm.InstalledCode(
            computer=dp_code.computer,
            filepath_executable=str(dp_code.filepath_executable),
            label="slow",
            default_calc_job_plugin=dp_code.default_calc_job_plugin,
            prepend_text=f"{dp_code.prepend_text}\n{PAUSE}",
        ).store()


def jobs() -> list[orm.CalcJobNode]:
    query = orm.QueryBuilder().append(orm.CalcJobNode, tag="job").order_by({"job": {"id": "asc"}})
    return query.all(flat=True)


def resting() -> list[psutil.Process]:
    """Return the pauses of jobs that run on this machine."""
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == PAUSE.split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_kills_the_job_and_says_so(aiida_profile, slow_code, tiny_model, tmp_path, number):
    model = tmp_path / "model.pb"
    model.write_bytes(tiny_model.read_bytes() + b"\xfa\xff\x7f\x00" * (10 + number))  # the same model, another file
    before = len(jobs())
    process = start([COMMAND, "import", "potential", str(model), "--code", "slow@localhost", "-p", aiida_profile.name])
    end = time.time() + 120
    while not resting():
        assert process.poll() is None, process.communicate()[0]
        assert time.time() < end, "the job did not start"
        time.sleep(0.2)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    (job,) = jobs()[before:]
    assert process.returncode == 128 + number, output
    assert f"ended by {signal.Signals(number).name}: DeepmdShowCalculation {job.pk} was killed" in output
    assert "Traceback" not in output
    assert job.is_killed
    assert not resting()


def test_signal_before_the_job_stores_none(aiida_profile, slow_code, tiny_model, tmp_path):
    before = len(jobs())
    process = start(
        [COMMAND, "import", "potential", str(tiny_model), "--code", "slow@localhost", "-p", aiida_profile.name]
    )
    time.sleep(0.3)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (143, -signal.SIGTERM), output  # the latter: Python had not begun to read the program
    assert "Traceback" not in output
    assert all(job.is_terminated for job in jobs()[before:])


def test_calcfunction_gives_outputs_and_node(aiida_profile):
    frames = FramesData(labelled(3), phase="liquid", labeller="somebody").store()
    settings = orm.Dict(json.loads(ScreeningSettings().model_dump_json()))
    outputs, node = run_here(screen_frames, frames=frames, settings=settings)
    assert node.is_finished_ok
    assert node.process_label == "screen_frames"
    assert outputs["report"]["seen"] == 3
