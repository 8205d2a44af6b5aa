# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: namespaces_plan
short_description: Turn wanted namespaces of a mesh into labels and restarts, and find what speaks against them
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_namespaces) decides with this filter what to label, restart, remove and refuse. It needs no
    cluster.
options:
  _input:
    description: The options of the role C(meshproof.mtls.istio_namespaces), which its README describes, without prefix.
    type: dict
    required: true
  step:
    description:
      - V(validate) gives V(problems), what is wrong with the options, and V(names), of the namespaces.
      - V(observe) gives the options of M(meshproof.mtls.objects_info) with which the rest is read that a plan needs;
        empty where it needs nothing more.
      - V(propose) gives the restarts as O(meshproof.mtls.status_info#module:proposed), empty where there are none.
      - V(plan) gives the plan.
      - V(restart) gives the patches that restart a batch of the plan.
      - V(follow) gives the option O(meshproof.mtls.objects_info#module:objects) for V(wait).
      - V(wait) gives how far a batch of the plan is.
      - V(remains) gives a sentence that says what holds namespaces that could not be removed.
    type: str
    choices: [validate, observe, propose, plan, restart, follow, wait, remains]
    default: plan
  status:
    description: What M(meshproof.mtls.status_info) returned, in full.
    type: dict
  there:
    description: What M(meshproof.mtls.objects_info) returned; nothing where it was not asked.
    type: dict
  after:
    description:
      - What M(meshproof.mtls.status_info) returned, in full, for what is proposed; nothing where it was not asked.
    type: dict
  check:
    description: Whether the plan is only shown, as in check mode.
    type: bool
    default: false
  batch:
    description: A batch of the plan.
    type: list
    elements: dict
  seconds:
    description: For how long it is waited already.
    type: int
    default: 0
  time:
    description: The time of a restart, as RFC 3339 writes it.
    type: str
    default: ""
  why:
    description: What was answered to the removal.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Read the mesh
  meshproof.mtls.status_info:
    detail: full
  register: mesh

- name: Show how the labels of a namespace would change
  ansible.builtin.debug:
    msg: "{{ (wanted | meshproof.mtls.namespaces_plan(status=mesh)).diff }}"
  vars:
    wanted:
      state: present
      list: shop
      mode: ambient
      restart: false
      restart_batch: 0
      wait_timeout: 300
      force: false
"""

RETURN = r"""
_value:
  description:
    - Of a plan, V(problems) and V(warnings) are sentences.
    - V(objects) are the Namespaces to apply, V(delete) those to remove, V(forget) those whose memory of former labels
      is to be removed.
    - V(batches) are the workloads to restart, or to wait for, in portions, V(left) those that stay as they are.
    - V(lines) and V(diff) tell it to people.
    - Of V(wait), V(pending) are the workloads that are not as wanted, V(line) tells how far it is, V(failure) what to
      say when the time is over.
  type: raw
"""

import json

from ansible_collections.meshproof.mtls.plugins.module_utils._intent import misfits, namespaces, rollouts
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import preview
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import everybody


def namespaces_plan(given, step="plan", **seen):
    """One step of the role, from plain values: Ansible's own carry marks that YAML cannot write."""
    given, seen = json.loads(json.dumps([given, seen]))
    return getattr(Steps(given, **seen), step)()


class Steps:
    """What each step of the role asks."""

    def __init__(self, given, status=None, there=None, after=None, check=False, batch=(), seconds=0, time="", why=""):
        self.given, self.status, self.check, self.batch = given, status or {}, check, batch
        # A task that was skipped has registered something without objects.
        self.there = there if there and "objects" in there else None
        self.after = after if after and "workloads" in after else None
        self.seconds, self.time, self.why = seconds, time, why

    def validate(self):
        """Before anything is asked."""
        wanted = namespaces.wanted(self.given)
        return {"problems": wanted.problems, "names": wanted.names}

    def observe(self):
        """What else is to be read."""
        return namespaces.questions(self.given, self.status)

    def plan(self):
        """What is to be done."""
        broken = preview(self.after, members=everybody(self.status))["broken"] if self.after else ()
        return namespaces.plan(self.given, self.status, self.there, broken, self.check)

    def propose(self):
        """What the restarts mean."""
        return namespaces.proposed(self.given, self.status, self.there)

    def restart(self):
        """The patches."""
        return [rollouts.restart(step, self.time) for step in rollouts.steps(self.batch) if step.do == "restart"]

    def follow(self):
        """What is to be read while it is waited."""
        return misfits.follow(self.batch)

    def wait(self):
        """How far it is."""
        return namespaces.progress(self.given, self.status, self.batch, self.there or {"objects": []}, self.seconds)

    def remains(self):
        """What holds a namespace."""
        return namespaces.remains(self.given, (self.there or {"objects": []})["objects"], self.why)


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"namespaces_plan": namespaces_plan}
