"""The whole chain with several sets of seeds: does T_m agree with the teacher's, and does the shift predict the rest.

Runs `aiida-dnpmelt launch melt --seed N` for each N, some side by side, in a profile whose daemon runs, and prints a
line for each repetition, a line for each model, and how often raw and corrected T_m agree with that of the teacher.
Chains that have been run are given by their PKs. With ``--measured`` the teacher's T_m is a number of elsewhere.

    python benchmarks/repetitions.py --seeds 1 2 3 4 5 --at-once 2 -- --element Cu --protocol fast --reference-file FILE
    python benchmarks/repetitions.py --pk 412 1093 --csv shifts.csv --label 'good models'
    python benchmarks/repetitions.py --csv shifts.csv --plot shifts.png

With ``--csv`` the models are added to a table, from which ``--plot`` draws all that there are, of whatever profile.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiida import load_profile, orm

from aiida_dnpmelt.physics.error_budget import Measured, agreement


@dataclass(frozen=True)
class Model:
    """A model: its T_m less that of its teacher, and the shift that its energies predict, in K."""

    name: str
    measured: Measured
    predicted: Measured


def launch(seed: int, profile: str, arguments: Sequence[str]) -> int:
    """Run the chain of a repetition to its end, and return its PK."""
    command = [str(Path(sys.executable).parent / "aiida-dnpmelt"), "launch", "melt", "--profile", profile]
    command += ["--seed", str(seed), "--watch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"work chain (\d+) is submitted", done.stdout)
    if found is None:
        raise SystemExit(f"repetition {seed} was not submitted: {done.stdout}{done.stderr}")
    print(f"repetition {seed}: work chain {found[1]}, exit status {done.returncode}", flush=True)
    return int(found[1])


def teacher_of(result: orm.Dict, measured: Measured | None) -> Measured:
    """Return the T_m of the teacher."""
    if measured is not None:
        return measured
    return Measured(result["teacher_melting_temperature_k"], result["teacher_uncertainty_k"])


def models_of(result: orm.Dict, teacher: Measured) -> list[Model]:
    """Return the models of a chain that have a T_m and a predicted shift."""
    found = []
    for name, values in result["models"].items():
        if values["predicted_shift_k"] is None:
            continue
        own = Measured(values["melting_temperature_k"], values["standard_uncertainty_k"])
        difference = agreement(own, teacher)
        found.append(
            Model(
                name,
                Measured(difference.difference_k, difference.uncertainty_k),
                Measured(values["predicted_shift_k"], values["predicted_shift_uncertainty_k"]),
            )
        )
    return found


def line_of(node: orm.WorkChainNode, result: orm.Dict, teacher: Measured) -> tuple[str, bool, bool]:
    """Return a line of the table, and whether raw and corrected T_m agree with the teacher's."""
    raw = agreement(Measured(result["melting_temperature_k"], result["standard_uncertainty_k"]), teacher)
    cells = [
        f"{node.inputs.seed.value}",
        f"{result['melting_temperature_k']:.0f}({result['standard_uncertainty_k']:.0f})",
    ]
    corrected = None
    if result["corrected_melting_temperature_k"] is not None:
        own = Measured(result["corrected_melting_temperature_k"], result["corrected_uncertainty_k"])
        corrected = agreement(own, teacher)
        cells.append(f"{own.value_k:.0f}({own.uncertainty_k:.0f})")
    cells.append(f"{teacher.value_k:.0f}({teacher.uncertainty_k:.0f})")
    cells += [
        "-" if each is None else f"{each.difference_k:+.0f}({each.uncertainty_k:.0f}) {'yes' if each.agrees else 'NO'}"
        for each in (raw, corrected)
    ]
    minutes = (node.mtime - node.ctime).total_seconds() / 60
    cells += [str(result["labels"]), str(result["iterations"]), result["verdict"], f"{minutes:.0f} min"]
    return "| " + " | ".join(cells) + " |", raw.agrees, corrected is not None and corrected.agrees


def add(models: Sequence[Model], label: str, file: Path) -> None:
    """Add models to a table, in tenths of a kelvin."""
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        if new:
            writer.writerow(["label", "model", "predicted_k", "u_predicted_k", "measured_k", "u_measured_k"])
        for model in models:
            values = (*_pair(model.predicted), *_pair(model.measured))
            writer.writerow([label, model.name, *(f"{value:.1f}" for value in values)])


def read(file: Path) -> dict[str, list[Model]]:
    """Return the models of a table by label."""
    found: dict[str, list[Model]] = {}
    with file.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            measured, predicted = (
                Measured(float(row[f"{name}_k"]), float(row[f"u_{name}_k"])) for name in ("measured", "predicted")
            )
            found.setdefault(row["label"], []).append(Model(row["model"], measured, predicted))
    return found


def _pair(value: Measured) -> tuple[float, float]:
    return value.value_k, value.uncertainty_k


def tell(models: Sequence[Model]) -> None:
    """Print how measured and predicted shifts go together."""
    rests = np.array([model.measured.value_k - model.predicted.value_k for model in models])
    errors = np.array([np.hypot(model.measured.uncertainty_k, model.predicted.uncertainty_k) for model in models])
    print(f"{len(models)} models, measured - predicted: mean {rests.mean():+.1f} K, rms ", end="")
    print(
        f"{np.sqrt((rests**2).mean()):.1f} K, in units of its uncertainty {np.sqrt(((rests / errors) ** 2).mean()):.2f}"
    )


def plot(models: dict[str, list[Model]], file: Path) -> None:
    """Draw measured against predicted shifts."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 4.5), layout="constrained")
    for (label, group), colour in zip(models.items(), ("#2166ac", "#1b7837", "#b2182b", "#762a83"), strict=False):
        axes.errorbar(
            [model.predicted.value_k for model in group],
            [model.measured.value_k for model in group],
            [model.measured.uncertainty_k for model in group],
            [model.predicted.uncertainty_k for model in group],
            fmt="o",
            color=colour,
            markersize=4,
            linewidth=0.8,
            label=label,
        )
    axes.legend(frameon=False, title="bars: one standard uncertainty")
    axes.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
    axes.set_xlabel("predicted shift of T$_m$ / K")
    axes.set_ylabel("T$_m$(model) − T$_m$(teacher) / K")
    figure.savefig(file, dpi=130)


def main() -> None:
    """Run what is asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--seeds", type=int, nargs="*", default=[])
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--pk", type=int, nargs="*", default=[], help="chains that have been run")
    parser.add_argument(
        "--measured", type=float, nargs=2, metavar=("T_M", "U"), help="T_m of the teacher and its u in K"
    )
    parser.add_argument("--csv", type=Path, help="table of models, which those of this call are added to")
    parser.add_argument("--label", default="", help="what they are called in the table and the plot")
    parser.add_argument("--plot", type=Path, help="figure of the table")
    parser.add_argument("arguments", nargs="*", help="of `launch melt`, after --")
    options = parser.parse_args()
    if options.seeds or options.pk:
        run(options)
    if options.plot:
        groups = read(options.csv)
        for label, group in groups.items():
            print(label, end=": ")
            tell(group)
        plot(groups, options.plot)


def run(options: argparse.Namespace) -> None:
    """Run the repetitions, and print what came of them and of those that have been run."""
    load_profile(options.profile)
    with ThreadPoolExecutor(options.at_once) as pool:
        pks = list(pool.map(lambda seed: launch(seed, options.profile, options.arguments), options.seeds))
    models: list[Model] = []
    agreed = []
    print("| seed | T_m | corrected | teacher | differs | corrected differs | labels | iterations | verdict | time |")
    for pk in [*options.pk, *pks]:
        node = orm.load_node(pk)
        if "melting" not in node.outputs:
            print(f"| {node.inputs.seed.value} | no T_m: {node.exit_message} |")
            agreed.append((False, False))
            continue
        result = node.outputs.melting
        teacher = teacher_of(result, None if options.measured is None else Measured(*options.measured))
        line, *yes = line_of(node, result, teacher)
        print(line)
        agreed.append(tuple(yes))
        models += models_of(result, teacher)
    for index, name in enumerate(("raw", "corrected")):
        print(f"{name} T_m agrees in {sum(each[index] for each in agreed)} of {len(agreed)}")
    for model in models:
        predicted, measured = model.predicted, model.measured
        print(
            f"{model.name}: predicted {predicted.value_k:+.0f}({predicted.uncertainty_k:.0f}), "
            f"measured {measured.value_k:+.0f}({measured.uncertainty_k:.0f})"
        )
    if models:
        tell(models)
    if options.csv:
        add(models, options.label, options.csv)


if __name__ == "__main__":
    main()
