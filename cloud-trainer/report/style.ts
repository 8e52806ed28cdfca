/** Colours and type of reports and pictures, light and dark, and light on paper. Series are told apart by `c0` … `c9`. */

/** Okabe and Ito's palette for colour-blind readers, with three more; the second is for dark ground. */
const SERIES: readonly (readonly [light: string, dark: string])[] = [
  ['#0072b2', '#5fb4ee'],
  ['#d55e00', '#ff9350'],
  ['#009e73', '#35cf9f'],
  ['#b5568a', '#e79fc6'],
  ['#b58100', '#f0bd4f'],
  ['#1f97d4', '#9ad8ff'],
  ['#6a4c93', '#b99ae0'],
  ['#5f6368', '#b3b8be'],
  ['#8c510a', '#d0a46a'],
  ['#b2182b', '#f27a80'],
]

/** Classes of the i-th series; after ten the colours repeat, dashed, and after twenty dotted. */
export const seriesClass = (index: number): string => {
  const colour = `c${index % SERIES.length}`
  return index < SERIES.length ? colour : `${colour} ${index < 2 * SERIES.length ? 'dashed' : 'dotted'}`
}

const variables = (dark: boolean): string =>
  SERIES.map((pair, i) => `--c${i}:${pair[dark ? 1 : 0]};`).join('') +
  (dark
    ? '--ink:#e6e8ea;--soft:#9aa1a9;--line:#3a4048;--ground:#14171a;--raised:#1d2126;'
    : '--ink:#1b1f23;--soft:#5b636b;--line:#d5d9dd;--ground:#ffffff;--raised:#f5f6f7;')

export const THEME = [
  `:root{color-scheme:light dark;${variables(false)}}`,
  `@media screen and (prefers-color-scheme:dark){:root{${variables(true)}}}`,
].join('\n')

/** Of everything inside a picture. */
export const PICTURE_STYLE = [
  'svg text{font:11px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--soft)}',
  'svg text.title{font-weight:600;font-size:12px;fill:var(--ink)}',
  'svg text.sum{font-weight:600;fill:var(--ink)}',
  'svg .axis{stroke:var(--line);stroke-width:1;fill:none}',
  'svg .zero{stroke:var(--soft);stroke-width:1;fill:none}',
  'svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round}',
  'svg .line.dashed{stroke-dasharray:6 3}svg .line.dotted{stroke-dasharray:1.8 2.6}',
  'svg .band{stroke:none;opacity:.15}',
  ...SERIES.map(
    (_, i) => `svg .c${i}{stroke:var(--c${i})}svg .fill.c${i},svg .band.c${i}{fill:var(--c${i});stroke:none}`,
  ),
].join('\n')
