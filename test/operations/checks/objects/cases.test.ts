import { everyCase } from '../../../../operations/checks/objects/cases';
import { CheckFailure } from '../../../../operations/checks/check';
import { rejectionOf } from '../../../helpers/thrown';

const passes = (name: string) => ({ name, run: async () => Promise.resolve(name.length) });
const fails = (name: string, message: string) => ({
  name,
  run: async () => Promise.reject(new CheckFailure(message, `mend ${name}`)),
});
const errs = (name: string) => ({ name, run: async () => Promise.reject(new Error(`${name} could not find out`)) });

test('the evidence of every case, by its name', async () => {
  expect(await everyCase(['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff'].map(passes))).toEqual({
    ...{ a: 1, bb: 2, ccc: 3 },
    ...{ dddd: 4, eeeee: 5, ffffff: 6 },
  });
});

test('what is broken is said once, with the cases in which it is, and before what nobody knows', async () => {
  const failure = await rejectionOf(
    everyCase([errs('a'), fails('b', 'it is plain'), passes('c'), fails('d', 'it is late'), fails('e', 'it is plain')]),
  );
  expect(failure).toBeInstanceOf(CheckFailure);
  expect(failure).toMatchObject({
    message: 'it is plain (b, e); it is late (d)',
    fix: 'mend b',
    evidence: { failed: ['b', 'd', 'e'], passed: { c: 1 } },
  });
});

test('of very many cases only a few are named, and the evidence has them all', async () => {
  const failure = await rejectionOf(
    everyCase(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => fails(name, 'it is plain'))),
  );
  expect(failure).toMatchObject({
    message: 'it is plain (a, b, c, d, and 2 more)',
    evidence: { failed: ['a', 'b', 'c', 'd', 'e', 'f'] },
  });
});

test('a case that could not find out is no failure, and others still end', async () => {
  const ended: string[] = [];
  const late = {
    name: 'late',
    run: async () => {
      await new Promise(setImmediate);
      ended.push('late');
      return null;
    },
  };
  const error = await rejectionOf(everyCase([errs('a'), late]));
  expect(error).not.toBeInstanceOf(CheckFailure);
  expect(error.message).toBe('a could not find out');
  expect(ended).toEqual(['late']);
});
