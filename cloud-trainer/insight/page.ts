/** One HTML page that needs nothing else: no script, no font, no network. Pure. */
import type { Finding, Table } from './finding.ts'
import { escapeText } from './svg.ts'
import { cellText } from './table.ts'

const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1f23; --soft: #57606a; --rule: #d8dee4; --plus: #0072b2; --minus: #d55e00; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --ink: #e6e8ea; --soft: #a3adb7; --rule: #343b43; --plus: #56b4e9; --minus: #f0a04b; }
}
body { font: 15px/1.5 system-ui, sans-serif; background: var(--ground); color: var(--ink); max-width: 800px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption, footer { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; } svg .number { font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); } svg .zero { stroke: var(--ink); }
svg .reference { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .interval { stroke: var(--ink); stroke-width: 1.5; }
svg .plus { fill: var(--plus); } svg .minus { fill: var(--minus); }
svg .dot, svg .on { fill: var(--plus); } svg .off { fill: none; stroke: var(--rule); }
svg .open { fill: var(--ground); stroke: var(--plus); stroke-width: 1.5; }
svg .band { fill: var(--plus); fill-opacity: .18; } svg .curve { fill: none; stroke: var(--plus); stroke-width: 2; }
svg .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
`

export const htmlPage = ({ title, about, figures, tables, method }: Finding): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
${paragraphs(about)}
${figures.map(({ caption, svg }) => `<figure>${svg}<figcaption>${escapeText(caption)}</figcaption></figure>`).join('\n')}
${tables.map(htmlTable).join('\n')}
<footer><h2>Method</h2>
${paragraphs(method)}
</footer>
</body>
</html>
`

const paragraphs = (sentences: readonly string[]): string =>
  sentences.map((sentence) => `<p>${escapeText(sentence)}</p>`).join('\n')

const htmlTable = ({ name, columns, rows }: Table): string => {
  const head = columns.map((column) => `<th>${escapeText(column.name)}</th>`).join('')
  const body = rows.map(
    (row) => `<tr>${row.map((cell, i) => `<td>${escapeText(cellText(cell, columns[i]!))}</td>`).join('')}</tr>`,
  )
  return `<h2>${escapeText(name)}</h2>\n<table><thead><tr>${head}</tr></thead>\n<tbody>${body.join('\n')}</tbody></table>`
}
