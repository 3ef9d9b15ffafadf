import { parseFindings } from '../../../operations/vulnerabilities/findings';

const stream = (...messages: object[]): string =>
  messages.map((message) => JSON.stringify(message, null, 2)).join('\n');

const osv = { osv: { id: 'GO-2026-0001', aliases: ['CVE-2026-1'], summary: 'A flaw' } };

function finding(trace: object, fixed?: string): object {
  return { finding: { osv: 'GO-2026-0001', ...(fixed === undefined ? {} : { fixed_version: fixed }), trace: [trace] } };
}

describe('parseFindings', () => {
  test('one row for each id and module, at its nearest, whatever the order', () => {
    const called = finding({ module: 'a', version: 'v1.0.0', package: 'a/b', function: 'F' }, 'v1.1.0');
    const imported = finding({ module: 'a', version: 'v1.0.0', package: 'a/b' }, 'v1.1.0');
    const required = finding({ module: 'a', version: 'v1.0.0' }, 'v1.1.0');
    const row = {
      id: 'GO-2026-0001',
      aliases: ['CVE-2026-1'],
      summary: 'A flaw',
      module: 'a',
      version: 'v1.0.0',
      fixed: 'v1.1.0',
    };
    expect(parseFindings(stream(osv, required, imported, called))).toEqual([{ ...row, reach: 'called' }]);
    expect(parseFindings(stream(osv, called, imported, required))).toEqual([{ ...row, reach: 'called' }]);
    expect(parseFindings(stream(osv, required, imported))).toEqual([{ ...row, reach: 'imported' }]);
    expect(parseFindings(stream(osv, required))).toEqual([{ ...row, reach: 'required' }]);
  });

  test('what is only in the database is no finding', () => {
    expect(parseFindings(stream({ config: { go_version: 'go1.26.11' } }, osv))).toEqual([]);
  });

  test('a flaw without a fixed version', () => {
    expect(parseFindings(stream(osv, finding({ module: 'a', version: 'v1.0.0' })))[0]).not.toHaveProperty('fixed');
  });
});
