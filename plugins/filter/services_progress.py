# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: services_progress
short_description: Tell how far services are, and what keeps them
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - The role C(istio_services) waits with this filter until its services run and until what it removed is gone.
options:
  _input:
    description: The objects that V(watch.reads) of P(meshproof.mtls.services_plan#filter) names.
    type: list
    elements: dict
    required: true
  watch:
    description: V(watch) of P(meshproof.mtls.services_plan#filter).
    type: dict
    required: true
  seconds:
    description: How long it has been waited.
    type: int
    default: 0
  limit:
    description: How long it is waited at most.
    type: int
    default: 0
  events:
    description: The events that V(watch.events) of P(meshproof.mtls.services_plan#filter) names.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Say how far it is
  ansible.builtin.debug:
    msg: "{{ (seen.objects | meshproof.mtls.services_progress(watch=plan.watch, seconds=20, limit=300)).line }}"
"""

RETURN = r"""
_value:
  description:
    - V(done), and V(given_up) where the time is over or would not help.
    - V(line) says how far it is; V(sentence) names what does not run, why, and the remedies.
  type: dict
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.plain import plain
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services import progress


def services_progress(objects, watch, seconds=0, limit=0, events=()):
    """The progress as a mapping."""
    return progress(plain(watch), plain(objects), int(seconds), int(limit), plain(events))._asdict()


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"services_progress": services_progress}
