# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shown_urls
short_description: Take logins and the values of queries out of the URLs in a text
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Tools quote the URL that they could not reach, with the password in it. This makes such a text fit for a log.
  - C(https://user:password@host/path?token=value) becomes C(https://…@host/path?token=…).
options:
  _input:
    description: The text, or a URL alone.
    type: str
    required: true
  _urls:
    description:
      - URLs that were given to the tool. What they hide is taken out wherever it stands, also where it is quoted alone,
        or where they are mistyped so that they do not look like URLs.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say what went wrong, without the password
  ansible.builtin.fail:
    msg: "{{ ('Could not fetch from ' ~ mirror ~ ': ' ~ answer.msg) | meshproof.mtls.shown_urls(mirror) }}"

- name: Fetch, and hide the result only where the URL holds a secret
  ansible.builtin.get_url:
    url: "{{ mirror }}"
    dest: /tmp/file
    mode: "0600"
  no_log: "{{ mirror != mirror | meshproof.mtls.shown_urls(mirror) }}"
"""

RETURN = r"""
_value:
  description: The text without these secrets.
  type: str
"""

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.urls import without_secrets


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        return {"shown_urls": without_secrets}
