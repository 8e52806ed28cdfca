/** One HTML file that needs nothing else: no scripts, no fonts, no pictures from anywhere. */
import { element, escapeText } from './markup.ts'
import { PICTURE_STYLE, seriesClass, THEME } from './style.ts'

export type Section = { readonly title: string; readonly note?: string; readonly body: string }

const PAGE_STYLE = `
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1,h2{overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.15rem;margin:2.5rem 0 .25rem}
p{max-width:46rem;margin:.25rem 0 .75rem;overflow-wrap:anywhere}
.note{color:var(--soft)}
.scroll:focus-visible,.figure:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.figure{overflow-x:auto}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.87rem}
th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child>*{border-bottom:0}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--ground)}
thead th{background:var(--raised)!important;vertical-align:bottom}
td small,th small{display:block;color:var(--soft);font-weight:400;font-size:.78rem}
thead th small{white-space:normal}
td.best{font-weight:650}
tr.sum>*{background:var(--raised)!important}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(17rem,100%),1fr));gap:.75rem}
.grid.wide{grid-template-columns:repeat(auto-fill,minmax(min(22rem,100%),1fr))}
figure{margin:0}
svg{display:block;width:100%;height:auto}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:.4rem 0 .8rem;padding:0;list-style:none;font-size:.87rem}
.legend i{display:inline-block;width:1.3em;height:.22em;border-radius:2px;vertical-align:.28em;margin-right:.4em}
pre{background:var(--raised);padding:.7rem .9rem;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82rem}
td.small svg{width:7.5rem;margin-left:auto}
@media (max-width:30rem){main{padding:1rem .75rem 3rem}th,td{padding:.25rem .4rem}th:first-child{min-width:7.5rem;max-width:9rem;white-space:normal;overflow-wrap:anywhere}.figure svg{min-width:36rem}}
@media print{@page{size:A4 landscape;margin:12mm}body{font-size:10px}main{max-width:none;padding:0}.scroll,.figure{overflow:visible}table{font-size:8px}th,td{padding:.2rem .3rem}td small,th small{white-space:normal}th:first-child,td:first-child{position:static}h2{break-after:avoid}figure,tr,.legend{break-inside:avoid}}
`

/** `lead` is markup; titles and notes are text. */
export const page = (title: string, lead: string, sections: readonly Section[]): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>
${THEME}
${PICTURE_STYLE}
${LEGEND_STYLE}${PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${lead}
${sections.map(sectionText).join('\n')}
</main>
</body>
</html>
`

const LEGEND_STYLE = [
  ...Array.from({ length: 10 }, (_, i) => `.legend .${seriesClass(i)}{background-color:var(--c${i})}`),
  ...[
    ['dashed', 4],
    ['dotted', 2],
  ].map(
    ([name, on]) =>
      `.legend .${name}{background-image:repeating-linear-gradient(90deg,transparent 0 ${on}px,var(--ground) ${on}px ${Number(on) + 2}px)}`,
  ),
].join('')

const sectionText = ({ title, note, body }: Section): string =>
  `<section>\n<h2>${escapeText(title)}</h2>\n${note === undefined ? '' : `<p class="note">${escapeText(note)}</p>\n`}${body}\n</section>`

export const paragraph = (text: string): string => element('p', {}, escapeText(text))
export const preformatted = (text: string): string => element('pre', {}, escapeText(text))

/** Names beside the colours of their series, in order. */
export const legend = (names: readonly string[]): string =>
  element(
    'ul',
    { class: 'legend' },
    names.map((name, i) => element('li', {}, element('i', { class: seriesClass(i) }) + escapeText(name))),
  )

/** Pictures side by side, as many as fit. */
export const grid = (pictures: readonly string[], options: { readonly wide?: boolean } = {}): string =>
  element(
    'div',
    { class: options.wide ? 'grid wide' : 'grid' },
    pictures.map((picture) => element('figure', {}, picture)),
  )

/** A picture with small type: it keeps its size on a narrow page, and scrolls. */
export const figure = (picture: string, caption: string): string =>
  element('figure', { style: 'margin:1rem 0 1.5rem' }, [
    element('div', { class: 'figure', tabindex: '0', role: 'region', 'aria-label': caption }, picture),
    element('figcaption', { class: 'note' }, escapeText(caption)),
  ])

/** `small` stands below the text; `markup` instead of a text is taken as it is. */
export type Cell = {
  readonly text?: string
  readonly small?: string
  readonly class?: string
  readonly markup?: string
}
export type Row = { readonly cells: readonly Cell[]; readonly class?: string }

/** The first cell of each row is its name. A table too wide for the page scrolls by itself, by keys as well; `name` is read out. */
export const table = (name: string, head: readonly Cell[], rows: readonly Row[]): string =>
  element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': name }, [
    element('table', {}, [
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          head.map((cell) => cellText('th', cell, 'col')),
        ),
      ),
      element(
        'tbody',
        {},
        rows.map((row) =>
          element(
            'tr',
            row.class === undefined ? {} : { class: row.class },
            row.cells.map((cell, i) => (i === 0 ? cellText('th', cell, 'row') : cellText('td', cell))),
          ),
        ),
      ),
    ]),
  ])

const cellText = (name: 'th' | 'td', { text = '', small, class: kind, markup }: Cell, scope?: 'col' | 'row'): string =>
  element(
    name,
    { ...(kind === undefined ? {} : { class: kind }), ...(scope === undefined ? {} : { scope }) },
    (markup ?? escapeText(text)) + (small === undefined ? '' : element('small', {}, escapeText(small))),
  )
