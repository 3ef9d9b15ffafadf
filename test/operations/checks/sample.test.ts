import { sampleOf } from '../../../operations/checks/sample';

const NUMBERS = Array.from({ length: 20 }, (_, number) => number);

test('no more than fit: all, in their order', () => {
  expect(sampleOf(NUMBERS, 20)).toEqual(NUMBERS);
});

test('more: so many, each once', () => {
  const sample = sampleOf(NUMBERS, 5);
  expect(new Set(sample).size).toBe(5);
  expect(NUMBERS).toEqual(expect.arrayContaining([...sample]));
});

test('each comes in some run', () => {
  const seen = new Set(Array.from({ length: 200 }).flatMap(() => sampleOf(NUMBERS, 5)));
  expect([...seen].sort((one, other) => one - other)).toEqual(NUMBERS);
});
