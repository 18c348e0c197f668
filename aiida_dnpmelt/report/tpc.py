"""What a two-phase coexistence work chain has to say, as text and as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.tools.workflows import WorkflowTools

from aiida_dnpmelt.calculations.melting_point import judged, whole_runs
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.provenance.query import MeltingPoint
from aiida_dnpmelt.report import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TPCTools(WorkflowTools):
    """Reached as ``node.tools`` of the node of a `TPCWorkChain`."""

    def summary(self) -> str:
        """Return the melting temperature, its verdict and the reasons for it, in a few lines.

        :raises ValueError: if the work chain has no melting point (yet).
        """
        return point_text(self._point())

    def runs(self) -> dict[str, CoexistenceRun]:
        """Return the whole runs by label."""
        links = self._node.base.links.get_outgoing(node_class=orm.ArrayData).all()
        ordered = sorted(links, key=lambda link: by_number(str(link.link_label).rsplit("_", 1)[-1]))
        return whole_runs([from_node(link.node) for link in ordered])

    def plot(self) -> Figure:
        """Return a figure of the runs: T(t), solid fraction, order along z; save it by ``savefig``.

        :raises ValueError: if the work chain has no melting point (yet).
        :raises ImportError: without the extra ``[report]``.
        """
        from aiida_dnpmelt.report.figures import coexistence_figure

        point = self._point()
        low, high = point["interval_low_k"], point["interval_high_k"]
        interval = None if low is None or high is None else (low, high)
        runs = {label: run for label, run in self.runs().items() if len(run.time_ps) > 1}
        return coexistence_figure(runs, point["melting_temperature_k"], interval)

    def _point(self) -> dict[str, Any]:
        if "melting_point" not in self._node.outputs:
            raise ValueError(
                f"work chain {self._node.pk} has no melting point: its state is {self._node.process_state}"
            )
        return judged(self._node.outputs.melting_point.get_dict())


def point_text(point: dict[str, Any]) -> str:
    """Return a melting point as text: the number, the verdict, the reasons, and what stands beside them."""
    value, uncertainty = point["melting_temperature_k"], point["standard_uncertainty_k"]
    if value is None:
        head = "no T_m"
    else:
        head = (
            f"T_m = {notation(value, uncertainty)} K   95 % interval "
            f"{words.interval(point.get('interval_low_k'), point.get('interval_high_k'))}"
        )
    lines = [
        f"{point['element']} ({point['lattice']}) at {point['pressure_gpa']:g} GPa, {point['potential_label']}",
        head,
        f"verdict: {point['verdict']}",
        *(f"  - {reason}" for reason in point["reasons"]),
    ]
    if value is not None:
        lines += [
            f"statistical uncertainty {point['statistical_uncertainty_k']:.1f} K, "
            f"time step {point['timestep_uncertainty_k']:.1f} K "
            f"(corrected by {point['timestep_correction_k']:+.1f} K), size not assessed",
        ]
    if point["paper_mean_k"] is not None:
        sem = "-" if point["paper_sem_k"] is None else f"{point['paper_sem_k']:.1f} K"
        lines.append(
            f"statistic of the paper (last 20 ps, no verdict): {point['paper_mean_k']:.1f} K, "
            f"standard deviation {point['paper_std_k']:.1f} K, sem {sem}"
        )
    lines.append(
        f"protocol {point['protocol']}, {point['atoms']} atoms, {point['production_time_ps']:.0f} ps in both phases, "
        f"{point['atom_steps'] / 1e6:.0f} M atom-steps, {point['core_hours']:.2f} core-hours"
    )
    return "\n".join(lines)


def print_point(point: MeltingPoint) -> None:
    """Print a melting point and how to go on from it."""
    from rich.console import Console

    from aiida_dnpmelt.report.terminal import plain

    console = Console(highlight=False)
    console.print(plain(point_text(point.details)), markup=False, soft_wrap=True)
    if point.unfinished:
        console.print("the training of its potential had not ended", style="yellow")
    if point.superseded:
        console.print("superseded by a later one", style="yellow")
    console.print(f"work chain {point.pk}, made {point.created:%Y-%m-%d %H:%M}; steps: verdi process status {point.pk}")
