# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's script: filters, sorting, arrow keys, printing. Without it the page has all of its content.

It only reads and orders what is in the page: text is never made into HTML.
"""

from __future__ import annotations

SCRIPT = """
'use strict';
(function () {
  function make(name, text, attributes) {
    var element = document.createElement(name);
    if (text) { element.textContent = text; }
    Object.keys(attributes || {}).forEach(function (key) { element.setAttribute(key, attributes[key]); });
    return element;
  }
  function each(list, act) { Array.prototype.forEach.call(list, act); }

  // Tables that are shown as cards lose their roles in some browsers; these say them again.
  each(document.querySelectorAll('table'), function (table) {
    table.setAttribute('role', 'table');
    each(table.rows, function (row) {
      row.setAttribute('role', 'row');
      each(row.cells, function (cell) {
        cell.setAttribute('role', cell.tagName === 'TD' ? 'cell' : cell.scope === 'col' ? 'columnheader' : 'rowheader');
      });
    });
  });

  // Filter: words and a state.
  each(document.querySelectorAll('[data-states]'), function (region) {
    var table = region.querySelector('table');
    var rows = Array.prototype.slice.call(table.tBodies[0].rows);
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var states = JSON.parse(region.getAttribute('data-states'));
    var name = 'Filter: ' + table.caption.textContent;
    var form = make('div', '', {'class': 'filter', role: 'search', 'aria-label': name});
    var wordsLabel = make('label', 'Contains');
    var words = make('input', '', {type: 'search', autocomplete: 'off', spellcheck: 'false'});
    var stateLabel = make('label', 'State');
    var state = make('select');
    var count = make('output', '', {'aria-live': 'polite'});
    state.appendChild(make('option', 'all', {value: ''}));
    Object.keys(states).forEach(function (key) { state.appendChild(make('option', states[key], {value: key})); });
    function apply() {
      var wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean);
      var left = 0;
      rows.forEach(function (row, place) {
        var fits = (!state.value || row.getAttribute('data-s') === state.value) &&
          wanted.every(function (word) { return texts[place].indexOf(word) >= 0; });
        row.hidden = !fits;
        left += fits ? 1 : 0;
      });
      count.textContent = left + ' of ' + rows.length + ' rows';
      table.tBodies[0].dispatchEvent(new Event('tables:filtered'));
    }
    words.addEventListener('input', apply);
    state.addEventListener('change', apply);
    wordsLabel.appendChild(words);
    stateLabel.appendChild(state);
    [wordsLabel, stateLabel, count].forEach(function (part) { form.appendChild(part); });
    region.parentNode.insertBefore(form, region);
    apply();
  });

  // Sorting by the columns of these tables.
  var order = new Intl.Collator('en', {numeric: true}).compare;
  each(document.querySelectorAll('[data-states] thead th'), function (head) {
    var button = make('button', head.textContent, {type: 'button'});
    head.textContent = '';
    head.appendChild(button);
    button.addEventListener('click', function () {
      var body = head.closest('table').tBodies[0];
      var way = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
      var sign = way === 'ascending' ? 1 : -1;
      var place = head.cellIndex;
      each(head.parentNode.cells, function (other) { other.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', way);
      Array.prototype.slice.call(body.rows).sort(function (one, other) {
        return sign * order(one.cells[place].textContent, other.cells[place].textContent);
      }).forEach(function (row) { body.appendChild(row); });
    });
  });

  // One stop of the Tab key for each table's rows; arrows, Home and End go through them.
  each(document.querySelectorAll('tbody'), function (body) {
    var current = null;
    function links(row, place) { each(row.querySelectorAll('a'), function (link) { link.tabIndex = place; }); }
    function enter(row) {
      if (current) { current.tabIndex = -1; links(current, -1); }
      current = row;
      row.tabIndex = 0;
      links(row, 0);
    }
    each(body.rows, function (row) { row.tabIndex = -1; links(row, -1); });
    if (body.rows.length) { enter(body.rows[0]); }
    body.addEventListener('focusin', function (event) {
      var row = event.target.closest('tr');
      if (row && row !== current) { enter(row); }
    });
    body.addEventListener('keydown', function (event) {
      var shown = Array.prototype.filter.call(body.rows, function (row) { return !row.hidden; });
      var at = shown.indexOf(current);
      var to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1}[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey || !shown[to]) { return; }
      event.preventDefault();
      enter(shown[to]);
      shown[to].focus({preventScroll: true});
      shown[to].scrollIntoView({block: 'nearest', behavior: 'instant'});
    });
    body.addEventListener('tables:filtered', function () {
      var first = Array.prototype.find.call(body.rows, function (row) { return !row.hidden; });
      if (first && current && current.hidden) { enter(first); }
    });
  });

  // A link to something that is folded opens it, and paper shows everything.
  function unfold() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') { target.open = true; }
  }
  window.addEventListener('hashchange', unfold);
  unfold();
  var folded = [];
  window.addEventListener('beforeprint', function () {
    folded = Array.prototype.slice.call(document.querySelectorAll('details:not([open])'));
    folded.forEach(function (one) { one.open = true; });
  });
  window.addEventListener('afterprint', function () { folded.forEach(function (one) { one.open = false; }); });
})();
"""
