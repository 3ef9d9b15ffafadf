import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { reportSchema } from '../../../../operations/checks/report/model';
import { writeReport } from '../../../../operations/checks/report/write';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { reportOf, resultOf } from './samples';

const folder = useTemporaryFolder();
const FORMATS = ['html', 'json', 'xml'] as const;

test('every format is in its place, and again in the history', () => {
  const files = writeReport(folder(), reportOf(resultOf('passed')));
  expect(readdirSync(folder()).sort()).toEqual(['checks.html', 'checks.json', 'checks.xml', 'history']);
  for (const format of FORMATS) {
    expect(files[format]).toBe(path.join(folder(), `checks.${format}`));
    const kept = path.join(folder(), 'history', `checks-2026-01-02T03-04-05.678Z.${format}`);
    expect(readFileSync(kept, 'utf8')).toBe(readFileSync(files[format], 'utf8'));
  }
  expect(reportSchema.parse(JSON.parse(readFileSync(files.json, 'utf8'))).outcome).toBe('passed');
});

test('the page names the JSON that belongs to it', () => {
  const { html, json } = writeReport(folder(), reportOf(resultOf('passed')));
  expect(readFileSync(html, 'utf8')).toContain(createHash('sha256').update(readFileSync(json)).digest('hex'));
});

test('the last 20 runs are kept in all formats, and nothing else in the folder is touched', () => {
  const history = path.join(folder(), 'history');
  mkdirSync(history);
  const days = Array.from({ length: 25 }, (_, day) => `2025-01-${String(day + 1).padStart(2, '0')}`);
  for (const day of days) {
    for (const format of FORMATS) writeFileSync(path.join(history, `checks-${day}T00-00-00.000Z.${format}`), '');
  }
  writeFileSync(path.join(history, 'checks-mine.json'), '{}');
  writeReport(folder(), reportOf(resultOf('passed')));
  const files = readdirSync(history).sort();
  expect(files).toContain('checks-mine.json');
  for (const format of FORMATS) {
    const runs = files.filter((file) => file.endsWith(`Z.${format}`));
    expect(runs).toHaveLength(20);
    expect(runs[0]).toBe(`checks-2025-01-07T00-00-00.000Z.${format}`);
    expect(runs.at(-1)).toBe(`checks-2026-01-02T03-04-05.678Z.${format}`);
  }
});
