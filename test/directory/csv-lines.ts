import t from 'tap'
import { readCsvLine, readCsvLines, type CsvLine } from '#directory/csv-lines.ts'

function lines(...texts: readonly string[]): CsvLine[] {
  return texts.map((text, index) => ({ place: index + 1, text }))
}

void t.test('records keep their places, also where a cell holds a line break', async (t) => {
  const read = [...readCsvLines(lines('a,b', '"x\r\ny","""quoted"""', '1,2'), {})]
  t.strictSame(
    read.map(([{ place }, cells]) => [place, cells]),
    [
      [1, { cells: ['a', 'b'] }],
      [2, { cells: ['x\r\ny', '"quoted"'] }],
      [3, { cells: ['1', '2'] }],
    ],
  )
})

void t.test('a stray quote costs its own record only', async (t) => {
  const many = lines(...Array.from({ length: 1200 }, (_, index) => (index === 700 ? 'a,b"c' : `${index},x`)))
  const read = [...readCsvLines(many, {})]
  t.equal(read.length, 1200)
  t.strictSame(
    read.filter(([, cells]) => 'fault' in cells).map(([{ place }, cells]) => [place, cells]),
    [[701, { fault: { field: '', message: 'expected comma separated cells; check the quotes' } }]],
  )
})

void t.test('takes another delimiter, and space only where it does not count', async (t) => {
  const [line] = lines(' a ;b,c')
  t.ok(line)
  if (line === undefined) return
  t.strictSame(readCsvLine(line, { delimiter: ';' }), { cells: [' a ', 'b,c'] })
  t.strictSame(readCsvLine(line, { delimiter: ';', trim: true }), { cells: ['a', 'b,c'] })
  t.match(readCsvLine({ place: 1, text: 'a;"b"c' }, { delimiter: ';' }), {
    fault: { message: 'expected cells separated by ;; check the quotes' },
  })
})
