# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contrast as WCAG 2 computes it, of everything that is written or drawn on a page."""

from __future__ import annotations

# An expression whose value lists what is too weak: text below 4.5 (large text below 3), lines and symbols below 3.
TOO_WEAK = """
(() => {
  const numbers = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = color => {
    const part = color.slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = element => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      layers.push(numbers(getComputedStyle(one).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = [];
  const seen = new Set();
  const check = (color, ground, least, of) => {
    const value = ratio(over(color, ground), ground);
    if (value < least) { found.push({of: of.slice(0, 60), ratio: Math.round(value * 100) / 100}); }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || ['SCRIPT', 'STYLE', 'title', 'desc', 'OPTION'].includes(element.tagName)) { continue; }
    if (!element.checkVisibility({visibilityProperty: true})) { continue; }
    const style = getComputedStyle(element);
    const inDrawing = element.closest('.graph');
    const box = inDrawing && getComputedStyle(element.closest('.badge') ? element.parentElement.querySelector('rect')
      : inDrawing.querySelector('.box')).fill;
    const ground = inDrawing ? numbers(box) : behind(element);
    const color = numbers(inDrawing ? style.fill : style.color);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const key = [color, ground, large].join();
    if (!seen.has(key)) { seen.add(key); check(color, ground, large ? 3 : 4.5, text); }
  }
  all('.e', line => check(numbers(getComputedStyle(line).stroke), behind(line), 3, 'edge'));
  all('.i', one => check(numbers(getComputedStyle(one).stroke), behind(one), 3, 'symbol'));
  all('.bar rect', part => {
    if (!part.classList.contains('empty')) { check(numbers(getComputedStyle(part).fill), behind(part), 3, 'bar'); }
  });
  all('input, select', one =>
    check(numbers(getComputedStyle(one).borderTopColor), behind(one.parentElement), 3, 'border of a control'));
  return found;
})()
"""
