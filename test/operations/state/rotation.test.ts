import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Rotation } from '../../../operations/state/rotation';
import type { StepContext } from '../../../operations/lib/step';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';

describe('a rotation', () => {
  const folder = useTemporaryFolder();
  const places = () => ({
    rotation: path.join(folder(), 'rotation.json'),
    rotationsLog: path.join(folder(), 'rotations.log'),
  });
  const context: StepContext = {
    report: () => undefined,
    announce: () => undefined,
    signal: new AbortController().signal,
  };
  const logged = () =>
    readFileSync(places().rotationsLog, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);

  test('leaves out what an earlier run has done, and remembers what that found out', async () => {
    // GIVEN
    const first = Rotation.begin(places(), 'secret-id', 'demo');
    first.remember('old', 'an-accessor');
    const [mint, deliver] = first.steps([
      { id: 'mint', title: 'Mint', run: () => Promise.resolve('done') },
      { id: 'deliver', title: 'Deliver', run: () => Promise.reject(new Error('killed\nand more')) },
    ]);
    await mint?.run(context);
    await rejectionOf(deliver?.run(context) ?? Promise.resolve());

    // WHEN
    const second = Rotation.begin(places(), 'secret-id', 'demo');

    // THEN
    const step = { title: 'Mint', run: () => Promise.resolve(undefined) };
    const again = second.steps(['mint', 'deliver'].map((id) => ({ id, ...step })));
    expect(second.resumed).toBe(true);
    expect(second.startedAt).toEqual(first.startedAt);
    expect(second.remembered('old')).toBe('an-accessor');
    expect(again.map(({ applies }) => applies?.())).toEqual([false, true]);
    expect(logged().map(({ phase, outcome, detail }) => [phase, outcome, detail])).toEqual([
      [undefined, 'begun', undefined],
      ['mint', 'done', 'done'],
      ['deliver', 'failed', 'killed'],
      [undefined, 'resumed', undefined],
    ]);
  });

  test('does not count as done what is not in its log', async () => {
    // GIVEN a log that cannot be written
    const rotation = Rotation.begin(places(), 'secret-id', 'demo');
    rmSync(places().rotationsLog);
    mkdirSync(places().rotationsLog);

    // WHEN
    const phases = [{ id: 'mint', title: 'Mint', run: () => Promise.resolve('done') }];
    const [mint] = rotation.steps(phases);
    await rejectionOf(mint?.run(context) ?? Promise.resolve());
    rmSync(places().rotationsLog, { recursive: true });

    // THEN
    expect(Rotation.begin(places(), 'secret-id', 'demo').steps(phases)[0]?.applies?.()).toBe(true);
  });

  test('that could not be noted in the log is not begun', () => {
    mkdirSync(places().rotationsLog);
    expect(thrownBy(() => Rotation.begin(places(), 'secret-id', 'demo'))).toMatchObject({ code: 'EISDIR' });
    expect(Rotation.unfinished(places())).toBeUndefined();
  });

  test('that has ended leaves nothing but its lines in the log', () => {
    const rotation = Rotation.begin(places(), 'secret-id', 'demo');
    rotation.end();
    Rotation.begin(places(), 'certificates', 'demo').end();

    expect(existsSync(places().rotation)).toBe(false);
    expect(logged().map(({ what, outcome }) => [what, outcome])).toEqual([
      ['secret-id', 'begun'],
      ['secret-id', 'ended'],
      ['certificates', 'begun'],
      ['certificates', 'ended'],
    ]);
    expect(new Set(logged().map(({ id }) => id)).size).toBe(2);
    expect(statSync(places().rotationsLog).mode & 0o777).toBe(0o600);
  });

  test('that fails before it changed anything stands in nobody’s way', () => {
    Rotation.begin(places(), 'secret-id', 'demo').abandonUnlessBegun();
    expect(existsSync(places().rotation)).toBe(false);

    const begun = Rotation.begin(places(), 'secret-id', 'demo');
    begun.remember('old', 'an-accessor');
    begun.abandonUnlessBegun();
    expect(existsSync(places().rotation)).toBe(true);
    expect(logged().map(({ outcome }) => outcome)).toEqual(['begun', 'abandoned', 'begun']);
  });

  test('is not begun while another has not ended', () => {
    const { startedAt } = Rotation.begin(places(), 'secret-id', 'demo');

    expect(thrownBy(() => Rotation.begin(places(), 'certificates', 'demo'))).toMatchObject({
      message: `a rotation of secret-id, begun on ${startedAt.toISOString()}, has not ended`,
      hint: 'end it first: ./scripts/rotate secret-id demo',
    });
  });
});
