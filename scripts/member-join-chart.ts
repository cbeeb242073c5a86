/** Draws docs/member-join.svg from the figures of the measurement `member-join`, and prints them as a Markdown table. `npm run -s bench -- member-join --json | node scripts/member-join-chart.ts` */
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { broadcastModes, type BroadcastMode } from '../core/model/network.ts'

/** What `npm run -s bench -- --json` prints, as far as it is read here. */
interface Document {
  results: { name: string; error?: string; rows?: { figure: string; value: number }[] }[]
}

/** What is drawn and listed of each number of hosts and each mode. */
const figures = {
  'hosts whose broadcast flows change': 'hosts whose flows change',
  'bytes sent for broadcast': 'bytes sent',
  'broadcast converges': 'time to convergence, ms',
} as const
type Figure = keyof typeof figures

interface Point {
  members: number
  mode: BroadcastMode
  values: Record<Figure, number>
}

/** Throws where a figure is missing. */
function pointsOf({ results }: Document): Point[] {
  const rows = results.find(({ name }) => name === 'member-join')?.rows ?? []
  const counts = [...new Set(rows.map(({ figure }) => parseInt(figure)))]
  const valueOf = (figure: string): number => {
    const row = rows.find((one) => one.figure === figure)
    if (!row) throw new Error(`The document has no figure “${figure}”`)
    return row.value
  }
  if (counts.length === 0) throw new Error('The document has no figures of member-join')
  return counts.flatMap((members) =>
    broadcastModes.map((mode) => {
      const pairs = Object.keys(figures).map((figure) => [figure, valueOf(`${members} hosts, ${mode}: ${figure}`)])
      return { members, mode, values: Object.fromEntries(pairs) as Record<Figure, number> }
    }),
  )
}

const shown = (value: number): string => (value >= 100 ? Math.round(value) : Number(value.toPrecision(2))).toLocaleString('en')

function markdown(points: readonly Point[]): string {
  const head = ['hosts there', 'broadcast', ...Object.values(figures)]
  const lines = points.map(({ members, mode, values }) => [shown(members), `\`${mode}\``, ...Object.values(values).map(shown)])
  return [head, head.map((_, column) => (column === 1 ? '---' : '---:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const panel = { width: 280, height: 200, left: 20, top: 56, gap: 24 }
const colours: Record<BroadcastMode, string> = { 'source': '#d97706', 'cluster': '#2563eb', 'cluster+garp': '#0d9488' }

/** One panel for each figure: bars of a logarithmic scale, with their values; what is 0 has no bar. */
function svg(points: readonly Point[]): string {
  const names = Object.keys(figures) as Figure[]
  const width = 2 * panel.left + names.length * panel.width + (names.length - 1) * panel.gap
  const height = panel.top + panel.height + 40
  const panels = names.map(
    (name, index) => `<g transform="translate(${panel.left + index * (panel.width + panel.gap)} ${panel.top})">${bars(points, name)}</g>`,
  )
  const legend = broadcastModes.map((mode, index) => {
    const x = panel.left + index * 120
    return `<rect x="${x}" y="12" width="12" height="12" fill="${colours[mode]}"/><text x="${x + 18}" y="22">${mode}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2937">
<title>What one more member host changes for broadcast, by the number of hosts there and the way of broadcast</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[...legend, ...panels].join('\n')}
</svg>
`
}

function bars(points: readonly Point[], name: Figure): string {
  const greatest = Math.max(...points.map(({ values }) => values[name]))
  const scale = (value: number): number => (value <= 0 ? 0 : (panel.height - 30) * (Math.log10(1 + value) / Math.log10(1 + greatest)))
  const counts = [...new Set(points.map(({ members }) => members))]
  const groupWidth = panel.width / counts.length
  const barWidth = (groupWidth - 16) / broadcastModes.length
  const drawn = points.map(({ members, mode, values }) => {
    const x = counts.indexOf(members) * groupWidth + 8 + broadcastModes.indexOf(mode) * barWidth
    const high = scale(values[name])
    const label = Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 }).format(values[name])
    const at = [x, panel.height - high, barWidth - 3, high].map((number) => number.toFixed(1))
    const text = `<text x="${(x + barWidth / 2 - 1.5).toFixed(1)}" y="${(panel.height - high - 4).toFixed(1)}" text-anchor="middle" font-size="9">${label}</text>`
    return `<rect x="${at[0]}" y="${at[1]}" width="${at[2]}" height="${at[3]}" fill="${colours[mode]}"/>${text}`
  })
  const groups = counts.map(
    (members, index) => `<text x="${(index + 0.5) * groupWidth}" y="${panel.height + 18}" text-anchor="middle">${shown(members)} hosts</text>`,
  )
  const axis = `<line x1="0" y1="${panel.height}" x2="${panel.width}" y2="${panel.height}" stroke="#9ca3af"/>`
  return [`<text x="0" y="-8" font-weight="600">${figures[name]} (log)</text>`, axis, ...drawn, ...groups].join('\n')
}

const points = pointsOf(JSON.parse(await text(process.stdin)) as Document)
writeFileSync('docs/member-join.svg', svg(points))
console.log(markdown(points))
