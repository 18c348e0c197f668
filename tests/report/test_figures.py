from __future__ import annotations

from itertools import combinations

from aiida_dnpmelt.report.figures import label_points, new_figure, page_style

CROWDED = [("Co", 1768.0, 1621.0), ("Ni", 1728.0, 1669.0), ("Pd", 1828.0, 1785.0), ("Ti", 1943.0, 1762.0)]


def test_names_of_points_that_are_close_do_not_lie_on_each_other():
    with page_style():
        figure = new_figure(5.0, 5.0)
        axes = figure.subplots()
        axes.set(xlim=(0, 3500), ylim=(0, 3500))
        label_points(axes, CROWDED)
        figure.draw_without_rendering()
        texts = list(axes.texts)
        boxes = [text.get_window_extent() for text in texts]
        assert sorted(text.get_text() for text in texts) == ["Co", "Ni", "Pd", "Ti"]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        middles = [axes.transData.transform((x, y)) for _, x, y in CROWDED]
        assert not any(box.contains(*middle) for box in boxes for middle in middles)


def test_name_is_written_once_at_the_highest_of_its_points():
    with page_style():
        axes = new_figure(5.0, 5.0).subplots()
        axes.set(xlim=(0, 3500), ylim=(0, 3500))
        label_points(axes, [("Cu", 1358.0, 1121.0), ("Cu", 1358.0, 1335.0)])
        (text,) = axes.texts
        assert text.xy == (1358.0, 1335.0)
