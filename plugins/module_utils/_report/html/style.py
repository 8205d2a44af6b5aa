# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's style. It lies in Python because Ansible ships only Python files of module_utils to a target."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;
--page:#f4f6f9;--card:#fff;--text:#18202c;--quiet-text:#4f5b6b;--line:#d3d9e2;--link:#124fa8;--focus:#124fa8;
--good:#0a6338;--good-bg:#e2f3e9;--bad:#a3171a;--bad-bg:#fce8e7;--warn:#7d4300;--warn-bg:#fcefd9;
--doubt:#543f9b;--doubt-bg:#edeafa;--other:#07566f;--other-bg:#e0f1f6;--quiet:#3f4d60;--quiet-bg:#e9edf2}
@media (prefers-color-scheme:dark){:root{
--page:#0e131a;--card:#161d27;--text:#e5eaf1;--quiet-text:#a3afbf;--line:#2d3846;--link:#8ab8ff;--focus:#8ab8ff;
--good:#74d7a0;--good-bg:#10301f;--bad:#ffa29b;--bad-bg:#431a18;--warn:#f6bd74;--warn-bg:#3a290f;
--doubt:#beb0f8;--doubt-bg:#292347;--other:#7fcde8;--other-bg:#0f2e3a;--quiet:#b3c0d0;--quiet-bg:#232d3a}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
code,pre,.graph .name,.graph .ports{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code,pre{font-size:.9em;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--page);border:1px solid var(--line);border-radius:6px;padding:8px 10px}
td,th,dd,code,p{unicode-bidi:isolate}
a{color:var(--link);text-underline-offset:2px}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:4px}
main:focus{outline:none}
.skip{position:absolute;left:-999px;top:8px;background:var(--card);padding:8px 14px;z-index:2}
.skip:focus{left:8px}
.symbols{position:absolute}
.i,.graph use{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.i{width:1.05em;height:1.05em;vertical-align:-.17em;margin-right:.35em;flex:none}
symbol .fill{fill:currentColor}
body{display:grid;grid-template-columns:minmax(0,1fr);gap:0 32px;max-width:1560px;margin:0 auto;padding:0 16px 40px}
header{padding:24px 0 8px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 14px;letter-spacing:-.01em}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 12px;letter-spacing:-.005em}
h3{font-size:1rem;margin:0}
header,main,footer,main>section{min-width:0}
main>section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px 20px;
margin:0 0 18px}
#summary{background:none;border:0;padding:0}
.banner{display:flex;align-items:center;gap:4px;margin:0 0 14px;padding:12px 16px;border-radius:10px;font-size:1.1rem;
border:1px solid currentColor;border-left-width:6px}
.banner.good{color:var(--good);background:var(--good-bg)}.banner.bad{color:var(--bad);background:var(--bad-bg)}
.banner.doubtful{color:var(--doubt);background:var(--doubt-bg)}
.identity{display:flex;flex-wrap:wrap;gap:4px 28px;margin:0 0 8px}
.identity.wide{display:grid;gap:8px}
.identity div{min-width:0}
dt{color:var(--quiet-text);font-size:.85rem}
dd{margin:0;overflow-wrap:anywhere}
nav ul{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;margin:0 0 16px;padding:10px 0;
border:solid var(--line);border-width:1px 0}
nav a{display:inline-block;padding:3px 0;text-decoration:none}
nav a:hover{text-decoration:underline}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(185px,1fr));gap:14px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.tile h3{display:flex;justify-content:space-between;align-items:baseline;gap:8px}
.tile h3 a{color:inherit;text-decoration-color:var(--line)}
.total{font-size:1.5rem;font-variant-numeric:tabular-nums}
.of{margin:0 0 8px;color:var(--quiet-text);font-size:.85rem}
.bar{display:block;width:100%;height:8px;border-radius:4px}
.bar .empty{fill:var(--line)}
.tile ul{list-style:none;margin:10px 0 0;padding:0;display:grid;gap:5px}
.tile li{display:flex;justify-content:space-between;align-items:center}
.tile b{font-variant-numeric:tabular-nums}
.pill{display:inline-flex;align-items:center;padding:0 8px 0 6px;border-radius:20px;font-size:.85rem;line-height:1.65;
white-space:nowrap}
.pill.good{color:var(--good);background:var(--good-bg)}.pill.bad{color:var(--bad);background:var(--bad-bg)}
.pill.warn{color:var(--warn);background:var(--warn-bg)}.pill.doubt{color:var(--doubt);background:var(--doubt-bg)}
.pill.other{color:var(--other);background:var(--other-bg)}.pill.quiet{color:var(--quiet);background:var(--quiet-bg)}
.bar .good{fill:var(--good)}.bar .bad{fill:var(--bad)}.bar .warn{fill:var(--warn)}
.bar .doubt{fill:var(--doubt)}.bar .other{fill:var(--other)}.bar .quiet{fill:var(--quiet)}
.none,.note{color:var(--quiet-text)}
.note,.prose{margin:0 0 12px;max-width:85ch}
.cause{display:block;color:var(--bad);font-weight:600}
.cut{font-weight:600}
.scroll{overflow-x:auto;margin:0 0 14px}
.scroll:last-child{margin-bottom:0}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:left;font-weight:600;padding:0 0 8px}
th,td{text-align:left;vertical-align:top;padding:7px 10px;border-bottom:1px solid var(--line);overflow-wrap:break-word}
thead th{font-size:.82rem;color:var(--quiet-text);white-space:nowrap;border-bottom-width:2px;overflow-wrap:normal}
tbody th{font-weight:400}
:is(td,tbody th):has(>code:not(.t)){min-width:12em}
td:last-child:not(:has(.pill,.t)){min-width:14em}
tbody tr>:first-child{border-left:3px solid transparent}
tr.bad>:first-child{border-left-color:var(--bad)}tr.warn>:first-child{border-left-color:var(--warn)}
tr.doubt>:first-child{border-left-color:var(--doubt)}
.server{display:block;color:var(--quiet-text);font-size:.85em}
tbody tr:hover{background:var(--page)}
tbody tr:focus{outline:3px solid var(--focus);outline-offset:-3px}
thead button{font:inherit;color:inherit;background:none;border:0;padding:2px 4px;margin:-2px -4px;cursor:pointer;
text-align:left;white-space:nowrap}
thead button::after{content:"";display:inline-block;width:1em;padding-left:.3em}
th[aria-sort=ascending] button::after{content:"\\2191"}
th[aria-sort=descending] button::after{content:"\\2193"}
.filter{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:end;margin:0 0 12px}
.filter label{display:grid;font-size:.85rem;color:var(--quiet-text)}
.filter input,.filter select{font:inherit;color:var(--text);background:var(--card);border:1px solid var(--quiet-text);
border-radius:6px;padding:0 9px;height:2.4em;min-width:0;width:17em;max-width:100%}
.filter select{width:auto}
.filter output{line-height:2.4;color:var(--quiet-text)}
[hidden]{display:none!important}
details{border-top:1px solid var(--line);padding:4px 0}
summary .pill{margin-left:6px}
summary{cursor:pointer;padding:5px 2px;overflow-wrap:anywhere}
details p{margin:6px 0 8px;overflow-wrap:anywhere}
.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.long{word-break:break-all}
.legend{display:flex;flex-wrap:wrap;gap:6px 12px;list-style:none;padding:0;margin:0 0 14px}
.graph{display:block;width:100%;min-width:700px;max-width:1100px;height:auto;font-size:13px}
.graph text{fill:var(--text)}
.graph .box{fill:var(--page);stroke:var(--line)}
.graph .title,.graph .strong{font-weight:600}
.graph .ports{font-size:12px;fill:var(--quiet-text)}
.graph .mark{font-size:10px;fill:currentColor}
.graph .word{fill:currentColor}
.graph .badge rect{fill:var(--quiet-bg);stroke:var(--quiet);stroke-dasharray:2.5 2}
.graph .badge.inside rect{fill:var(--card);stroke:var(--text);stroke-dasharray:none}
.graph .letter{font-size:11px;font-weight:600;text-anchor:middle}
.graph g.good{color:var(--good)}.graph g.bad{color:var(--bad)}.graph g.warn{color:var(--warn)}
.graph g.doubt{color:var(--doubt)}.graph g.other{color:var(--other)}.graph g.quiet{color:var(--quiet)}
.e{fill:none;stroke-width:1.2}
.e.good{stroke:var(--good)}.e.bad{stroke:var(--bad);stroke-width:2.6}.e.warn{stroke:var(--warn);stroke-dasharray:7 4}
.e.doubt{stroke:var(--doubt);stroke-dasharray:2 4}.e.other{stroke:var(--other);stroke-dasharray:12 3 2 3}
.e.quiet{stroke:var(--quiet);stroke-width:1;stroke-dasharray:1 4}
.e.s-contradicted{stroke-dasharray:10 4}
footer{color:var(--quiet-text);font-size:.85rem}
@media (min-width:1500px){
body{grid-template-columns:210px minmax(0,1fr);padding:0 28px 40px}
header,footer{grid-column:1/-1}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto}
nav ul{display:block;border:0;padding:4px 0;margin:0}
nav a{padding:5px 0}}
@media (max-width:720px){
body{padding:0 12px 24px}
main>section{padding:14px 14px 16px}
#summary{padding:0}
.identity{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:8px 14px}
.filter label,.filter input,.filter select{width:100%}}
@media screen and (max-width:900px){
table,caption,tbody,tbody th,td{display:block}
thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
tbody tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(145px,1fr));gap:4px 12px;
border:1px solid var(--line);border-radius:8px;margin:0 0 10px;padding:10px 12px}
tr.bad{border-left:4px solid var(--bad)}tr.warn{border-left:4px solid var(--warn)}
tr.doubt{border-left:4px solid var(--doubt)}
tbody th,td,td:last-child:not(:has(.pill,.t)),:is(td,tbody th):has(>code:not(.t)){border:0;padding:0;min-width:0}
tbody tr:is(*,.bad,.warn,.doubt)>:first-child{border:0}
td:not(:has(.pill,.t,.none,code)){grid-column:1/-1}
tr>:first-child{grid-column:1/-1}
tr>:first-child{font-weight:600}
tr>:nth-child(n+2)::before{display:block;color:var(--quiet-text);font-size:.8rem}
td:empty{display:none}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media (forced-colors:active){.pill,.banner{border:1px solid}}
@media print{
:root{color-scheme:light;--page:#fff;--card:#fff;--text:#000;--quiet-text:#333;--line:#999;--link:#000;
--good:#0a6338;--good-bg:#fff;--bad:#a3171a;--bad-bg:#fff;--warn:#7d4300;--warn-bg:#fff;
--doubt:#543f9b;--doubt-bg:#fff;--other:#07566f;--other-bg:#fff;--quiet:#3f4d60;--quiet-bg:#fff}
@page{margin:14mm}
body{display:block;max-width:none;padding:0;font-size:9.5pt}
nav,.skip,.filter{display:none}
main>section{border:0;padding:0;margin:0 0 16pt}
h2{break-after:avoid}
tr,.tile,.graph{break-inside:avoid}
thead{display:table-header-group}
thead th{white-space:normal}
table{font-size:7.5pt}
th,td,thead th{padding:3pt;font-size:inherit}
tbody th,td,td:last-child:not(:has(.pill,.t)),:is(td,tbody th):has(>code:not(.t)){min-width:0}
td:last-child:not(:has(.pill,.t)){min-width:10em}
th,td{overflow-wrap:anywhere}
.pill{border:1px solid;font-size:7pt;padding:0 4px 0 2px}
.pill .i{margin-right:.15em}
.scroll{overflow:visible}
.graph{min-width:0;max-width:100%}
.tiles{grid-template-columns:repeat(5,1fr);gap:6pt}
.tile{padding:6pt}
.total{font-size:1.1rem}
details::details-content{content-visibility:visible;block-size:auto}}
"""
