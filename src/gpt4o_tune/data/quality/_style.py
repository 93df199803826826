"""The style sheet of a data card."""

STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--soft:#5b6675;--line:#d9dee5;--page:#fff;--tint:#f4f6f8;
--bar:#3b6ea5;--mark:#b4552d;--act:#a3341f;--look:#7a5a00}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ee;--soft:#9aa6b5;--line:#333c48;--page:#14181e;
--tint:#1c222a;--bar:#6fa3dc;--mark:#e8935f;--act:#f08c78;--look:#dcb85a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:66rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.6rem 0 .7rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .3rem;font-weight:600}
p{margin:.4rem 0;max-width:46rem}
.lead,.note,figcaption,caption,dt{color:var(--soft)}
.note,figcaption{font-size:.875rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.9rem 1.5rem;margin:1.4rem 0 0}
.facts div{min-width:0}
.facts .long{grid-column:1/-1}
dt{font-size:.8125rem}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.long dd{font-weight:400;font-family:ui-monospace,"Liberation Mono",Menlo,monospace;font-size:.8125rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.6rem 2.2rem}
.grid>*{min-width:0}
figure{margin:0}
svg.plot{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12px}
.bar{fill:var(--bar)}.dot{fill:var(--bar);fill-opacity:.45}
.axis{stroke:var(--soft);stroke-width:1}
.mark{stroke:var(--mark);stroke-width:1.5;stroke-dasharray:4 3}
table{border-collapse:collapse;width:100%;font-size:.9375rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
.small{max-width:30rem}
caption{text-align:left;font-size:.875rem;padding-bottom:.25rem;font-weight:600;color:var(--ink)}
th,td{padding:.28rem .6rem .28rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
thead th{color:var(--soft);font-weight:500;font-size:.8125rem}
tbody th{font-weight:400;overflow-wrap:anywhere;unicode-bidi:isolate}
.number,thead .number{text-align:right;white-space:nowrap}
.bars{table-layout:auto}
.bars .quiet{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.bars .strip{width:28%;min-width:4rem;padding-right:0}
.strip svg{display:block;width:100%;height:.65rem;margin-top:.45rem}
.findings{list-style:none;margin:0;padding:0}
.findings li{padding:.65rem 0;border-bottom:1px solid var(--line);display:grid;grid-template-columns:3.4rem 1fr}
.findings p{margin:0}
.weight{font-size:.8125rem;font-weight:700;padding-top:.1rem}
.act{color:var(--act)}.look{color:var(--look)}
.row{border:1px solid var(--line);border-radius:6px;padding:.3rem 1rem .8rem;margin:0 0 1rem;break-inside:avoid}
.row h3{color:var(--soft);font-weight:500;font-size:.8125rem;margin:.4rem 0}
.said{display:grid;grid-template-columns:5.5rem 1fr;gap:.2rem .8rem;padding:.35rem 0}
.said>b{font-size:.8125rem;color:var(--soft);font-weight:600;padding-top:.15rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;min-width:0}
summary{cursor:pointer;overflow-wrap:anywhere}
summary::marker{color:var(--soft)}
details[open]>.text{border-left:2px solid var(--line);padding-left:.7rem;margin-top:.3rem}
footer{margin-top:3rem;color:var(--soft);font-size:.875rem}
@media (max-width:34rem){main{padding:1.2rem .9rem 3rem}.said{grid-template-columns:1fr}
svg text{font-size:14px}.findings li{grid-template-columns:1fr}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--tint:#fff;--bar:#456;
--mark:#000;--act:#000;--look:#000}body{font-size:10.5pt}main{max-width:none;padding:0}
.grid{grid-template-columns:1fr 1fr}figure,tr,.findings li{break-inside:avoid}h2{break-after:avoid}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
