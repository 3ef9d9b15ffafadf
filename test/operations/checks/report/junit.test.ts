import { SaxesParser } from 'saxes';
import { junitOf } from '../../../../operations/checks/report/junit';
import { acceptedReport, failedReport, HOSTILE, outsideReport, passedReport } from '../../../helpers/reports';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** What a strict parser of XML makes of it; anything that is not well-formed throws. */
function parsed(xml: string): Element {
  const document: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [document];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes: attributes as Record<string, string>, children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on('closetag', () => open.pop());
  parser.write(xml).close();
  const [root] = document.children;
  if (root === undefined) throw new Error('no root');
  return root;
}

function testcases(xml: string): Element[] {
  return (parsed(xml).children[0]?.children ?? []).filter(({ name }) => name === 'testcase');
}

test('a test suite with a test case for each check, in the order of the report', () => {
  const passed = passedReport();
  const results = passed.results.map((one) => (one.id === 'key-continuity' ? { ...one, durationMs: 724 } : one));
  const report = { ...passed, results };
  const { name, attributes, children } = parsed(junitOf(report));
  expect(name).toBe('testsuites');
  const totals = { tests: String(report.results.length), failures: '0', errors: '0', skipped: '0', time: '6.789' };
  expect(attributes).toEqual({ name: 'encrypted-backup-storage', ...totals });
  expect(children.map((child) => child.attributes)).toEqual([
    { name: 'post-deploy checks of production', ...totals, timestamp: '2026-01-02T03:04:05Z' },
  ]);
  const cases = testcases(junitOf(report));
  expect(cases.map((one) => one.attributes.name)).toEqual(report.results.map(({ id }) => id));
  const continuity = cases.find((one) => one.attributes.name === 'key-continuity');
  expect(continuity?.attributes).toEqual({
    classname: 'post-deploy checks of production',
    name: 'key-continuity',
    time: '0.724',
  });
  expect(continuity?.children.map((child) => child.name)).toEqual(['system-out']);
  expect(continuity?.children[0]?.text).toMatch(
    /^Every master key .*\nproves: Each .*\ndoes not prove: That .*\nevidence: \{/s,
  );
});

test('what did not pass says why; what nobody knows is an error', () => {
  const xml = junitOf(failedReport());
  expect(parsed(xml).attributes).toMatchObject({ failures: '2', errors: '1', skipped: '1' });
  const notPassed = testcases(xml).flatMap(({ attributes, children: [first] }) =>
    first === undefined || first.name === 'system-out' ? [] : [[attributes.name, first.name, first] as const],
  );
  expect(notPassed.map(([id, kind]) => `${id}: ${kind}`)).toEqual([
    'kms-ready: error',
    'auto-encryption: skipped',
    'range-read: failure',
    'ciphertext-on-disk: failure',
  ]);
  const [unknown, skipped, , failed] = notPassed.map(([, , element]) => element);
  const unreachable = 'connect ECONNREFUSED 127.0.0.1:7373';
  expect(unknown).toMatchObject({ attributes: { type: 'could-not-check', message: unreachable }, text: unreachable });
  expect(skipped?.attributes.message).toMatch(/^minio.autoEncryption is false/);
  expect(failed?.attributes).toMatchObject({ type: 'critical' });
  expect(failed?.attributes.message).toMatch(/^sse-s3-0: its plaintext is in/);
  expect(failed?.text).toMatch(/^sse-s3-0: .*\nfix: stop writing backups.*\nevidence: \{\n {2}"filesSearched": 12/s);
});

test('an accepted risk is skipped, with what was found', () => {
  const xml = junitOf(acceptedReport());
  expect(parsed(xml).attributes).toMatchObject({ failures: '0', errors: '0', skipped: '1' });
  const [first] = testcases(xml).find(({ attributes }) => attributes.name === 'forged-writes-refused')?.children ?? [];
  expect(first).toMatchObject({
    name: 'skipped',
    attributes: { message: 'accepted risk: unsigned-streaming: an object is written without a signature' },
  });
});

test('whatever a server says stays text, without what XML forbids', () => {
  const failure = testcases(junitOf(failedReport())).find(({ attributes }) => attributes.name === 'range-read')
    ?.children[0];
  const shown = HOSTILE.replaceAll(/[\u0000\u001b\u202e\ufffe]|\ud800/g, '\ufffd');
  expect(failure?.attributes.message).toBe(shown);
  expect(failure?.text.startsWith(`${shown}\nevidence: {`)).toBe(true);
});

test('a line break in a message is a space where XML would lose it, and one in its text', () => {
  const report = failedReport();
  const unknown = report.results.find(({ id }) => id === 'kms-ready');
  if (unknown === undefined) throw new Error('no result');
  unknown.message = 'one\r\ntwo\tthree';
  const [error] = testcases(junitOf(report)).find(({ attributes }) => attributes.name === 'kms-ready')?.children ?? [];
  expect(error?.attributes.message).toBe('one two three');
  expect(error?.text).toBe('one\ntwo\tthree');
});

test('what was left out is skipped, and says why', () => {
  const report = outsideReport();
  const cases = testcases(junitOf(report)).filter(({ children }) => children[0]?.name === 'skipped');
  expect(cases.map(({ attributes }) => attributes.name)).toEqual(report.leftOut.map(({ id }) => id));
  expect(cases[0]?.children[0]?.attributes.message).toMatch(/^excluded: needs the drive/);
  expect(parsed(junitOf(report)).attributes.skipped).toBe(String(report.leftOut.length));
});
