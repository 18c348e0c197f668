from __future__ import annotations

import pytest
from aiida.manage import get_manager
from publication.stored_publications import SECRETS, finished_point

from aiida_dnpmelt.publication.plan import make_plan
from aiida_dnpmelt.publication.traces import Names, anonymous_text, anonymous_value, names_of, paths

NAMES = Names({"ada@example.org": "e-mail", "hades.example.org": "host"}, {"Lovelace": "name"})


@pytest.fixture(scope="module")
def plan(aiida_profile):
    return make_plan([str(finished_point().pk)])


def test_users_computers_and_owners_are_named(plan):
    names = names_of(get_manager().get_profile_storage(), plan.selection.pks)
    assert {SECRETS[0], SECRETS[2], SECRETS[4], SECRETS[5], "Ada Lovelace"} <= set(names.replaced)
    assert {"Lovelace", "Analytical Engines", "hades"} <= set(names.listed)
    assert "Ada" not in names.words, "too short: it could be anything"


def test_table_tells_what_is_named_where(plan):
    rows = {(each.kind, each.value, each.place) for each in plan.traces}
    assert ("path", "/scratch/lovelace/aiida", "attribute remote_path") in rows
    assert ("path", "/scratch/lovelace/aiida", "attribute remote_workdir") in rows
    assert ("owner of jobs", SECRETS[5], "attribute last_job_info") in rows
    assert ("account of jobs", SECRETS[4], "file _aiidasubmit.sh") in rows
    assert ("host name of a computer", SECRETS[2], "file _scheduler-stdout.txt") in rows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/home/ada/runs/cu/1", {"/home/ada/runs"}),
        ("cp '/scratch/ada/x' /data/b/", {"/scratch/ada/x", "/data/b/"}),
        ("https://doi.org/10.1039/D4DD00069B", set()),
        ("a/b/c, ./a/b, 5 eV/Angstrom, K/GPa", set()),
        ("#!/bin/bash > /dev/null; /usr/bin/env", set()),
        ("</td></tr>", set()),
    ],
)
def test_paths_are_told_from_what_looks_like_them(text, found):
    assert paths(text) == found


def test_texts_lose_paths_and_names_of_machines_and_keep_the_rest():
    text = "run by ada@example.org at hades.example.org in /home/ada/runs/cu.in, /home/ada, https://a.org/b/c: 9 K"
    expected = "run by anonymised at anonymised in /anonymised/cu.in, /anonymised, https://a.org/b/c: 9 K"
    assert anonymous_text(text, NAMES) == expected
    assert anonymous_text(expected, NAMES) == expected


def test_numbers_and_keys_stay_and_what_the_scheduler_told_goes():
    value = {"ada@example.org": [1300.5, None, True], "job_id": "12", "last_job_info": {}, "deep": [{"qos": "fast"}]}
    assert anonymous_value(value, NAMES, machinery=False) == value
    expected = {"ada@example.org": [1300.5, None, True], "job_id": "", "deep": [{"qos": ""}]}
    assert anonymous_value(value, NAMES, machinery=True) == expected
